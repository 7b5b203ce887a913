//! What a poll's outcome changes beside the schedule: the store, the counters, the log.
//!
//! A job's change of status is one line with its counts; a job that can't be read is one line when that begins and
//! one when it ends, not one a poll (and none if it was not even asked, because the whole API fails); a contradiction is one line for each job and kind. Called by `poller` alone.

use crate::job::{Inconsistency, JobId, Progress, Status};
use crate::poller::Surroundings;
use crate::store::{Applied, JobSnapshot, Outcome};
use tracing::{debug, info, warn};

/// Takes in the outcome of a poll; true if the job has ended.
pub(super) fn take_outcome(id: &JobId, outcome: Outcome, surroundings: &Surroundings) -> bool {
    let metrics = &surroundings.poll_metrics;
    metrics.polls.inc();
    if let Outcome::Failed { reason, .. } = &outcome {
        metrics.count_failure(*reason);
    }
    take_news(id, outcome, surroundings)
}

/// Takes in what became known of a job, by a poll or without one; true if the job has ended.
pub(super) fn take_news(id: &JobId, outcome: Outcome, surroundings: &Surroundings) -> bool {
    let Surroundings { store, clock, poll_metrics: metrics, .. } = surroundings;
    let now = clock.0.now();
    // A job that left while it was asked is nobody's concern any more.
    let Some(applied) = store.apply(id, outcome, now) else { return true };
    for (kind, _) in &applied.inconsistencies {
        metrics.count_inconsistency(*kind);
    }
    // Most polls say nothing that is worth a line.
    if let Some(job) = applied.is_news().then(|| store.job(id)).flatten() {
        log_failures(&job, &applied, now.as_seconds());
        log_status(&job, &applied);
        for (kind, first) in &applied.inconsistencies {
            if *first {
                log_inconsistency(&job, *kind);
            }
        }
    }
    applied.ended
}

fn log_failures(job: &JobSnapshot, applied: &Applied, now: f64) {
    if let (true, Some(failure)) = (applied.began_failing, &job.failure) {
        warn!(job = %job.id, reason = failure.reason.as_str(), error = %failure.message, "job {} can't be read", job.id);
    }
    if let Some(failure) = applied.recovered_from.as_ref().filter(|failure| failure.asked) {
        let seconds = (now - failure.since.as_seconds()).round();
        info!(job = %job.id, seconds, reason = failure.reason.as_str(), "job {} is read again", job.id);
    }
}

fn log_status(job: &JobSnapshot, applied: &Applied) {
    let Some(observed) = &job.observed else { return };
    if !applied.first_reading && applied.status_before.is_none() {
        return;
    }
    let status = observed.status.status();
    // Counts that are not known are left out.
    let count = |count: fn(&Progress) -> f64| observed.progress.as_ref().map(count);
    let (total, processed) = (count(|progress| progress.total), count(|progress| progress.processed));
    let (successful, failed) = (count(|progress| progress.successful), count(|progress| progress.failed));
    if let Some(before) = applied.status_before {
        let (status, before) = (status.as_str(), before.as_str());
        info!(job = %job.id, status, before, total, processed, successful, failed, "job {} is {status}", job.id);
    } else {
        let status = status.as_str();
        debug!(job = %job.id, status, total, processed, successful, failed, "job {} was read first: {status}", job.id);
    }
    if status == Status::Unknown {
        warn!(
            job = %job.id, word = observed.status.word(),
            "job {} has a status that this version doesn't know; it is shown as UNKNOWN and polled on", job.id
        );
    }
}

fn log_inconsistency(job: &JobSnapshot, kind: Inconsistency) {
    let progress = job.observed.as_ref().and_then(|observed| observed.progress);
    let what = match kind {
        Inconsistency::Counts => "sends counts that can't be true together; they are shown as they came",
        Inconsistency::Fell => "sends a count that fell; it is shown, and adds nothing to the row counters",
        Inconsistency::Status => "sends a status that can't follow the one before",
        Inconsistency::CompletedAt => "sends a time of completion that can't be",
    };
    let count = |count: fn(&Progress) -> f64| progress.as_ref().map(count);
    let (total, processed) = (count(|progress| progress.total), count(|progress| progress.processed));
    let (successful, failed) = (count(|progress| progress.successful), count(|progress| progress.failed));
    let kind = kind.as_str();
    warn!(job = %job.id, kind, total, processed, successful, failed, "job {}: the API {what}", job.id);
}
