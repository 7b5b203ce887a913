//! What needs attention: the rank of each import, and what is to be said above all of them. Pure.
//!
//! Thresholds are those of the alert rules, so that the page and the alerts agree.

use crate::clock::UnixTime;
use crate::job::{PollFailure, Progress, Status};
use crate::store::{Failure, JobSnapshot};
use crate::web::page::words::seconds_between;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Without any change for so long, a running import stands still, in seconds.
pub(super) const STALLED_AFTER: i64 = 1800;

/// An import that ended this long ago is history, in seconds.
const RECENT: i64 = 24 * 3600;

/// Above this share of failed rows among the processed ones an import goes badly.
const BAD_SHARE: f64 = 0.1;

/// Fewer failed rows are no cause for it.
const BAD_ROWS: f64 = 10.0;

/// Where an import stands on the page: what is higher up needs attention sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// It failed as a whole, lately.
    Failed,
    /// It can't be read.
    Unreadable,
    /// The API says a word that we don't know.
    Unknown,
    /// It runs, but nothing changes.
    Stalled,
    /// It runs, and many of its rows fail.
    Failing,
    /// It was completed lately, and many of its rows had failed.
    EndedBadly,
    /// It runs.
    Running,
    /// It waits.
    Pending,
    /// It was not polled yet.
    Unpolled,
    /// It failed as a whole, a while ago.
    FailedLongAgo,
    /// It was completed.
    Done,
}

impl Rank {
    /// The rank at this moment.
    pub(super) fn of(job: &JobSnapshot, now: UnixTime) -> Self {
        let Some(observed) = &job.observed else {
            return if job.failure.is_some() { Self::Unreadable } else { Self::Unpolled };
        };
        let is_recent = seconds_between(observed.last_change, now) < RECENT;
        match observed.status.status() {
            Status::Failed if is_recent => Self::Failed,
            Status::Failed => Self::FailedLongAgo,
            Status::Completed if is_recent && goes_badly(observed.progress) => Self::EndedBadly,
            Status::Completed => Self::Done,
            Status::Pending | Status::Processing | Status::Unknown if job.failure.is_some() => {
                Self::Unreadable
            }
            Status::Unknown => Self::Unknown,
            Status::Processing if seconds_between(observed.last_change, now) >= STALLED_AFTER => {
                Self::Stalled
            }
            Status::Processing if goes_badly(observed.progress) => Self::Failing,
            Status::Processing => Self::Running,
            Status::Pending => Self::Pending,
        }
    }

    /// Whether somebody should look at it.
    pub(super) const fn needs_attention(self) -> bool {
        match self {
            Self::Failed
            | Self::Unreadable
            | Self::Unknown
            | Self::Stalled
            | Self::Failing
            | Self::EndedBadly => true,
            Self::Running | Self::Pending | Self::Unpolled | Self::FailedLongAgo | Self::Done => false,
        }
    }

    /// The ranks that `show=` selects.
    pub(super) fn shown_as(word: &str) -> Option<&'static [Self]> {
        match word {
            "attention" => Some(&[
                Self::Failed,
                Self::Unreadable,
                Self::Unknown,
                Self::Stalled,
                Self::Failing,
                Self::EndedBadly,
            ]),
            "unreadable" => Some(&[Self::Unreadable]),
            _ => None,
        }
    }
}

fn goes_badly(progress: Option<Progress>) -> bool {
    progress.is_some_and(|progress| {
        let many = progress.failed >= BAD_ROWS && progress.failed > progress.processed * BAD_SHARE;
        let all = progress.failed > 0.0 && progress.processed > 0.0 && progress.successful <= 0.0;
        many || all
    })
}

/// All imports at a glance.
#[derive(Debug, Default)]
pub(super) struct Overview {
    /// Imports that somebody should look at.
    pub(super) attention: usize,
    /// Imports that can't be read.
    pub(super) unreadable: usize,
    /// Imports that were not tried yet.
    pub(super) untried: usize,
    /// Rows a second over all running imports.
    pub(super) rate: f64,
    /// What keeps every running import from being read, if something does.
    pub(super) outage: Option<Outage>,
}

/// The API as a whole can't be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outage {
    /// The commonest reason.
    pub(super) reason: PollFailure,
    /// The same in words, of one import.
    pub(super) message: String,
    /// When the first of these polls failed.
    pub(super) since: UnixTime,
    /// When anything was last read well.
    pub(super) last_good: Option<UnixTime>,
}

impl Outage {
    /// Whether our credentials are refused, which only people can mend.
    pub(super) const fn is_refusal(&self) -> bool {
        matches!(self.reason, PollFailure::Unauthorized | PollFailure::Forbidden)
    }
}

