//! Polls that somebody asks for just now: `/probe` of the web, which never calls the API itself.
//!
//! A probe of a watched job is an ordinary poll of it that comes first, in turn with what is due anyway: it obeys pace, concurrency and breaker, takes
//! the place of the poll that was due next, and goes into the store as any other, so rows are counted once. Probes of
//! one job join each other and a poll of it that is under way, and what the store has of the last [`FRESH`] seconds, or
//! of an ended job, is told at once. A job that is not watched is asked for by the same rules, but stays outside the
//! store and the set: nothing of it is counted but the request. Who waits is bounded, and one who went away is forgotten.

mod course;
#[cfg(test)]
mod tests;

use crate::grid::{ReadJob, Reading};
use crate::job::{JobId, PollFailure, Status};
use crate::poller::Poller;
use crate::poller::askers::Asked;
use crate::store::{JobSnapshot, Outcome};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

pub use course::Course;

/// Who waits at most, over all jobs.
pub const MOST: usize = 256;

/// What was read within this time is told again without a poll.
pub const FRESH: Duration = Duration::from_secs(5);

/// Why a probe has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// As many wait as may.
    #[error("{MOST} probes wait already")]
    TooMany,
    /// The time is over. The poll goes on.
    #[error("the poll did not end in time")]
    TimedOut,
    /// The poller has ended.
    #[error("grid-bulk-exporter is stopping")]
    Stopping,
}

/// What an answer is sent through.
type Answer = oneshot::Sender<Result<Arc<JobSnapshot>, ProbeError>>;

#[derive(Debug)]
pub(super) struct Request {
    id: JobId,
    course: Option<Course>,
    answer: Answer,
}

/// Asks the poller for probes; cheap to clone.
#[derive(Clone, Debug)]
pub struct ProbeHandle(mpsc::Sender<Request>);

impl ProbeHandle {
    /// Asks nobody: each probe finds that the poller has ended.
    #[cfg(test)]
    pub(crate) fn of_nobody() -> Self {
        Self(mpsc::channel(1).0)
    }

    /// Polls a job now and tells its state, within `limit`.
    pub async fn probe(
        &self,
        id: JobId,
        limit: Duration,
        course: Option<Course>,
    ) -> Result<Arc<JobSnapshot>, ProbeError> {
        let (answer, answered) = oneshot::channel();
        let probing = async {
            self.0.send(Request { id, course, answer }).await.map_err(|_| ProbeError::Stopping)?;
            answered.await.unwrap_or(Err(ProbeError::Stopping))
        };
        timeout(limit, probing).await.unwrap_or(Err(ProbeError::TimedOut))
    }
}

/// Who waits for one job.
#[derive(Debug)]
struct Waiter {
    course: Option<Course>,
    answer: Answer,
}

/// The probes that wait or are under way.
#[derive(Debug)]
pub(super) struct Probes {
    requests: mpsc::Receiver<Request>,
    waiting: HashMap<JobId, Vec<Waiter>>,
    /// Jobs that are to be asked for, oldest first.
    queue: VecDeque<JobId>,
    /// Jobs that are not watched and asked for.
    strangers: HashSet<JobId>,
    /// Whether the last job that was asked for was probed.
    pub(super) was_last: bool,
}

impl Probes {
    pub(super) fn new() -> (Self, ProbeHandle) {
        let (sender, requests) = mpsc::channel(64);
        let probes = Self {
            requests,
            waiting: HashMap::new(),
            queue: VecDeque::new(),
            strangers: HashSet::new(),
            was_last: false,
        };
        (probes, ProbeHandle(sender))
    }

    /// The next request; never again once nobody can ask any more.
    pub(super) async fn request(&mut self) -> Request {
        match self.requests.recv().await {
            Some(request) => request,
            None => std::future::pending().await,
        }
    }

    /// Whether a job is to be asked for. Those for whom nobody waits any more are forgotten.
    pub(super) fn is_due(&mut self) -> bool {
        while let Some(id) = self.queue.front() {
            let waits = self.waiting.get(id).is_some_and(|waiters| waiters.iter().any(Waiter::waits));
            if waits {
                return true;
            }
            self.waiting.remove(id);
            self.queue.pop_front();
        }
        false
    }

    /// True if the job is not watched and a probe of it is under way.
    pub(super) fn is_stranger(&self, id: &JobId) -> bool {
        self.strangers.contains(id)
    }

    /// Notes something in the courses of all who wait for a job.
    pub(super) fn tell(&self, id: &JobId, what: impl Fn() -> String) {
        let waiters = self.waiting.get(id).into_iter().flatten();
        for course in waiters.filter_map(|waiter| waiter.course.as_ref()) {
            course.tell(&what());
        }
    }

    fn has_room(&mut self) -> bool {
        let count = |waiting: &HashMap<_, Vec<_>>| waiting.values().map(Vec::len).sum::<usize>();
        if count(&self.waiting) >= MOST {
            for waiters in self.waiting.values_mut() {
                waiters.retain(Waiter::waits);
            }
            self.waiting.retain(|_, waiters| !waiters.is_empty());
            self.queue.retain(|id| self.waiting.contains_key(id));
        }
        count(&self.waiting) < MOST
    }

    fn answer(&mut self, id: &JobId, job: &Arc<JobSnapshot>) {
        for waiter in self.waiting.remove(id).into_iter().flatten() {
            // Whoever went away wants no answer.
            let _gone = waiter.answer.send(Ok(Arc::clone(job)));
        }
    }
}

impl Waiter {
    fn waits(&self) -> bool {
        !self.answer.is_closed()
    }
}

