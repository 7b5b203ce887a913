//! The storage without the rest of the exporter: what comes back, and what a damaged file does.

#![expect(clippy::float_cmp, reason = "counts are compared as they were kept")]

mod damage;
mod files;
mod keeping;

use super::*;
use crate::clock::{TokioClock, UnixTime};
use crate::job::{
    CompletedAt, ErrorTally, JobId, JobReading, LabelName, Labels, PollFailure, Progress, ReportedStatus,
};
use crate::store::{CountFrom, NewJob, Outcome};
use crate::telemetry::own::OwnMetrics;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const NOW: i64 = 1_800_000_000_000;

fn identity() -> Identity {
    Identity::new(&"https://api.example.com/grid/2025-10-13".parse().unwrap(), 7)
}

fn id(text: &str) -> JobId {
    text.parse().unwrap()
}

fn at(second: i64) -> UnixTime {
    UnixTime::from_millis(NOW + second * 1000)
}

fn reading(status: &str, successful: f64, failed: f64) -> JobReading {
    let mut errors = ErrorTally::new(20);
    for _ in 0..3 {
        errors.count(Some("INVALID_PHONE"));
    }
    JobReading {
        status: ReportedStatus::from_word(status),
        progress: Some(Progress { total: 1000.0, processed: successful + failed, successful, failed }),
        errors,
        errors_truncated: false,
        completed_at: CompletedAt::Absent,
    }
}

fn failed() -> Outcome {
    Outcome::Failed { reason: PollFailure::Timeout, message: "no answer within 10s".to_owned(), asked: true }
}

fn labels(team: &str) -> Labels {
    [("team".parse::<LabelName>().unwrap(), team.to_owned())].into_iter().collect()
}

/// An exporter's storage that runs.
struct Running {
    store: Store,
    claims: Vec<Claim>,
    storage: Storage,
    metrics: OwnMetrics,
    stop: CancellationToken,
    keeper: tokio::task::JoinHandle<()>,
}

async fn start_with(options: &StorageOptions, identity: Identity) -> Result<Running, StorageError> {
    let clock: SharedClock = Arc::new(TokioClock::starting_at(at(0)));
    let metrics = OwnMetrics::new(&clock).unwrap();
    let started = start(options, identity, &clock, metrics.storage.clone()).await?;
    let (storage, keeper) = started.writing.expect("something is written");
    let stop = CancellationToken::new();
    let keeper = tokio::spawn(keeper.run(stop.clone()));
    Ok(Running { store: started.store, claims: started.claims, storage, metrics, stop, keeper })
}

fn options(folder: &Path) -> StorageOptions {
    StorageOptions { path: Some(folder.to_owned()), on_error: OnError::Exit }
}

async fn start_in(folder: &Path) -> Running {
    start_with(&options(folder), identity()).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Why it does not start.
async fn refusal(folder: &Path) -> String {
    match start_with(&options(folder), identity()).await {
        Ok(_) => panic!("it starts"),
        Err(error) => error.to_string(),
    }
}

impl Running {
    fn watch(&self, ids: &[&str], count_from: CountFrom) {
        let new = |text: &&str| NewJob { id: id(text), labels: Labels::default(), sources: vec!["jobs"] };
        self.store.join(ids.iter().map(new).collect(), count_from);
    }

    fn read(&self, job: &str, reading: JobReading, second: i64) {
        self.store.apply(&id(job), Outcome::Read(reading), at(second)).unwrap();
    }

    async fn kept(&self) {
        self.storage.keep(Vec::new(), Vec::new()).await.unwrap();
    }

    /// Stops it as a signal does.
    async fn stop(self) {
        self.stop.cancel();
        self.keeper.await.unwrap();
    }

    fn up(&self) -> Option<f64> {
        self.metrics.registry.read().value("grid_bulk_exporter_storage_up", &[])
    }
}

/// A folder whose file has two jobs, one that left, one of the admin API, and rows.
async fn filled() -> TempDir {
    let folder = TempDir::new().unwrap();
    let running = start_in(folder.path()).await;
    fill(&running).await;
    running.stop().await;
    folder
}

async fn fill(running: &Running) {
    running.watch(&["a", "b", "gone"], CountFrom::Zero);
    running.read("a", reading("PROCESSING", 90.0, 10.0), 1);
    running.read("b", reading("COMPLETED", 990.0, 10.0), 2);
    running.read("gone", reading("PROCESSING", 7.0, 0.0), 3);
    running.store.apply(&id("a"), failed(), at(4)).unwrap();
    running.store.leave(&[id("gone")]);
    let claim = Claim { id: id("a"), source: crate::config::JobSource::Admin, labels: labels("blue") };
    let delivery = Delivery { id: "Webhook:1".to_owned(), at: at(5) };
    running.storage.keep(vec![ClaimChange::Named(claim)], vec![delivery]).await.unwrap();
}

/// All that can be read of a file through the storage.
#[derive(Debug, PartialEq)]
struct Contents {
    kept: crate::store::Kept,
    claims: Vec<Claim>,
    seen: Vec<bool>,
}

async fn contents(folder: &Path) -> Result<Contents, StorageError> {
    let running = start_with(&options(folder), identity()).await?;
    let seen = running.storage.deliveries_seen(vec!["Webhook:1".to_owned(), "Webhook:2".to_owned()]).await;
    let kept = running.store.take_all();
    let claims = running.claims.clone();
    running.stop().await;
    Ok(Contents { kept, claims, seen })
}
