//! What comes back after a restart, and when it is written.

use super::*;
use crate::config::JobSource;
use crate::store::RowTotals;
use std::time::Duration;

const SUM: RowTotals = RowTotals { successful: 1087, failed: 20 };

#[tokio::test]
async fn jobs_come_back_as_they_were_last_known_once_they_are_named() {
    let folder = filled().await;
    let running = start_in(folder.path()).await;
    assert_eq!(running.store.summary().jobs(), 0, "nobody names them yet");
    assert_eq!(running.store.summary().rows, SUM);
    assert_eq!(running.up(), Some(1.0));
    running.watch(&["a", "b", "new"], CountFrom::FirstReading);
    let a = running.store.job(&id("a")).unwrap();
    let observed = a.observed.as_ref().unwrap();
    assert_eq!((observed.first_seen, observed.last_change), (at(1), at(1)));
    assert_eq!(observed.errors.iter().collect::<Vec<_>>(), [("INVALID_PHONE", 3)]);
    assert_eq!(observed.progress.unwrap().failed, 10.0);
    assert_eq!(a.last_poll_success, Some(at(1)));
    let failure = a.failure.as_ref().unwrap();
    assert_eq!((failure.reason, failure.since), (PollFailure::Timeout, at(4)));
    assert_eq!(running.store.job(&id("b")).unwrap().over_since, Some(at(2)));
    assert!(!running.store.job(&id("new")).unwrap().tried);
    assert_eq!(running.store.summary().by_status, [0, 1, 1, 0, 0]);
    let claim = Claim { id: id("a"), source: JobSource::Admin, labels: labels("blue") };
    assert_eq!(running.claims, [claim]);
}

#[tokio::test]
async fn rows_of_the_time_between_are_added_once() {
    let folder = filled().await;
    let running = start_in(folder.path()).await;
    running.watch(&["a", "b"], CountFrom::FirstReading);
    running.read("a", reading("COMPLETED", 900.0, 100.0), 100);
    running.kept().await;
    let after = RowTotals { successful: SUM.successful + 810, failed: SUM.failed + 90 };
    assert_eq!(running.store.summary().rows, after);
    running.stop().await;
    let again = start_in(folder.path()).await;
    again.watch(&["a", "b"], CountFrom::FirstReading);
    again.read("a", reading("COMPLETED", 900.0, 100.0), 200);
    again.kept().await;
    assert_eq!(again.store.summary().rows, after);
}

#[tokio::test]
async fn one_that_was_added_but_never_read_counts_from_0_even_if_it_ended_meanwhile() {
    let folder = TempDir::new().unwrap();
    let running = start_in(folder.path()).await;
    running.watch(&["late"], CountFrom::Zero);
    running.watch(&["early"], CountFrom::FirstReading);
    running.kept().await;
    running.stop().await;
    let again = start_in(folder.path()).await;
    again.watch(&["late", "early"], CountFrom::FirstReading);
    for job in ["late", "early"] {
        let completed_at = CompletedAt::At(at(1));
        again.read(job, JobReading { completed_at, ..reading("COMPLETED", 5.0, 1.0) }, 100);
    }
    again.kept().await;
    assert_eq!(again.store.summary().rows, RowTotals { successful: 5, failed: 1 });
}

#[tokio::test]
async fn one_that_left_and_comes_back_after_a_restart_is_not_counted_twice() {
    let folder = filled().await;
    let running = start_in(folder.path()).await;
    running.watch(&["gone"], CountFrom::Zero);
    assert!(running.store.job(&id("gone")).unwrap().observed.is_none(), "its series begin anew");
    running.read("gone", reading("PROCESSING", 9.0, 0.0), 100);
    running.kept().await;
    assert_eq!(running.store.summary().rows.successful, SUM.successful + 2);
}

#[tokio::test]
async fn those_that_nobody_names_are_let_go_but_their_rows_are_not_counted_again() {
    let folder = filled().await;
    let running = start_in(folder.path()).await;
    running.watch(&["a"], CountFrom::FirstReading);
    assert_eq!(running.store.forget_unnamed(), 1);
    running.kept().await;
    running.stop().await;
    let again = start_in(folder.path()).await;
    assert_eq!(again.store.forget_unnamed(), 1, "b is gone from the file");
    again.watch(&["b"], CountFrom::Zero);
    again.read("b", reading("COMPLETED", 990.0, 10.0), 100);
    again.kept().await;
    assert_eq!(again.store.summary().rows, SUM);
}

