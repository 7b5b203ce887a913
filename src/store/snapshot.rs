//! One job's state, and the rules by which what came of a poll changes it.
//!
//! Pure: told the time, returns the next state. Called by `store`; read by `exposition` and `web`.

use crate::clock::UnixTime;
use crate::job::{
    CompletedAt, ErrorTally, Inconsistency, JobId, JobReading, Labels, PollFailure, Progress, ReportedStatus,
    Status,
};
use crate::store::{Outcome, Rate, RowTotals};
use std::sync::Arc;
use std::time::Duration;

/// A completion so far in the future is a contradiction, not a clock that is a little off.
const CLOCK_TOLERANCE_MILLIS: i64 = 5 * 60 * 1000;

/// What is known of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSnapshot {
    /// Its id.
    pub id: JobId,
    /// Its labels.
    pub labels: Labels,
    /// Who names it, as shown to users.
    pub sources: Arc<[&'static str]>,
    /// Whether it was polled at all, well or not.
    pub tried: bool,
    /// What the API said; nothing before the first good poll.
    pub observed: Option<Observed>,
    /// When it was last read well.
    pub last_poll_success: Option<UnixTime>,
    /// Why the latest poll failed; nothing if it was good.
    pub failure: Option<Box<Failure>>,
    /// Since when nothing more is to come of it: the exporter saw that it had ended, or the API began to answer that
    /// it is not there.
    pub over_since: Option<UnixTime>,
    /// How fast its rows are processed, for the page.
    pub rate: Rate,
    /// Contradictions that were logged already, a bit each.
    pub(super) logged: u8,
}

/// What the API said of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// Its status.
    pub status: ReportedStatus,
    /// Its counts; nothing if no answer had any yet.
    pub progress: Option<Progress>,
    /// Entries of `errors` by code.
    pub errors: ErrorTally,
    /// Whether `errors` was cut.
    pub errors_truncated: bool,
    /// When it was first read.
    pub first_seen: UnixTime,
    /// When it was first seen in its present status.
    pub status_since: UnixTime,
    /// When its status or counts last changed.
    pub last_change: UnixTime,
    /// When it ended, as the API says; only of an ended job.
    pub completed_at: Option<UnixTime>,
}

/// Why a job can't be read, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason of the latest poll.
    pub reason: PollFailure,
    /// What happened, in words.
    pub message: String,
    /// When the first of these polls failed, with no good one since.
    pub since: UnixTime,
    /// Whether one of these polls asked the API for this very job.
    pub asked: bool,
}

/// What a poll changed, for the log and the counters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// The status before, if it is another now. Nothing at the first good poll.
    pub status_before: Option<Status>,
    /// True if this was the first good poll.
    pub first_reading: bool,
    /// True if the job has ended now: it is not polled again.
    pub ended: bool,
    /// True if this is the first in a row of failed polls that asked the API for this very job.
    pub began_failing: bool,
    /// Since when polls had failed, if this one was good.
    pub recovered_from: Option<Failure>,
    /// Contradictions, and whether this is the first of its kind in this job (to be logged).
    pub inconsistencies: Vec<(Inconsistency, bool)>,
    /// Rows that were added to the counters.
    pub rows_added: RowTotals,
}

impl Applied {
    /// True if there is anything that the log may want to tell.
    #[must_use]
    pub fn is_news(&self) -> bool {
        self.status_before.is_some()
            || self.first_reading
            || self.began_failing
            || self.recovered_from.is_some()
            || !self.inconsistencies.is_empty()
    }
}

impl JobSnapshot {
    /// A job that was not polled yet.
    pub(super) fn unpolled(id: JobId, labels: Labels, sources: Arc<[&'static str]>) -> Self {
        Self {
            id,
            labels,
            sources,
            tried: false,
            observed: None,
            last_poll_success: None,
            failure: None,
            over_since: None,
            rate: Rate::UNKNOWN,
            logged: 0,
        }
    }

    /// A job that is not in the set, and not polled yet: no labels, named by nobody.
    #[must_use]
    pub fn stranger(id: JobId) -> Self {
        Self::unpolled(id, Labels::default(), Arc::new([]))
    }

    /// The state after a poll that ended at `now`, outside the store: nothing is counted.
    #[must_use]
    pub fn following(&self, outcome: Outcome, now: UnixTime) -> Self {
        self.after(outcome, now).0
    }

    /// Its status; nothing before the first good poll.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.observed.as_ref().map(|observed| observed.status.status())
    }

    /// Whether the latest poll was good.
    #[must_use]
    pub fn poll_success(&self) -> bool {
        self.tried && self.failure.is_none()
    }

    /// The state after a poll that ended at `now`, and what it changed.
    pub(super) fn after(&self, outcome: Outcome, now: UnixTime) -> (Self, Applied) {
        let mut next = Self { tried: true, ..self.clone() };
        let mut applied = Applied::default();
        match outcome {
            Outcome::Failed { reason, message, asked } => {
                let before = self.failure.as_ref();
                let since = before.map_or(now, |failure| failure.since);
                let asked_before = before.is_some_and(|failure| failure.asked);
                applied.began_failing = asked && !asked_before;
                next.failure =
                    Some(Box::new(Failure { reason, message, since, asked: asked || asked_before }));
            }
            Outcome::Unchanged => next.read_well(now, &mut applied),
            Outcome::Read(reading) => {
                next.read_well(now, &mut applied);
                next.take_reading(reading, now, &mut applied);
            }
        }
        next.rate = self.rate_towards(&next);
        applied.ended = next.status().is_some_and(Status::is_ended);
        next.over_since = next.is_over(self.over_since.is_some()).then(|| self.over_since.unwrap_or(now));
        (next, applied)
    }

