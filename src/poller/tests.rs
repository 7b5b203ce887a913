//! The poller on tokio's paused clock, with a reader in memory.

mod told;

use super::*;
use crate::clock::{TokioClock, UnixTime};
use crate::config::JobSource;
use crate::grid::error::ApiError;
use crate::grid::{Advice, Answer, JobQuery, Reading};
use crate::job::{CompletedAt, JobReading, Labels, PollFailure, Progress, ReportedStatus};
use crate::telemetry::own::OwnMetrics;
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use tokio::time::sleep;

pub(super) const INTERVAL: Duration = Duration::from_secs(30);

/// Answers from memory, and remembers who asked when.
#[derive(Debug)]
pub(super) struct Fake {
    start: Instant,
    pub(super) asked: Mutex<Vec<(JobId, Duration)>>,
    pub(super) under_way: Mutex<HashSet<JobId>>,
    pub(super) most_under_way: Mutex<usize>,
    pub(super) latency: Mutex<Duration>,
    answers: Mutex<HashMap<JobId, Script>>,
    /// What all jobs answer that have no script of their own.
    pub(super) default: Mutex<Script>,
    limit: Mutex<Option<Limit>>,
    new_credentials: tokio::sync::Notify,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Script {
    Status(&'static str),
    Fails(PollFailure),
    Throttles(Duration),
    Hangs,
    Panics,
    /// Fails so many times, then works.
    Recovers(PollFailure, usize),
    /// Answers after so long.
    Slow(Duration),
}

/// A simulated API's own limit: requests a second, with a burst of one second.
#[derive(Debug)]
struct Limit {
    rate: f64,
    tokens: f64,
    last: Instant,
    refused: Vec<Duration>,
}

impl Fake {
    /// Answers each question after `latency`; times of questions count from `start`.
    fn new(start: Instant, latency: Duration) -> Self {
        Self {
            start,
            asked: Mutex::default(),
            under_way: Mutex::default(),
            most_under_way: Mutex::default(),
            latency: Mutex::new(latency),
            answers: Mutex::default(),
            default: Mutex::new(Script::Status("PROCESSING")),
            limit: Mutex::default(),
            new_credentials: tokio::sync::Notify::new(),
        }
    }

    pub(super) fn polls_of(&self, job: &str) -> Vec<f64> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(id, _)| id.as_str() == job).map(|(_, at)| at.as_secs_f64()).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub(super) fn script(&self, job: &str, script: Script) {
        self.answers.lock().unwrap().insert(id(job), script);
    }
}

impl ReadJob for Fake {
    async fn read(&self, query: JobQuery) -> Answer {
        self.asked.lock().unwrap().push((query.id.clone(), self.start.elapsed()));
        assert!(self.under_way.lock().unwrap().insert(query.id.clone()), "a job's polls never overlap");
        let under_way = self.under_way.lock().unwrap().len();
        let most = self.most_under_way.lock().unwrap().max(under_way);
        *self.most_under_way.lock().unwrap() = most;
        let script = self.answers.lock().unwrap().get(&query.id).copied();
        let mut script = script.unwrap_or(*self.default.lock().unwrap());
        if self.is_over_its_limit() {
            script = Script::Throttles(Duration::from_secs(1));
        }
        let started = Instant::now();
        let latency = *self.latency.lock().unwrap();
        sleep(match script {
            Script::Hangs => Duration::from_secs(100),
            Script::Slow(time) => time,
            _ => latency,
        })
        .await;
        self.under_way.lock().unwrap().remove(&query.id);
        let mut answer = answer(self.outcome(&query.id, script));
        if let Script::Throttles(wait) = script {
            answer.advice.retry_after = Some(wait);
        }
        answer.transfer = if answer.status_code.is_some() { started.elapsed() } else { Duration::ZERO };
        answer
    }

    async fn credentials_changed(&self) {
        self.new_credentials.notified().await;
    }
}

impl Fake {
    fn outcome(&self, id: &JobId, script: Script) -> Result<Reading, PollFailure> {
        match script {
            Script::Status(word) => Ok(Reading::Job(reading(word))),
            Script::Fails(reason) => Err(reason),
            Script::Throttles(_) => Err(PollFailure::RateLimited),
            Script::Hangs => Err(PollFailure::Timeout),
            Script::Panics => panic!("scripted"),
            Script::Recovers(reason, times) if self.polls_of(id.as_str()).len() <= times => Err(reason),
            Script::Recovers(..) | Script::Slow(_) => Ok(Reading::Job(reading("PROCESSING"))),
        }
    }

