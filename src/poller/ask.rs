//! The first half of a poll: which job is asked now, and whether it may be.

use crate::grid::error::ApiError;
use crate::grid::{Advice, Answer, JobQuery, ReadJob};
use crate::job::{JobId, PollFailure};
use crate::poller::askers::{Asked, Question};
use crate::poller::breaker::Verdict;
use crate::poller::retry::Waiting;
use crate::poller::{Poller, UnderWay};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Waiting for the pace is added to its counter at least so often.
const COUNT_WAITING: Duration = Duration::from_secs(1);

/// A request may hold a place for so long while others are due and there is no other place. Longer than the time limit
/// for the head of an answer usually is, so that it is a transfer.
const HOLD: Duration = Duration::from_secs(15);

/// Steps without a pause for other events.
const STEPS: usize = 256;

/// What the poller does next.
enum Step {
    /// Ask for the longest due job.
    Ask,
    /// Ask for one job, to see whether the API is back.
    Probe,
    /// A poll that waits to ask again does so.
    Retry,
    /// The longest due job is unread for this reason, without a question.
    Fail(PollFailure, String),
    /// A job is due, but the pace holds it back.
    HeldBack,
    /// A transfer holds the last place for too long while others are due.
    MakeRoom(JobId),
    /// Ask for the job that somebody wants polled now; true: it shows whether the API is back.
    AskProbed(bool),
    /// That job is unread for this reason, without a question.
    FailProbed(PollFailure, String),
    /// Nothing before then, unless something happens.
    Wait(Instant),
    /// Nothing, until something happens.
    Rest,
}

impl<R: ReadJob> Poller<R> {
    /// Does what is due, as long as concurrency, pace and breaker permit it. Returns when there may be more to do
    /// without anything happening before.
    pub(super) fn begin_requests(&mut self) -> Option<Instant> {
        let now = Instant::now();
        for _ in 0..STEPS {
            let step = self.next_step(now);
            self.count_waiting(matches!(step, Step::HeldBack), now);
            match step {
                Step::Ask => {
                    self.probes.was_last = false;
                    if let Some(id) = self.schedule.take_due(now) {
                        self.breaker.asking(now);
                        self.request(id, 0, now);
                    }
                }
                Step::Probe => {
                    if let Some(id) = self.take_probe(now) {
                        self.breaker.probing(id.clone(), now);
                        self.request(id, 0, now);
                    }
                }
                Step::AskProbed(is_trial) => self.begin_probe(is_trial, now),
                Step::FailProbed(reason, message) => self.fail_probe(reason, message, now),
                Step::Retry => self.retry(now),
                Step::MakeRoom(id) => self.give_up(&id, now),
                Step::Fail(reason, message) => {
                    self.probes.was_last = false;
                    if let Some(id) = self.schedule.take_due(now) {
                        self.settle_unasked(&id, reason, message, now);
                    }
                }
                Step::HeldBack => {
                    self.pacer.note_waiting();
                    let ready = self.pacer.ready_at();
                    return Some(self.waiting_since.map_or(ready, |since| ready.min(since + COUNT_WAITING)));
                }
                Step::Wait(until) => return Some(until),
                Step::Rest => return self.next_turn().filter(|at| *at > now),
            }
        }
        Some(now)
    }

    /// When the next job is due, or the next retry; it may be in the past.
    fn next_turn(&mut self) -> Option<Instant> {
        [self.retries.next(), self.schedule.next_due()].into_iter().flatten().min()
    }

    fn next_step(&mut self, now: Instant) -> Step {
        let retry_is_due = self.retries.next().is_some_and(|at| at <= now);
        if retry_is_due && self.breaker.is_open() {
            return Step::Retry;
        }
        let job_is_due = self.schedule.next_due().is_some_and(|due| due <= now);
        // In turn with what is due anyway: however many probe, the set is polled on.
        let is_probed = self.probes.is_due() && !(self.probes.was_last && job_is_due);
        if !retry_is_due && !job_is_due && !is_probed {
            return Step::Rest;
        }
        let verdict = if retry_is_due { Verdict::Ask } else { self.breaker.judge(now) };
        if let Verdict::Fail(reason, message) = verdict {
            return if is_probed { Step::FailProbed(reason, message) } else { Step::Fail(reason, message) };
        }
        if self.under_way.len() >= self.setup.poll.concurrency {
            return self.make_room(now);
        }
        if let Verdict::Wait(until) = verdict {
            return Step::Wait(until);
        }
        if self.pacer.ready_at() > now {
            return Step::HeldBack;
        }
        match verdict {
            _ if retry_is_due => Step::Retry,
            _ if is_probed => Step::AskProbed(verdict == Verdict::Probe),
            Verdict::Probe => Step::Probe,
            Verdict::Ask | Verdict::Fail(..) | Verdict::Wait(_) => Step::Ask,
        }
    }

