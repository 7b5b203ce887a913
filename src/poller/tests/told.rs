//! What webhooks tell, against polls that are under way, waiting, failing, or came first.

use super::*;
use crate::job::{ErrorTally, Status};
use crate::store::RowTotals;

/// A state with so many rows done well.
fn state(status: &str, rows: f64) -> JobReading {
    JobReading {
        progress: Some(Progress { total: 10.0, processed: rows, successful: rows, failed: 0.0 }),
        ..reading(status)
    }
}

impl Bench {
    async fn tell(&self, job: &str, reading: JobReading) {
        self.handle.tell(Told { id: id(job), reading, change: CatalogChange::default() }).await;
    }

    fn status(&self, job: &str) -> Option<Status> {
        self.store.job(&id(job)).and_then(|job| job.status())
    }

    fn contradicted(&self) -> bool {
        let reading = self.own.registry.read();
        let name = crate::telemetry::families::API_INCONSISTENT.name;
        let family = reading.families().find(|family| family.family.name == name).unwrap();
        family.plain().any(|(_, contradictions)| contradictions > 0.0)
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_under_way_does_not_undo_what_was_told() {
    let bench = Bench::idle(16, 50.0);
    bench.fake.script("a", Script::Slow(Duration::from_secs(5)));
    bench.change(&["a"], &[]).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.fake.polls_of("a").len(), 1, "it is asked");
    bench.tell("a", state("COMPLETED", 10.0)).await;
    sleep(Duration::from_secs(120)).await;
    assert_eq!(bench.status("a"), Some(Status::Completed));
    assert_eq!(bench.fake.polls_of("a").len(), 1, "nor is it polled again");
    assert!(!bench.contradicted(), "the API did not contradict itself");
    let job = bench.store.job(&id("a")).unwrap();
    assert!(job.poll_success());
    assert_eq!(job.last_poll_success, Some(UnixTime::from_millis(1_755_000_001_000)));
    assert_eq!(bench.own.poll.polls.get(), 0, "no poll ended");
    assert_eq!(bench.own.poll.overruns.get(), 0, "the cycle does not wait for it");
    assert!(*bench.handle.readiness().borrow());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_there_already_is_older_than_what_was_told() {
    // The answer has come, and waits in the queue while the poller takes the command first.
    for micros in [990, 995, 999, 1000, 1001, 1005] {
        let bench = Bench::idle(16, 50.0);
        bench.change(&["a"], &[]).await;
        sleep(Duration::from_micros(micros)).await;
        bench.tell("a", state("FAILED", 10.0)).await;
        sleep(Duration::from_secs(60)).await;
        assert_eq!(bench.status("a"), Some(Status::Failed), "after {micros} µs");
        assert!(!bench.contradicted());
        assert_eq!(bench.fake.polls_of("a").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_found_the_end_first_and_a_webhook_after_it_count_once() {
    let bench = Bench::idle(16, 50.0);
    bench.change(&[], &[]).await;
    bench.fake.script("a", Script::Status("COMPLETED"));
    bench.change(&["a"], &[]).await;
    sleep(Duration::from_secs(1)).await;
    let all = RowTotals { successful: 10, failed: 0 };
    assert_eq!(bench.store.summary().rows, all);
    bench.tell("a", state("COMPLETED", 10.0)).await;
    assert_eq!(bench.store.summary().rows, all);
    // And the other way round.
    bench.change(&["b"], &[]).await;
    bench.tell("b", state("COMPLETED", 10.0)).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(bench.store.summary().rows, RowTotals { successful: 20, failed: 0 });
    // An older state that is told late changes neither status nor counters.
    bench.tell("a", state("PROCESSING", 4.0)).await;
    assert_eq!(bench.status("a"), Some(Status::Completed));
    assert_eq!(bench.store.summary().rows, RowTotals { successful: 20, failed: 0 });
    assert_eq!(bench.fake.polls_of("a").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_to_be_asked_again_or_can_not_be_read_ends_by_what_was_told() {
    for reason in [PollFailure::ServerError, PollFailure::NotFound, PollFailure::Unauthorized] {
        let bench = Bench::idle(16, 50.0);
        bench.fake.script("a", Script::Fails(reason));
        bench.fake.script("b", Script::Fails(reason));
        bench.change(&["a", "b"], &[]).await;
        for pause in [Duration::from_millis(300), Duration::from_secs(200)] {
            sleep(pause).await;
        }
        bench.tell("a", state("COMPLETED", 10.0)).await;
        let asked = bench.fake.polls_of("a").len();
        assert!(bench.store.job(&id("a")).unwrap().poll_success());
        sleep(Duration::from_secs(600)).await;
        assert_eq!(bench.fake.polls_of("a").len(), asked, "{reason:?}");
        assert!(!bench.store.job(&id("b")).unwrap().poll_success(), "{reason:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_job_that_shows_whether_the_api_is_back_may_end_meanwhile() {
    let bench = bench_of(20, 16, 50.0).await;
    sleep(Duration::from_secs(40)).await;
    *bench.fake.default.lock().unwrap() = Script::Fails(PollFailure::Connect);
    sleep(Duration::from_secs(90)).await;
    for name in names(19) {
        bench.tell(&name, state("COMPLETED", 10.0)).await;
    }
    *bench.fake.default.lock().unwrap() = Script::Status("PROCESSING");
    sleep(Duration::from_secs(600)).await;
    assert!(bench.store.job(&id("Job:19")).unwrap().poll_success(), "it is polled again");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_end_is_taken_in_and_polled_on() {
    let bench = Bench::start(&["a"], 16, 50.0).await;
    sleep(Duration::from_secs(1)).await;
    bench.tell("a", state("COMPLETED_WITH_WARNINGS", 10.0)).await;
    assert_eq!(bench.status("a"), Some(Status::Unknown));
    sleep(Duration::from_secs(60)).await;
    assert_eq!(bench.status("a"), Some(Status::Processing));
}

#[tokio::test(start_paused = true)]
async fn codes_that_are_known_keep_their_places() {
    let bench = Bench::start(&["a"], 16, 50.0).await;
    let with_codes = |codes: &[&str]| {
        let mut errors = ErrorTally::new(40);
        for code in codes {
            errors.count(Some(code));
        }
        JobReading { errors, ..state("PROCESSING", 5.0) }
    };
    bench.tell("a", with_codes(&["A", "B"])).await;
    bench.tell("a", with_codes(&["C", "B", "B"])).await;
    let job = bench.store.job(&id("a")).unwrap();
    let errors = &job.observed.as_ref().unwrap().errors;
    assert_eq!(errors.iter().collect::<Vec<_>>(), [("A", 0), ("B", 2), ("C", 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_nobody_watches_changes_nothing() {
    let bench = Bench::start(&["a"], 16, 50.0).await;
    bench.tell("b", state("COMPLETED", 10.0)).await;
    assert_eq!(bench.store.summary().jobs(), 1);
}
