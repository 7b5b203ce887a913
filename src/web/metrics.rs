//! `/metrics`: one moment of all jobs, and the exporter's own metrics, in the format that the scraper takes.

use crate::exposition::Wanted;
use crate::exposition::negotiate::{Accepted, Encoding};
use crate::exposition::selection::Families;
use crate::web::Web;
use crate::web::respond::{self, Response, Scrape};
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::Either;
use std::sync::Arc;
use url::form_urlencoded;

/// Of equal wishes the first is sent: every Prometheus takes gzip, so that it is there already.
const COMPRESSIONS: [Encoding; 2] = [Encoding::Gzip, Encoding::Zstd];

/// Answers a scrape, for which `server` has found a place.
pub async fn answer(web: &Web, query: &str, request: &HeaderMap) -> Response {
    let accepted = Accepted::negotiate(respond::list(request, &ACCEPT).as_deref());
    let encoding = respond::encoding(request, &COMPRESSIONS);
    let wanted = Wanted { format: accepted.format, encoding, families: named(query) };
    let body = if web.exposition.is_prepared(&wanted) {
        web.exposition.scrape(wanted)
    } else {
        // The first to ask for a format waits while it is made, and nobody else does.
        let exposition = Arc::clone(&web.exposition);
        match tokio::task::spawn_blocking(move || exposition.scrape(wanted)).await {
            Ok(body) => body,
            Err(_) => {
                return respond::words(StatusCode::INTERNAL_SERVER_ERROR, "The metrics could not be made.");
            }
        }
    };
    let length = body.length();
    let mut response = http::Response::new(Either::Left(Scrape(body)));
    let headers = response.headers_mut();
    if let Ok(content_type) = HeaderValue::try_from(accepted.content_type()) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    if let Some(coding) = encoding.as_str() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

/// The families that `name[]=` names, each time it stands in the query.
fn named(query: &str) -> Families {
    let names: Vec<_> = form_urlencoded::parse(query.as_bytes())
        .filter(|(key, _)| key == "name[]")
        .map(|(_, name)| name)
        .collect();
    Families::named(names.iter().map(AsRef::as_ref))
}
