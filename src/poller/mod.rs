//! When and how fast jobs are polled: the one task that brings catalog, Grid client and store together.
//!
//! `app` starts it, on a thread of its own, and holds its [`Handle`]; nobody else talks to it. It owns the schedule, so nothing about due
//! times is locked or shared: commands come in by a channel, requests run in tasks of their own and come back
//! as finished answers, and between events it sleeps. It does not stop for a slow job, and a poll that panics costs
//! that poll alone.
//!
//! Polling follows this clock and not Prometheus's scrapes, because the API is rate limited, bodies may have 100 MB,
//! and several Prometheus servers may scrape.
//!
//! `schedule` says which job is due when (by `queue`), `cycle` what a poll cycle is, `pacing` when a request may leave, `breaker`
//! whether asking makes sense at all, `retry` and `backoff` when a job is asked again; `ask` and `answer` are the two
//! halves of a poll, `askers` the tasks that wait in between, `report` is what is logged and counted of it, `probe` are polls that somebody asks for.

mod answer;
mod ask;
mod askers;
mod backoff;
mod breaker;
mod cycle;
mod heartbeat;
mod pacing;
mod probe;
mod queue;
mod report;
mod retry;
mod schedule;
#[cfg(test)]
mod tests;

use crate::catalog::CatalogChange;
use crate::clock::SharedClock;
use crate::config::{JobSpec, PollConfig};
use crate::grid::{ReadJob, Validators};
use crate::job::{JobId, JobMap, JobReading, Status};
use crate::poller::askers::{Askers, Back};
use crate::poller::breaker::Breaker;
use crate::poller::pacing::Pacer;
use crate::poller::probe::Probes;
use crate::poller::retry::Retries;
use crate::poller::schedule::Schedule;
use crate::store::{CountFrom, NewJob, Store};
use crate::telemetry::own::{ApiMetrics, PollMetrics};
use futures_util::future::AbortHandle;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

pub use heartbeat::Heartbeat;
pub use probe::{Course, FRESH, MOST as MOST_PROBES, ProbeError, ProbeHandle};

/// The exporter is ready after two intervals or this, whichever is shorter, even if jobs are still unpolled.
const READY_AFTER: Duration = Duration::from_secs(60);

/// Answers that are taken without a look at other events.
const ANSWERS_AT_ONCE: u32 = 64;

/// How the poller works; replaced by a reload.
#[derive(Debug)]
pub struct Setup<R> {
    /// Reads jobs.
    pub reader: Arc<R>,
    /// Interval, concurrency, rate.
    pub poll: PollConfig,
    /// Error codes told apart, a job.
    pub error_codes_per_job: usize,
    /// Whether the reader asks another API, or as somebody else, than the one before.
    pub is_other_api: bool,
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
    Tell(Box<Told>, oneshot::Sender<()>),
    Setup(Setup<R>),
    Alive(oneshot::Sender<()>),
}

/// What somebody else told of a job, without a question: as good as the answer of a poll.
#[derive(Clone, Debug)]
pub struct Told {
    /// The job.
    pub id: JobId,
    /// Its state.
    pub reading: JobReading,
    /// Joins the job before, if it is new.
    pub change: CatalogChange,
}

/// Talks to the poller.
#[derive(Debug)]
pub struct Handle<R> {
    commands: mpsc::Sender<Command<R>>,
    probes: ProbeHandle,
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

    /// Takes in a job's state that somebody else told; returns once the store has it.
    pub async fn tell(&self, told: Told) {
        let (done, is_done) = oneshot::channel();
        if self.commands.send(Command::Tell(Box::new(told), done)).await.is_ok() {
            // An error means that the poller ended, which its owner hears of.
            let _ended = is_done.await;
        }
    }

    /// Works by another setup from now on. Polls under way end as they began.
    pub async fn set_up(&self, setup: Setup<R>) {
        let _ended = self.commands.send(Command::Setup(setup)).await;
    }

