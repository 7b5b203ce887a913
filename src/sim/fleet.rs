//! The jobs that the simulated API knows: generated ones, those of the scenario, uploads, and what tests add.
//!
//! One map behind a lock that is held for a look-up. A job's faults are swapped whole, so that a poll sees one set.

use crate::sim::course::{Course, Plan};
use crate::sim::demo;
use crate::sim::fault::Fault;
use crate::sim::seed::{Series, between, fraction, job_id, mix};
use arc_swap::ArcSwap;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// So many uploads are remembered; the oldest is forgotten first.
pub const MAX_UPLOADS: usize = 10_000;

/// A simulated job.
#[derive(Clone, Debug, PartialEq)]
pub struct SimJobSpec {
    /// Its id; any text.
    pub id: String,
    /// How it runs.
    pub course: Course,
    /// What is wrong with its answers.
    pub faults: Vec<Fault>,
}

/// A job as the server holds it.
#[derive(Debug)]
pub(crate) struct SimJob {
    pub(crate) id: Arc<str>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) faults: ArcSwap<Vec<Fault>>,
    /// Requests for it so far.
    pub(crate) requests: AtomicU64,
}

impl SimJob {
    fn new(spec: SimJobSpec, seed: u64) -> Self {
        let job_seed = spec.id.bytes().fold(seed, |state, byte| mix(&[state, u64::from(byte)]));
        Self {
            id: spec.id.into(),
            plan: Arc::new(Plan::new(spec.course, job_seed)),
            faults: ArcSwap::from_pointee(spec.faults),
            requests: AtomicU64::new(0),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Fleet {
    seed: u64,
    demo: bool,
    jobs: RwLock<HashMap<Arc<str>, Arc<SimJob>>>,
    uploads: RwLock<VecDeque<Arc<str>>>,
    uploaded: AtomicU64,
    /// How often a job came.
    changes: AtomicU64,
}

impl Fleet {
    /// A fleet of `generated` jobs and those of a scenario, which win where ids are equal.
    pub(crate) fn new(seed: u64, generated: u64, demo: bool, named: &[SimJobSpec]) -> Self {
        let mut jobs = HashMap::new();
        for number in 1..=generated {
            let spec = generated_job(seed, number);
            let job = Arc::new(SimJob::new(spec, seed));
            jobs.insert(Arc::clone(&job.id), job);
        }
        for spec in named {
            let job = Arc::new(SimJob::new(spec.clone(), seed));
            jobs.insert(Arc::clone(&job.id), job);
        }
        Self {
            seed,
            demo,
            jobs: RwLock::new(jobs),
            uploads: RwLock::default(),
            uploaded: AtomicU64::new(0),
            changes: AtomicU64::new(0),
        }
    }

    /// The job of this id, if there is one by now (simulated seconds).
    pub(crate) fn find(&self, id: &str, now: f64) -> Option<Arc<SimJob>> {
        let found = self.jobs.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if found.is_some() || !self.demo {
            return found;
        }
        let import = demo::import_of_id(self.seed, id).filter(|import| import.added_at <= now)?;
        Some(self.add(SimJobSpec { id: import.id, course: import.course, faults: Vec::new() }))
    }

    /// Adds a job, or puts it in another's place.
    pub(crate) fn add(&self, spec: SimJobSpec) -> Arc<SimJob> {
        let job = Arc::new(SimJob::new(spec, self.seed));
        let mut jobs = self.jobs.write().unwrap_or_else(PoisonError::into_inner);
        jobs.insert(Arc::clone(&job.id), Arc::clone(&job));
        self.changes.fetch_add(1, Ordering::Relaxed);
        job
    }

    /// Takes a job away; false if there was none.
    pub(crate) fn remove(&self, id: &str) -> bool {
        self.jobs.write().unwrap_or_else(PoisonError::into_inner).remove(id).is_some()
    }

    /// Adds the job of an upload and says its id. Beyond [`MAX_UPLOADS`] the oldest upload is forgotten.
    pub(crate) fn add_upload(&self, course: Course) -> Arc<str> {
        let number = self.uploaded.fetch_add(1, Ordering::Relaxed) + 1;
        let id = job_id(self.seed, Series::Uploaded, number);
        let job = self.add(SimJobSpec { id, course, faults: Vec::new() });
        let mut uploads = self.uploads.write().unwrap_or_else(PoisonError::into_inner);
        uploads.push_back(Arc::clone(&job.id));
        let oldest = if uploads.len() > MAX_UPLOADS { uploads.pop_front() } else { None };
        drop(uploads);
        if let Some(oldest) = oldest {
            self.remove(&oldest);
        }
        Arc::clone(&job.id)
    }

    /// A number that grows whenever a job comes.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// All jobs that end, and when, in simulated seconds.
    pub(crate) fn ends(&self) -> Vec<(f64, Arc<SimJob>)> {
        let jobs = self.jobs.read().unwrap_or_else(PoisonError::into_inner);
        jobs.values().filter_map(|job| Some((job.plan.ends_at()?, Arc::clone(job)))).collect()
    }

    /// Ids of all jobs, sorted.
    pub(crate) fn ids(&self) -> Vec<String> {
        let jobs = self.jobs.read().unwrap_or_else(PoisonError::into_inner);
        let mut ids: Vec<String> = jobs.keys().map(|id| id.as_ref().to_owned()).collect();
        drop(jobs);
        ids.sort_unstable();
        ids
    }
}

/// The job of `--jobs` with this number, 1 for the first: sizes and fates vary, most are well.
///
/// Failures are few in most of them: an answer lists each failed row, and a poll of an ordinary job is to be
/// cheap, as the simulator is the counterpart in benchmarks.
#[must_use]
pub fn generated_job(seed: u64, number: u64) -> SimJobSpec {
    use crate::sim::course::{Ending, Failing, Spike, Stall};
    let parts = |what: u64| [seed, Series::Generated.number().into(), number, what];
    // From a hundred rows to a few ten thousand, the small ones more frequent.
    let size = 2.0 + 2.7 * fraction(&parts(1)).powi(2);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "100 to 50,000")]
    let rows = 10_f64.powf(size) as u64;
    let takes = 60.0 + 1740.0 * fraction(&parts(2));
    let mut course = Course {
        rows,
        rows_per_second: rows as f64 / takes,
        starts_at: 120.0 * fraction(&parts(3)) - 60.0,
        wobble: 0.4,
        failing_share: 4.0 * fraction(&parts(4)) / rows as f64,
        ..Course::default()
    };
    let moment = takes * (0.2 + 0.4 * fraction(&parts(5)));
    match between(0, 19, &parts(6)) {
        0 => {
            let failing = Failing::Share(0.3 + 0.5 * fraction(&parts(7)));
            course.spikes.push(Spike { at: moment, lasts: takes * 0.2, failing, code: None });
        }
        1 => course.stalls.push(Stall { at: moment, lasts: 3600.0 }),
        2 => course.ending = Ending::Failed { after: Some(moment) },
        3 => course.starts_at += 1800.0,
        4 => course.failing_share = 0.03,
        _ => {}
    }
    SimJobSpec { id: job_id(seed, Series::Generated, number), course, faults: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_jobs_repeat_and_differ() {
        assert_eq!(generated_job(1, 5), generated_job(1, 5));
        assert_ne!(generated_job(1, 5), generated_job(1, 6));
        assert_ne!(generated_job(1, 5).course, generated_job(2, 5).course);
        let sizes: std::collections::BTreeSet<_> = (1..50).map(|n| generated_job(1, n).course.rows).collect();
        assert!(sizes.len() > 40);
    }

    #[test]
    fn the_oldest_upload_is_forgotten_first() {
        let fleet = Fleet::new(1, 0, false, &[]);
        let first = fleet.add_upload(Course::default());
        for _ in 0..MAX_UPLOADS - 1 {
            fleet.add_upload(Course::default());
        }
        assert!(fleet.find(&first, 0.0).is_some());
        fleet.add_upload(Course::default());
        assert!(fleet.find(&first, 0.0).is_none());
        assert_eq!(fleet.ids().len(), MAX_UPLOADS);
    }
}
