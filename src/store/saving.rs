//! What is to be kept over restarts: which jobs changed since somebody last took them, and what is on disk already.
//!
//! The store knows no disk. Where there is one, `storage` makes the store by [`Store::restored`], takes what changed by
//! [`Store::take_unsaved`], and says by [`Store::saved`] what is written: only that much of the row counters is shown,
//! as a counter that came back lower after a crash would look like a giant jump. Jobs that were kept wait here until a
//! source names them; those that none names are let go by [`Store::forget_unnamed`]. Without a disk nothing of this
//! costs anything.

use crate::clock::UnixTime;
use crate::job::{JobId, Labels};
use crate::store::rows::{Departed, Mark, RowCounters, RowTotals};
use crate::store::snapshot::{Failure, JobSnapshot, Observed};
use crate::store::{Shared, State, Store};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// A job as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptJob {
    /// Under this number it is kept, for as long as it is in the set. Jobs that join together have neighbouring ones.
    pub number: u64,
    /// Its state; labels and sources are those of who names it, and not kept.
    pub job: Arc<JobSnapshot>,
    /// What its counts are compared with.
    pub mark: Mark,
}

/// All that was kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// Jobs that were in the set.
    pub jobs: Vec<KeptJob>,
    /// Marks of jobs that had left, in the order of their numbers.
    pub departed: Vec<Departed>,
    /// The row counters.
    pub totals: RowTotals,
}

/// What is to be written, all of one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unsaved {
    /// Jobs that are new or changed.
    pub jobs: Vec<KeptJob>,
    /// Numbers of jobs that are to be kept no longer.
    pub gone: Vec<u64>,
    /// Marks of jobs that left.
    pub departed: Vec<Departed>,
    /// Numbers of such marks that are to be kept no longer; after those before were added.
    pub departed_gone: Vec<u64>,
    /// The row counters.
    pub totals: RowTotals,
}

/// The state of a job as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptState {
    /// Its id.
    pub id: JobId,
    /// Whether it was polled at all.
    pub tried: bool,
    /// What the API said.
    pub observed: Option<Observed>,
    /// When it was last read well.
    pub last_poll_success: Option<UnixTime>,
    /// Why the latest poll failed.
    pub failure: Option<Failure>,
    /// Since when nothing more is to come of it.
    pub over_since: Option<UnixTime>,
    /// Contradictions that were logged, a bit each.
    pub logged: u8,
}

impl JobSnapshot {
    /// A job as it was kept; labels and sources are still to come.
    #[must_use]
    pub fn from_kept(kept: KeptState) -> Self {
        let KeptState { id, tried, observed, last_poll_success, failure, over_since, logged } = kept;
        let failure = failure.map(Box::new);
        Self {
            tried,
            observed,
            last_poll_success,
            failure,
            over_since,
            logged,
            ..Self::unpolled(id, Labels::default(), Arc::default())
        }
    }

    /// Contradictions that were logged already, a bit each.
    #[must_use]
    pub const fn logged(&self) -> u8 {
        self.logged
    }
}

/// What is kept and what is still to be.
#[derive(Debug, Default)]
pub(super) struct Saving {
    /// By slot.
    numbers: Vec<u64>,
    next_number: u64,
    /// Slots.
    changed: BTreeSet<usize>,
    gone: Vec<u64>,
    /// Jobs that were kept and that no source named yet.
    unnamed: HashMap<JobId, KeptJob>,
    /// The row counters as they are on disk.
    saved: RowTotals,
    /// The same as they were last taken.
    taken: RowTotals,
}

impl Saving {
    /// The row counters as they are on disk.
    pub(super) const fn saved(&self) -> RowTotals {
        self.saved
    }

    /// A job changed.
    pub(super) fn changed(&mut self, slot: usize) {
        self.changed.insert(slot);
    }

    /// A job joins; hands back what was kept of it.
    pub(super) fn join(&mut self, slot: usize, kept: Option<&KeptJob>) {
        let number = kept.map_or_else(
            || {
                self.next_number += 1;
                self.next_number
            },
            |kept| kept.number,
        );
        if self.numbers.len() <= slot {
            self.numbers.resize(slot + 1, 0);
        }
        if let Some(place) = self.numbers.get_mut(slot) {
            *place = number;
        }
        if kept.is_none() {
            self.changed.insert(slot);
        }
    }

    /// What was kept of a job that is named now.
    pub(super) fn take_unnamed(&mut self, id: &JobId) -> Option<KeptJob> {
        self.unnamed.remove(id)
    }

