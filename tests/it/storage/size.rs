//! Figures of `docs/storage.md`: 100,000 jobs on disk. Run by hand, as it takes a while:
//! `cargo test --release --test it storage::size -- --ignored --nocapture`.

use grid_bulk_exporter::clock::{SharedClock, SystemClock};
use grid_bulk_exporter::job::{CompletedAt, ErrorTally, JobId, JobReading, Labels, Progress, ReportedStatus};
use grid_bulk_exporter::storage::{self, Identity, OnError, Started, StorageOptions};
use grid_bulk_exporter::store::{CountFrom, NewJob, Outcome, Store};
use grid_bulk_exporter::telemetry::own::OwnMetrics;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const JOBS: usize = 100_000;

/// Jobs polled in a second at an interval of 30 s.
const A_SECOND: usize = JOBS / 30;

async fn begin(folder: &Path) -> (Started, SharedClock) {
    let clock: SharedClock = Arc::new(SystemClock);
    let metrics = OwnMetrics::new(&clock).unwrap();
    let options = StorageOptions { path: Some(folder.to_owned()), on_error: OnError::Exit };
    let identity = Identity::new(&"https://api.example.com".parse().unwrap(), 1);
    (storage::start(&options, identity, &clock, metrics.storage.clone()).await.unwrap(), clock)
}

fn poll(store: &Store, ids: &[JobId], rows: f64, clock: &SharedClock) {
    for id in ids {
        let mut errors = ErrorTally::new(20);
        for code in ["INVALID_PHONE_NUMBER", "DUPLICATE_CUSTOMER", "INVALID_BIRTH_DATE"] {
            errors.count(Some(code));
        }
        let reading = JobReading {
            status: ReportedStatus::from_word("PROCESSING"),
            progress: Some(Progress { total: 1e6, processed: rows, successful: rows, failed: 0.0 }),
            errors,
            errors_truncated: false,
            completed_at: CompletedAt::Absent,
        };
        store.apply(id, Outcome::Read(reading), clock.now()).unwrap();
    }
}

fn size(folder: &Path) -> u64 {
    std::fs::metadata(folder.join(storage::FILE_NAME)).unwrap().len() / 1024
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints figures"]
async fn a_hundred_thousand_jobs() {
    let folder = TempDir::new().unwrap();
    let (started, clock) = begin(folder.path()).await;
    let Started { store, writing, .. } = started;
    let (storage, keeper) = writing.unwrap();
    let stop = CancellationToken::new();
    let keeper = tokio::spawn(keeper.run(stop.clone()));
    let ids: Vec<JobId> = (0..JOBS)
        .map(|n| format!("Job:019542f5-b3e7-1d02-{:04x}-{n:012x}", n % 7919).parse().unwrap())
        .collect();
    let new = |id: &JobId| NewJob { id: id.clone(), labels: Labels::default(), sources: vec!["jobs"] };
    store.join(ids.iter().map(new).collect(), CountFrom::Zero);
    poll(&store, &ids, 1.0, &clock);
    let began = Instant::now();
    storage.keep(Vec::new(), Vec::new()).await.unwrap();
    println!("all jobs written at once: {:?}, file of {} KiB", began.elapsed(), size(folder.path()));
    let written = || {
        let io = std::fs::read_to_string("/proc/self/io").unwrap();
        let line = io.lines().find(|line| line.starts_with("wchar")).unwrap();
        line.split(' ').nth(1).unwrap().parse::<u64>().unwrap() / 1024
    };
    for round in 2..5 {
        let (mut slowest, began, before) = (std::time::Duration::ZERO, Instant::now(), written());
        for polled in ids.chunks(A_SECOND) {
            poll(&store, polled, f64::from(round), &clock);
            let began = Instant::now();
            storage.keep(Vec::new(), Vec::new()).await.unwrap();
            slowest = slowest.max(began.elapsed());
        }
        let per_second = (written() - before) / 30;
        println!(
            "a second's polls ({A_SECOND}): {:?}, {slowest:?} at most, {per_second} KiB written; file of {} KiB",
            began.elapsed() / 30,
            size(folder.path())
        );
    }
    let began = Instant::now();
    poll(&store, &ids[..1], 9.0, &clock);
    storage.keep(Vec::new(), Vec::new()).await.unwrap();
    println!("one job: {:?}", began.elapsed());
    stop.cancel();
    keeper.await.unwrap();
    println!("closed: file of {} KiB", size(folder.path()));
    let began = Instant::now();
    let (started, _) = begin(folder.path()).await;
    println!("opened, checked and read in {:?}: file of {} KiB", began.elapsed(), size(folder.path()));
    started.store.join(ids.iter().map(new).collect(), CountFrom::Zero);
    assert_eq!(started.store.summary().rows.successful, 4 * JOBS as u64 + 5);
    let (storage, keeper) = started.writing.unwrap();
    let stop = CancellationToken::new();
    let keeper = tokio::spawn(keeper.run(stop.clone()));
    started.store.leave(&ids[100..]);
    storage.keep(Vec::new(), Vec::new()).await.unwrap();
    println!("100 jobs left, and marks of the others: file of {} KiB", size(folder.path()));
    stop.cancel();
    keeper.await.unwrap();
    let _again = begin(folder.path()).await;
    let last = size(folder.path());
    println!("opened again: file of {last} KiB");
    assert!(last < 64 * 1024, "{last} KiB");
}
