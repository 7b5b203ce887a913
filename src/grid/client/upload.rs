//! Sends a CSV file of customers: `POST {base}/customers/bulk/csv`, as a form with the file in its field `file`.
//!
//! Called by `cli::upload` alone. One request, never repeated: the API has no key by which it could tell a second one
//! from another import, so after a failure it must be clear whether the file was taken, and where it is not, that is
//! said. The file goes out as it is read, and nothing of it is in an error.

use super::{GridClient, failure};
use crate::job::JobId;
use bytes::Bytes;
use futures_util::Stream;
use http::header::{self, HeaderValue};
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Response};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The path below the base URL.
const UPLOAD_PATH: &str = "/customers/bulk/csv";

/// A connection that takes nothing for so long is given up.
const STALLED_AFTER: Duration = Duration::from_secs(30);

/// After the last byte the API may take so long to answer, as long as its SDK waits.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// The longest answer that is read, in bytes.
const MOST_BYTES: usize = 64 << 10;

/// A file to send.
pub struct UploadFile<S> {
    /// Its name, for the form.
    pub name: String,
    /// Its bytes.
    pub length: u64,
    /// The same as a stream.
    pub pieces: S,
    /// How many bytes of it were taken off the stream so far; the stream counts them.
    pub sent: Arc<AtomicU64>,
}

/// Why there is no import.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// The file was surely not taken.
    #[error("the file was not taken: {0}")]
    NotTaken(String),
    /// Nobody can say whether the file was taken.
    #[error(
        "whether the file was taken is not known: {0}; look in Grid whether the import is there before you upload it again"
    )]
    Unclear(String),
}

impl GridClient {
    /// Sends a file once, and gives the id of the import that it became.
    pub async fn upload<S>(&self, file: UploadFile<S>) -> Result<JobId, UploadError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Sync + 'static,
    {
        let UploadFile { name, length, pieces, sent } = file;
        let part = Part::stream_with_length(Body::wrap_stream(pieces), length).file_name(name);
        let part =
            part.mime_str("text/csv").map_err(|_| UploadError::NotTaken("it has no type".to_owned()))?;
        let mut url = self.jobs.clone();
        let base = url.path().strip_suffix(crate::grid::JOB_PATH).unwrap_or_default().to_owned();
        url.set_path(&format!("{base}{UPLOAD_PATH}"));
        let credentials = self.credentials.current().await;
        let sending = self
            .http
            .post(url)
            .header(header::AUTHORIZATION, credentials.authorization())
            .header(header::ACCEPT, HeaderValue::from_static("application/json"))
            .multipart(Form::new().part("file", part))
            .send();
        // What was not even read by the connection can't have arrived, and a part of a form is none.
        let broke_off = |why: String| {
            let sent = sent.load(Ordering::Relaxed);
            if sent < length {
                UploadError::NotTaken(format!("{why} ({sent} of {length} bytes were sent)"))
            } else {
                UploadError::Unclear(why)
            }
        };
        let response = tokio::select! {
            response = sending => response.map_err(|error| {
                let why = self.failures.of_request(&error).to_string();
                if error.is_connect() { UploadError::NotTaken(why) } else { broke_off(why) }
            })?,
            why = standing_still(&sent, length) => return Err(broke_off(why)),
        };
        let status = response.status().as_u16();
        match status {
            200..=202 => {
                let body = timeout(ANSWER_LIMIT, read(response)).await.unwrap_or_default();
                job_id(&body).ok_or_else(|| {
                    UploadError::Unclear(format!("the answer, {status}, names no import that can be read"))
                })
            }
            500..=599 => Err(UploadError::Unclear(failure::of_status(status).to_string())),
            _ => {
                let why = failure::of_status(status).to_string();
                let wait = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
                let wait = wait.and_then(|text| text.trim().parse::<u64>().ok());
                let wait = wait
                    .map(|seconds| format!("; it may be sent again after {seconds} s"))
                    .unwrap_or_default();
                let body = timeout(ANSWER_LIMIT, read(response)).await.unwrap_or_default();
                let code = error_code(&body).map(|code| format!(" ({code})")).unwrap_or_default();
                Err(UploadError::NotTaken(format!("{why}{code}{wait}")))
            }
        }
    }
}

/// Returns when nothing moved for too long, with what that was.
async fn standing_still(sent: &AtomicU64, length: u64) -> String {
    let (mut last, mut since) = (0, Instant::now());
    loop {
        sleep(Duration::from_millis(500)).await;
        let now = sent.load(Ordering::Relaxed);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        let limit = if now < length { STALLED_AFTER } else { ANSWER_LIMIT };
        if since.elapsed() >= limit {
            let what = if now < length { "the connection took nothing" } else { "no answer came" };
            return format!("{what} for {} s", limit.as_secs());
        }
    }
}

/// The body as far as it may be read; what breaks off is as good as not there.
async fn read(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        if body.len() + piece.len() > MOST_BYTES {
            return Vec::new();
        }
        body.extend_from_slice(&piece);
    }
    body
}

/// The import's id: `jobId` in the description; `id`, as jobs have it since February 2026, is taken too.
fn job_id(body: &[u8]) -> Option<JobId> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    let id = answer.get("jobId").or_else(|| answer.get("id"))?;
    id.as_str()?.parse().ok()
}

/// The API's word for what is wrong. Its sentence is not shown: it may quote the file.
fn error_code(body: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    let code = answer.get("code")?.as_str()?;
    let is_word = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    (is_word && !code.is_empty()).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_read_under_both_names_and_checked() {
        let id = |body: &str| job_id(body.as_bytes()).map(|id| id.to_string());
        assert_eq!(id(r#"{"jobId": "Job:a", "status": "PENDING"}"#).as_deref(), Some("Job:a"));
        assert_eq!(id(r#"{"id": "Job:b"}"#).as_deref(), Some("Job:b"));
        for body in ["", "{}", "[]", "{\"jobId\": 1}", "{\"jobId\": \"../x\"}", "{\"jobId\": \"\"}"] {
            assert_eq!(id(body), None, "{body}");
        }
    }

    #[test]
    fn only_a_word_of_the_apis_is_shown() {
        let code = |text: &str| error_code(format!(r#"{{"code": "{text}"}}"#).as_bytes());
        assert_eq!(code("INVALID_INPUT").as_deref(), Some("INVALID_INPUT"));
        for text in ["", "Jane Doe", "X\\u001b[2J", &"A".repeat(65)] {
            assert_eq!(code(text), None, "{text}");
        }
    }
}