impl<R: ReadJob> Poller<R> {
    /// Takes a request: answers it at once, lets it join, or puts its job first in the queue.
    pub(super) fn take_probe_request(&mut self, request: Request) {
        let Request { id, course, answer } = request;
        let tell = |what: &str| {
            if let Some(course) = &course {
                course.tell(what);
            }
        };
        let known = self.surroundings.store.job(&id);
        tell(if known.is_some() { "the job is watched" } else { "the job is not watched" });
        if let Some(job) = known.filter(|job| self.is_answer(job)) {
            tell("no poll: what is known is young enough, or final");
            tell(&ended(&job));
            let _gone = answer.send(Ok(job));
            return;
        }
        if !self.probes.has_room() {
            let _gone = answer.send(Err(ProbeError::TooMany));
            return;
        }
        if self.schedule.is_under_way(&id) || self.probes.is_stranger(&id) {
            tell("joins a poll of it that is under way");
        } else if self.probes.waiting.contains_key(&id) {
            tell("joins another probe of it, which waits");
        } else {
            let wait = self.pacer.ready_at().saturating_duration_since(Instant::now());
            tell(&format!("waits for its turn; the pace permits a request in {:.3} s", wait.as_secs_f64()));
        }
        let is_asked = self.schedule.is_under_way(&id) || self.probes.is_stranger(&id);
        if !is_asked && !self.probes.queue.contains(&id) {
            self.probes.queue.push_back(id.clone());
        }
        self.probes.waiting.entry(id).or_default().push(Waiter { course, answer });
    }

    /// Whether what is known needs no poll: it is young enough, or final.
    fn is_answer(&self, job: &JobSnapshot) -> bool {
        let is_ended = job.status().is_some_and(Status::is_ended);
        let now = self.surroundings.clock.0.now().as_millis();
        let is_fresh = job.last_poll_success.is_some_and(|time| {
            let age = now.saturating_sub(time.as_millis());
            u64::try_from(age).is_ok_and(|age| age < u64::try_from(FRESH.as_millis()).unwrap_or(0))
        });
        job.failure.is_none() && (is_ended || is_fresh)
    }

    /// Asks for the job that is probed next. `is_trial`: it is the one that shows whether the API is back.
    pub(super) fn begin_probe(&mut self, is_trial: bool, now: Instant) {
        self.probes.was_last = true;
        let Some(id) = self.probes.queue.pop_front() else { return };
        if self.schedule.has(&id) {
            if self.schedule.take(&id).is_none() {
                self.answer_if_settled(&id);
                return;
            }
        } else {
            self.probes.strangers.insert(id.clone());
        }
        if is_trial {
            self.breaker.probing(id.clone(), now);
        } else {
            self.breaker.asking(now);
        }
        self.request(id, 0, now);
    }

    /// The job that is probed next is unread for this reason, without a question.
    pub(super) fn fail_probe(&mut self, reason: PollFailure, message: String, now: Instant) {
        self.probes.was_last = true;
        let Some(id) = self.probes.queue.pop_front() else { return };
        self.probes.tell(&id, || format!("not asked: {message}"));
        if self.schedule.take(&id).is_some() {
            self.settle_unasked(&id, reason, message, now);
        } else if self.schedule.has(&id) {
            self.answer_if_settled(&id);
        } else {
            self.settle_stranger(&id, Outcome::Failed { reason, message, asked: false });
        }
    }

    /// The job is neither waiting nor, unless a poll is under way, ever polled again: what is known is the answer.
    fn answer_if_settled(&mut self, id: &JobId) {
        if !self.schedule.is_under_way(id) {
            self.answer_probes(id);
        }
    }

    /// A poll of a watched job has ended: who waits for it hears its state.
    pub(super) fn answer_probes(&mut self, id: &JobId) {
        if self.probes.waiting.contains_key(id)
            && let Some(job) = self.surroundings.store.job(id)
        {
            self.probes.tell(id, || ended(&job));
            self.probes.answer(id, &job);
        }
    }

    /// A poll of a job that is not watched has ended.
    pub(super) fn take_stranger(&mut self, asked: Asked) {
        let outcome = match asked.answer.outcome {
            Ok(Reading::Job(reading)) => Outcome::Read(reading),
            Ok(Reading::Unchanged) => Outcome::Unchanged,
            Err(error) => Outcome::Failed { reason: error.reason(), message: error.to_string(), asked: true },
        };
        self.settle_stranger(&asked.question.id, outcome);
    }

    fn settle_stranger(&mut self, id: &JobId, outcome: Outcome) {
        self.probes.strangers.remove(id);
        let now = self.surroundings.clock.0.now();
        let job = Arc::new(JobSnapshot::stranger(id.clone()).following(outcome, now));
        self.probes.tell(id, || ended(&job));
        self.probes.answer(id, &job);
    }

    /// A job joins the set: its first poll, which is due now, answers who waits for it.
    pub(super) fn probe_joins(&mut self, id: &JobId) {
        if self.probes.strangers.remove(id) {
            self.break_off(id);
        }
    }

    /// A job left the set while somebody waits for it: it is asked for as one that is not watched.
    pub(super) fn probe_leaves(&mut self, id: &JobId) {
        if self.probes.waiting.contains_key(id) && !self.probes.queue.contains(id) {
            self.probes.queue.push_back(id.clone());
        }
    }
}

/// How a poll ended, in words.
fn ended(job: &JobSnapshot) -> String {
    match (&job.failure, &job.observed) {
        (Some(failure), _) => format!("failed: {}: {}", failure.reason.as_str(), failure.message),
        (None, Some(observed)) => {
            let counts = observed.progress.map_or_else(
                || "no counts".to_owned(),
                |progress| {
                    format!("{} of {} rows, {} failed", progress.processed, progress.total, progress.failed)
                },
            );
            format!("read: {}, {counts}", observed.status.word())
        }
        (None, None) => "read, but it says nothing".to_owned(),
    }
}
