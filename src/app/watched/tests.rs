//! The set of jobs on the paused clock, with an API in memory.

mod webhooks;

use super::*;
use crate::app::control::{EXPIRE_EVERY, answer};
use crate::clock::{SharedClock, TokioClock};
use crate::config::PollConfig;
use crate::exposition::negotiate::Encoding;
use crate::grid::error::ApiError;
use crate::grid::{Advice, Answer, JobQuery, Reading};
use crate::job::{CompletedAt, ErrorTally, JobReading, PollFailure, ReportedStatus, Shard};
use crate::poller::{ClockHandle, Setup, Surroundings};
use crate::telemetry::own::OwnMetrics;
use crate::web::admin::AdminRequest;
use http_body_util::BodyExt;
use std::collections::HashMap;
use std::sync::Mutex;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const RETENTION: Duration = Duration::from_secs(3600);

const ALMOST: Duration = Duration::from_secs(3540);

/// What the API says of each job; 404 of others.
#[derive(Default)]
struct Api {
    statuses: Mutex<HashMap<String, Result<&'static str, PollFailure>>>,
}

impl Api {
    fn say(&self, id: &str, answer: Result<&'static str, PollFailure>) {
        self.statuses.lock().unwrap().insert(id.to_owned(), answer);
    }
}

impl ReadJob for Api {
    async fn read(&self, query: JobQuery) -> Answer {
        let said = self.statuses.lock().unwrap().get(query.id.as_str()).copied();
        let outcome = match said.unwrap_or(Err(PollFailure::NotFound)) {
            Ok(word) => Ok(Reading::Job(JobReading {
                status: ReportedStatus::from_word(word),
                progress: None,
                errors: ErrorTally::new(20),
                errors_truncated: false,
                completed_at: CompletedAt::Absent,
            })),
            Err(reason) => Err(ApiError::new(reason, "as told")),
        };
        Answer {
            outcome,
            status_code: Some(if outcome_is_good(said) { 200 } else { 404 }),
            advice: Advice::default(),
            validators: None,
            transfer: Duration::ZERO,
            requests: 1,
        }
    }
}

fn outcome_is_good(said: Option<Result<&'static str, PollFailure>>) -> bool {
    matches!(said, Some(Ok(_)))
}

struct Fixture {
    api: Arc<Api>,
    jobs: WatchedJobs<Api>,
    clock: SharedClock,
    shutdown: CancellationToken,
}

impl Fixture {
    fn new() -> Self {
        let clock: SharedClock = Arc::new(TokioClock::starting_at(UnixTime::from_millis(1_800_000_000_000)));
        let own = OwnMetrics::new(&clock).unwrap();
        let store = Store::new(clock.now());
        let exposition = Arc::new(Exposition::new(store.clone(), own.registry.clone()));
        let api = Arc::new(Api::default());
        let poll = PollConfig {
            interval: Duration::from_secs(30),
            concurrency: 16,
            max_requests_per_second: 1000.0,
        };
        let setup = Setup { reader: Arc::clone(&api), poll, error_codes_per_job: 20, is_other_api: false };
        let surroundings = Surroundings {
            store: store.clone(),
            clock: ClockHandle(Arc::clone(&clock)),
            poll_metrics: own.poll.clone(),
            api_metrics: own.api.clone(),
        };
        let (poller, handle) = Poller::new(setup, surroundings);
        let shutdown = CancellationToken::new();
        tokio::spawn(poller.run(shutdown.child_token()));
        let jobs = WatchedJobs {
            catalog: Catalog::new(10, Shard::default()),
            poller: handle,
            exposition,
            store,
            metrics: own.discovery.clone(),
            unheard: HashSet::new(),
            storage: None,
            unsaved: Vec::new(),
        };
        Self { api, jobs, clock, shutdown }
    }

    async fn put(&mut self, id: &str) {
        assert_eq!(self.jobs.put(id.parse().unwrap(), Labels::default()).await, Ok(true));
    }

    /// Lets time pass as `control` does: expiring every few seconds.
    async fn pass(&mut self, time: Duration) {
        let end = tokio::time::Instant::now() + time;
        while tokio::time::Instant::now() < end {
            sleep(EXPIRE_EVERY).await;
            self.jobs.expire(self.clock.now(), RETENTION).await;
        }
    }

