//! `/metrics`: one moment of all jobs, and the exporter's own metrics, in the format that the scraper takes.

use crate::exposition::Wanted;
use crate::exposition::negotiate::{Accepted, Encoding};
use crate::exposition::selection::Families;
use crate::web::Web;
use crate::web::respond::{self, Response, Scrape};
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::Either;
use url::form_urlencoded;

/// Of equal wishes the first is sent: every Prometheus takes gzip, so that it is there already.
const COMPRESSIONS: [Encoding; 2] = [Encoding::Gzip, Encoding::Zstd];

/// A response's headers, at most.
const HEADERS: usize = 12;

/// Answers a scrape, for which `server` has found a place.
pub async fn answer(web: &Web, query: &str, request: &HeaderMap) -> Response {
    let accepted = Accepted::negotiate(respond::list(request, &ACCEPT).as_deref());
    let encoding = respond::encoding(request, &COMPRESSIONS);
    let wanted = Wanted { format: accepted.format, encoding, families: named(query) };
    // The first to ask for a format waits while it is made, and nobody else does.
    if !web.exposition.prepare(&wanted).await {
        return respond::words(StatusCode::INTERNAL_SERVER_ERROR, "The metrics could not be made.");
    }
    let body = web.exposition.scrape(wanted);
    let length = body.length();
    let mut response = http::Response::new(Either::Left(Scrape(body)));
    let headers = response.headers_mut();
    // With what all responses have; growing step by step would copy them.
    headers.reserve(HEADERS);
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
