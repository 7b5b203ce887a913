//! Where each job has its fixed place: slots, in pages of [`PAGE_JOBS`].
//!
//! The exposition renders a page at a time, so a job keeps its slot while it is in the set, and the lowest free slot
//! is taken first, so that pages stay full. Used by `store` alone.

use crate::store::JobSnapshot;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Jobs in a page. A change of one job renders its page: few make renders cheap, many make scrapes cheap.
pub const PAGE_JOBS: usize = 64;

/// The slots.
#[derive(Debug, Default)]
pub(super) struct Slots {
    jobs: Vec<Option<Arc<JobSnapshot>>>,
    free: BinaryHeap<Reverse<usize>>,
}

impl Slots {
    /// Puts a job into the lowest free slot and tells which.
    pub(super) fn insert(&mut self, job: Arc<JobSnapshot>) -> usize {
        while let Some(Reverse(slot)) = self.free.pop() {
            // Slots beyond the end were given back with their page.
            if let Some(place) = self.jobs.get_mut(slot) {
                *place = Some(job);
                return slot;
            }
        }
        self.jobs.push(Some(job));
        self.jobs.len() - 1
    }

    /// Replaces the job in a slot.
    pub(super) fn replace(&mut self, slot: usize, job: Arc<JobSnapshot>) {
        if let Some(place) = self.jobs.get_mut(slot) {
            *place = Some(job);
        }
    }

    /// Empties a slot and hands back its job.
    pub(super) fn remove(&mut self, slot: usize) -> Option<Arc<JobSnapshot>> {
        let job = self.jobs.get_mut(slot)?.take()?;
        self.free.push(Reverse(slot));
        while matches!(self.jobs.last(), Some(None)) {
            self.jobs.pop();
        }
        Some(job)
    }

    /// The job in a slot.
    pub(super) fn get(&self, slot: usize) -> Option<&Arc<JobSnapshot>> {
        self.jobs.get(slot)?.as_ref()
    }

    /// All jobs, by slot.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<JobSnapshot>> {
        self.jobs.iter().flatten()
    }

    /// The jobs of one page, by slot; none if it is beyond the end.
    pub(super) fn page(&self, page: usize) -> impl Iterator<Item = &Arc<JobSnapshot>> {
        self.jobs.chunks(PAGE_JOBS).nth(page).into_iter().flatten().flatten()
    }

    /// Pages in use.
    pub(super) fn page_count(&self) -> usize {
        self.jobs.len().div_ceil(PAGE_JOBS)
    }
}
