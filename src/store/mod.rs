//! The latest state of each watched job, and the sums over all of them.
//!
//! The poller is the one writer: it says which jobs join and leave, and what came of each poll. Readers are the
//! exposition, which takes what changed since it last asked, and the web's JSON API and page. A job's state is an
//! immutable snapshot behind an `Arc` that is replaced as a whole, so that a reader sees one state of a job, never
//! half of one and half of another. The lock is held for a few moves of memory, never across an await.
//!
//! `snapshot` is one job's state and the rules by which an answer changes it, `rows` the counters over all jobs,
//! `exemplars` the jobs that last moved them, `slots` where each job has its fixed place (its page in the exposition);
//! `saving` is what is kept over restarts, `rate` and `history` are for the page.

mod exemplars;
mod history;
mod rate;
mod rows;
mod saving;
mod slots;
mod snapshot;
#[cfg(test)]
mod tests;

use crate::clock::UnixTime;
use crate::job::{ErrorTally, JobId, JobMap, JobReading, LabelName, Labels, PollFailure, Status};
use history::Histories;
use rows::RowCounters;
use saving::Saving;
use slots::Slots;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

pub use exemplars::{RowExemplar, RowExemplars};
pub use history::{History, Point};
pub use rate::Rate;
pub use rows::{Departed, Mark, RowTotals, Seen, Start};
pub use saving::{Kept, KeptJob, KeptState, Unsaved};
pub use slots::PAGE_JOBS;
pub use snapshot::{Applied, Failure, JobSnapshot, Observed};

/// A job that joins the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// Its labels.
    pub labels: Labels,
    /// Who names it, as shown to users.
    pub sources: Vec<&'static str>,
}

/// From where a job's rows are counted into `grid_bulk_rows_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountFrom {
    /// From what it first shows: it was in the set when the process began, and what it had done was counted before.
    FirstReading,
    /// From 0: it joined later, so all its rows are new; unless it ended before the process began.
    Zero,
}

/// What came of one poll.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The job was read.
    Read(JobReading),
    /// The API said that it is as it was at the last good poll.
    Unchanged,
    /// It could not be read.
    Failed {
        /// The reason that is counted.
        reason: PollFailure,
        /// What happened, in words.
        message: String,
        /// Whether the API was asked; false if polls of other jobs showed that this would be in vain.
        asked: bool,
    },
}

/// Sums over all jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Jobs by status, in the order of [`Status::ALL`].
    pub by_status: [usize; 5],
    /// Jobs never read well.
    pub unpolled: usize,
    /// Rows processed over all jobs; where anything is kept, as far as that is on disk.
    pub rows: RowTotals,
}

impl Summary {
    /// Jobs in the set.
    #[must_use]
    pub fn jobs(&self) -> usize {
        self.by_status.iter().sum::<usize>() + self.unpolled
    }
}

/// What changed since the exposition last asked, all of one moment.
#[derive(Clone, Debug)]
pub struct Changes {
    /// Pages with a job that changed, joined or left: the page's number and the jobs now in it.
    pub pages: BTreeMap<usize, Vec<Arc<JobSnapshot>>>,
    /// Pages there are; those beyond are gone.
    pub page_count: usize,
    /// Names of all labels that any job has, sorted.
    pub label_names: Arc<[LabelName]>,
    /// The sums.
    pub summary: Summary,
    /// Which jobs last moved the row counters.
    pub exemplars: RowExemplars,
    /// Since when the row counters count; nothing if they go on from an earlier process.
    pub rows_since: Option<UnixTime>,
}

/// The handle; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
    /// Something is to be written, where anything is.
    unsaved: Notify,
    /// When the process began: a job that ended before adds nothing to the row counters.
    began: UnixTime,
}

#[derive(Debug, Default)]
struct State {
    slots: Slots,
    index: JobMap<usize>,
    /// How many jobs have each label name.
    label_uses: BTreeMap<LabelName, usize>,
    label_names: Arc<[LabelName]>,
    rows: RowCounters,
    exemplars: RowExemplars,
    by_status: [usize; 5],
    unpolled: usize,
    /// Each set of sources that any job has or had, once: there are as many as the kinds of sources permit.
    sources: Vec<Arc<[&'static str]>>,
    /// Pages that the exposition has not taken yet.
    dirty: BTreeSet<usize>,
    histories: Histories,
    /// Another number after each change.
    version: u64,
    /// The sums changed, though perhaps no page.
    summary_changed: bool,
    /// What is kept over restarts; nothing if nothing is.
    saving: Option<Box<Saving>>,
}

impl Store {
    /// An empty store of a process that began at `began`.
    #[must_use]
    pub fn new(began: UnixTime) -> Self {
        let shared =
            Shared { state: Mutex::default(), changed: Notify::new(), unsaved: Notify::new(), began };
        Self { shared: Arc::new(shared) }
    }

