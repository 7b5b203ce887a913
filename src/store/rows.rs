//! `grid_bulk_rows_total`: rows over all jobs, which never jumps without cause and never falls.
//!
//! For each job the most that it ever showed is remembered, and only what exceeds it is added. So a count that the
//! API corrects downwards and up again adds nothing; nor does a job that leaves the set and comes back, whose mark
//! is kept after it left. Used by `store` alone.

use crate::clock::UnixTime;
use crate::job::{JobId, counts::countable};
use crate::store::{CountFrom, Observed};
use std::collections::{HashMap, VecDeque};

/// Rows by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowTotals {
    /// Customers created.
    pub successful: u64,
    /// Rows that failed.
    pub failed: u64,
}

/// Jobs that left and whose marks are kept. Beyond that the oldest is forgotten: should it come back, its rows are
/// counted again.
const DEPARTED: usize = 100_000;

/// The counters and each job's mark.
#[derive(Debug, Default)]
pub(super) struct RowCounters {
    totals: RowTotals,
    /// By slot.
    marks: Vec<Mark>,
    departed: HashMap<JobId, RowTotals>,
    /// In the order in which they left; may hold ids that have come back.
    departures: VecDeque<JobId>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Mark {
    /// No job has the slot.
    #[default]
    Free,
    /// No counts were seen yet.
    Unseen(CountFrom),
    /// The most that was seen.
    At(RowTotals),
}

impl RowCounters {
    /// The sums.
    pub(super) const fn totals(&self) -> RowTotals {
        self.totals
    }

    /// A job joins and has this slot.
    pub(super) fn join(&mut self, slot: usize, id: &JobId, count_from: CountFrom) {
        if self.marks.len() <= slot {
            self.marks.resize(slot + 1, Mark::Free);
        }
        if let Some(mark) = self.marks.get_mut(slot) {
            *mark = self.departed.remove(id).map_or(Mark::Unseen(count_from), Mark::At);
        }
    }

    /// A job leaves; its mark is kept for its return.
    pub(super) fn leave(&mut self, slot: usize, id: &JobId) {
        if let Some(Mark::At(seen)) = self.marks.get_mut(slot).map(std::mem::take) {
            self.departed.insert(id.clone(), seen);
            self.departures.push_back(id.clone());
            while self.departures.len() > DEPARTED {
                if let Some(oldest) = self.departures.pop_front() {
                    self.departed.remove(&oldest);
                }
            }
        }
    }

    /// Adds what a job newly shows, and tells how much that is.
    ///
    /// A count that is negative, has a fraction or exceeds 2^53 adds nothing.
    pub(super) fn count(&mut self, slot: usize, observed: &Observed, began: UnixTime) -> RowTotals {
        let (Some(mark), Some(progress)) = (self.marks.get_mut(slot), observed.progress) else {
            return RowTotals::default();
        };
        let seen = match mark {
            Mark::Free => return RowTotals::default(),
            Mark::At(seen) => *seen,
            Mark::Unseen(CountFrom::Zero) if observed.completed_at.is_none_or(|ended| ended >= began) => {
                RowTotals::default()
            }
            Mark::Unseen(CountFrom::Zero | CountFrom::FirstReading) => RowTotals {
                successful: countable(progress.successful).unwrap_or_default(),
                failed: countable(progress.failed).unwrap_or_default(),
            },
        };
        let most = RowTotals {
            successful: countable(progress.successful).unwrap_or_default().max(seen.successful),
            failed: countable(progress.failed).unwrap_or_default().max(seen.failed),
        };
        *mark = Mark::At(most);
        let added =
            RowTotals { successful: most.successful - seen.successful, failed: most.failed - seen.failed };
        self.totals.successful = self.totals.successful.saturating_add(added.successful);
        self.totals.failed = self.totals.failed.saturating_add(added.failed);
        added
    }
}
