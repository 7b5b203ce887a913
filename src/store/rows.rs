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
    /// By slot; nothing where no job has it.
    marks: Vec<Option<Mark>>,
    /// Marks of jobs that left, with the number of their latest departure.
    departed: HashMap<JobId, (Mark, u64)>,
    /// In the order in which they left; may hold ids that have come back.
    departures: VecDeque<(JobId, u64)>,
    departure: u64,
}

/// What a job's counts are compared with.
#[derive(Debug)]
struct Mark {
    /// From where they count as long as nothing was seen.
    count_from: CountFrom,
    successful: Seen,
    failed: Seen,
}

/// The most that one count ever showed; nothing before it first showed a number that can be counted: a job whose
/// first answer says -1 has its place yet to show.
type Seen = Option<u64>;

impl RowCounters {
    /// The sums.
    pub(super) const fn totals(&self) -> RowTotals {
        self.totals
    }

    /// A job joins and has this slot.
    pub(super) fn join(&mut self, slot: usize, id: &JobId, count_from: CountFrom) {
        let unseen = Mark { count_from, successful: None, failed: None };
        let mark = self.departed.remove(id).map_or(unseen, |(mark, _)| mark);
        if self.marks.len() <= slot {
            self.marks.resize_with(slot + 1, || None);
        }
        if let Some(place) = self.marks.get_mut(slot) {
            *place = Some(mark);
        }
    }

    /// A job leaves; its mark is kept for its return.
    pub(super) fn leave(&mut self, slot: usize, id: &JobId) {
        let mark = self.marks.get_mut(slot).and_then(Option::take);
        if let Some(mark) = mark.filter(Mark::was_seen) {
            self.departure += 1;
            self.departed.insert(id.clone(), (mark, self.departure));
            self.departures.push_back((id.clone(), self.departure));
            while self.departures.len() > DEPARTED {
                if let Some((oldest, number)) = self.departures.pop_front() {
                    // It may have come back and left again since.
                    if self.departed.get(&oldest).is_some_and(|(_, latest)| *latest == number) {
                        self.departed.remove(&oldest);
                    }
                }
            }
        }
    }

    /// Adds what a job newly shows, and tells how much that is.
    ///
    /// A count that is negative, has a fraction or exceeds 2^53 adds nothing.
    pub(super) fn count(&mut self, slot: usize, observed: &Observed, began: UnixTime) -> RowTotals {
        let (Some(mark), Some(progress)) =
            (self.marks.get_mut(slot).and_then(Option::as_mut), observed.progress)
        else {
            return RowTotals::default();
        };
        // One that ended before the process began was counted then, by whoever watched it.
        let is_old = observed.completed_at.is_some_and(|ended| ended < began);
        let start = if mark.count_from == CountFrom::Zero && !is_old { Some(0) } else { None };
        let added = RowTotals {
            successful: raise(&mut mark.successful, progress.successful, start),
            failed: raise(&mut mark.failed, progress.failed, start),
        };
        self.totals.successful = self.totals.successful.saturating_add(added.successful);
        self.totals.failed = self.totals.failed.saturating_add(added.failed);
        added
    }
}

impl Mark {
    const fn was_seen(&self) -> bool {
        self.successful.is_some() || self.failed.is_some()
    }
}

/// Takes in a count, and tells how far it exceeds all before; the first one is compared with `start`, or if that is
/// nothing with itself.
fn raise(seen: &mut Seen, count: f64, start: Option<u64>) -> u64 {
    let Some(count) = countable(count) else { return 0 };
    let before = seen.or(start).unwrap_or(count);
    *seen = Some(count.max(before));
    count.saturating_sub(before)
}