    /// Asks for polls of single jobs.
    #[must_use]
    pub fn probes(&self) -> ProbeHandle {
        self.probes.clone()
    }

    /// True once every job was tried, well or not, or enough time has passed; never false again.
    #[must_use]
    pub fn readiness(&self) -> watch::Receiver<bool> {
        self.ready.clone()
    }
}

/// One request that is out. Dropping it breaks it off, which does nothing if its answer has come.
struct UnderWay {
    /// Tells it from others for the same job.
    number: u64,
    began: Instant,
    task: AbortHandle,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The poller, before it runs.
pub struct Poller<R> {
    setup: Setup<R>,
    surroundings: Surroundings,
    commands: mpsc::Receiver<Command<R>>,
    ready: watch::Sender<bool>,
    schedule: Schedule,
    pacer: Pacer,
    breaker: Breaker,
    retries: Retries,
    /// The version of each job's last good answer, where the API tells it.
    validators: JobMap<Validators>,
    /// The request that is out for a job: broken off when the job leaves.
    under_way: JobMap<UnderWay>,
    /// Requests so far.
    requests: u64,
    askers: Askers<R>,
    /// No request that is out began before this; the oldest may have begun later.
    none_began_before: Instant,
    /// Ends when the reader's credentials became others.
    credentials_changed: Pin<Box<dyn Future<Output = ()> + Send>>,
    random: SmallRng,
    /// Counts the APIs that were asked, one after the other.
    api: u64,
    /// The job that was last read well.
    last_good: Option<JobId>,
    /// Jobs that are asked in turn while the breaker is open and none was read well before.
    trials: VecDeque<JobId>,
    /// Polls that somebody asks for.
    probes: Probes,
    /// Since when a job is due, a request may begin, and only the pace holds it back.
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
        let (probes, probe_handle) = Probes::new();
        let poller = Self {
            schedule: Schedule::new(now, setup.poll.interval),
            pacer: Pacer::new(setup.poll.max_requests_per_second, now),
            breaker: Breaker::default(),
            retries: Retries::default(),
            credentials_changed: wait_for_credentials(&setup.reader),
            setup,
            surroundings,
            commands: receiver,
            ready,
            validators: JobMap::default(),
            under_way: JobMap::default(),
            requests: 0,
            askers: Askers::new(),
            none_began_before: now,
            random: SmallRng::from_os_rng(),
            api: 0,
            last_good: None,
            trials: VecDeque::new(),
            probes,
            waiting_since: None,
            answered: false,
            answered_well: false,
            has_first_set: false,
        };
        (poller, Handle { commands, probes: probe_handle, ready: is_ready })
    }

    /// Takes the first set of jobs before it runs, in several parts if need be: the store has them from the first
    /// moment.
    pub fn begin_with(&mut self, mut change: CatalogChange) {
        change.known_before = true;
        self.take_change(change);
    }