    fn is_over_its_limit(&self) -> bool {
        let mut limit = self.limit.lock().unwrap();
        let Some(limit) = limit.as_mut() else { return false };
        let now = Instant::now();
        limit.tokens = (limit.tokens + limit.rate * (now - limit.last).as_secs_f64()).min(limit.rate);
        limit.last = now;
        if limit.tokens >= 1.0 {
            limit.tokens -= 1.0;
            return false;
        }
        limit.refused.push(self.start.elapsed());
        true
    }
}

/// An answer as the client would make it.
pub(super) fn answer(outcome: Result<Reading, PollFailure>) -> Answer {
    let status_code = match &outcome {
        Ok(_) => Some(200),
        Err(PollFailure::Unauthorized) => Some(401),
        Err(PollFailure::Forbidden) => Some(403),
        Err(PollFailure::NotFound) => Some(404),
        Err(PollFailure::RateLimited) => Some(429),
        Err(PollFailure::ServerError) => Some(503),
        Err(_) => None,
    };
    let outcome = outcome.map_err(|reason| ApiError::new(reason, "scripted"));
    Answer {
        outcome,
        status_code,
        advice: Advice::default(),
        validators: None,
        transfer: Duration::ZERO,
        requests: 1,
    }
}

pub(super) fn id(text: &str) -> JobId {
    text.parse().unwrap()
}

fn reading(status: &str) -> JobReading {
    JobReading {
        status: ReportedStatus::from_word(status),
        progress: Some(Progress { total: 10.0, processed: 10.0, successful: 10.0, failed: 0.0 }),
        errors: crate::job::ErrorTally::new(20),
        errors_truncated: false,
        completed_at: CompletedAt::Absent,
    }
}

/// A poller that runs, and all that is around it.
pub(super) struct Bench {
    pub(super) fake: Arc<Fake>,
    pub(super) handle: Handle<Fake>,
    pub(super) store: Store,
    pub(super) own: OwnMetrics,
    shutdown: CancellationToken,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Bench {
    pub(super) async fn start(jobs: &[&str], concurrency: usize, rate: f64) -> Self {
        let bench = Self::idle(concurrency, rate);
        bench.change(jobs, &[]).await;
        bench
    }

    /// A poller that was not told its jobs yet.
    fn idle(concurrency: usize, rate: f64) -> Self {
        let clock = TokioClock::starting_at(UnixTime::from_millis(1_755_000_000_000));
        Self::with_clock(Arc::new(clock), concurrency, rate)
    }

    fn with_clock(clock: SharedClock, concurrency: usize, rate: f64) -> Self {
        let own = OwnMetrics::new(&clock).unwrap();
        let store = Store::new(clock.now());
        let fake = Arc::new(Fake::new(Instant::now(), Duration::from_millis(1)));
        let surroundings = Surroundings {
            store: store.clone(),
            clock: ClockHandle(clock),
            poll_metrics: own.poll.clone(),
            api_metrics: own.api.clone(),
        };
        let (poller, handle) = Poller::new(setup(&fake, concurrency, rate), surroundings);
        let shutdown = CancellationToken::new();
        tokio::spawn(poller.run(shutdown.clone()));
        Self { fake, handle, store, own, shutdown }
    }

    pub(super) async fn change(&self, joined: &[&str], left: &[&str]) {
        let joined = joined.iter().map(|job| JobSpec {
            id: id(job),
            labels: Labels::default(),
            sources: vec![JobSource::File],
        });
        let left = left.iter().map(|job| id(job)).collect();
        let change = CatalogChange { joined: joined.collect(), left, ..CatalogChange::default() };
        self.handle.change_jobs(change).await;
    }
}

fn setup(fake: &Arc<Fake>, concurrency: usize, rate: f64) -> Setup<Fake> {
    let poll = PollConfig { interval: INTERVAL, concurrency, max_requests_per_second: rate };
    Setup { reader: Arc::clone(fake), poll, error_codes_per_job: 20, is_other_api: false }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("Job:{number}")).collect()
}

async fn bench_of(count: usize, concurrency: usize, rate: f64) -> Bench {
    let names = names(count);
    Bench::start(&names.iter().map(String::as_str).collect::<Vec<_>>(), concurrency, rate).await
}

#[tokio::test(start_paused = true)]
async fn each_job_is_polled_once_an_interval() {
    let bench = bench_of(20, 16, 50.0).await;
    sleep(Duration::from_secs(299)).await;
    for name in names(20) {
        let polls = bench.fake.polls_of(&name);
        assert!((10..=11).contains(&polls.len()), "{name} was polled at {polls:?}");
        for pair in polls[1..].windows(2) {
            assert!((pair[1] - pair[0] - 30.0).abs() < 0.1, "{name} keeps its place: {polls:?}");
        }
    }
    assert_eq!(bench.own.poll.overruns.get(), 0);
    assert_eq!(bench.own.poll.cycles.get(), 9);
}

#[tokio::test(start_paused = true)]
async fn first_polls_are_made_as_soon_as_the_rate_permits() {
    let bench = bench_of(100, 16, 50.0).await;
    sleep(Duration::from_millis(2100)).await;
    assert_eq!(bench.fake.count(), 100);
    let throttled = bench.own.api.throttled_seconds.get();
    assert!((1.5..2.1).contains(&throttled), "waiting for the own limit is counted: {throttled}");
}

#[tokio::test(start_paused = true)]
async fn no_more_polls_are_under_way_than_configured() {
    let bench = bench_of(50, 4, 1000.0).await;
    *bench.fake.latency.lock().unwrap() = Duration::from_secs(1);
    sleep(Duration::from_secs(20)).await;
    assert_eq!(*bench.fake.most_under_way.lock().unwrap(), 4);
    assert!(bench.fake.count() >= 50);
}

#[tokio::test(start_paused = true)]
async fn a_cycle_that_does_not_fit_is_an_overrun_and_nothing_piles_up() {
    let bench = bench_of(100, 16, 1.0).await;
    sleep(Duration::from_secs(301)).await;
    assert!(bench.own.poll.overruns.get() >= 9, "{}", bench.own.poll.overruns.get());
    assert!((300..=302).contains(&bench.fake.count()), "one request a second");
    for name in names(100) {
        assert!((2..=4).contains(&bench.fake.polls_of(&name).len()), "all take turns");
    }
}

#[tokio::test(start_paused = true)]
async fn an_ended_job_is_not_polled_again() {
    let bench = Bench::idle(16, 50.0);
    bench.fake.script("done", Script::Status("COMPLETED"));
    bench.fake.script("failed", Script::Status("FAILED"));
    bench.fake.script("odd", Script::Status("ARCHIVED"));
    bench.change(&["done", "failed", "odd"], &[]).await;
    sleep(Duration::from_secs(300)).await;
    assert_eq!(bench.fake.polls_of("done").len(), 1);
    assert_eq!(bench.fake.polls_of("failed").len(), 1);
    assert!(bench.fake.polls_of("odd").len() >= 9, "an unknown status is not an end");
}

#[tokio::test(start_paused = true)]
async fn a_hanging_job_delays_no_other() {
    let bench = Bench::idle(16, 50.0);
    bench.fake.script("hangs", Script::Hangs);
    bench.change(&["hangs", "a", "b"], &[]).await;
    sleep(Duration::from_secs(300)).await;
    assert!(bench.fake.polls_of("a").len() >= 9);
    assert!(bench.fake.polls_of("b").len() >= 9);
    assert!(bench.fake.polls_of("hangs").len() <= 4);
    assert!(bench.own.poll.overruns.get() == 0, "a slow answer is no overrun");
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_panics_costs_that_poll_alone() {
    let bench = Bench::idle(16, 50.0);
    bench.fake.script("panics", Script::Panics);
    bench.change(&["panics", "a"], &[]).await;
    sleep(Duration::from_secs(100)).await;
    bench.fake.script("panics", Script::Status("PENDING"));
    assert!(!bench.store.job(&id("panics")).unwrap().poll_success());
    sleep(Duration::from_secs(30)).await;
    assert!(bench.store.job(&id("panics")).unwrap().poll_success());
    assert!(bench.fake.polls_of("a").len() >= 4);
}

#[tokio::test(start_paused = true)]
async fn jobs_that_join_are_polled_at_once_and_jobs_that_leave_no_more() {
    let bench = Bench::start(&["a"], 16, 50.0).await;
    sleep(Duration::from_secs(10)).await;
    bench.change(&["b"], &["a"]).await;
    assert!(bench.store.job(&id("a")).is_none(), "gone when the change is acknowledged");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.fake.polls_of("b").len(), 1);
    sleep(Duration::from_secs(100)).await;
    assert_eq!(bench.fake.polls_of("a").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn retry_after_holds_for_all_jobs() {
    let bench = Bench::start(&["a"], 16, 50.0).await;
    bench.fake.script("throttled", Script::Throttles(Duration::from_secs(50)));
    bench.change(&["throttled"], &[]).await;
    sleep(Duration::from_millis(500)).await;
    let before = bench.fake.count();
    sleep(Duration::from_secs(49)).await;
    assert_eq!(bench.fake.count(), before);
    sleep(Duration::from_secs(2)).await;
    assert!(bench.fake.count() > before);
    assert!(bench.own.api.throttled_seconds.get() > 5.0);
}

#[tokio::test(start_paused = true)]
async fn ready_is_when_every_job_was_tried_well_or_not() {
    let bench = Bench::idle(1, 50.0);
    bench.fake.script("a", Script::Fails(PollFailure::Tls));
    *bench.fake.latency.lock().unwrap() = Duration::from_secs(3);
    bench.change(&["a", "b"], &[]).await;
    let ready = bench.handle.readiness();
    sleep(Duration::from_secs(4)).await;
    assert!(!*ready.borrow());
    sleep(Duration::from_secs(3)).await;
    assert!(*ready.borrow());
}

#[tokio::test(start_paused = true)]
async fn ready_does_not_wait_for_a_hanging_api() {
    let bench = Bench::idle(1, 50.0);
    bench.fake.script("hangs", Script::Hangs);
    bench.change(&["hangs"], &[]).await;
    let ready = bench.handle.readiness();
    sleep(Duration::from_secs(59)).await;
    assert!(!*ready.borrow());
    sleep(Duration::from_secs(2)).await;
    assert!(*ready.borrow());
}

#[tokio::test(start_paused = true)]
async fn up_tells_whether_the_api_works_in_the_latest_interval_with_an_answer() {
    let bench = Bench::idle(16, 50.0);
    bench.fake.script("a", Script::Fails(PollFailure::Unauthorized));
    bench.fake.script("b", Script::Fails(PollFailure::NotFound));
    bench.change(&["a", "b"], &[]).await;
    assert_eq!(bench.own.poll.up.get(), 0, "before the first");
    sleep(Duration::from_secs(31)).await;
    assert_eq!(bench.own.poll.up.get(), 1, "a 404 shows that the API works");
    bench.fake.script("b", Script::Fails(PollFailure::Unauthorized));
    sleep(Duration::from_secs(90)).await;
    assert_eq!(bench.own.poll.up.get(), 0);
    bench.fake.script("b", Script::Status("COMPLETED"));
    bench.change(&[], &["a"]).await;
    sleep(Duration::from_secs(300)).await;
    assert_eq!(bench.own.poll.up.get(), 1, "with nothing to ask it keeps its value");
}

#[tokio::test(start_paused = true)]
async fn cycles_end_also_with_nothing_to_poll() {
    let bench = Bench::start(&[], 16, 50.0).await;
    let start = bench.own.poll.last_cycle.get();
    sleep(Duration::from_secs(91)).await;
    assert_eq!(bench.own.poll.cycles.get(), 3);
    assert!((bench.own.poll.last_cycle.get() - start - 90.0).abs() < 0.1);
    assert_eq!(bench.own.poll.cycle_duration.get_sample_count(), 3);
    assert!(*bench.handle.readiness().borrow(), "no job to wait for");
}

#[tokio::test(start_paused = true)]
async fn another_interval_holds_at_once() {
    let bench = Bench::start(&["a"], 16, 50.0).await;
    sleep(Duration::from_secs(1)).await;
    let mut faster = setup(&bench.fake, 16, 50.0);
    faster.poll.interval = Duration::from_secs(2);
    bench.handle.set_up(faster).await;
    sleep(Duration::from_secs(20)).await;
    assert!((9..=12).contains(&bench.fake.polls_of("a").len()), "{:?}", bench.fake.polls_of("a"));
}

#[tokio::test(start_paused = true)]
async fn an_api_that_bears_five_requests_a_second_is_found_out_and_left_in_peace() {
    let bench = Bench::idle(16, 50.0);
    *bench.fake.limit.lock().unwrap() =
        Some(Limit { rate: 5.0, tokens: 5.0, last: Instant::now(), refused: Vec::new() });
    let names = names(200);
    bench.change(&names.iter().map(String::as_str).collect::<Vec<_>>(), &[]).await;
    sleep(Duration::from_secs(1260)).await;
    let minute = Duration::from_secs(60);
    let refused = bench.fake.limit.lock().unwrap().as_ref().unwrap().refused.clone();
    let late = refused.iter().filter(|at| **at > minute).count();
    let asked = bench.fake.asked.lock().unwrap().iter().filter(|(_, at)| *at > minute).count();
    assert!(late * 100 < asked, "{late} of {asked} requests got 429 after the first minute");
    assert!(asked > 1200 * 3, "it uses what the API bears: {asked}");
    for name in names {
        let polls = bench.fake.polls_of(&name);
        let late: Vec<_> = polls.iter().filter(|at| **at > 60.0).collect();
        assert!(late.len() >= 12, "{name} starves: {polls:?}");
        let longest = late.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
        assert!(longest < 150.0, "{name} waited {longest} s: {polls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_passing_fault_is_tried_again_twice_within_the_poll() {
    let bench = Bench::idle(16, 50.0);
    bench.fake.script("passes", Script::Recovers(PollFailure::ServerError, 2));
    bench.fake.script("stays", Script::Fails(PollFailure::Connect));
    bench.fake.script("slow", Script::Fails(PollFailure::Timeout));
    bench.change(&["passes", "stays", "slow"], &[]).await;
    sleep(Duration::from_secs(5)).await;
    let polls = bench.fake.polls_of("passes");
    assert_eq!(polls.len(), 3);
    assert!((0.35..=0.55).contains(&(polls[1] - polls[0])), "{polls:?}");
    assert!((0.7..=1.05).contains(&(polls[2] - polls[1])), "{polls:?}");
    assert!(bench.store.job(&id("passes")).unwrap().poll_success());
    assert_eq!(bench.fake.polls_of("stays").len(), 3, "then the next interval");
    assert_eq!(bench.fake.polls_of("slow").len(), 1, "a time limit is not tried again");
    assert_eq!(bench.own.poll.polls.get(), 3, "one poll each, however often it asked");
}

#[tokio::test(start_paused = true)]
async fn when_everything_fails_one_job_is_asked_and_all_are_unread() {
    let bench = Bench::idle(16, 500.0);
    let names = names(300);
    bench.change(&names.iter().map(String::as_str).collect::<Vec<_>>(), &[]).await;
    sleep(Duration::from_secs(60)).await;
    *bench.fake.default.lock().unwrap() = Script::Fails(PollFailure::Timeout);
    sleep(Duration::from_secs(60)).await;
    let before = bench.fake.count();
    sleep(Duration::from_secs(300)).await;
    let asked = bench.fake.count() - before;
    assert!((5..=20).contains(&asked), "{asked} requests in five minutes, where 3,000 were due");
    let unread = names.iter().filter(|name| !bench.store.job(&id(name)).unwrap().poll_success()).count();
    assert_eq!(unread, 300);
    *bench.fake.default.lock().unwrap() = Script::Status("PROCESSING");
    sleep(Duration::from_secs(75)).await;
    let read = names.iter().filter(|name| bench.store.job(&id(name)).unwrap().poll_success()).count();
    assert_eq!(read, 300, "back within an interval after the probe");
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_not_hammered_and_new_ones_are_tried_at_once() {
    let bench = Bench::idle(16, 500.0);
    *bench.fake.default.lock().unwrap() = Script::Fails(PollFailure::Unauthorized);
    let names = names(100);
    bench.change(&names.iter().map(String::as_str).collect::<Vec<_>>(), &[]).await;
    sleep(Duration::from_secs(20)).await;
    let at_once = bench.fake.count();
    assert!(at_once <= 16 + 3, "{at_once} requests before it was clear");
    sleep(Duration::from_secs(1000)).await;
    let later = bench.fake.count() - at_once;
    assert!((4..=8).contains(&later), "{later} in a quarter of an hour");
    let gaps: Vec<f64> = {
        let asked = bench.fake.asked.lock().unwrap();
        let times: Vec<_> = asked.iter().skip(at_once).map(|(_, at)| at.as_secs_f64()).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).collect()
    };
    assert!(gaps.iter().all(|gap| *gap <= 245.0), "alert rules look back five minutes: {gaps:?}");
    *bench.fake.default.lock().unwrap() = Script::Status("PROCESSING");
    let before = bench.fake.count();
    bench.fake.new_credentials.notify_one();
    sleep(Duration::from_secs(40)).await;
    assert!(bench.fake.count() - before >= 100, "all are asked again: {}", bench.fake.count() - before);
}

#[tokio::test(start_paused = true)]
async fn one_job_that_is_refused_is_its_own_trouble() {
    let bench = Bench::idle(16, 50.0);
    bench.fake.script("refused", Script::Fails(PollFailure::Forbidden));
    bench.change(&["refused", "a", "b", "c"], &[]).await;
    sleep(Duration::from_secs(600)).await;
    for name in ["a", "b", "c"] {
        assert!(bench.fake.polls_of(name).len() >= 19, "{name}: {:?}", bench.fake.polls_of(name));
    }
    let refused = bench.fake.polls_of("refused");
    assert!((4..=7).contains(&refused.len()), "{refused:?}");
    assert_eq!(bench.own.poll.up.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_not_there_is_asked_more_and_more_rarely() {
    let bench = Bench::idle(16, 50.0);
    bench.fake.script("gone", Script::Fails(PollFailure::NotFound));
    bench.change(&["gone", "a"], &[]).await;
    sleep(Duration::from_secs(1800)).await;
    let polls = bench.fake.polls_of("gone");
    let gaps: Vec<f64> = polls.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((9..=12).contains(&polls.len()), "{polls:?}");
    assert!(gaps.iter().all(|gap| *gap <= 240.1), "{gaps:?}");
    assert!(bench.fake.polls_of("a").len() >= 59);
    assert!(!bench.store.job(&id("gone")).unwrap().poll_success(), "the job stays");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_always_throttled_does_not_stop_the_others_for_good() {
    let bench = Bench::idle(16, 50.0);
    bench.fake.script("throttled", Script::Throttles(Duration::from_secs(5)));
    bench.change(&["throttled", "a", "b"], &[]).await;
    sleep(Duration::from_secs(600)).await;
    assert!(bench.fake.polls_of("a").len() >= 15, "{:?}", bench.fake.polls_of("a"));
    assert!(bench.fake.polls_of("b").len() >= 15, "{:?}", bench.fake.polls_of("b"));
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_answer_takes_long_is_asked_less_often() {
    let bench = Bench::idle(16, 50.0);
    bench.fake.script("huge", Script::Slow(Duration::from_secs(12)));
    bench.change(&["huge", "a"], &[]).await;
    sleep(Duration::from_secs(1200)).await;
    let polls = bench.fake.polls_of("huge");
    assert!((8..=11).contains(&polls.len()), "a tenth of its time: {polls:?}");
    assert!(bench.fake.polls_of("a").len() >= 39);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_leaves_and_comes_back_while_it_is_asked_is_asked_anew() {
    let bench = Bench::idle(16, 50.0);
    bench.fake.script("slow", Script::Slow(Duration::from_secs(8)));
    bench.fake.script("fails", Script::Recovers(PollFailure::ServerError, 1));
    bench.change(&["slow", "fails"], &[]).await;
    sleep(Duration::from_millis(200)).await;
    bench.change(&[], &["slow", "fails"]).await;
    bench.fake.under_way.lock().unwrap().clear();
    sleep(Duration::from_millis(100)).await;
    bench.change(&["slow", "fails"], &[]).await;
    sleep(Duration::from_millis(7900)).await;
    assert!(bench.store.job(&id("slow")).unwrap().observed.is_none(), "the old answer is not the new poll's");
    sleep(Duration::from_millis(200)).await;
    assert!(bench.store.job(&id("slow")).unwrap().observed.is_some());
    assert_eq!(bench.fake.polls_of("fails").len(), 2, "nor does the old poll ask again");
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_although_the_job_that_asked_about_it_leaves() {
    let bench = Bench::idle(16, 500.0);
    *bench.fake.default.lock().unwrap() = Script::Fails(PollFailure::Timeout);
    let names = names(20);
    bench.change(&names.iter().map(String::as_str).collect::<Vec<_>>(), &[]).await;
    sleep(Duration::from_secs(3)).await;
    *bench.fake.latency.lock().unwrap() = Duration::from_secs(20);
    *bench.fake.default.lock().unwrap() = Script::Status("PROCESSING");
    let asked = bench.fake.count();
    while bench.fake.count() == asked {
        sleep(Duration::from_millis(100)).await;
    }
    let probe = bench.fake.asked.lock().unwrap().last().unwrap().0.clone();
    bench.change(&[], &[probe.as_str()]).await;
    bench.fake.under_way.lock().unwrap().clear();
    *bench.fake.latency.lock().unwrap() = Duration::ZERO;
    sleep(Duration::from_secs(90)).await;
    let unread =
        names.iter().filter(|name| bench.store.job(&id(name)).is_some_and(|job| !job.poll_success()));
    assert_eq!(unread.count(), 0);
}

/// A system clock that is set forth by an hour and back by two in turn, whenever somebody looks.
#[derive(Debug, Default)]
struct JumpingClock(std::sync::atomic::AtomicI64);

impl crate::clock::Clock for JumpingClock {
    fn now(&self) -> UnixTime {
        let look = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let hours = if look % 2 == 0 { look } else { -2 * look };
        UnixTime::from_millis(1_755_000_000_000 + hours * 3_600_000)
    }
}

#[tokio::test(start_paused = true)]
async fn a_system_clock_that_jumps_changes_no_interval() {
    let bench = Bench::with_clock(Arc::new(JumpingClock::default()), 16, 50.0);
    bench.fake.script("gone", Script::Fails(PollFailure::NotFound));
    bench.fake.script("throttled", Script::Throttles(Duration::from_secs(2)));
    bench.change(&["a", "b", "gone"], &[]).await;
    sleep(Duration::from_secs(299)).await;
    for name in ["a", "b"] {
        let polls = bench.fake.polls_of(name);
        assert!((10..=11).contains(&polls.len()), "{polls:?}");
        assert!(polls[1..].windows(2).all(|pair| (pair[1] - pair[0] - 30.0).abs() < 0.1), "{polls:?}");
    }
    assert_eq!((bench.own.poll.cycles.get(), bench.own.poll.overruns.get()), (9, 0));
    bench.change(&["throttled"], &[]).await;
    sleep(Duration::from_secs(1)).await;
    let during = bench.fake.count();
    sleep(Duration::from_millis(900)).await;
    assert_eq!(bench.fake.count(), during, "the pause holds");
    sleep(Duration::from_secs(60)).await;
    assert!(bench.fake.count() > during + 2, "and ends");
}

#[tokio::test(start_paused = true)]
async fn a_refused_job_beside_a_slow_one_stops_nobody() {
    let bench = Bench::idle(16, 50.0);
    bench.fake.script("slow", Script::Hangs);
    bench.fake.script("forbidden", Script::Fails(PollFailure::Forbidden));
    bench.change(&["slow", "forbidden", "a", "b", "c"], &[]).await;
    sleep(Duration::from_secs(120)).await;
    for name in ["a", "b", "c"] {
        assert!(bench.fake.polls_of(name).len() >= 3, "{name}: {:?}", bench.fake.polls_of(name));
    }
}

#[tokio::test(start_paused = true)]
async fn many_broken_jobs_do_not_blind_the_healthy_ones() {
    let bench = Bench::idle(16, 50.0);
    let broken = names(40);
    for name in &broken {
        bench.fake.script(name, Script::Fails(PollFailure::ServerError));
    }
    let mut all: Vec<&str> = broken.iter().map(String::as_str).collect();
    all.extend(["good", "fine"]);
    bench.change(&all, &[]).await;
    // It may take a while until one of the good ones is asked for the first time; from then on all is well.
    while bench.store.job(&id("good")).is_none_or(|job| !job.poll_success()) {
        assert!(bench.fake.start.elapsed() < Duration::from_secs(900), "never asked");
        sleep(Duration::from_secs(1)).await;
    }
    let before = bench.fake.polls_of("good").len();
    sleep(Duration::from_secs(3600)).await;
    let polls = bench.fake.polls_of("good").len() - before;
    assert!(polls >= 115, "{polls} polls in an hour");
    assert!(bench.store.job(&id("good")).unwrap().poll_success());
}

#[tokio::test(start_paused = true)]
async fn several_forbidden_jobs_named_first_stop_nobody() {
    let bench = Bench::idle(16, 50.0);
    for name in ["x1", "x2", "x3", "x4"] {
        bench.fake.script(name, Script::Fails(PollFailure::Forbidden));
    }
    bench.change(&["x1", "x2", "x3", "x4", "a", "b", "c"], &[]).await;
    sleep(Duration::from_secs(5)).await;
    for name in ["a", "b", "c"] {
        assert!(bench.store.job(&id(name)).unwrap().poll_success(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reload_of_the_same_file_asks_on_where_it_was() {
    let bench = Bench::idle(16, 50.0);
    *bench.fake.default.lock().unwrap() = Script::Fails(PollFailure::Unauthorized);
    bench.change(&["a", "b", "c", "d"], &[]).await;
    sleep(Duration::from_secs(5)).await;
    let before = bench.fake.count();
    bench.handle.set_up(setup(&bench.fake, 16, 50.0)).await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(bench.fake.count(), before, "nothing changed for the API");
    bench.handle.set_up(Setup { is_other_api: true, ..setup(&bench.fake, 16, 50.0) }).await;
    sleep(Duration::from_secs(35)).await;
    assert!(bench.fake.count() > before, "another account is tried");
}

#[tokio::test(start_paused = true)]
async fn as_long_as_a_job_waits_to_be_asked_every_cycle_overruns() {
    let bench = Bench::idle(1, 50.0);
    *bench.fake.default.lock().unwrap() = Script::Slow(Duration::from_secs(14));
    let names = names(30);
    bench.change(&names.iter().map(String::as_str).collect::<Vec<_>>(), &[]).await;
    sleep(Duration::from_secs(271)).await;
    assert_eq!(bench.own.poll.overruns.get(), 9, "all wait for the one place");
}

#[tokio::test(start_paused = true)]
async fn bodies_that_trickle_do_not_hold_all_places() {
    let bench = Bench::idle(4, 50.0);
    let names: Vec<String> = (0..12).map(|number| format!("slow{number}")).collect();
    for name in &names {
        bench.fake.script(name, Script::Slow(Duration::from_secs(300)));
    }
    let mut all: Vec<&str> = names.iter().map(String::as_str).collect();
    all.extend(["a", "b"]);
    bench.change(&all, &[]).await;
    sleep(Duration::from_secs(600)).await;
    for name in ["a", "b"] {
        let polls = bench.fake.polls_of(name);
        let longest = polls.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
        assert!(polls.len() >= 15 && longest < 80.0, "{name}: {polls:?}");
    }
    assert_eq!(bench.own.poll.up.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_long_transfer_is_left_alone_while_there_are_places() {
    let bench = Bench::idle(4, 50.0);
    bench.fake.script("huge", Script::Slow(Duration::from_secs(100)));
    bench.change(&["huge", "a", "b"], &[]).await;
    sleep(Duration::from_secs(110)).await;
    assert!(bench.store.job(&id("huge")).unwrap().poll_success());
}

#[tokio::test(start_paused = true)]
async fn a_good_poll_is_one_request() {
    let bench = bench_of(50, 16, 50.0).await;
    sleep(Duration::from_secs(100)).await;
    assert!(bench.fake.count() >= 150);
    assert_eq!(bench.own.poll.polls.get(), bench.fake.count() as u64);
}

#[tokio::test(start_paused = true)]
async fn another_concurrency_and_another_reader_hold_for_all_requests_that_begin_from_then_on() {
    let bench = bench_of(30, 8, 50.0).await;
    let most = |fake: &Fake| *fake.most_under_way.lock().unwrap();
    *bench.fake.latency.lock().unwrap() = Duration::from_secs(4);
    sleep(Duration::from_secs(40)).await;
    assert_eq!(most(&bench.fake), 8);
    // Those that are out end as they began, and their answers count.
    while bench.fake.under_way.lock().unwrap().is_empty() {
        sleep(Duration::from_millis(100)).await;
    }
    let asked = bench.fake.count();
    let other = Arc::new(Fake::new(bench.fake.start, Duration::from_secs(4)));
    bench.handle.set_up(setup(&other, 2, 50.0)).await;
    sleep(Duration::from_secs(90)).await;
    assert_eq!((bench.fake.count(), bench.fake.under_way.lock().unwrap().len()), (asked, 0));
    assert_eq!(most(&other), 2);
    assert!(other.count() > 30, "{} polls", other.count());
    let polls = usize::try_from(bench.own.poll.polls.get()).unwrap();
    assert_eq!(polls + other.under_way.lock().unwrap().len(), asked + other.count(), "no answer is lost");
    bench.handle.set_up(setup(&other, 12, 50.0)).await;
    sleep(Duration::from_secs(60)).await;
    assert!((3..=12).contains(&most(&other)), "{} at once", most(&other));
}
