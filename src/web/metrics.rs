//! `/metrics`: one moment of all jobs, and the exporter's own metrics.

use crate::exposition::negotiate::Encoding;
use crate::exposition::text;
use crate::web::Web;
use crate::web::respond::{self, Response, Scrape};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue};
use http_body_util::Either;

/// Answers a scrape, for which `server` has found a place.
#[must_use]
pub fn answer(web: &Web, request: &HeaderMap) -> Response {
    let encoding = respond::encoding(request);
    let body = web.exposition.scrape(encoding);
    let length = body.length();
    let mut response = http::Response::new(Either::Left(Scrape(body)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(text::CONTENT_TYPE));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if encoding == Encoding::Gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}
