//! When and how fast jobs are polled: the one task that brings catalog, Grid client and store together.
//!
//! `app` starts it and holds its [`Handle`]; nobody else talks to it. It owns the schedule, so nothing about due
//! times is locked or shared: commands come in by a channel, polls run as tasks of their own and come back as
//! finished answers, and between events it sleeps. It does not stop for a slow job, and a poll that panics costs
//! that poll alone.
//!
//! Polling follows this clock and not Prometheus's scrapes, because the API is rate limited, bodies may have 100 MB,
//! and several Prometheus servers may scrape.
//!
//! `schedule` says which job is due when, `cycle` what a poll cycle is, `pacing` when a request may leave, `report`
//! what is logged and counted of a poll.

mod cycle;
mod pacing;
mod report;
mod schedule;
#[cfg(test)]
mod tests;

use crate::catalog::CatalogChange;
use crate::clock::SharedClock;
use crate::config::{JobSpec, PollConfig};
use crate::grid::error::ApiError;
use crate::grid::{Answer, JobQuery, ReadJob, Reading, Validators};
use crate::job::{JobId, PollFailure};
use crate::poller::pacing::Pacer;
use crate::poller::schedule::Schedule;
use crate::store::{CountFrom, NewJob, Outcome, Store};
use crate::telemetry::own::{ApiMetrics, PollMetrics};
use futures_util::FutureExt;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// The exporter is ready after two intervals or this, whichever is shorter, even if jobs are still unpolled.
const READY_AFTER: Duration = Duration::from_secs(60);

/// Waiting for the pace is added to its counter at least so often.
const COUNT_WAITING: Duration = Duration::from_secs(1);

/// How the poller works; replaced by a reload.
#[derive(Debug)]
pub struct Setup<R> {
    /// Reads jobs.
    pub reader: Arc<R>,
    /// Interval, concurrency, rate.
    pub poll: PollConfig,
    /// Error codes told apart, a job.
    pub error_codes_per_job: usize,
}

/// What the poller needs for its whole life.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Where the jobs' states go.
    pub store: Store,
    /// Wall-clock time, for timestamps.
    pub clock: ClockHandle,
    /// What is measured of polls.
    pub poll_metrics: PollMetrics,
    /// What is measured of the API.
    pub api_metrics: ApiMetrics,
}

/// A shared clock that can be debugged.
#[derive(Clone)]
pub struct ClockHandle(pub SharedClock);

impl std::fmt::Debug for ClockHandle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Clock")
    }
}

#[derive(Debug)]
enum Command<R> {
    Change(CatalogChange, oneshot::Sender<()>),
    Setup(Setup<R>),
}

/// Talks to the poller.
#[derive(Debug)]
pub struct Handle<R> {
    commands: mpsc::Sender<Command<R>>,
    ready: watch::Receiver<bool>,
}

impl<R> Handle<R> {
    /// Changes the set of jobs; returns once the store has the new set.
    pub async fn change_jobs(&self, change: CatalogChange) {
        let (done, is_done) = oneshot::channel();
        if self.commands.send(Command::Change(change, done)).await.is_ok() {
            // An error means that the poller ended, which its owner hears of.
            let _ended = is_done.await;
        }
    }

    /// Works by another setup from now on. Polls under way end as they began.
    pub async fn set_up(&self, setup: Setup<R>) {
        let _ended = self.commands.send(Command::Setup(setup)).await;
    }

    /// True once every job was tried, well or not, or enough time has passed; never false again.
    #[must_use]
    pub fn readiness(&self) -> watch::Receiver<bool> {
        self.ready.clone()
    }
}

/// The poller, before it runs.
#[derive(Debug)]
pub struct Poller<R> {
    setup: Setup<R>,
    surroundings: Surroundings,
    commands: mpsc::Receiver<Command<R>>,
    ready: watch::Sender<bool>,
    schedule: Schedule,
    pacer: Pacer,
    /// The version of each job's last good answer, where the API tells it.
    validators: HashMap<JobId, Validators>,
    under_way: JoinSet<(JobId, Answer)>,
    /// Since when a job is due, a poll may begin, and only the pace holds it back.
    waiting_since: Option<Instant>,
    /// Whether anything was answered in this cycle, and whether any of it showed that the API works.
    answered: bool,
    answered_well: bool,
    /// The set as it was at the start has come.
    has_first_set: bool,
}

