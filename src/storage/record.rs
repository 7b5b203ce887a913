//! What stands in the tables, byte for byte: records in postcard, each with a checksum behind it.
//!
//! redb has checksums of its pages; that of each record is the second net, as a number that is wrong is worse than
//! none. Records are types of their own, apart from those of `store`, so that a change there does not silently change
//! the file: it belongs into `format`. Customer data is in none of them.

use crate::clock::UnixTime;
use crate::job::{ErrorTally, Labels, PollFailure, Progress, ReportedStatus};
use crate::store::{Departed, Failure, JobSnapshot, KeptJob, KeptState, Mark, Observed, RowTotals, Start};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Of a failure's message so much is kept, in characters.
const MESSAGE_LENGTH: usize = 500;

/// A job's state and mark.
#[derive(Serialize, Deserialize)]
struct JobRecord {
    id: String,
    tried: bool,
    observed: Option<ObservedRecord>,
    last_poll_success: Option<i64>,
    failure: Option<FailureRecord>,
    over_since: Option<i64>,
    logged: u8,
    mark: MarkRecord,
}

#[derive(Serialize, Deserialize)]
struct ObservedRecord {
    status: String,
    progress: Option<[f64; 4]>,
    errors: Vec<(String, u64)>,
    errors_truncated: bool,
    first_seen: i64,
    status_since: i64,
    last_change: i64,
    completed_at: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct FailureRecord {
    reason: String,
    message: String,
    since: i64,
    asked: bool,
}

#[derive(Serialize, Deserialize)]
struct MarkRecord {
    /// When the process began in which the job joined; nothing if its rows count from what it first showed.
    from_zero_since: Option<i64>,
    successful: Option<u64>,
    failed: Option<u64>,
}

/// The record of a job.
pub(super) fn of_job(kept: &KeptJob) -> Vec<u8> {
    let job = &kept.job;
    encode(&JobRecord {
        id: job.id.as_str().to_owned(),
        tried: job.tried,
        observed: job.observed.as_ref().map(observed_record),
        last_poll_success: job.last_poll_success.map(UnixTime::as_millis),
        failure: job.failure.as_deref().map(failure_record),
        over_since: job.over_since.map(UnixTime::as_millis),
        logged: job.logged(),
        mark: mark_record(kept.mark),
    })
}

/// The job of a record; nothing if it is none.
pub(super) fn job(number: u64, bytes: &[u8]) -> Option<KeptJob> {
    let record: JobRecord = decode(bytes)?;
    let observed = match &record.observed {
        Some(record) => Some(observed(record)?),
        None => None,
    };
    let failure = match record.failure {
        Some(record) => Some(failure(record)?),
        None => None,
    };
    let job = JobSnapshot::from_kept(KeptState {
        id: record.id.parse().ok()?,
        tried: record.tried,
        observed,
        last_poll_success: record.last_poll_success.map(UnixTime::from_millis),
        failure,
        over_since: record.over_since.map(UnixTime::from_millis),
        logged: record.logged,
    });
    Some(KeptJob { number, job: Arc::new(job), mark: mark(&record.mark) })
}

fn observed_record(observed: &Observed) -> ObservedRecord {
    ObservedRecord {
        status: observed.status.word().to_owned(),
        progress: observed.progress.map(|rows| [rows.total, rows.processed, rows.successful, rows.failed]),
        errors: observed.errors.iter().map(|(code, entries)| (code.to_owned(), entries)).collect(),
        errors_truncated: observed.errors_truncated,
        first_seen: observed.first_seen.as_millis(),
        status_since: observed.status_since.as_millis(),
        last_change: observed.last_change.as_millis(),
        completed_at: observed.completed_at.map(UnixTime::as_millis),
    }
}

fn observed(record: &ObservedRecord) -> Option<Observed> {
    let codes = record.errors.iter().map(|(code, entries)| (code.as_str(), *entries));
    let errors = ErrorTally::from_kept(codes, record.errors.len());
    if errors.iter().count() != record.errors.len() {
        return None;
    }
    Some(Observed {
        status: ReportedStatus::from_word(&record.status),
        progress: record.progress.map(|[total, processed, successful, failed]| Progress {
            total,
            processed,
            successful,
            failed,
        }),
        errors,
        errors_truncated: record.errors_truncated,
        first_seen: UnixTime::from_millis(record.first_seen),
        status_since: UnixTime::from_millis(record.status_since),
        last_change: UnixTime::from_millis(record.last_change),
        completed_at: record.completed_at.map(UnixTime::from_millis),
    })
}

fn failure_record(failure: &Failure) -> FailureRecord {
    FailureRecord {
        reason: failure.reason.as_str().to_owned(),
        message: failure.message.chars().take(MESSAGE_LENGTH).collect(),
        since: failure.since.as_millis(),
        asked: failure.asked,
    }
}

fn failure(record: FailureRecord) -> Option<Failure> {
    let reason = PollFailure::ALL.into_iter().find(|reason| reason.as_str() == record.reason)?;
    let since = UnixTime::from_millis(record.since);
    Some(Failure { reason, message: record.message, since, asked: record.asked })
}

fn mark_record(mark: Mark) -> MarkRecord {
    MarkRecord {
        from_zero_since: match mark.start {
            Start::FirstReading => None,
            Start::Zero { began } => Some(began.as_millis()),
        },
        successful: mark.successful.most(),
        failed: mark.failed.most(),
    }
}

fn mark(record: &MarkRecord) -> Mark {
    let start = record
        .from_zero_since
        .map_or(Start::FirstReading, |began| Start::Zero { began: UnixTime::from_millis(began) });
    Mark { start, successful: record.successful.into(), failed: record.failed.into() }
}

/// The record of a job that left.
pub(super) fn of_departed(departed: &Departed) -> Vec<u8> {
    encode(&(departed.id.as_str(), mark_record(departed.mark)))
}

/// The job that left of a record.
pub(super) fn departed(number: u64, bytes: &[u8]) -> Option<Departed> {
    let (id, record): (String, MarkRecord) = decode(bytes)?;
    Some(Departed { number, id: id.parse().ok()?, mark: mark(&record) })
}

/// The record of labels.
pub(super) fn of_labels(labels: &Labels) -> Vec<u8> {
    encode(&labels.iter().map(|(name, value)| (name.as_str(), value)).collect::<Vec<_>>())
}

/// The labels of a record.
pub(super) fn labels(bytes: &[u8]) -> Option<Labels> {
    let labels: Vec<(String, String)> = decode(bytes)?;
    labels.into_iter().map(|(name, value)| Some((name.parse().ok()?, value))).collect()
}

/// The record of the row counters.
pub(super) fn of_totals(totals: RowTotals) -> Vec<u8> {
    encode(&[totals.successful, totals.failed])
}

/// The row counters of a record.
pub(super) fn totals(bytes: &[u8]) -> Option<RowTotals> {
    let [successful, failed] = decode(bytes)?;
    Some(RowTotals { successful, failed })
}

/// The record of a text.
pub(super) fn of_text(text: &str) -> Vec<u8> {
    encode(&text)
}

/// The text of a record.
pub(super) fn text(bytes: &[u8]) -> Option<String> {
    decode(bytes)
}

/// The record of a checksum.
pub(super) fn of_checksum(checksum: u32) -> Vec<u8> {
    encode(&checksum)
}

/// The checksum of a record.
pub(super) fn checksum(bytes: &[u8]) -> Option<u32> {
    decode(bytes)
}

fn encode(record: &impl Serialize) -> Vec<u8> {
    // These types have nothing that postcard can't write.
    let mut bytes = postcard::to_allocvec(record).unwrap_or_default();
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

fn decode<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Option<T> {
    let (record, checksum) = bytes.split_last_chunk::<4>()?;
    if crc32fast::hash(record) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let (value, rest) = postcard::take_from_bytes(record).ok()?;
    rest.is_empty().then_some(value)
}

#[cfg(test)]
mod tests;