    /// Polls until `shutdown`; polls under way are dropped then.
    pub async fn run(mut self, shutdown: CancellationToken) {
        self.note_readiness();
        let ready_at = Instant::now() + READY_AFTER.min(self.setup.poll.interval * 2);
        loop {
            let wake = self.begin_requests();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                Some(command) = self.commands.recv() => self.obey(command),
                request = self.probes.request() => self.take_probe_request(request),
                Some(back) = self.askers.recv() => self.take_answers(back),
                () = sleep_until(self.schedule.cycle_end()) => self.end_cycle(),
                () = sleep_until(ready_at), if !*self.ready.borrow() => { self.ready.send_replace(true); }
                () = self.credentials_changed.as_mut() => self.try_new_credentials(),
                () = sleep_until(wake.unwrap_or(ready_at)), if wake.is_some() => {}
            }
        }
    }

    /// Takes an answer, and those that have come with it: what is due next is looked for once for all of them.
    fn take_answers(&mut self, first: Back<R>) {
        self.take_back(first);
        for _ in 1..ANSWERS_AT_ONCE {
            let Some(back) = self.askers.try_recv() else { return };
            self.take_back(back);
        }
    }

    fn take_back(&mut self, back: Back<R>) {
        if let Some(asked) = self.askers.take(back, self.setup.poll.concurrency) {
            self.take_answer(asked);
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
        let answered = std::mem::take(&mut self.answered);
        let answered_well = std::mem::take(&mut self.answered_well);
        if answered && !answered_well {
            metrics.up.set(0);
        }
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

    fn try_new_credentials(&mut self) {
        self.breaker.probe_now(Instant::now());
        self.credentials_changed = wait_for_credentials(&self.setup.reader);
    }

    fn obey(&mut self, command: Command<R>) {
        match command {
            Command::Change(change, done) => {
                self.change_jobs(change);
                // Nobody waits any more if the reload was given up.
                let _unheard = done.send(());
            }
            Command::Tell(told, done) => {
                self.take_told(*told);
                let _unheard = done.send(());
            }
            Command::Setup(setup) => {
                let now = Instant::now();
                self.schedule.set_interval(setup.poll.interval, now);
                self.pacer.set_limit(setup.poll.max_requests_per_second, now);
                self.setup = setup;
                if self.setup.is_other_api {
                    // What another address or account said of a job's version says nothing any more.
                    self.validators.clear();
                    self.api += 1;
                    self.breaker.probe_now(now);
                }
                self.credentials_changed = wait_for_credentials(&self.setup.reader);
            }
            Command::Alive(done) => {
                // Nobody waits any more if the exporter stops.
                let _unheard = done.send(());
            }
        }
    }

    fn change_jobs(&mut self, change: CatalogChange) {
        self.take_change(change);
        self.note_readiness();
    }

    fn take_change(&mut self, change: CatalogChange) {
        let now = Instant::now();
        let store = self.surroundings.store.clone();
        store.leave(&change.left);
        for id in &change.left {
            self.validators.remove(id);
            self.break_off(id);
            let cycle = self.schedule.leave(id, now);
            self.observe_cycle(cycle);
            self.probe_leaves(id);
        }
        let is_known = change.known_before || !self.has_first_set;
        let count_from = if is_known { CountFrom::FirstReading } else { CountFrom::Zero };
        self.has_first_set = true;
        for job in &change.joined {
            self.probe_joins(&job.id);
        }
        let joined: Vec<JobId> = change.joined.iter().map(|job| job.id.clone()).collect();
        let named = change.joined.into_iter().chain(change.relabelled);
        store.join(named.map(new_job).collect(), count_from);
        // A job that was kept over a restart may have ended already.
        let has_ended = |id: &JobId| store.job(id).and_then(|job| job.status()).is_some_and(Status::is_ended);
        let (ended, open): (Vec<_>, Vec<_>) = joined.into_iter().partition(has_ended);
        self.schedule.join_ended(ended, now);
        if !open.is_empty() {
            self.schedule.join(open.into_iter(), now);
        }
    }

    /// Ends the poll of a job that leaves. Should the job come back at once, the old answer would be taken for the
    /// new poll's, and two polls of it be under way.
    fn break_off(&mut self, id: &JobId) {
        self.retries.forget(id);
        if self.under_way.remove(id).is_some() {
            self.breaker.broken_off(id);
        }
    }

    /// A number from 0 to 1, for jitter.
    fn chance(&mut self) -> f64 {
        self.random.random()
    }
}

fn wait_for_credentials<R: ReadJob>(reader: &Arc<R>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let reader = Arc::clone(reader);
    Box::pin(async move { reader.credentials_changed().await })
}

fn new_job(job: JobSpec) -> NewJob {
    NewJob {
        id: job.id,
        labels: job.labels,
        sources: job.sources.iter().map(|source| source.as_str()).collect(),
    }
}
