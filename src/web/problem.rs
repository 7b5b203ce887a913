//! Errors of the JSON API as problem details (RFC 9457), so that a script can tell them apart and a human read them.

use crate::web::respond::{self, Response};
use http::header::{ALLOW, CACHE_CONTROL};
use http::{HeaderValue, Method, StatusCode};
use serde::Serialize;

/// The document. Its type is always `about:blank`, so the status says which problem it is.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    /// The shard to ask instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<u32>,
}

/// A response with a problem; `detail` says what is wrong and what would be right.
#[must_use]
pub fn problem(status: StatusCode, detail: &str) -> Response {
    with_shard(status, detail, None)
}

/// 421: another shard watches the job.
#[must_use]
pub fn misdirected((detail, shard): &(String, u32)) -> Response {
    with_shard(StatusCode::MISDIRECTED_REQUEST, detail, Some(*shard))
}

fn with_shard(status: StatusCode, detail: &str, shard: Option<u32>) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let document = Problem { r#type: "about:blank", title, status: status.as_u16(), detail, shard };
    // Texts and a number always serialize.
    let body = serde_json::to_vec(&document).unwrap_or_default();
    let mut response = respond::whole(status, "application/problem+json", body);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// 405: this method is not possible, those are.
#[must_use]
pub fn method_not_allowed(method: &Method, allowed: &str) -> Response {
    let mut response =
        problem(StatusCode::METHOD_NOT_ALLOWED, &format!("{method} is not possible here; use {allowed}."));
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// The app takes no requests any more.
#[must_use]
pub fn stopping() -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, "grid-bulk-exporter is stopping.")
}