impl Overview {
    /// Looks at all imports.
    pub(super) fn of(jobs: &[Arc<JobSnapshot>], now: UnixTime) -> Self {
        let mut overview = Self::default();
        let mut reasons: BTreeMap<&'static str, (usize, &Failure)> = BTreeMap::new();
        let (mut since, mut last_good, mut some_can_be_read) = (None, None, false);
        for job in jobs {
            let rank = Rank::of(job, now);
            overview.attention += usize::from(rank.needs_attention());
            overview.unreadable += usize::from(rank == Rank::Unreadable);
            overview.untried += usize::from(!job.tried);
            last_good = last_good.max(job.last_poll_success);
            if job.tried && !job.status().is_some_and(Status::is_ended) {
                match &job.failure {
                    Some(failure) if !failure.reason.shows_api_up() => {
                        let (jobs, told) = reasons.entry(failure.reason.as_str()).or_insert((0, failure));
                        *jobs += 1;
                        // The shortest: others say in addition that they were not even asked.
                        if failure.message.len() < told.message.len() {
                            *told = failure;
                        }
                        since =
                            Some(since.map_or(failure.since, |earlier: UnixTime| earlier.min(failure.since)));
                    }
                    Some(_) | None => some_can_be_read = true,
                }
            }
            if rank == Rank::Running || rank == Rank::Failing {
                overview.rate += job.rate.rows_per_second().unwrap_or(0.0);
            }
        }
        let commonest = reasons.values().max_by_key(|(jobs, _)| *jobs).map(|(_, failure)| *failure);
        overview.outage = commonest.zip(since).filter(|_| !some_can_be_read).map(|(failure, since)| Outage {
            reason: failure.reason,
            message: failure.message.clone(),
            since,
            last_good,
        });
        overview
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::page::tests::{failed, job, ms, read};

    #[test]
    fn what_hurts_stands_above_what_runs_and_that_above_what_is_done() {
        let now = ms(2_000_000);
        let rank =
            |status, processed, failed| Rank::of(&read(job("Job:a"), status, 1000.0, processed, failed), now);
        assert_eq!(rank("FAILED", 10.0, 10.0), Rank::Failed);
        assert_eq!(rank("PAUSED", 10.0, 0.0), Rank::Unknown);
        assert_eq!(rank("PROCESSING", 100.0, 20.0), Rank::Failing);
        assert_eq!(rank("PROCESSING", 100.0, 5.0), Rank::Running);
        assert_eq!(rank("PROCESSING", 3.0, 3.0), Rank::Failing, "none went well");
        assert_eq!(rank("COMPLETED", 1000.0, 500.0), Rank::EndedBadly);
        assert_eq!(rank("COMPLETED", 1000.0, 5.0), Rank::Done);
        assert_eq!(rank("PENDING", 0.0, 0.0), Rank::Pending);
        assert_eq!(Rank::of(&job("Job:a"), now), Rank::Unpolled);
        let unreadable = failed(read(job("Job:a"), "PENDING", 10.0, 0.0, 0.0), PollFailure::Timeout);
        assert_eq!(Rank::of(&unreadable, now), Rank::Unreadable);
        assert!(
            Rank::Failed < Rank::Unreadable && Rank::EndedBadly < Rank::Running && Rank::Running < Rank::Done
        );
    }

    #[test]
    fn time_makes_a_running_import_a_stalled_one_and_a_failure_history() {
        let running = read(job("Job:a"), "PROCESSING", 10.0, 5.0, 0.0);
        let since = running.observed.as_ref().unwrap().last_change.as_millis();
        assert_eq!(Rank::of(&running, ms(since + 1_799_999)), Rank::Running);
        assert_eq!(Rank::of(&running, ms(since + 1_800_000)), Rank::Stalled);
        let over = read(job("Job:a"), "FAILED", 10.0, 5.0, 5.0);
        assert_eq!(Rank::of(&over, ms(since + 25 * 3_600_000)), Rank::FailedLongAgo);
    }

    #[test]
    fn an_outage_is_one_only_if_nothing_that_runs_can_be_read() {
        let now = ms(2_000_000);
        let done = Arc::new(read(job("Job:d"), "COMPLETED", 10.0, 10.0, 0.0));
        let down =
            |id| Arc::new(failed(read(job(id), "PROCESSING", 10.0, 5.0, 0.0), PollFailure::Unauthorized));
        let overview = Overview::of(&[done.clone(), down("Job:a"), down("Job:b")], now);
        let outage = overview.outage.unwrap();
        assert!(outage.is_refusal() && outage.last_good.is_some());
        assert_eq!((overview.unreadable, overview.attention), (2, 2));
        let fine = Arc::new(read(job("Job:c"), "PENDING", 10.0, 0.0, 0.0));
        assert_eq!(Overview::of(&[down("Job:a"), fine], now).outage, None);
        let gone = Arc::new(failed(job("Job:e"), PollFailure::NotFound));
        assert_eq!(Overview::of(&[gone], now).outage, None, "the API answers");
        assert_eq!(Overview::of(&[done], now).outage, None);
    }
}
