//! What is known of the Grid API, each fact with its source, and the client that reads a job.
//!
//! Sources: the API's public OpenAPI description, version 2025-10-13 ('the description'), its documentation and
//! its official SDK and CLI, as of August 2026.
//!
//! - A job is read with `GET {base}/customers/bulk/jobs/{jobId}` under HTTP Basic (description). No call lists jobs.
//! - The body names the job `id`; until February 2026 it said `jobId`. Both are read (documentation).
//! - `status` is PENDING, PROCESSING, COMPLETED or FAILED (description); another word is taken as UNKNOWN.
//! - `errors` is optional and unbounded, one entry a failed row; an entry is `{code, …}` (description) or
//!   `{error: {code, …}}` (the description's own webhook example). `code` may be missing.
//! - `completedAt` is promised for ended jobs only, but an official example shows it on a running one.
//! - A webhook is signed with ECDSA P-256 over the SHA-256 of its raw body; `X-Grid-Signature` is the signature in DER
//!   and base64, bare or as `{"v":"1","s":"…"}`; the key is PEM (documentation). It comes again, for up to 7 days and at
//!   most 30 minutes apart, until 2xx or 409; `id` stays the same (documentation). One URL gets all types.
//! - 429 comes with `Retry-After`; the SDK also honours `retry-after-ms` and `x-should-retry`.
//!
//! The body of a 200 is read to its end even where status and counts have come and `errors` seems unchanged: an equal
//! length or equal counts do not show that the codes are the same, and the API promises no order of keys. The one
//! shortcut is the API's own word, 304 to a conditional request.
//!
//! Called by `poller`; of `webhook` by `web`, which takes deliveries in, and by `app`. Bodies are read as a stream in bounded memory: an import of 100 MB that goes wrong answers
//! every poll with hundreds of thousands of error entries.

use crate::clock::UnixTime;
use crate::grid::error::ApiError;
use crate::job::{ErrorTally, JobId, JobReading};
use std::time::Duration;

pub mod advice;
pub mod client;
pub mod credentials;
pub mod error;
pub mod parse;
pub mod webhook;

/// The path of a job below the base URL, without its id.
pub const JOB_PATH: &str = "/customers/bulk/jobs/";

/// A question about one job.
#[derive(Clone, Debug)]
pub struct JobQuery {
    /// Which job.
    pub id: JobId,
    /// The codes that are known already, each at 0: the answer's entries are counted into it.
    pub tally: ErrorTally,
    /// What the last good answer said of its version; sent along, so that an unchanged job costs no body.
    pub validators: Option<Validators>,
}

/// `ETag` and `Last-Modified` of an answer, as they came; at most 256 bytes each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// The `ETag` header.
    pub etag: Option<Box<str>>,
    /// The `Last-Modified` header.
    pub last_modified: Option<Box<str>>,
}

/// What came of asking for a job once.
#[derive(Debug)]
pub struct Answer {
    /// The job, or why there is none.
    pub outcome: Result<Reading, ApiError>,
    /// The answer's status code; nothing if none came.
    pub status_code: Option<u16>,
    /// What the answer says about asking again.
    pub advice: Advice,
    /// What the answer says of its version.
    pub validators: Option<Validators>,
    /// From the head of the answer to its end: what the transfer of the body took; zero if no head came.
    pub transfer: Duration,
    /// Requests that were sent for it: more than one where redirects within the host were followed.
    pub requests: u32,
}

/// A good answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// The job as it is.
    Job(JobReading),
    /// 304: as it was when the validators were made.
    Unchanged,
}

/// What an answer's headers say about asking again.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Advice {
    /// Ask nothing for so long (`Retry-After` in seconds or as a date, `retry-after-ms`). At most an hour.
    pub retry_after: Option<Duration>,
    /// Whether asking again makes sense (`x-should-retry`).
    pub should_retry: Option<bool>,
    /// `RateLimit-*` or `X-RateLimit-*`.
    pub quota: Option<Quota>,
}

/// The API's quota, where its headers tell it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quota {
    /// Requests in a window.
    pub limit: Option<f64>,
    /// Requests left in this one.
    pub remaining: Option<f64>,
    /// When this one ends.
    pub reset: Option<UnixTime>,
}

/// Reads jobs. The real one is `client::GridClient`; the poller's tests have one in memory.
pub trait ReadJob: Send + Sync + 'static {
    /// Asks for a job once, without retries. Never panics; ends within the configured limits.
    fn read(&self, query: JobQuery) -> impl Future<Output = Answer> + Send;

    /// Ends when the credentials became others, so that it makes sense to ask again after a refusal. By default
    /// never.
    fn credentials_changed(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}
