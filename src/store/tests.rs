//! The rules of the design for job series, one by one.
#![expect(clippy::float_cmp, reason = "counts are compared as they came")]

use super::*;
use crate::job::{CompletedAt, Inconsistency, Progress, ReportedStatus};

const BEGAN: UnixTime = UnixTime::from_millis(1_000_000);

fn at(second: i64) -> UnixTime {
    UnixTime::from_millis(BEGAN.as_millis() + second * 1000)
}

fn id(text: &str) -> JobId {
    text.parse().unwrap()
}

fn reading(status: &str, total: f64, successful: f64, failed: f64) -> JobReading {
    JobReading {
        status: ReportedStatus::from_word(status),
        progress: Some(Progress { total, processed: successful + failed, successful, failed }),
        errors: ErrorTally::new(20),
        errors_truncated: false,
        completed_at: CompletedAt::Absent,
    }
}

fn failed() -> Outcome {
    Outcome::Failed { reason: PollFailure::Timeout, message: "no answer within 10s".to_owned(), asked: true }
}

fn new_job(text: &str) -> NewJob {
    NewJob { id: id(text), labels: Labels::default(), sources: vec!["jobs"] }
}

/// A store that watches jobs from its start.
fn store(ids: &[&str]) -> Store {
    let store = Store::new(BEGAN);
    store.join(ids.iter().map(|id| new_job(id)).collect(), CountFrom::FirstReading);
    store
}

fn read(store: &Store, job: &str, reading: JobReading, second: i64) -> Applied {
    store.apply(&id(job), Outcome::Read(reading), at(second)).unwrap()
}

fn observed(store: &Store, job: &str) -> Observed {
    store.job(&id(job)).unwrap().observed.clone().unwrap()
}

#[test]
fn a_failed_poll_keeps_what_was_last_known() {
    let store = store(&["a"]);
    read(&store, "a", reading("PROCESSING", 10.0, 4.0, 1.0), 1);
    let applied = store.apply(&id("a"), failed(), at(2)).unwrap();
    assert!(applied.began_failing);
    let job = store.job(&id("a")).unwrap();
    assert!(!job.poll_success());
    assert_eq!(job.last_poll_success, Some(at(1)));
    assert_eq!(observed(&store, "a").progress.unwrap().failed, 1.0);
    assert!(!store.apply(&id("a"), failed(), at(3)).unwrap().began_failing, "told once");
    let recovered = read(&store, "a", reading("PROCESSING", 10.0, 4.0, 1.0), 4).recovered_from.unwrap();
    assert_eq!(recovered.since, at(2));
}

#[test]
fn a_job_never_read_has_no_status() {
    let store = store(&["a"]);
    store.apply(&id("a"), failed(), at(1));
    let job = store.job(&id("a")).unwrap();
    assert!(job.tried && !job.poll_success() && job.observed.is_none());
    assert_eq!(store.summary().unpolled, 1);
}

#[test]
fn an_answer_without_progress_leaves_the_last_known_counts() {
    let store = store(&["a"]);
    read(&store, "a", JobReading { progress: None, ..reading("PENDING", 0.0, 0.0, 0.0) }, 1);
    assert_eq!(observed(&store, "a").progress, None);
    read(&store, "a", reading("PROCESSING", 10.0, 4.0, 1.0), 2);
    read(&store, "a", JobReading { progress: None, ..reading("PROCESSING", 0.0, 0.0, 0.0) }, 3);
    assert_eq!(observed(&store, "a").progress.unwrap().total, 10.0);
    assert_eq!(observed(&store, "a").last_change, at(2));
}

#[test]
fn timestamps_follow_status_and_counts() {
    let store = store(&["a"]);
    read(&store, "a", reading("PENDING", 10.0, 0.0, 0.0), 1);
    read(&store, "a", reading("PROCESSING", 10.0, 0.0, 0.0), 2);
    read(&store, "a", reading("PROCESSING", 10.0, 1.0, 0.0), 3);
    let applied = read(&store, "a", reading("PROCESSING", 10.0, 1.0, 0.0), 4);
    assert_eq!(applied, Applied::default(), "nothing changed");
    let now = observed(&store, "a");
    assert_eq!((now.first_seen, now.status_since, now.last_change), (at(1), at(2), at(3)));
}