    /// The rate once this job's next state is known; as it was if that is not of a good poll.
    fn rate_towards(&self, next: &Self) -> Rate {
        let count = |job: &Self| job.observed.as_ref().and_then(|observed| observed.progress);
        let (Some(before), Some(after)) = (count(self), count(next)) else { return self.rate };
        let (Some(from), Some(to)) = (self.last_poll_success, next.last_poll_success) else {
            return self.rate;
        };
        let millis = u64::try_from(to.as_millis().saturating_sub(from.as_millis())).unwrap_or(0);
        self.rate.after(after.processed - before.processed, Duration::from_millis(millis))
    }

    /// Whether nothing more is to come: it ended, or is not there. Failures of another kind leave that as it was.
    fn is_over(&self, was_over: bool) -> bool {
        let is_ended = self.status().is_some_and(Status::is_ended);
        is_ended
            || match &self.failure {
                None => false,
                Some(failure) => failure.reason == PollFailure::NotFound || was_over,
            }
    }

    fn read_well(&mut self, now: UnixTime, applied: &mut Applied) {
        applied.recovered_from = self.failure.take().map(|failure| *failure);
        self.last_poll_success = Some(now);
    }

    fn take_reading(&mut self, reading: JobReading, now: UnixTime, applied: &mut Applied) {
        let mut found = contradictions(self.observed.as_ref(), &reading, now);
        let Some(before) = &self.observed else {
            applied.first_reading = true;
            self.observed = Some(first_look(reading, now));
            self.note(&found, applied);
            return;
        };
        let ended_before = before.status.status().is_ended();
        if ended_before && !reading.status.status().is_ended() {
            // One that ended never runs again, whichever answer comes last.
            found.retain(|kind| *kind == Inconsistency::Status);
            self.note(&found, applied);
            return;
        }
        let status_changed = before.status.status() != reading.status.status();
        if status_changed {
            applied.status_before = Some(before.status.status());
        }
        let progress = reading.progress.or(before.progress);
        let changed = status_changed || progress != before.progress;
        let after = Observed {
            progress,
            errors: reading.errors,
            errors_truncated: reading.errors_truncated,
            first_seen: before.first_seen,
            status_since: if status_changed { now } else { before.status_since },
            last_change: if changed { now } else { before.last_change },
            completed_at: completion(&reading.status, &reading.completed_at),
            status: reading.status,
        };
        self.observed = Some(after);
        self.note(&found, applied);
    }

    /// Notes contradictions, and which of them are new in this job.
    fn note(&mut self, found: &[Inconsistency], applied: &mut Applied) {
        for kind in found {
            let bit = 1 << *kind as u8;
            let first = self.logged & bit == 0;
            self.logged |= bit;
            applied.inconsistencies.push((*kind, first));
        }
    }
}

/// The state at the first good poll.
fn first_look(reading: JobReading, now: UnixTime) -> Observed {
    let completed_at = completion(&reading.status, &reading.completed_at);
    // A job first seen ended did not change now: else each restart would make an old failure new to the alerts.
    let last_change = completed_at.map_or(now, |ended| ended.min(now));
    Observed {
        status: reading.status,
        progress: reading.progress,
        errors: reading.errors,
        errors_truncated: reading.errors_truncated,
        first_seen: now,
        status_since: last_change,
        last_change,
        completed_at,
    }
}

/// The time of completion, if the job has ended and says so.
fn completion(status: &ReportedStatus, completed_at: &CompletedAt) -> Option<UnixTime> {
    match completed_at {
        CompletedAt::At(time) if status.status().is_ended() => Some(*time),
        CompletedAt::At(_) | CompletedAt::Absent | CompletedAt::Unreadable(_) => None,
    }
}

/// How an answer contradicts itself or the one before.
///
/// `completedAt` on a running job is none: the API's own example has it.
fn contradictions(before: Option<&Observed>, reading: &JobReading, now: UnixTime) -> Vec<Inconsistency> {
    let mut found = Vec::new();
    if let Some(progress) = &reading.progress {
        let short = reading.status.status() == Status::Completed && progress.processed < progress.total;
        if !progress.is_consistent() || short {
            found.push(Inconsistency::Counts);
        }
        if before.and_then(|before| before.progress).is_some_and(|before| fell(&before, progress)) {
            found.push(Inconsistency::Fell);
        }
    }
    if before.is_some_and(|before| went_back(before.status.status(), reading.status.status())) {
        found.push(Inconsistency::Status);
    }
    let odd_completion = match &reading.completed_at {
        CompletedAt::Absent => false,
        CompletedAt::Unreadable(_) => true,
        CompletedAt::At(time) => {
            let latest = now.as_millis().saturating_add(CLOCK_TOLERANCE_MILLIS);
            reading.status.status().is_ended() && time.as_millis() > latest
        }
    };
    if odd_completion {
        found.push(Inconsistency::CompletedAt);
    }
    found
}

/// True if one of the counts is lower than before.
fn fell(before: &Progress, after: &Progress) -> bool {
    after.total < before.total
        || after.processed < before.processed
        || after.successful < before.successful
        || after.failed < before.failed
}

/// True if `after` can't follow `before`: the way is PENDING, PROCESSING, then one end. UNKNOWN may stand anywhere.
fn went_back(before: Status, after: Status) -> bool {
    match (before, after) {
        (Status::Completed | Status::Failed, _) => before != after,
        (Status::Processing, Status::Pending) => true,
        (Status::Pending | Status::Processing | Status::Unknown, _) => false,
    }
}
