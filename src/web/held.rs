//! What an answer holds until it is sent: its connection counts as busy, and large bodies have a share of a bounded
//! memory. Used by `server`, around each response.
//!
//! Pages and JSON are made for each request, so those of many connections that don't read would add up; scrapes share
//! their bytes and have `--web.max-requests` instead.

use crate::web::connections::Busy;
use crate::web::respond::{self, Body, Response, Sent};
use crate::web::scrapes::ScrapePlace;
use http::StatusCode;
use http_body::Body as _;
use http_body_util::Either;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies of pages and JSON on their way, in KiB, over all connections.
const MOST_KIB: usize = 32 * 1024;

/// Smaller ones are not counted, in KiB.
const COUNTED_FROM_KIB: usize = 16;

/// The memory for bodies under way.
#[derive(Clone, Debug)]
pub(super) struct Memory(Arc<Semaphore>);

impl Memory {
    /// All of it free.
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MOST_KIB)))
    }

    /// The response with what it holds, or 503 if its body finds no room.
    pub(super) fn hold(
        &self,
        response: Response,
        busy: Busy,
        scrape: Option<ScrapePlace>,
    ) -> http::Response<Held> {
        let kib = match response.body() {
            Either::Left(_scrape) => 0,
            Either::Right(whole) => usize::try_from(whole.size_hint().lower() / 1024).unwrap_or(usize::MAX),
        };
        if kib < COUNTED_FROM_KIB {
            return response
                .map(|body| Held { body, holds: Some(Holds { busy, _scrape: scrape, _memory: None }) });
        }
        // One that is larger than all of it gets all of it.
        let share = u32::try_from(kib.min(MOST_KIB)).unwrap_or(u32::MAX);
        let memory = Arc::clone(&self.0).try_acquire_many_owned(share).ok();
        let response = if memory.is_some() {
            response
        } else {
            let line = "Too many large answers are under way; try again in a few seconds.";
            respond::words(StatusCode::SERVICE_UNAVAILABLE, line)
        };
        response.map(|body| Held { body, holds: Some(Holds { busy, _scrape: scrape, _memory: memory }) })
    }
}

/// What is given back once the answer is sent.
#[derive(Debug)]
pub struct Holds {
    busy: Busy,
    _scrape: Option<ScrapePlace>,
    _memory: Option<OwnedSemaphorePermit>,
}

impl Holds {
    /// Something of the answer was taken.
    pub(super) fn moved(&self) {
        self.busy.moved();
    }
}

/// A body, and what it holds.
#[derive(Debug)]
pub(super) struct Held {
    body: Body,
    holds: Option<Holds>,
}

impl http_body::Body for Held {
    type Data = Sent;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Sent>, Self::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        // The body is done as soon as it has handed its bytes over, long before a slow reader has them.
        let last = self.body.is_end_stream().then(|| self.holds.take()).flatten();
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(|sent| sent.holding(last)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
