//! Scrapes at once (`--web.max-requests`): more get 503. Used by `server`.
//!
//! A place is held until the last byte is sent. Where all are taken, those of scrapers that take nothing are given to
//! others: forty connections that never read must not keep Prometheus out.

use crate::web::connections::{Connection, Connections, Scraping};
use crate::web::respond::{self, Response};
use http::StatusCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// A scraper waits so long for a place, if others may have to give theirs.
const PATIENCE: Duration = Duration::from_secs(1);

/// Meanwhile it is looked so often whether one has to.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A scrape's place; given back on drop.
#[derive(Debug)]
pub(super) struct ScrapePlace {
    _permit: OwnedSemaphorePermit,
    _scraping: Scraping,
}

/// A place for a scrape of `connection`, or 503. `limit` is for the message.
pub(super) async fn take(
    places: &Arc<Semaphore>,
    limit: usize,
    connections: &Connections,
    connection: &Arc<Connection>,
) -> Result<ScrapePlace, Response> {
    let Some(scraping) = connection.scrape() else {
        let line = "Too many scrapes at once on one connection.";
        return Err(respond::words(StatusCode::SERVICE_UNAVAILABLE, line));
    };
    let until = Instant::now() + PATIENCE;
    let mut permit = Arc::clone(places).try_acquire_owned().ok();
    if permit.is_none() && connections.has_scrapes_but(connection) {
        let acquire = Arc::clone(places).acquire_owned();
        tokio::pin!(acquire);
        while permit.is_none() && Instant::now() < until {
            connections.evict_slow_scrapes(connection);
            permit =
                timeout_at(Instant::now() + LOOK_EVERY, acquire.as_mut()).await.ok().and_then(Result::ok);
        }
    }
    let Some(permit) = permit else {
        let line = format!("{limit} scrapes are under way; --web.max-requests permits no more.");
        return Err(respond::words(StatusCode::SERVICE_UNAVAILABLE, &line));
    };
    Ok(ScrapePlace { _permit: permit, _scraping: scraping.placed() })
}
