//! Imports for the tests of the pages, and the rules that hold for each page.

use super::*;
use crate::job::{ErrorTally, Labels, PollFailure, Progress, ReportedStatus};
use crate::store::{CountFrom, Failure, JobSnapshot, NewJob, Observed, Rate, Store};

pub(in crate::web) const fn ms(millis: i64) -> UnixTime {
    UnixTime::from_millis(millis)
}

/// An import that was not polled yet.
pub(in crate::web) fn job(id: &str) -> JobSnapshot {
    labelled(id, &[])
}

pub(in crate::web) fn labelled(id: &str, labels: &[(&str, &str)]) -> JobSnapshot {
    let store = Store::new(ms(0));
    let labels: Labels =
        labels.iter().map(|(name, value)| (name.parse().unwrap(), (*value).to_owned())).collect();
    let id: crate::job::JobId = id.parse().unwrap();
    store.join(vec![NewJob { id: id.clone(), labels, sources: vec!["jobs"] }], CountFrom::Zero);
    JobSnapshot::clone(&store.job(&id).unwrap())
}

/// The import read well at second 1000.
pub(in crate::web) fn read(
    mut job: JobSnapshot,
    status: &str,
    total: f64,
    processed: f64,
    failed: f64,
) -> JobSnapshot {
    let progress = Progress { total, processed, successful: processed - failed, failed };
    job.tried = true;
    job.last_poll_success = Some(ms(1_000_000));
    job.observed = Some(Observed {
        status: ReportedStatus::from_word(status),
        progress: Some(progress),
        errors: ErrorTally::new(20),
        errors_truncated: false,
        first_seen: ms(1_000_000),
        status_since: ms(1_000_000),
        last_change: ms(1_000_000),
        completed_at: None,
    });
    job
}

/// The import could not be read since second 1100.
pub(in crate::web) fn failed(mut job: JobSnapshot, reason: PollFailure) -> JobSnapshot {
    let message = "no <answer> within 10s".to_owned();
    job.tried = true;
    job.failure = Some(Box::new(Failure { reason, message, since: ms(1_100_000), asked: true }));
    job
}

pub(in crate::web) fn rate(rows_per_second: f64) -> Rate {
    Rate::of(rows_per_second)
}

#[test]
fn the_assets_are_small_and_load_nothing() {
    let size = STYLE.text.len() + SCRIPT.text.len();
    assert!(size < 40_000, "{size} bytes");
    for text in [STYLE.text, SCRIPT.text] {
        for word in ["http://", "https://", "//cdn", "url(", "@import", "eval(", "innerHTML"] {
            assert!(!text.contains(word), "{word}");
        }
    }
}
