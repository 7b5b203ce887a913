//! `GET /api/v1/jobs`: all jobs as JSON, with what does not fit into metrics: raw statuses, reasons, times.
//!
//! Times are RFC 3339 in UTC. What is not known is left out.

use crate::clock::UnixTime;
use crate::store::JobSnapshot;
use crate::web::Web;
use crate::web::respond::{self, Response};
use http::HeaderMap;
use serde::Serialize;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    total: usize,
    jobs: Vec<JobView<'a>>,
}

/// One job.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobView<'a> {
    job_id: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
    /// Who names the job: `jobs`, `--job`, `GRID_JOBS`.
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

/// Answers with all jobs.
#[must_use]
pub fn answer(web: &Web, request: &HeaderMap) -> Response {
    let (jobs, summary) = web.store.jobs();
    let document = Document { total: summary.jobs(), jobs: jobs.iter().map(|job| view(job)).collect() };
    match serde_json::to_vec(&document) {
        Ok(body) => respond::compress_for(request, respond::json(body.clone()), &body),
        // Maps with text keys, texts and finite numbers always serialize.
        Err(error) => respond::words(http::StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
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
