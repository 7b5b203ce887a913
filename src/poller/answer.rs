//! The second half of a poll: what its answer means for the pace, the breaker, the job and its next poll.

use crate::grid::{Advice, ReadJob, Reading};
use crate::job::{JobId, PollFailure};
use crate::poller::askers::{Asked, Question};
use crate::poller::backoff::{Course, next_poll};
use crate::poller::breaker::{Change, Failed};
use crate::poller::retry::{Waiting, wait_before_retry};
use crate::poller::schedule::Next;
use crate::poller::{Poller, Told, report};
use crate::store::Outcome;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};

impl<R: ReadJob> Poller<R> {
    /// Takes the answer of one request: the poll either asks again after a moment, or has ended.
    pub(super) fn take_answer(&mut self, asked: Asked) {
        let now = Instant::now();
        self.note_pace(&asked, now);
        if self
            .under_way
            .get(&asked.question.id)
            .is_none_or(|request| request.number != asked.question.number)
        {
            // It was broken off when its answer had come already: what is known since then is newer.
            return;
        }
        self.under_way.remove(&asked.question.id);
        self.probes.tell(&asked.question.id, || answered(&asked));
        let chance = self.chance();
        let retry = wait_before_retry(&asked.answer, asked.question.attempt, chance);
        match retry.filter(|_| !self.breaker.is_open() && self.is_under_way(&asked.question.id)) {
            Some(wait) => {
                let Asked { question: Question { id, attempt, .. }, answer } = asked;
                self.probes.tell(&id, || format!("asks again in {:.3} s", wait.as_secs_f64()));
                self.retries.push(now + wait, Waiting { id, attempt, answer });
            }
            None => self.settle(asked, now),
        }
    }

    /// A poll has ended with this answer.
    pub(super) fn settle(&mut self, asked: Asked, now: Instant) {
        self.note_whether_up(&asked, now);
        if self.probes.is_stranger(&asked.question.id) {
            self.take_stranger(asked);
            return;
        }
        let Asked { question: Question { id, at, api, .. }, answer } = asked;
        let transfer = answer.transfer;
        let outcome = match answer.outcome {
            Ok(Reading::Job(reading)) => {
                match answer.validators {
                    Some(validators) if api == self.api => self.validators.insert(id.clone(), validators),
                    Some(_) | None => self.validators.remove(&id),
                };
                Outcome::Read(reading)
            }
            Ok(Reading::Unchanged) => Outcome::Unchanged,
            Err(error) => {
                if let Some(kind) = error.inconsistency() {
                    self.surroundings.poll_metrics.count_inconsistency(kind);
                }
                Outcome::Failed { reason: error.reason(), message: error.to_string(), asked: true }
            }
        };
        let failure = match &outcome {
            Outcome::Failed { reason, .. } => Some(*reason),
            Outcome::Read(_) | Outcome::Unchanged => None,
        };
        let ended = report::take_outcome(&id, outcome, &self.surroundings);
        if ended {
            self.validators.remove(&id);
        }
        let chance = self.chance();
        let interval = self.setup.poll.interval;
        let course = Course { failure, ended, asked_at: at, transfer };
        let next =
            self.schedule.trouble(&id).map(|trouble| next_poll(trouble, course, interval, now, chance));
        self.end_poll(&id, next.unwrap_or(Next::Never), now);
    }

    /// Somebody else told a job's state. If it has ended, a poll of it that is under way can only bring an older state.
    pub(super) fn take_told(&mut self, told: Told) {
        let Told { id, mut reading, change } = told;
        if !change.is_empty() {
            self.take_change(change);
        }
        // Codes that are known already keep their places.
        let mut errors = self.surroundings.store.tally_for(&id, self.setup.error_codes_per_job);
        errors.add_all(&reading.errors);
        reading.errors = errors;
        if report::take_news(&id, Outcome::Read(reading), &self.surroundings) {
            let now = Instant::now();
            self.validators.remove(&id);
            self.break_off(&id);
            let cycle = self.schedule.end(&id, now);
            self.observe_cycle(cycle);
            self.answer_probes(&id);
        }
        self.note_readiness();
    }