    fn is_watched(&self, id: &str) -> bool {
        self.jobs.store.job(&id.parse().unwrap()).is_some()
    }

    async fn page(&self) -> String {
        let body = self.jobs.exposition.scrape(Encoding::Identity).collect().await.unwrap();
        String::from_utf8(body.to_bytes().to_vec()).unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn an_ended_job_of_the_admin_api_goes_after_retention() {
    let mut fixture = Fixture::new();
    fixture.api.say("a", Ok("PROCESSING"));
    fixture.put("a").await;
    fixture.pass(RETENTION * 3).await;
    assert!(fixture.is_watched("a"), "it runs");
    fixture.api.say("a", Ok("COMPLETED"));
    fixture.pass(ALMOST).await;
    assert!(fixture.is_watched("a"), "retention counts from when it was seen to end");
    fixture.pass(Duration::from_secs(120)).await;
    assert!(!fixture.is_watched("a"));
    assert_eq!(fixture.jobs.catalog.sources(&"a".parse().unwrap()), []);
}

#[tokio::test(start_paused = true)]
async fn one_that_ended_long_ago_stays_for_retention_from_the_first_look() {
    let mut fixture = Fixture::new();
    fixture.api.say("a", Ok("FAILED"));
    fixture.put("a").await;
    fixture.pass(ALMOST).await;
    assert!(fixture.is_watched("a"));
    fixture.pass(Duration::from_secs(120)).await;
    assert!(!fixture.is_watched("a"));
}

#[tokio::test(start_paused = true)]
async fn one_that_the_api_does_not_know_goes_after_retention_unless_it_comes_back() {
    let mut fixture = Fixture::new();
    fixture.put("typo").await;
    fixture.put("late").await;
    fixture.api.say("away", Err(PollFailure::Timeout));
    fixture.put("away").await;
    fixture.pass(RETENTION / 2).await;
    fixture.api.say("late", Ok("PENDING"));
    // A failure of another kind does not begin the time anew.
    fixture.api.say("typo", Err(PollFailure::ServerError));
    fixture.pass(RETENTION).await;
    assert!(!fixture.is_watched("typo"));
    assert!(fixture.is_watched("late"), "it is there after all");
    assert!(fixture.is_watched("away"), "a job that can't be read may still run");
}

#[tokio::test(start_paused = true)]
async fn one_that_a_list_names_too_stays_while_it_is_named() {
    let mut fixture = Fixture::new();
    fixture.api.say("a", Ok("COMPLETED"));
    fixture.put("a").await;
    let source = SourceId { kind: JobSource::Files, number: 1 };
    let list = |jobs: &[&str]| {
        let named = |id: &&str| NamedJob { id: id.parse().unwrap(), labels: Labels::default() };
        ListUpdate { source, jobs: Some(jobs.iter().map(named).collect()) }
    };
    fixture.jobs.take(list(&["a", "b"])).await;
    fixture.pass(RETENTION * 2).await;
    assert!(fixture.is_watched("a") && fixture.is_watched("b"));
    fixture.jobs.take(list(&[])).await;
    assert!(!fixture.is_watched("b"), "one that lists alone name goes at once");
    assert!(fixture.is_watched("a"), "the admin API still names it");
    fixture.pass(Duration::from_secs(10)).await;
    assert!(!fixture.is_watched("a"), "its retention is long over");
}

#[tokio::test(start_paused = true)]
async fn the_admin_api_is_answered_once_metrics_show_it() {
    let mut fixture = Fixture::new();
    let ask = |id: &str| {
        let (done, result) = oneshot::channel();
        (AdminRequest::Put { id: id.parse().unwrap(), labels: Labels::default(), done }, result)
    };
    let ((put_a, mut a), (put_b, mut b)) = (ask("a"), ask("b"));
    answer(&mut fixture.jobs, &mut vec![put_a, put_b]).await;
    assert_eq!((a.try_recv(), b.try_recv()), (Ok(Ok(true)), Ok(Ok(true))));
    assert!(fixture.page().await.contains("grid_bulk_job_info{jobId=\"b\"} 1\n"));
    let (done, mut gone) = oneshot::channel();
    answer(&mut fixture.jobs, &mut vec![AdminRequest::Delete { id: "b".parse().unwrap(), done }]).await;
    assert_eq!(gone.try_recv(), Ok(Ok(())));
    assert!(!fixture.page().await.contains("jobId=\"b\""));
}
