//! `/metrics`: one moment of all jobs, and the exporter's own metrics.

use crate::exposition::negotiate::Encoding;
use crate::exposition::text;
use crate::web::Web;
use crate::web::respond::{self, Permitted, Response};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::Either;
use std::sync::Arc;

/// Answers a scrape; 503 if as many are under way as `--web.max-requests` permits.
#[must_use]
pub fn answer(web: &Web, request: &HeaderMap) -> Response {
    let permit = web.scrapes.as_ref().map(|scrapes| Arc::clone(scrapes).try_acquire_owned()).transpose();
    let Ok(permit) = permit else {
        let limit = web.options.max_requests;
        let line = format!("{limit} scrapes are under way; --web.max-requests permits no more.");
        return respond::words(StatusCode::SERVICE_UNAVAILABLE, &line);
    };
    let encoding = respond::encoding(request);
    let body = web.exposition.scrape(encoding);
    let length = body.length();
    let mut response = http::Response::new(Either::Left(Permitted { body, permit }));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(text::CONTENT_TYPE));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if encoding == Encoding::Gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}
