//! Probes on tokio's paused clock, with a reader in memory.

use super::*;
use crate::poller::tests::{Bench, INTERVAL, Script, id};
use tokio::task::JoinSet;
use tokio::time::sleep;

const LONG: Duration = Duration::from_secs(60);

async fn probe(bench: &Bench, job: &str) -> Result<Arc<JobSnapshot>, ProbeError> {
    bench.handle.probes().probe(id(job), LONG, None).await
}

/// A poller whose one job was polled, long enough ago that a probe polls it.
async fn bench(concurrency: usize, rate: f64) -> Bench {
    let bench = Bench::start(&["Job:a"], concurrency, rate).await;
    sleep(FRESH + Duration::from_secs(1)).await;
    bench
}

#[tokio::test(start_paused = true)]
async fn a_probe_polls_now_and_takes_the_place_of_the_next_poll() {
    let bench = bench(16, 50.0).await;
    let before = bench.fake.polls_of("Job:a").len();
    let job = probe(&bench, "Job:a").await.unwrap();
    assert_eq!(job.status(), Some(Status::Processing));
    assert!(job.poll_success());
    assert_eq!(bench.fake.polls_of("Job:a").len(), before + 1);
    let at = *bench.fake.polls_of("Job:a").last().unwrap();
    sleep(INTERVAL * 3).await;
    let polls = bench.fake.polls_of("Job:a");
    let next = polls.iter().find(|poll| **poll > at).unwrap();
    assert!(next - at < 2.0 * INTERVAL.as_secs_f64(), "{polls:?}");
    assert_eq!(bench.own.poll.overruns.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_probes_each_interval_replaces_the_own_polls() {
    let bench = bench(16, 50.0).await;
    for _ in 0..10 {
        probe(&bench, "Job:a").await.unwrap();
        sleep(INTERVAL).await;
    }
    let polls = bench.fake.polls_of("Job:a").len();
    assert!((11..=13).contains(&polls), "{polls} polls for ten probes");
}

#[tokio::test(start_paused = true)]
async fn what_is_young_or_final_is_told_without_a_poll() {
    let bench = bench(16, 50.0).await;
    probe(&bench, "Job:a").await.unwrap();
    let polls = bench.fake.count();
    sleep(FRESH.mul_f64(0.9)).await;
    assert!(probe(&bench, "Job:a").await.unwrap().poll_success());
    assert_eq!(bench.fake.count(), polls);
    sleep(Duration::from_secs(1)).await;
    bench.fake.script("Job:a", Script::Status("COMPLETED"));
    assert_eq!(probe(&bench, "Job:a").await.unwrap().status(), Some(Status::Completed));
    assert_eq!(bench.fake.count(), polls + 1);
    sleep(INTERVAL * 10).await;
    let course = Course::new();
    let again = bench.handle.probes().probe(id("Job:a"), LONG, Some(course.clone())).await.unwrap();
    assert_eq!(again.status(), Some(Status::Completed));
    assert_eq!(bench.fake.count(), polls + 1, "one that ended is not polled again");
    assert!(course.lines()[1].contains("no poll"), "{:?}", course.lines());
}

#[tokio::test(start_paused = true)]
async fn equal_probes_join_and_rows_are_counted_once() {
    let bench = Bench::start(&["Job:old"], 16, 50.0).await;
    // It joins after the start, so that its ten rows count.
    bench.change(&["Job:a"], &[]).await;
    sleep(FRESH + Duration::from_secs(1)).await;
    assert_eq!(bench.store.summary().rows.successful, 10);
    let polls = bench.fake.polls_of("Job:a").len();
    bench.fake.script("Job:a", Script::Slow(Duration::from_secs(3)));
    let mut probes = JoinSet::new();
    for wait in 0..20 {
        let handle = bench.handle.probes();
        probes.spawn(async move {
            sleep(Duration::from_millis(wait * 100)).await;
            handle.probe(id("Job:a"), LONG, None).await
        });
    }
    for answer in probes.join_all().await {
        assert!(answer.unwrap().poll_success());
    }
    assert_eq!(bench.fake.polls_of("Job:a").len(), polls + 1);
    assert_eq!(bench.store.summary().rows.successful, 10);
}

#[tokio::test(start_paused = true)]
async fn probes_keep_the_pace_and_the_concurrency() {
    let bench = Bench::start(&["Job:x"], 2, 1.0).await;
    sleep(Duration::from_secs(1)).await;
    let begin = Instant::now();
    let mut probes = JoinSet::new();
    for number in 0..10 {
        let handle = bench.handle.probes();
        probes.spawn(async move { handle.probe(id(&format!("Job:{number}")), LONG, None).await });
    }
    assert!(probes.join_all().await.into_iter().all(|answer| answer.unwrap().poll_success()));
    let took = begin.elapsed();
    assert!(took >= Duration::from_secs(8) && took < Duration::from_secs(13), "{took:?}");
    assert!(*bench.fake.most_under_way.lock().unwrap() <= 2);
}

#[tokio::test(start_paused = true)]
async fn many_probes_do_not_keep_the_set_from_being_polled() {
    let names: Vec<String> = (0..40).map(|number| format!("Job:{number}")).collect();
    let bench = Bench::start(&names.iter().map(String::as_str).collect::<Vec<_>>(), 16, 1.0).await;
    let mut probes = JoinSet::new();
    for number in 0..40 {
        let handle = bench.handle.probes();
        probes.spawn(async move { handle.probe(id(&format!("Job:stranger{number}")), LONG, None).await });
    }
    sleep(Duration::from_secs(30)).await;
    let asked = |strangers: bool| {
        let asked = bench.fake.asked.lock().unwrap();
        asked.iter().filter(|(id, _)| id.as_str().contains("stranger") == strangers).count()
    };
    assert!(asked(true) >= 13 && asked(false) >= 13, "{} and {}", asked(true), asked(false));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_not_answered_in_time_leaves_the_poll_alone() {
    let bench = bench(16, 50.0).await;
    bench.fake.script("Job:a", Script::Slow(Duration::from_secs(8)));
    let course = Course::new();
    let handle = bench.handle.probes();
    let answer = handle.probe(id("Job:a"), Duration::from_secs(2), Some(course.clone())).await;
    assert_eq!(answer, Err(ProbeError::TimedOut));
    assert!(course.lines().last().unwrap().contains("asks the API"), "{:?}", course.lines());
    let before = bench.store.job(&id("Job:a")).unwrap().last_poll_success;
    sleep(Duration::from_secs(7)).await;
    assert!(bench.store.job(&id("Job:a")).unwrap().last_poll_success > before, "it went on");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_not_watched_is_told_and_not_kept() {
    let bench = bench(16, 50.0).await;
    let rows = bench.store.summary();
    let polls = bench.own.poll.polls.get();
    let job = probe(&bench, "Job:stranger").await.unwrap();
    assert!(job.poll_success() && job.status() == Some(Status::Processing));
    bench.fake.script("Job:none", Script::Fails(PollFailure::NotFound));
    let job = probe(&bench, "Job:none").await.unwrap();
    assert!(!job.poll_success() && job.status().is_none());
    assert_eq!(job.failure.as_ref().unwrap().reason, PollFailure::NotFound);
    assert_eq!(bench.store.summary(), rows);
    assert_eq!(bench.store.job(&id("Job:stranger")), None);
    assert_eq!(bench.own.poll.polls.get(), polls);
    sleep(INTERVAL * 3).await;
    assert_eq!(bench.fake.polls_of("Job:stranger").len(), 1, "it is not polled on");
}

#[tokio::test(start_paused = true)]
async fn a_probe_tries_again_and_tells_its_whole_course() {
    let bench = bench(16, 50.0).await;
    for job in ["Job:a", "Job:stranger"] {
        let failures = bench.fake.polls_of(job).len() + 1;
        bench.fake.script(job, Script::Recovers(PollFailure::ServerError, failures));
        let course = Course::new();
        let answer = bench.handle.probes().probe(id(job), LONG, Some(course.clone())).await.unwrap();
        assert!(answer.poll_success());
        let lines = course.lines().join("\n");
        for part in [
            "waits for its turn",
            "attempt 1",
            "HTTP 503",
            "asks again in",
            "attempt 2",
            "HTTP 200",
            "read: PROCESSING",
        ] {
            assert!(lines.contains(part), "{part} is not in:\n{lines}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_api_is_down_a_probe_fails_without_a_request() {
    let names: Vec<String> = (0..12).map(|number| format!("Job:{number}")).collect();
    let bench = Bench::start(&names.iter().map(String::as_str).collect::<Vec<_>>(), 16, 50.0).await;
    sleep(FRESH * 2).await;
    *bench.fake.default.lock().unwrap() = Script::Fails(PollFailure::Connect);
    sleep(INTERVAL * 2).await;
    let polls = bench.fake.count();
    let mut asked = 0;
    for job in ["Job:1", "Job:2", "Job:stranger"] {
        let course = Course::new();
        let answer = bench.handle.probes().probe(id(job), LONG, Some(course.clone())).await.unwrap();
        assert_eq!(answer.failure.as_ref().unwrap().reason, PollFailure::Connect);
        asked += usize::from(!course.lines().join("\n").contains("not asked"));
    }
    assert!(asked <= 1, "at most one of them is the trial");
    assert!(bench.fake.count() <= polls + 1 + 2, "with its two retries");
}

#[tokio::test(start_paused = true)]
async fn more_than_may_wait_are_refused_and_those_who_went_away_make_room() {
    let bench = bench(1, 50.0).await;
    bench.fake.script("Job:slow", Script::Slow(Duration::from_secs(10)));
    let mut probes = JoinSet::new();
    let ask = |probes: &mut JoinSet<_>, number: usize| {
        let handle = bench.handle.probes();
        let job = if number == 0 { "Job:slow".to_owned() } else { format!("Job:{number}") };
        probes.spawn(async move { handle.probe(id(&job), LONG, None).await });
    };
    for number in 0..MOST {
        ask(&mut probes, number);
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(probe(&bench, "Job:more").await, Err(ProbeError::TooMany));
    probes.abort_all();
    while probes.join_next().await.is_some() {}
    let polls = bench.fake.count();
    assert!(probe(&bench, "Job:more").await.unwrap().poll_success());
    assert!(bench.fake.count() <= polls + 2, "for those who went away nobody is asked");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_joins_or_leaves_meanwhile_is_answered_all_the_same() {
    let bench = bench(16, 50.0).await;
    bench.fake.script("Job:b", Script::Slow(Duration::from_secs(2)));
    let handle = bench.handle.probes();
    let joining = tokio::spawn(async move { handle.probe(id("Job:b"), LONG, None).await });
    sleep(Duration::from_millis(100)).await;
    bench.fake.under_way.lock().unwrap().clear();
    bench.change(&["Job:b"], &[]).await;
    let job = joining.await.unwrap().unwrap();
    assert!(job.poll_success());
    assert_eq!(bench.store.job(&id("Job:b")).unwrap(), job, "it is the set's own state");

    sleep(FRESH * 2).await;
    let handle = bench.handle.probes();
    let leaving = tokio::spawn(async move { handle.probe(id("Job:b"), LONG, None).await });
    sleep(Duration::from_millis(100)).await;
    bench.fake.under_way.lock().unwrap().clear();
    bench.change(&[], &["Job:b"]).await;
    assert!(leaving.await.unwrap().unwrap().poll_success());
    assert_eq!(bench.store.job(&id("Job:b")), None);
}
