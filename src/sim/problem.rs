//! Error answers in the API's form: `{status, code, message, details}`.

use crate::sim::body::SimBody;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use serde_json::{Value, json};

/// An answer of the simulator.
pub(crate) type Reply = Response<SimBody>;

/// The value of `Content-Type` for JSON.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A JSON answer.
pub(crate) fn json_reply(status: StatusCode, body: SimBody) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, JSON);
    reply
}

/// An error with the API's usual code and message for the status.
pub(crate) fn problem(status: StatusCode) -> Reply {
    let (code, message) = usual(status);
    problem_with(status, code, message, None)
}

/// An error with its own code and message.
pub(crate) fn problem_with(status: StatusCode, code: &str, message: &str, details: Option<Value>) -> Reply {
    let mut body = json!({"status": status.as_u16(), "code": code, "message": message});
    if let (Some(object), Some(details)) = (body.as_object_mut(), details) {
        object.insert("details".to_owned(), details);
    }
    json_reply(status, SimBody::Whole(body.to_string().into()))
}

/// 400 for one field of the request.
pub(crate) fn invalid_field(field: &str, message: &str) -> Reply {
    let details = json!({"errors": [{"field": field, "message": message}]});
    problem_with(StatusCode::BAD_REQUEST, "INVALID_INPUT", message, Some(details))
}

/// The API's usual code and message for a status.
pub(crate) fn usual(status: StatusCode) -> (&'static str, &'static str) {
    match status.as_u16() {
        400 => ("INVALID_INPUT", "Invalid input provided"),
        401 => ("UNAUTHORIZED", "Issue with API credentials"),
        403 => ("FORBIDDEN", "These credentials may not read this"),
        404 => ("BULK_UPLOAD_JOB_NOT_FOUND", "Bulk upload job not found"),
        408 => ("REQUEST_TIMEOUT", "The request took too long"),
        409 => ("CONFLICT", "Conflict"),
        429 => ("RATE_LIMITED", "Too many requests"),
        502..=504 => ("GRID_SWITCH_ERROR", "Grid switch error"),
        500..=599 => ("INTERNAL_ERROR", "Internal server or UMA error"),
        _ => ("UNEXPECTED", "Unexpected status"),
    }
}