    /// When the process began.
    #[must_use]
    pub fn began(&self) -> UnixTime {
        self.shared.began
    }

    /// Adds jobs; those that are there already keep their state and take labels and sources anew.
    pub fn join(&self, jobs: Vec<NewJob>, count_from: CountFrom) {
        let mut state = self.lock();
        for job in jobs {
            state.join(job, count_from, self.shared.began);
        }
        state.refresh_label_names();
        self.tell(state);
    }

    /// Removes jobs with all their series; ids that are not there are left alone.
    pub fn leave(&self, ids: &[JobId]) {
        let mut state = self.lock();
        for id in ids {
            state.leave(id);
        }
        state.refresh_label_names();
        self.tell(state);
    }

    /// Takes in what came of a poll that ended at `now`. Nothing if the job has left meanwhile.
    #[expect(clippy::must_use_candidate, reason = "what changed is for the log; the state is kept anyway")]
    pub fn apply(&self, id: &JobId, outcome: Outcome, now: UnixTime) -> Option<Applied> {
        let mut state = self.lock();
        let applied = state.apply(id, outcome, now);
        self.tell(state);
        applied
    }

    /// The job's codes, each at 0, with room for `limit`: what the next answer's entries are counted into.
    #[must_use]
    pub fn tally_for(&self, id: &JobId, limit: usize) -> ErrorTally {
        self.job(id)
            .and_then(|job| job.observed.as_ref().map(|observed| observed.errors.cleared().with_limit(limit)))
            .unwrap_or_else(|| ErrorTally::new(limit))
    }

    /// One job's state.
    #[must_use]
    pub fn job(&self, id: &JobId) -> Option<Arc<JobSnapshot>> {
        let state = self.lock();
        state.index.get(id).and_then(|slot| state.slots.get(*slot)).cloned()
    }

    /// Jobs that at `now` were over for `retention` or longer: ended, or no longer there.
    #[must_use]
    pub fn over_since(&self, now: UnixTime, retention: Duration) -> Vec<JobId> {
        let retention = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let state = self.lock();
        let over = state.slots.iter().filter(|job| {
            job.over_since.is_some_and(|since| now.as_millis().saturating_sub(since.as_millis()) >= retention)
        });
        over.map(|job| job.id.clone()).collect()
    }

    /// All jobs' states of one moment, in the order in which they joined, and the sums.
    #[must_use]
    pub fn jobs(&self) -> (Vec<Arc<JobSnapshot>>, Summary) {
        let state = self.lock();
        (state.slots.iter().cloned().collect(), state.summary())
    }

    /// A number that is another after each change: what was made of the store is still right while it is the same.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.lock().version
    }

    /// A look at what a job showed since the start; empty if its course was not noted. For the page: being looked at
    /// secures a running job's place among those whose course is noted.
    #[must_use]
    pub fn history(&self, id: &JobId) -> History {
        let mut state = self.lock();
        let Some(slot) = state.index.get(id).copied() else { return History::default() };
        let ended = state.slots.get(slot).and_then(|job| job.status()).is_some_and(Status::is_ended);
        state.histories.look(slot, ended)
    }

