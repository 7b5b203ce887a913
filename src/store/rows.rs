//! `grid_bulk_rows_total`: rows over all jobs, which never jumps without cause and never falls.
//!
//! For each job the most that it ever showed is remembered, and only what exceeds it is added. So a count that the
//! API corrects downwards and up again adds nothing; nor does a job that leaves the set and comes back, whose mark
//! is kept after it left. Used by `store` alone; `storage` keeps marks over restarts.

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
    /// What changed among the departed since it was last taken; nothing unless somebody keeps them.
    unsaved: Option<UnsavedDepartures>,
}

/// Marks of departed jobs that are to be kept, and those that are not any more.
#[derive(Debug, Default)]
pub(super) struct UnsavedDepartures {
    pub(super) added: Vec<Departed>,
    pub(super) gone: Vec<u64>,
}

/// The mark of a job that left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departed {
    /// Its number; the higher, the later it left.
    pub number: u64,
    /// The job.
    pub id: JobId,
    /// Its mark.
    pub mark: Mark,
}

/// What a job's counts are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// From where they count as long as nothing was seen.
    pub start: Start,
    /// Of the successful rows.
    pub successful: Seen,
    /// Of the failed rows.
    pub failed: Seen,
}

/// From where a job's rows count as long as nothing was seen of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// From what it first shows.
    FirstReading,
    /// From 0; but as above if it ended before this, when the process began in which it joined.
    Zero {
        /// When that process began.
        began: UnixTime,
    },
}

/// The most that one count ever showed; nothing before it first showed a number that can be counted: a job whose
/// first answer says -1 has its place yet to show. Kept in 8 bytes, as each job has two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen(u64);

impl Seen {
    /// Nothing yet. No count is as large.
    pub const NOTHING: Self = Self(u64::MAX);

    /// The most that was seen.
    #[must_use]
    pub const fn most(self) -> Option<u64> {
        if self.0 == u64::MAX { None } else { Some(self.0) }
    }
}

impl From<Option<u64>> for Seen {
    fn from(most: Option<u64>) -> Self {
        most.map_or(Self::NOTHING, Self)
    }
}

impl RowCounters {
    /// The sums.
    pub(super) const fn totals(&self) -> RowTotals {
        self.totals
    }

    /// A job joins and has this slot.
    pub(super) fn join(&mut self, slot: usize, id: &JobId, count_from: CountFrom, began: UnixTime) {
        let start = match count_from {
            CountFrom::FirstReading => Start::FirstReading,
            CountFrom::Zero => Start::Zero { began },
        };
        let departed = self.departed.remove(id);
        if let (Some((_, number)), Some(unsaved)) = (&departed, &mut self.unsaved) {
            unsaved.gone.push(*number);
        }
        let unseen = Mark { start, successful: Seen::NOTHING, failed: Seen::NOTHING };
        self.place(slot, departed.map_or(unseen, |(mark, _)| mark));
    }

    /// A job has this slot and this mark.
    pub(super) fn place(&mut self, slot: usize, mark: Mark) {
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
        if let Some(mark) = mark {
            self.depart(id, mark);
        }
    }

    /// Keeps the mark of a job that is not in the set, if it says anything.
    pub(super) fn depart(&mut self, id: &JobId, mark: Mark) {
        if !mark.was_seen() {
            return;
        }
        self.departure += 1;
        let number = self.departure;
        self.departed.insert(id.clone(), (mark, number));
        self.departures.push_back((id.clone(), number));
        if let Some(unsaved) = &mut self.unsaved {
            unsaved.added.push(Departed { number, id: id.clone(), mark });
        }
        while self.departures.len() > DEPARTED {
            let Some((oldest, number)) = self.departures.pop_front() else { return };
            // It may have come back and left again since.
            if self.departed.get(&oldest).is_some_and(|(_, latest)| *latest == number) {
                self.departed.remove(&oldest);
                if let Some(unsaved) = &mut self.unsaved {
                    unsaved.gone.push(number);
                }
            }
        }
    }

    /// Adds what a job newly shows, and tells how much that is.
    ///
    /// A count that is negative, has a fraction or exceeds 2^53 adds nothing.
    pub(super) fn count(&mut self, slot: usize, observed: &Observed) -> RowTotals {
        let (Some(mark), Some(progress)) =
            (self.marks.get_mut(slot).and_then(Option::as_mut), observed.progress)
        else {
            return RowTotals::default();
        };
        let start = match mark.start {
            // One that ended before the process began was counted then, by whoever watched it.
            Start::Zero { began } if observed.completed_at.is_none_or(|ended| ended >= began) => Some(0),
            Start::Zero { .. } | Start::FirstReading => None,
        };
        let added = RowTotals {
            successful: raise(&mut mark.successful, progress.successful, start),
            failed: raise(&mut mark.failed, progress.failed, start),
        };
        self.totals.successful = self.totals.successful.saturating_add(added.successful);
        self.totals.failed = self.totals.failed.saturating_add(added.failed);
        added
    }
}

/// What `saving` needs.
impl RowCounters {
    /// The counters as they were kept, with the marks of jobs that had left, in their order; changes are noted from
    /// now on.
    pub(super) fn restored(totals: RowTotals, departed: Vec<Departed>) -> Self {
        let mut counters = Self { totals, unsaved: Some(UnsavedDepartures::default()), ..Self::default() };
        for Departed { number, id, mark } in departed {
            counters.departure = counters.departure.max(number);
            counters.departures.push_back((id.clone(), number));
            counters.departed.insert(id, (mark, number));
        }
        counters
    }

    /// The mark of the job in a slot.
    pub(super) fn mark(&self, slot: usize) -> Option<Mark> {
        self.marks.get(slot).copied().flatten()
    }

    /// What changed among the departed since the last call.
    pub(super) fn take_departures(&mut self) -> UnsavedDepartures {
        self.unsaved.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// All that departed, in their order.
    pub(super) fn all_departed(&self) -> Vec<Departed> {
        let is_latest = |(id, number): &(JobId, u64)| {
            let (mark, latest) = self.departed.get(id)?;
            (latest == number).then(|| Departed { number: *number, id: id.clone(), mark: *mark })
        };
        self.departures.iter().filter_map(is_latest).collect()
    }
}

impl Mark {
    const fn was_seen(&self) -> bool {
        self.successful.most().is_some() || self.failed.most().is_some()
    }
}

/// Takes in a count, and tells how far it exceeds all before; the first one is compared with `start`, or if that is
/// nothing with itself.
fn raise(seen: &mut Seen, count: f64, start: Option<u64>) -> u64 {
    let Some(count) = countable(count) else { return 0 };
    let before = seen.most().or(start).unwrap_or(count);
    *seen = Seen(count.max(before));
    count.saturating_sub(before)
}