    /// A job leaves.
    pub(super) fn leave(&mut self, slot: usize) {
        self.changed.remove(&slot);
        if let Some(number) = self.numbers.get(slot) {
            self.gone.push(*number);
        }
    }
}

impl State {
    fn restored(kept: Kept) -> Self {
        let Kept { jobs, departed, totals } = kept;
        let next_number = jobs.iter().map(|job| job.number).max().unwrap_or_default();
        let unnamed = jobs.into_iter().map(|kept| (kept.job.id.clone(), kept)).collect();
        let saving = Saving { next_number, unnamed, saved: totals, taken: totals, ..Saving::default() };
        Self {
            rows: RowCounters::restored(totals, departed),
            saving: Some(Box::new(saving)),
            ..Self::default()
        }
    }

    fn kept_job(&self, slot: usize, saving: &Saving) -> Option<KeptJob> {
        let job = Arc::clone(self.slots.get(slot)?);
        Some(KeptJob { number: *saving.numbers.get(slot)?, job, mark: self.rows.mark(slot)? })
    }

    fn take_unsaved(&mut self) -> Option<Unsaved> {
        let mut saving = self.saving.take()?;
        let departures = self.rows.take_departures();
        let changed = std::mem::take(&mut saving.changed);
        let unsaved = Unsaved {
            jobs: changed.into_iter().filter_map(|slot| self.kept_job(slot, &saving)).collect(),
            gone: std::mem::take(&mut saving.gone),
            departed: departures.added,
            departed_gone: departures.gone,
            totals: self.rows.totals(),
        };
        let is_new = unsaved.totals != saving.taken
            || !(unsaved.jobs.is_empty()
                && unsaved.gone.is_empty()
                && unsaved.departed.is_empty()
                && unsaved.departed_gone.is_empty());
        saving.taken = unsaved.totals;
        self.saving = Some(saving);
        is_new.then_some(unsaved)
    }

    fn take_all(&mut self) -> Kept {
        let _all_of_it_is_in_what_follows = self.take_unsaved();
        let Some(saving) = self.saving.take() else { return Kept::default() };
        let present = self.index.values().filter_map(|slot| self.kept_job(*slot, &saving));
        let mut jobs: Vec<KeptJob> = present.chain(saving.unnamed.values().cloned()).collect();
        jobs.sort_unstable_by_key(|job| job.number);
        self.saving = Some(saving);
        Kept { jobs, departed: self.rows.all_departed(), totals: self.rows.totals() }
    }

    fn forget_unnamed(&mut self) -> usize {
        let Some(saving) = &mut self.saving else { return 0 };
        let unnamed = std::mem::take(&mut saving.unnamed);
        for (id, kept) in &unnamed {
            saving.gone.push(kept.number);
            self.rows.depart(id, kept.mark);
        }
        unnamed.len()
    }
}

impl Store {
    /// A store of a process that began at `began`, with what was kept; what changes is noted from now on.
    #[must_use]
    pub fn restored(began: UnixTime, kept: Kept) -> Self {
        let state = Mutex::new(State::restored(kept));
        Self { shared: Arc::new(Shared { state, changed: Notify::new(), unsaved: Notify::new(), began }) }
    }

    /// Waits until something is to be written.
    pub async fn has_unsaved(&self) {
        self.shared.unsaved.notified().await;
    }

    /// Takes what changed since the last call; nothing if that is nothing, or if nothing is kept.
    #[must_use]
    pub fn take_unsaved(&self) -> Option<Unsaved> {
        self.lock().take_unsaved()
    }

    /// Takes all that is to be kept, to be written in place of what is on disk.
    #[must_use]
    pub fn take_all(&self) -> Kept {
        self.lock().take_all()
    }

    /// Says that row counters are on disk: they are shown from now on.
    pub fn saved(&self, totals: RowTotals) {
        let mut state = self.lock();
        let Some(saving) = state.saving.as_mut() else { return };
        if saving.saved != totals {
            saving.saved = totals;
            state.summary_changed = true;
            state.version += 1;
            drop(state);
            self.shared.changed.notify_one();
        }
    }

    /// Lets go of what was kept of jobs that no source names; tells how many there were.
    #[expect(clippy::must_use_candidate, reason = "how many there were is for the log")]
    pub fn forget_unnamed(&self) -> usize {
        let forgotten = self.lock().forget_unnamed();
        if forgotten > 0 {
            self.shared.unsaved.notify_one();
        }
        forgotten
    }
}
