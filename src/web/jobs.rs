//! `GET /api/v1/jobs` and `GET /api/v1/jobs/{jobId}`: jobs as JSON, with what does not fit into metrics: raw statuses,
//! reasons, times.
//!
//! `docs/openapi.yaml` describes the documents, and a test holds real answers against it. Times are RFC 3339 in UTC. What is not known is left out.

use crate::clock::UnixTime;
use crate::job::JobId;
use crate::store::JobSnapshot;
use crate::web::Web;
use crate::web::filter::Filter;
use crate::web::problem::{misdirected, problem};
use crate::web::respond::{self, Response};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    /// Jobs that are watched.
    total: usize,
    /// Jobs that match the filter.
    matched: usize,
    /// Where the next page begins, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<usize>,
    jobs: Vec<JobView<'a>>,
}

/// One job.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobView<'a> {
    job_id: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
    /// Who names the job, first the one whose labels it has: `jobs`, `job_files` and so on.
    sources: &'a [&'static str],
    #[serde(flatten)]
    observed: Option<ObservedView<'a>>,
    poll: PollView<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ObservedView<'a> {
    status: &'static str,
    /// The API's own word, if this version doesn't know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<ProgressView>,
    errors_by_code: BTreeMap<&'a str, u64>,
    errors_truncated: bool,
    first_seen: String,
    status_since: String,
    last_change: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<String>,
}

#[derive(Serialize)]
struct ProgressView {
    total: Number,
    processed: Number,
    successful: Number,
    failed: Number,
}

/// A count: without a fraction where it has none.
#[derive(Serialize)]
#[serde(untagged)]
enum Number {
    Whole(u64),
    Float(f64),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PollView<'a> {
    /// Whether the job was polled at all.
    tried: bool,
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<String>,
}

/// Answers with the jobs that the query asks for.
#[must_use]
pub fn answer(web: &Web, query: &str, request: &HeaderMap) -> Response {
    let filter = match Filter::parse(query) {
        Ok(filter) => filter,
        Err(fault) => {
            return problem(StatusCode::BAD_REQUEST, &format!("The query can't be taken: {fault}."));
        }
    };
    let (jobs, summary) = web.store.jobs();
    let matching: Vec<_> = jobs.iter().filter(|job| filter.takes(job)).collect();
    let end = filter.offset.saturating_add(filter.limit.unwrap_or(usize::MAX)).min(matching.len());
    let page = matching.get(filter.offset..end).unwrap_or_default();
    let document = Document {
        total: summary.jobs(),
        matched: matching.len(),
        next_offset: Some(end).filter(|end| *end < matching.len()),
        jobs: page.iter().map(|job| view(job)).collect(),
    };
    let body = bytes_of(&document);
    respond::compress_for(request, respond::json(body.clone()), &body)
}

/// Answers with one job.
#[must_use]
pub fn one(web: &Web, id: &JobId) -> Response {
    if let Some(elsewhere) = web.elsewhere(id) {
        return misdirected(&elsewhere);
    }
    match web.store.job(id) {
        Some(job) => respond::json(document(&job)),
        None => problem(StatusCode::NOT_FOUND, &format!("{id} is not watched.")),
    }
}

/// The document of one job, on one line; `watch --json` prints it, too.
#[must_use]
pub fn document(job: &JobSnapshot) -> Vec<u8> {
    bytes_of(&view(job))
}

/// Maps with text keys, texts and finite numbers always serialize.
fn bytes_of<T: Serialize>(document: &T) -> Vec<u8> {
    serde_json::to_vec(document).unwrap_or_default()
}

fn view(job: &JobSnapshot) -> JobView<'_> {
    let failure = job.failure.as_ref();
    JobView {
        job_id: job.id.as_str(),
        labels: job.labels.iter().map(|(name, value)| (name.as_str(), value)).collect(),
        sources: &job.sources,
        observed: job.observed.as_ref().map(|observed| ObservedView {
            status: observed.status.status().as_str(),
            raw_status: Some(observed.status.word())
                .filter(|word| *word != observed.status.status().as_str()),
            progress: observed.progress.map(|progress| ProgressView {
                total: number(progress.total),
                processed: number(progress.processed),
                successful: number(progress.successful),
                failed: number(progress.failed),
            }),
            errors_by_code: observed.errors.iter().collect(),
            errors_truncated: observed.errors_truncated,
            first_seen: rfc3339(observed.first_seen),
            status_since: rfc3339(observed.status_since),
            last_change: rfc3339(observed.last_change),
            completed_at: observed.completed_at.map(rfc3339),
        }),
        poll: PollView {
            tried: job.tried,
            success: job.poll_success(),
            last_success: job.last_poll_success.map(rfc3339),
            reason: failure.map(|failure| failure.reason.as_str()),
            error: failure.map(|failure| failure.message.as_str()),
            failing_since: failure.map(|failure| rfc3339(failure.since)),
        },
    }
}

fn number(count: f64) -> Number {
    crate::job::counts::countable(count).map_or(Number::Float(count), Number::Whole)
}

/// A moment as RFC 3339 with milliseconds, in UTC; at the ends of what that can hold, seconds since the epoch.
fn rfc3339(time: UnixTime) -> String {
    let nanos = i128::from(time.as_millis()) * 1_000_000;
    let formatted =
        OffsetDateTime::from_unix_timestamp_nanos(nanos).ok().and_then(|time| time.format(&Rfc3339).ok());
    formatted.unwrap_or_else(|| time.as_seconds().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(rfc3339(UnixTime::from_millis(1_755_268_320_250)), "2025-08-15T14:32:00.25Z");
        assert_eq!(rfc3339(UnixTime::from_millis(i64::MAX)), "9223372036854776");
    }
}