    /// The sums alone.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.lock().summary()
    }

    /// Takes what changed since the last call. For the exposition, the one taker.
    #[must_use]
    pub fn take_changes(&self) -> Option<Changes> {
        let mut state = self.lock();
        let dirty = std::mem::take(&mut state.dirty);
        let summary_changed = std::mem::take(&mut state.summary_changed);
        (summary_changed || !dirty.is_empty()).then(|| self.changes(&state, dirty))
    }

    /// All pages as if each had changed, for the exposition too: what changed before counts as taken.
    #[must_use]
    pub fn take_all_pages(&self) -> Changes {
        let mut state = self.lock();
        state.dirty.clear();
        self.changes(&state, 0..state.slots.page_count())
    }

    fn changes(&self, state: &State, pages: impl IntoIterator<Item = usize>) -> Changes {
        Changes {
            pages: pages.into_iter().map(|page| (page, state.slots.page(page).cloned().collect())).collect(),
            page_count: state.slots.page_count(),
            label_names: Arc::clone(&state.label_names),
            summary: state.summary(),
            exemplars: state.exemplars.clone(),
            rows_since: state.saving.is_none().then_some(self.shared.began),
        }
    }

    /// Waits until something changed since the last wait.
    pub async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    /// Unlocks, and tells those who wait that something changed.
    fn tell(&self, state: MutexGuard<'_, State>) {
        let is_kept = state.saving.is_some();
        drop(state);
        self.shared.changed.notify_one();
        if is_kept {
            self.shared.unsaved.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held would have left a whole snapshot in place: it is only ever replaced.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn join(&mut self, job: NewJob, count_from: CountFrom, began: UnixTime) {
        let slot = self.index.get(&job.id).copied();
        if let Some(present) = slot.and_then(|slot| self.slots.get(slot)) {
            if present.labels != job.labels || *present.sources != *job.sources {
                let mut changed = JobSnapshot::clone(present);
                self.count_labels(&changed.labels, false);
                self.count_labels(&job.labels, true);
                changed.labels = job.labels;
                changed.sources = self.shared_sources(&job.sources);
                self.replace(slot.unwrap_or_default(), changed);
            }
            return;
        }
        self.count_labels(&job.labels, true);
        let id = job.id.clone();
        let sources = self.shared_sources(&job.sources);
        let kept = self.saving.as_mut().and_then(|saving| saving.take_unnamed(&id));
        let snapshot = match &kept {
            Some(kept) => JobSnapshot { labels: job.labels, sources, ..JobSnapshot::clone(&kept.job) },
            None => JobSnapshot::unpolled(job.id, job.labels, sources),
        };
        *self.status_count(snapshot.status()) += 1;
        let slot = self.slots.insert(Arc::new(snapshot));
        match &kept {
            Some(kept) => self.rows.place(slot, kept.mark),
            None => self.rows.join(slot, &id, count_from, began),
        }
        if let Some(saving) = &mut self.saving {
            saving.join(slot, kept.as_ref());
        }
        self.index.insert(id, slot);
        self.touch(slot);
    }

    fn shared_sources(&mut self, sources: &[&'static str]) -> Arc<[&'static str]> {
        if let Some(known) = self.sources.iter().find(|known| ***known == *sources) {
            return Arc::clone(known);
        }
        let sources: Arc<[_]> = sources.into();
        self.sources.push(Arc::clone(&sources));
        sources
    }

    fn leave(&mut self, id: &JobId) {
        let Some(slot) = self.index.remove(id) else { return };
        self.rows.leave(slot, id);
        self.histories.forget(slot);
        if let Some(saving) = &mut self.saving {
            saving.leave(slot);
        }
        self.touch(slot);
        if let Some(job) = self.slots.remove(slot) {
            self.count_labels(&job.labels, false);
            *self.status_count(job.status()) -= 1;
        }
    }

    fn apply(&mut self, id: &JobId, outcome: Outcome, now: UnixTime) -> Option<Applied> {
        let slot = *self.index.get(id)?;
        let before = Arc::clone(self.slots.get(slot)?);
        let (after, mut applied) = before.after(outcome, now);
        if let Some(observed) = &after.observed {
            applied.rows_added = self.rows.count(slot, observed);
            self.exemplars.note(id, applied.rows_added, now);
            if let (None, Some(progress)) = (&after.failure, &observed.progress) {
                self.histories.note(slot, progress, applied.ended, now);
            }
        }
        *self.status_count(before.status()) -= 1;
        *self.status_count(after.status()) += 1;
        self.replace(slot, after);
        if let Some(saving) = &mut self.saving {
            saving.changed(slot);
        }
        Some(applied)
    }

    fn replace(&mut self, slot: usize, job: JobSnapshot) {
        self.slots.replace(slot, Arc::new(job));
        self.touch(slot);
    }

    /// Something of the job in this slot changed.
    fn touch(&mut self, slot: usize) {
        self.dirty.insert(slot / PAGE_JOBS);
        self.version += 1;
    }

    /// The number of jobs in a status, or of those never read.
    fn status_count(&mut self, status: Option<Status>) -> &mut usize {
        let [pending, processing, completed, failed, unknown] = &mut self.by_status;
        match status {
            None => &mut self.unpolled,
            Some(Status::Pending) => pending,
            Some(Status::Processing) => processing,
            Some(Status::Completed) => completed,
            Some(Status::Failed) => failed,
            Some(Status::Unknown) => unknown,
        }
    }

    fn count_labels(&mut self, labels: &Labels, joins: bool) {
        for (name, _) in labels.iter() {
            if joins {
                *self.label_uses.entry(name.clone()).or_default() += 1;
            } else if let Some(uses) = self.label_uses.get_mut(name) {
                *uses -= 1;
                if *uses == 0 {
                    self.label_uses.remove(name);
                }
            }
        }
    }

    /// If the union of label names changed, each page's info series must be rendered anew.
    fn refresh_label_names(&mut self) {
        if !self.label_uses.keys().eq(self.label_names.iter()) {
            self.label_names = self.label_uses.keys().cloned().collect();
            self.dirty.extend(0..self.slots.page_count());
        }
    }

    fn summary(&self) -> Summary {
        // A count that is not on disk yet could come back lower after a crash.
        let rows = self.saving.as_ref().map_or_else(|| self.rows.totals(), |saving| saving.saved());
        Summary { by_status: self.by_status, unpolled: self.unpolled, rows }
    }
}