    /// A poll has ended before it began: polls of other jobs show that asking would be in vain.
    pub(super) fn settle_unasked(&mut self, id: &JobId, reason: PollFailure, message: String, now: Instant) {
        let outcome = Outcome::Failed { reason, message, asked: false };
        report::take_outcome(id, outcome, &self.surroundings);
        self.end_poll(id, Next::Place(now), now);
    }

    fn end_poll(&mut self, id: &JobId, next: Next, now: Instant) {
        let cycle = self.schedule.answered(id, next, now);
        self.observe_cycle(cycle);
        self.note_readiness();
        self.answer_probes(id);
    }

    /// What the answer says about how fast to ask.
    fn note_pace(&mut self, asked: &Asked, now: Instant) {
        let Advice { retry_after, quota, .. } = asked.answer.advice;
        if let Some(quota) = quota {
            self.surroundings.api_metrics.show_quota(quota.limit, quota.remaining, quota.reset);
            if let (Some(remaining), Some(reset)) = (quota.remaining, quota.reset) {
                let left = reset.as_millis().saturating_sub(self.surroundings.clock.0.now().as_millis());
                let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
                self.pacer.obey_quota(remaining, now + left.min(super::pacing::LONGEST_PAUSE), now);
            }
        }
        // Redirects within the host are requests, too.
        for _ in 1..asked.answer.requests {
            self.pacer.request(now);
        }
        let is_throttled = asked.answer.status_code == Some(429);
        if is_throttled {
            let often =
                self.schedule.trouble(&asked.question.id).is_some_and(|trouble| trouble.is_often_throttled());
            if often && self.pacer.is_borne() {
                self.pacer.pause_for_one(retry_after, now);
            } else {
                let chance = self.chance();
                self.pacer.refused(retry_after, asked.question.at, now, chance);
            }
        } else if asked.answer.status_code.is_some() {
            self.pacer.answered();
        }
    }

    /// `grid_bulk_up` is 1 as soon as an answer shows it, and 0 at the end of a cycle whose answers all did not. The
    /// breaker learns the same.
    fn note_whether_up(&mut self, asked: &Asked, now: Instant) {
        let answer = &asked.answer;
        self.answered = true;
        let failure = match &answer.outcome {
            Ok(_) => None,
            Err(error) if error.reason().shows_api_up() => None,
            Err(_) if answer.status_code.is_some_and(|code| code / 100 == 2) => None,
            Err(error) => Some(error),
        };
        let Some(failure) = failure else {
            self.answered_well = true;
            self.surroundings.poll_metrics.up.set(1);
            if answer.outcome.is_ok() && !self.probes.is_stranger(&asked.question.id) {
                self.last_good = Some(asked.question.id.clone());
            }
            if self.breaker.answered() == Change::Closed {
                self.trials.clear();
                info!("the API answers again; all jobs are asked again");
                self.pacer.begin_gently(now);
            }
            return;
        };
        let message = failure.to_string();
        let was_failing =
            self.surroundings.store.job(&asked.question.id).is_some_and(|job| job.failure.is_some());
        let failed = Failed {
            id: &asked.question.id,
            reason: failure.reason(),
            message: &message,
            sent: asked.question.at,
            was_failing,
        };
        if self.breaker.failed(failed, self.setup.poll.interval, now) == Change::Opened {
            self.trials = self.schedule.waiting().into();
            let reason = failure.reason().as_str();
            warn!(reason, error = %message, "the API as a whole fails; from now on one job is asked from time to time");
        }
    }
}

/// What came of one request, in words.
fn answered(asked: &Asked) -> String {
    let answer = &asked.answer;
    let took = asked.question.at.elapsed().as_secs_f64();
    let status = answer.status_code.map_or_else(|| "no answer".to_owned(), |code| format!("HTTP {code}"));
    let body = format!("the body took {:.3} s", answer.transfer.as_secs_f64());
    match &answer.outcome {
        Ok(_) => format!("{status} after {took:.3} s; {body}; {} requests", answer.requests),
        Err(error) => format!("{status} after {took:.3} s: {error}"),
    }
}