    /// All places are taken: waits for the oldest request to end, but no longer than [`HOLD`].
    fn make_room(&mut self, now: Instant) -> Step {
        // Requests are looked through only once one may have held its place for so long, not at each poll.
        if self.none_began_before + HOLD > now {
            return Step::Wait(self.none_began_before + HOLD);
        }
        let oldest = self.under_way.iter().min_by_key(|(_, request)| request.began);
        let Some((id, UnderWay { began, .. })) = oldest else { return Step::Rest };
        self.none_began_before = *began;
        if *began + HOLD <= now { Step::MakeRoom(id.clone()) } else { Step::Wait(*began + HOLD) }
    }

    /// Breaks a request off whose place others need. Its job counts as slow: it is asked more rarely.
    fn give_up(&mut self, id: &JobId, now: Instant) {
        let Some(request) = self.under_way.remove(id) else { return };
        let transfer = now.saturating_duration_since(request.began);
        let message = format!(
            "broken off after {} s, since other jobs needed its place; give more by poll.concurrency",
            transfer.as_secs()
        );
        // So long after the question the head has come: the API is at work.
        let answer = Answer {
            outcome: Err(ApiError::new(PollFailure::Timeout, message)),
            status_code: Some(200),
            advice: Advice::default(),
            validators: None,
            transfer,
            requests: 1,
        };
        let (id, number, at) = (id.clone(), request.number, request.began);
        let question = Question { id, number, attempt: 0, at, api: self.api };
        self.settle(Asked { question, answer }, now);
    }

    /// Whether a poll of the job is under way, be it watched or not.
    pub(super) fn is_under_way(&self, id: &JobId) -> bool {
        self.schedule.is_under_way(id) || self.probes.is_stranger(id)
    }

    /// The job that shows whether the API is back: the one that was last read well, since others may have a trouble
    /// of their own; if there is none, each in turn.
    fn take_probe(&mut self, now: Instant) -> Option<JobId> {
        if let Some(id) = self.last_good.clone().and_then(|id| self.schedule.take(&id)) {
            return Some(id);
        }
        for _ in 0..self.trials.len() {
            let id = self.trials.pop_front()?;
            if let Some(taken) = self.schedule.take(&id) {
                self.trials.push_back(id);
                return Some(taken);
            }
        }
        self.schedule.take_due(now)
    }

    fn retry(&mut self, now: Instant) {
        let Some(Waiting { id, attempt, answer }) = self.retries.take_due(now) else { return };
        if !self.is_under_way(&id) {
            // It left the set meanwhile.
            return;
        }
        if self.breaker.is_open() {
            let question = Question { id, number: 0, attempt, at: now, api: self.api };
            self.settle(Asked { question, answer }, now);
        } else {
            self.request(id, attempt + 1, now);
        }
    }

    pub(super) fn request(&mut self, id: JobId, attempt: u32, now: Instant) {
        self.pacer.request(now);
        self.probes.tell(&id, || format!("asks the API, attempt {}", attempt + 1));
        let query = JobQuery {
            tally: self.surroundings.store.tally_for(&id, self.setup.error_codes_per_job),
            validators: self.validators.get(&id).cloned(),
            id: id.clone(),
        };
        self.requests += 1;
        let question = Question { id: id.clone(), number: self.requests, attempt, at: now, api: self.api };
        let task = self.askers.ask(Arc::clone(&self.setup.reader), query, question);
        self.under_way.insert(id, UnderWay { number: self.requests, began: now, task });
    }

    /// Counts the time in which jobs were due and only the pace held them back.
    fn count_waiting(&mut self, held_back: bool, now: Instant) {
        if let Some(since) = self.waiting_since.take() {
            let waited = now.saturating_duration_since(since);
            self.surroundings.api_metrics.throttled_seconds.inc_by(waited.as_secs_f64());
        }
        self.waiting_since = held_back.then_some(now);
    }
}