#[tokio::test]
async fn rows_show_only_once_they_are_on_disk() {
    let folder = TempDir::new().unwrap();
    let running = start_in(folder.path()).await;
    running.watch(&["a"], CountFrom::Zero);
    let _taken = running.store.take_changes();
    running.read("a", reading("PROCESSING", 4.0, 1.0), 1);
    assert_eq!(running.store.summary().rows, RowTotals::default());
    assert_eq!(running.store.take_changes().unwrap().summary.rows, RowTotals::default());
    tokio::time::timeout(Duration::from_secs(60), async {
        while running.store.summary().rows.successful != 4 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("written without being asked to");
    let changes = running.store.take_changes().expect("the exposition hears of it");
    assert!(changes.pages.is_empty(), "no page need be rendered for that");
    assert_eq!(changes.summary.rows, RowTotals { successful: 4, failed: 1 });
}

#[tokio::test]
async fn what_is_withdrawn_does_not_come_back() {
    let folder = filled().await;
    let running = start_in(folder.path()).await;
    let withdrawn = ClaimChange::Withdrawn { id: id("a"), source: JobSource::Admin };
    running.storage.keep(vec![withdrawn], Vec::new()).await.unwrap();
    running.stop().await;
    assert_eq!(contents(folder.path()).await.unwrap().claims, []);
}

#[tokio::test]
async fn deliveries_are_remembered_for_8_days() {
    let folder = filled().await;
    let running = start_in(folder.path()).await;
    let days = |days: i64| at(5 + days * 24 * 3600);
    let ask = || running.storage.deliveries_seen(vec!["Webhook:1".to_owned(), "Webhook:2".to_owned()]);
    assert_eq!(ask().await, [true, false]);
    let deliver = |name: &str, at| Delivery { id: name.to_owned(), at };
    running.storage.keep(Vec::new(), vec![deliver("Webhook:2", days(8))]).await.unwrap();
    assert_eq!(ask().await, [true, true]);
    running.storage.keep(Vec::new(), vec![deliver("Webhook:3", days(9))]).await.unwrap();
    assert_eq!(ask().await, [false, true]);
}

#[tokio::test]
async fn another_api_is_refused_and_another_token_begins_the_counters_anew() {
    let folder = filled().await;
    let other = Identity { api: "https://other.example.com/grid".to_owned(), token: 7 };
    let refused = start_with(&options(folder.path()), other).await.err().unwrap().to_string();
    assert!(refused.contains("holds what was learnt from https://api.example.com/grid, but"), "{refused}");
    let other = Identity { token: 8, ..identity() };
    let running = start_with(&options(folder.path()), other.clone()).await.unwrap();
    running.watch(&["a"], CountFrom::FirstReading);
    assert_eq!(running.store.summary().rows, RowTotals::default());
    running.read("a", reading("PROCESSING", 95.0, 10.0), 100);
    running.kept().await;
    assert_eq!(running.store.summary().rows, RowTotals { successful: 5, failed: 0 });
    running.stop().await;
    let again = start_with(&options(folder.path()), other).await.unwrap();
    assert_eq!(again.store.summary().rows, RowTotals { successful: 5, failed: 0 }, "once");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_taken_away_is_noticed_and_made_anew_with_all_that_is_known() {
    // The paused clock runs on whenever the thread is waited for: the next try comes at once.
    let folder = filled().await;
    let running = start_in(folder.path()).await;
    running.watch(&["a", "b"], CountFrom::FirstReading);
    std::fs::remove_file(folder.path().join(FILE_NAME)).unwrap();
    let claim = Claim { id: id("c"), source: JobSource::Admin, labels: labels("red") };
    running.watch(&["c"], CountFrom::Zero);
    let result = running.storage.keep(vec![ClaimChange::Named(claim)], Vec::new()).await;
    assert!(result.unwrap_err().0.ends_with("was removed or replaced while it was in use"));
    assert_eq!(running.up(), Some(0.0));
    running.read("c", reading("PROCESSING", 3.0, 0.0), 50);
    assert_eq!(running.store.summary().rows, SUM, "what is not on disk is not shown");
    while running.up() != Some(1.0) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(running.store.summary().rows.successful, SUM.successful + 3);
    running.stop().await;
    let contents = contents(folder.path()).await.unwrap();
    assert_eq!(contents.kept.jobs.len(), 3);
    assert_eq!(contents.kept.departed.len(), 1);
    assert_eq!(contents.claims.len(), 2);
}
