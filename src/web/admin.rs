//! `PUT` and `DELETE /api/v1/jobs/{jobId}`: a job more, a job less, while `--web.enable-admin-api` is given.
//!
//! The set of jobs is the app's: what is asked goes there, and the answer comes once `/metrics` shows it. Bodies are
//! bounded in bytes and time, whoever sends them.

use crate::catalog::{LimitReached, NotNamed, read_labels};
use crate::job::{JobId, Labels};
use crate::web::problem::{misdirected, problem, stopping};
use crate::web::respond::{self, Response};
use crate::web::{Web, jobs};
use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::oneshot;

/// The largest body, in bytes.
const MOST_BYTES: usize = 64 * 1024;

/// The time in which a body must be there.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A request, and where its answer goes once `/metrics` shows what was asked.
#[derive(Debug)]
pub enum AdminRequest {
    /// Watch a job, with these labels.
    Put {
        /// The job.
        id: JobId,
        /// Its labels, all of them.
        labels: Labels,
        /// Takes the answer: whether the job is new.
        done: oneshot::Sender<Result<bool, NotDone<LimitReached>>>,
    },
    /// Name a job no longer.
    Delete {
        /// The job.
        id: JobId,
        /// Takes the answer.
        done: oneshot::Sender<Result<(), NotDone<NotNamed>>>,
    },
}

/// Why what was asked is not done, or not for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotDone<E> {
    /// It is refused.
    Refused(E),
    /// It holds until a restart: it could not be written to the storage, for this reason.
    NotKept(String),
}

/// The body of a `PUT`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registration {
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// Does what is asked of one job, and answers once it is done.
pub async fn answer(web: &Web, id: JobId, method: Method, body: Incoming) -> Response {
    if !web.options.enable_admin_api {
        let detail = "The admin API is off, so jobs can't be added or removed here; start with --web.enable-admin-api.";
        return problem(StatusCode::FORBIDDEN, detail);
    }
    if let Some(elsewhere) = web.elsewhere(&id) {
        return misdirected(&elsewhere);
    }
    if method == Method::DELETE {
        return delete(web, id).await;
    }
    let labels = match read_body(body).await {
        Ok(body) => read_registration(&body),
        Err(response) => return response,
    };
    match labels {
        Ok(labels) => put(web, id, labels).await,
        Err(detail) => problem(StatusCode::BAD_REQUEST, &detail),
    }
}

async fn put(web: &Web, id: JobId, labels: Labels) -> Response {
    let (done, result) = oneshot::channel();
    let request = AdminRequest::Put { id: id.clone(), labels, done };
    if web.admin.send(request).await.is_err() {
        return stopping();
    }
    match result.await {
        Ok(Ok(is_new)) => {
            let mut response = jobs::one(web, &id);
            if is_new {
                *response.status_mut() = StatusCode::CREATED;
                let encoded = utf8_percent_encode(id.as_str(), NON_ALPHANUMERIC);
                if let Ok(location) = HeaderValue::from_str(&web.link(&format!("/api/v1/jobs/{encoded}"))) {
                    response.headers_mut().insert(LOCATION, location);
                }
            }
            response
        }
        Ok(Err(NotDone::NotKept(why))) => not_kept(&format!("{id} is watched"), &why),
        Ok(Err(NotDone::Refused(LimitReached { limit }))) => {
            let detail = format!(
                "{id} is not watched: {limit} jobs are, which is limits.jobs. Delete jobs that are over, or raise it."
            );
            problem(StatusCode::INSUFFICIENT_STORAGE, &detail)
        }
        Err(_) => stopping(),
    }
}

async fn delete(web: &Web, id: JobId) -> Response {
    let (done, result) = oneshot::channel();
    if web.admin.send(AdminRequest::Delete { id: id.clone(), done }).await.is_err() {
        return stopping();
    }
    match result.await {
        Ok(Ok(())) => respond::no_content(),
        Ok(Err(NotDone::NotKept(why))) => not_kept(&format!("The admin API no longer names {id}"), &why),
        Ok(Err(NotDone::Refused(NotNamed { sources }))) if sources.is_empty() => {
            problem(StatusCode::NOT_FOUND, &format!("{id} is not watched."))
        }
        Ok(Err(NotDone::Refused(NotNamed { sources }))) => {
            let named: Vec<_> = sources.iter().map(|source| source.as_str()).collect();
            let detail = format!(
                "{id} was not added by the admin API, but is named by {}; remove it there.",
                named.join(", ")
            );
            problem(StatusCode::NOT_FOUND, &detail)
        }
        Err(_) => stopping(),
    }
}

/// It is done, but a restart would undo it: nobody may rely on it.
fn not_kept(what: &str, why: &str) -> Response {
    let detail = format!(
        "{what}, but that is not on disk, so that a restart would forget it: {why}. Try again later."
    );
    problem(StatusCode::SERVICE_UNAVAILABLE, &detail)
}

/// The whole body, or what to answer instead.
async fn read_body(body: Incoming) -> Result<Bytes, Response> {
    let reading = Limited::new(body, MOST_BYTES).collect();
    match tokio::time::timeout(BODY_TIMEOUT, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = format!("The body is larger than {MOST_BYTES} bytes.");
            Err(problem(StatusCode::PAYLOAD_TOO_LARGE, &detail))
        }
        Ok(Err(_)) => Err(problem(StatusCode::BAD_REQUEST, "The body did not come whole.")),
        Err(_elapsed) => {
            let detail = format!("The body did not come within {} s.", BODY_TIMEOUT.as_secs());
            Err(problem(StatusCode::REQUEST_TIMEOUT, &detail))
        }
    }
}

/// The labels in the body; no body is no labels.
fn read_registration(body: &[u8]) -> Result<Labels, String> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Labels::default());
    }
    // serde would take a list of the values, too.
    let object = if body.trim_ascii_start().starts_with(b"{") { body } else { b"{" };
    let registration: Registration = serde_json::from_slice(object).map_err(|error| {
        let shown: String = error.to_string().chars().filter(|c| !c.is_control()).take(300).collect();
        format!("The body is not like {{\"labels\": {{\"team\": \"onboarding\"}}}}: {shown}")
    })?;
    let labels = registration.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    read_labels(labels).map_err(|fault| format!("The labels can't be taken: {fault}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_labels_or_is_not_there() {
        assert!(read_registration(b"").unwrap().is_empty());
        assert!(read_registration(b" \n").unwrap().is_empty());
        assert!(read_registration(b"{}").unwrap().is_empty());
        let labels = read_registration(br#"{"labels": {"team": "x", "__meta": "y"}}"#).unwrap();
        assert_eq!(
            labels.iter().map(|(name, value)| (name.as_str(), value)).collect::<Vec<_>>(),
            [("team", "x")]
        );
        for body in
            ["[]", "{", "{\"label\": {}}", "{\"labels\": {\"a\": 1}}", "{\"labels\": {\"status\": \"x\"}}"]
        {
            assert!(read_registration(body.as_bytes()).is_err(), "{body}");
        }
    }
}