impl<R: ReadJob> Poller<R> {
    /// A poller without jobs, and its handle.
    #[must_use]
    pub fn new(setup: Setup<R>, surroundings: Surroundings) -> (Self, Handle<R>) {
        let now = Instant::now();
        let (commands, receiver) = mpsc::channel(16);
        let (ready, is_ready) = watch::channel(false);
        let poller = Self {
            schedule: Schedule::new(now, setup.poll.interval),
            pacer: Pacer::new(setup.poll.max_requests_per_second, now),
            setup,
            surroundings,
            commands: receiver,
            ready,
            validators: HashMap::new(),
            under_way: JoinSet::new(),
            waiting_since: None,
            answered: false,
            answered_well: false,
            has_first_set: false,
        };
        (poller, Handle { commands, ready: is_ready })
    }

    /// Polls until `shutdown`; polls under way are dropped then.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let ready_at = Instant::now() + READY_AFTER.min(self.setup.poll.interval * 2);
        loop {
            self.begin_polls();
            let wake = self.next_wake();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                Some(command) = self.commands.recv() => self.obey(command),
                Some(Ok((id, answer))) = self.under_way.join_next() => self.take_answer(&id, answer),
                () = sleep_until(self.schedule.cycle_end()) => self.end_cycle(),
                () = sleep_until(ready_at), if !*self.ready.borrow() => { self.ready.send_replace(true); }
                () = sleep_until(wake.unwrap_or(ready_at)), if wake.is_some() => {}
            }
        }
    }

    /// Begins polls as long as one is due and concurrency and pace permit it.
    fn begin_polls(&mut self) {
        loop {
            let now = Instant::now();
            let may_begin = self.under_way.len() < self.setup.poll.concurrency;
            let is_due = may_begin && self.schedule.next_due().is_some_and(|due| due <= now);
            let held_back = is_due && self.pacer.ready_at() > now;
            self.count_waiting(held_back, now);
            if !is_due || held_back {
                return;
            }
            if let Some(id) = self.schedule.take_due(now) {
                self.pacer.request(now);
                self.begin_poll(id);
            }
        }
    }

    fn begin_poll(&mut self, id: JobId) {
        let query = JobQuery {
            tally: self.surroundings.store.tally_for(&id, self.setup.error_codes_per_job),
            validators: self.validators.get(&id).cloned(),
            id: id.clone(),
        };
        let reader = Arc::clone(&self.setup.reader);
        self.under_way.spawn(async move {
            let answer = AssertUnwindSafe(reader.read(query)).catch_unwind().await;
            (id, answer.unwrap_or_else(|_panic| no_answer_for_a_panic()))
        });
    }

    /// When the next poll may begin; nothing if that hangs on an answer or a command.
    fn next_wake(&mut self) -> Option<Instant> {
        if self.under_way.len() >= self.setup.poll.concurrency {
            return None;
        }
        let begin = self.schedule.next_due()?.max(self.pacer.ready_at());
        Some(self.waiting_since.map_or(begin, |since| begin.min(since + COUNT_WAITING)))
    }

    /// Counts the time in which jobs were due and only the pace held them back.
    fn count_waiting(&mut self, held_back: bool, now: Instant) {
        if let Some(since) = self.waiting_since.take() {
            let waited = now.saturating_duration_since(since);
            self.surroundings.api_metrics.throttled_seconds.inc_by(waited.as_secs_f64());
        }
        self.waiting_since = held_back.then_some(now);
    }

    fn take_answer(&mut self, id: &JobId, answer: Answer) {
        let now = Instant::now();
        if let Some(wait) = answer.advice.retry_after {
            self.pacer.pause(wait, now);
        }
        if let Some(quota) = answer.advice.quota {
            self.surroundings.api_metrics.show_quota(quota.limit, quota.remaining, quota.reset);
        }
        self.note_whether_up(&answer);
        let outcome = match answer.outcome {
            Ok(Reading::Job(reading)) => {
                match answer.validators {
                    Some(validators) => self.validators.insert(id.clone(), validators),
                    None => self.validators.remove(id),
                };
                Outcome::Read(reading)
            }
            Ok(Reading::Unchanged) => Outcome::Unchanged,
            Err(error) => Outcome::Failed { reason: error.reason(), message: error.to_string() },
        };
        let ended = report::take_outcome(id, outcome, &self.surroundings);
        if ended {
            self.validators.remove(id);
        }
        let cycle = self.schedule.answered(id, ended, now);
        self.observe_cycle(cycle);
        self.note_readiness();
    }

    /// `grid_bulk_up` is 1 as soon as an answer shows it, and 0 at the end of a cycle whose answers all did not.
    fn note_whether_up(&mut self, answer: &Answer) {
        self.answered = true;
        let well = match &answer.outcome {
            Ok(_) => true,
            Err(error) => error.reason().shows_api_up() || answer.status_code.is_some_and(|c| c / 100 == 2),
        };
        if well {
            self.answered_well = true;
            self.surroundings.poll_metrics.up.set(1);
        }
    }

    fn end_cycle(&mut self) {
        let Some(end) = self.schedule.end_cycle(Instant::now()) else { return };
        let metrics = &self.surroundings.poll_metrics;
        metrics.cycles.inc();
        if end.overrun {
            metrics.overruns.inc();
        }
        metrics.last_cycle.set(self.surroundings.clock.0.now().as_seconds());
        if std::mem::take(&mut self.answered) && !std::mem::take(&mut self.answered_well) {
            metrics.up.set(0);
        }
        self.answered_well = false;
        self.observe_cycle(end.duration);
    }

    fn observe_cycle(&self, duration: Option<Duration>) {
        if let Some(duration) = duration {
            self.surroundings.poll_metrics.cycle_duration.observe(duration.as_secs_f64());
        }
    }

    fn note_readiness(&self) {
        if self.has_first_set && self.schedule.untried() == 0 && !*self.ready.borrow() {
            self.ready.send_replace(true);
        }
    }

    fn obey(&mut self, command: Command<R>) {
        match command {
            Command::Change(change, done) => {
                self.change_jobs(change);
                // Nobody waits any more if the reload was given up.
                let _unheard = done.send(());
            }
            Command::Setup(setup) => {
                let now = Instant::now();
                self.schedule.set_interval(setup.poll.interval, now);
                self.pacer.set_rate(setup.poll.max_requests_per_second, now);
                self.setup = setup;
            }
        }
    }

    fn change_jobs(&mut self, change: CatalogChange) {
        let now = Instant::now();
        let store = self.surroundings.store.clone();
        store.leave(&change.left);
        for id in &change.left {
            self.validators.remove(id);
            let cycle = self.schedule.leave(id, now);
            self.observe_cycle(cycle);
        }
        let count_from = if self.has_first_set { CountFrom::Zero } else { CountFrom::FirstReading };
        self.has_first_set = true;
        for job in &change.joined {
            self.schedule.join(job.id.clone(), now);
        }
        let named = change.joined.into_iter().chain(change.relabelled);
        store.join(named.map(new_job).collect(), count_from);
        self.note_readiness();
    }
}

fn new_job(job: JobSpec) -> NewJob {
    NewJob {
        id: job.id,
        labels: job.labels,
        sources: job.sources.iter().map(|source| source.as_str()).collect(),
    }
}

/// What stands for the answer of a poll that panicked: a fault of ours, which must not stop all other polls.
fn no_answer_for_a_panic() -> Answer {
    Answer {
        outcome: Err(ApiError::new(
            PollFailure::Other,
            "the poll broke off by a fault of the exporter; please report it",
        )),
        status_code: None,
        advice: crate::grid::Advice::default(),
        validators: None,
        duration: Duration::ZERO,
    }
}