#[test]
fn a_job_first_seen_ended_changed_when_it_ended() {
    let store = store(&["a", "b", "c"]);
    let completed_at = CompletedAt::At(at(-500));
    read(&store, "a", JobReading { completed_at, ..reading("FAILED", 10.0, 0.0, 10.0) }, 1);
    assert_eq!(observed(&store, "a").last_change, at(-500));
    assert_eq!(observed(&store, "a").completed_at, Some(at(-500)));
    read(&store, "b", reading("FAILED", 10.0, 0.0, 10.0), 1);
    assert_eq!(observed(&store, "b").last_change, at(1), "without a time of completion it is the first look");
    let completed_at = CompletedAt::At(at(9_000));
    let applied = read(&store, "c", JobReading { completed_at, ..reading("FAILED", 10.0, 0.0, 10.0) }, 1);
    assert_eq!(
        observed(&store, "c").last_change,
        at(1),
        "a completion in the future is not taken for a change"
    );
    assert_eq!(applied.inconsistencies, [(Inconsistency::CompletedAt, true)]);
}

#[test]
fn a_running_job_has_no_time_of_completion() {
    let store = store(&["a"]);
    let completed_at = CompletedAt::At(at(-5));
    let applied = read(&store, "a", JobReading { completed_at, ..reading("PROCESSING", 10.0, 5.0, 0.0) }, 1);
    assert_eq!(observed(&store, "a").completed_at, None);
    assert_eq!(applied.inconsistencies, [], "the API's own example has it");
}

#[test]
fn one_that_ended_never_runs_again() {
    let store = store(&["a"]);
    assert!(read(&store, "a", reading("COMPLETED", 10.0, 10.0, 0.0), 1).ended);
    let applied = read(&store, "a", reading("PROCESSING", 10.0, 5.0, 0.0), 2);
    assert!(applied.ended);
    assert_eq!(applied.inconsistencies, [(Inconsistency::Status, true)]);
    assert_eq!(observed(&store, "a").status.status(), Status::Completed);
    assert_eq!(observed(&store, "a").progress.unwrap().processed, 10.0);
    assert_eq!(observed(&store, "a").last_change, at(1));
}

#[test]
fn contradictions_are_shown_as_they_came_and_logged_once() {
    let store = store(&["a"]);
    let odd = |processed, successful, failed| JobReading {
        progress: Some(Progress { total: 10.0, processed, successful, failed }),
        ..reading("PROCESSING", 0.0, 0.0, 0.0)
    };
    assert_eq!(read(&store, "a", odd(12.0, 6.0, 6.0), 1).inconsistencies, [(Inconsistency::Counts, true)]);
    assert_eq!(observed(&store, "a").progress.unwrap().processed, 12.0);
    let both = [(Inconsistency::Counts, false), (Inconsistency::Fell, true)];
    assert_eq!(read(&store, "a", odd(-1.0, 0.5, 1e30), 2).inconsistencies, both);
    assert_eq!(read(&store, "a", reading("PENDING", 1e30, 1.0, 0.0), 3).inconsistencies.len(), 3);
    let short = read(&store, "a", reading("COMPLETED", 1e3, 1e2, 0.0), 4);
    assert!(short.inconsistencies.contains(&(Inconsistency::Counts, false)), "completed before its end");
    assert_eq!(store.summary().rows.failed, 0);
}

#[test]
fn an_unknown_status_is_not_an_end() {
    let store = store(&["a"]);
    assert!(!read(&store, "a", reading("PAUSED", 10.0, 1.0, 0.0), 1).ended);
    assert_eq!(observed(&store, "a").status.word(), "PAUSED");
    assert_eq!(store.summary().by_status, [0, 0, 0, 0, 1]);
    read(&store, "a", reading("PENDING", 10.0, 1.0, 0.0), 2);
    assert_eq!(store.summary().by_status, [1, 0, 0, 0, 0]);
}

#[test]
fn jobs_of_the_start_count_from_what_they_first_show() {
    let store = store(&["a"]);
    read(&store, "a", reading("PROCESSING", 100.0, 40.0, 10.0), 1);
    assert_eq!(store.summary().rows, RowTotals::default());
    let applied = read(&store, "a", reading("PROCESSING", 100.0, 50.0, 15.0), 2);
    assert_eq!(applied.rows_added, RowTotals { successful: 10, failed: 5 });
    assert_eq!(store.summary().rows, RowTotals { successful: 10, failed: 5 });
}

#[test]
fn jobs_that_join_later_count_from_0_unless_they_ended_before_the_start() {
    let store = store(&[]);
    store.join(vec![new_job("new"), new_job("old"), new_job("ended")], CountFrom::Zero);
    read(&store, "new", reading("PROCESSING", 100.0, 40.0, 10.0), 1);
    let completed_at = CompletedAt::At(at(-1));
    read(&store, "old", JobReading { completed_at, ..reading("COMPLETED", 9.0, 9.0, 0.0) }, 1);
    assert_eq!(store.summary().rows, RowTotals { successful: 40, failed: 10 });
    let completed_at = CompletedAt::At(at(1));
    read(&store, "ended", JobReading { completed_at, ..reading("COMPLETED", 9.0, 9.0, 0.0) }, 2);
    assert_eq!(store.summary().rows, RowTotals { successful: 49, failed: 10 });
}

#[test]
fn a_first_count_that_can_not_be_counted_leaves_the_start_to_the_next_one() {
    let store = store(&["a"]);
    for (failed, total) in [(-1.0, 0), (1e30, 0), (0.5, 0), (500.0, 0), (507.0, 7)] {
        read(&store, "a", reading("PROCESSING", 1000.0, 10.0, failed), 1);
        assert_eq!(store.summary().rows, RowTotals { successful: 0, failed: total }, "after {failed}");
    }
}

#[test]
fn a_count_that_falls_and_rises_again_adds_nothing() {
    let store = store(&["a"]);
    for (failed, total) in [(500.0, 0), (498.0, 0), (500.0, 0), (501.0, 1)] {
        read(&store, "a", reading("PROCESSING", 1000.0, 0.0, failed), 1);
        assert_eq!(store.summary().rows.failed, total);
    }
}

#[test]
fn a_job_that_leaves_and_comes_back_is_not_counted_twice() {
    let store = store(&["a"]);
    read(&store, "a", reading("PROCESSING", 100.0, 0.0, 0.0), 1);
    read(&store, "a", reading("PROCESSING", 100.0, 30.0, 0.0), 2);
    store.leave(&[id("a")]);
    assert_eq!(store.summary().rows.successful, 30, "the counter stays when its job leaves");
    assert_eq!(store.summary().jobs(), 0);
    store.join(vec![new_job("a")], CountFrom::Zero);
    assert!(store.job(&id("a")).unwrap().observed.is_none(), "its series begin anew");
    read(&store, "a", reading("PROCESSING", 100.0, 45.0, 0.0), 3);
    assert_eq!(store.summary().rows.successful, 45);
}

#[test]
fn a_poll_of_a_job_that_left_changes_nothing() {
    let store = store(&["a"]);
    store.leave(&[id("a")]);
    assert_eq!(store.apply(&id("a"), failed(), at(1)), None);
    assert_eq!(store.jobs().0, []);
}

#[test]
fn a_job_that_stays_keeps_its_state_and_takes_new_labels() {
    let store = store(&["a"]);
    read(&store, "a", reading("PROCESSING", 10.0, 1.0, 0.0), 1);
    let labels: Labels = [("team".parse().unwrap(), "red".to_owned())].into_iter().collect();
    store.join(vec![NewJob { labels, ..new_job("a") }], CountFrom::Zero);
    let job = store.job(&id("a")).unwrap();
    assert_eq!(job.labels.get("team"), Some("red"));
    assert!(job.observed.is_some());
    assert_eq!(store.summary().jobs(), 1);
}

#[test]
fn a_new_label_name_touches_every_page() {
    let ids: Vec<String> = (0..=PAGE_JOBS).map(|number| format!("Job:{number}")).collect();
    let store = store(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(store.take_changes().unwrap().pages.len(), 2);
    assert!(store.take_changes().is_none(), "taken");
    let labels: Labels = [("team".parse().unwrap(), "red".to_owned())].into_iter().collect();
    store.join(vec![NewJob { labels, ..new_job("Job:0") }], CountFrom::Zero);
    let changes = store.take_changes().unwrap();
    assert_eq!(changes.pages.len(), 2);
    assert_eq!(changes.label_names.len(), 1);
    store.leave(&[id("Job:0")]);
    assert_eq!(store.take_changes().unwrap().label_names.len(), 0);
}

#[test]
fn a_change_touches_the_page_of_its_job_alone() {
    let ids: Vec<String> = (0..3 * PAGE_JOBS).map(|number| format!("Job:{number}")).collect();
    let store = store(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(store.take_changes().unwrap().pages.len(), 3);
    read(&store, &format!("Job:{PAGE_JOBS}"), reading("PENDING", 1.0, 0.0, 0.0), 1);
    assert_eq!(store.take_changes().unwrap().pages.into_keys().collect::<Vec<_>>(), [1]);
}
