//! Kills at random moments, under polls, PUTs, DELETEs and webhooks: what was acknowledged is there after each start, and the
//! counters are those of a model. `GRID_TEST_KILLS=200 cargo test --test it storage::crash`, or `tests/crash/run`.

mod deliveries;

use super::{rows, start};
use crate::support::exporter::Exporter;
use crate::support::http;
use crate::support::scrape::{Sample, Scrape};
use crate::support::simulator::Simulated;
use deliveries::Deliveries;
use grid_bulk_exporter::clock::{SharedClock, SystemClock};
use grid_bulk_exporter::job::counts::countable;
use grid_bulk_exporter::sim::{Course, Ending, SimJobSpec};
use grid_bulk_exporter::storage::{self, Identity, OnError, StorageOptions};
use grid_bulk_exporter::store::{Kept, RowTotals};
use grid_bulk_exporter::telemetry::own::OwnMetrics;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustix::process::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// How often it is killed.
fn kills() -> u64 {
    std::env::var("GRID_TEST_KILLS").map_or(20, |text| text.parse().expect("a number"))
}

/// Jobs of the configuration; they begin after the first start, so that all their rows count.
const CONFIGURED: u64 = 8;

/// What was asked of the admin API and acknowledged.
#[derive(Default)]
struct Acknowledged {
    /// Label by job.
    put: BTreeMap<String, String>,
    deleted: BTreeSet<String>,
    /// Asked, but not answered: it may be one way or the other.
    unsure: BTreeSet<String>,
}

impl Acknowledged {
    fn added(&mut self, id: &str, label: String) {
        self.unsure.remove(id);
        self.put.insert(id.to_owned(), label);
    }

    fn removed(&mut self, id: &str) {
        self.unsure.remove(id);
        self.put.remove(id);
        self.deleted.insert(id.to_owned());
    }
}

/// A job that begins in a while, and runs for some seconds.
fn job(id: String, now: f64, random: &mut StdRng) -> SimJobSpec {
    let course = Course {
        rows: random.random_range(50..1500),
        rows_per_second: random.random_range(300.0..600.0),
        starts_at: now + random.random_range(0.5..4.0),
        wobble: 0.5,
        failing_share: 0.2,
        code: None,
        column: None,
        nested_entries: false,
        spikes: Vec::new(),
        stalls: Vec::new(),
        ending: Ending::Completed,
    };
    SimJobSpec { id, course, faults: Vec::new() }
}

/// Adds jobs and deletes some of them again until the exporter is gone.
async fn use_the_admin_api(
    exporter: &Exporter,
    simulated: &Simulated,
    round: u64,
    worker: u64,
    acknowledged: &Mutex<Acknowledged>,
) {
    let mut random = StdRng::seed_from_u64(round * 100 + worker);
    for number in 0..12 {
        let id = format!("Job:{round}-{worker}-{number}");
        let is_short_lived = number % 3 == 2;
        if !is_short_lived {
            simulated.handle.add_job(job(id.clone(), simulated.handle.now(), &mut random));
        }
        let path = format!("/api/v1/jobs/{id}");
        let label = format!("l{}", random.random::<u16>());
        let body = format!("{{\"labels\": {{\"team\": \"{label}\"}}}}");
        acknowledged.lock().unwrap().unsure.insert(id.clone());
        match http::request_with_body(exporter.address(), "PUT", &path, &[], &body).await {
            Ok(answer) => assert_eq!(answer.status, 201, "{}", answer.text()),
            Err(_) => return,
        }
        acknowledged.lock().unwrap().added(&id, label);
        if is_short_lived {
            acknowledged.lock().unwrap().unsure.insert(id.clone());
            match http::request(exporter.address(), "DELETE", &path, &[]).await {
                Ok(answer) => assert_eq!(answer.status, 204, "{}", answer.text()),
                Err(_) => return,
            }
            acknowledged.lock().unwrap().removed(&id);
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..60))).await;
    }
}

/// What a copy of the folder holds, read through the storage itself.
async fn stored(folder: &Path, base_url: &str) -> Kept {
    let copy = TempDir::new().unwrap();
    std::fs::copy(folder.join(storage::FILE_NAME), copy.path().join(storage::FILE_NAME)).unwrap();
    let clock: SharedClock = Arc::new(SystemClock);
    let metrics = OwnMetrics::new(&clock).unwrap();
    let options = StorageOptions { path: Some(copy.path().to_owned()), on_error: OnError::Exit };
    let identity = Identity::new(&base_url.parse().unwrap(), crc32fast::hash(b"demo"));
    let started = storage::start(&options, identity, &clock, metrics.storage.clone()).await;
    started.unwrap_or_else(|error| panic!("{error}")).store.take_all()
}

/// The counters that belong to the jobs of a file: all of them were counted from their first row.
fn model(kept: &Kept) -> RowTotals {
    let mut sum = RowTotals::default();
    for kept in &kept.jobs {
        if let Some(progress) = kept.job.observed.as_ref().and_then(|observed| observed.progress) {
            sum.successful += countable(progress.successful).unwrap();
            sum.failed += countable(progress.failed).unwrap();
        }
    }
    sum
}

async fn check(exporter: &Exporter, acknowledged: &Mutex<Acknowledged>, sent: &Deliveries, round: u64) {
    let scrape = exporter.scrape().await;
    sent.check(exporter, &scrape, round).await;
    let label = |name: &str, sample: &Sample| sample.labels.get(name).cloned().unwrap_or_default();
    let teams: BTreeMap<String, String> = scrape
        .series("grid_bulk_job_info", &[])
        .map(|sample| (label("jobId", sample), label("team", sample)))
        .collect();
    let known = acknowledged.lock().unwrap();
    for (id, team) in &known.put {
        let is_there = teams.get(id) == Some(team);
        assert!(known.unsure.contains(id) || is_there, "round {round}: {id} is lost, or its label");
    }
    for id in &known.deleted {
        assert!(!teams.contains_key(id), "round {round}: {id} came back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_the_counters_are_right_however_often_it_is_killed() {
    let mut random = StdRng::seed_from_u64(7);
    let simulated = Simulated::with_scenario("jobs:\n  - { id: 'Job:other', ends: never starts }\n").await;
    let names: Vec<String> = (0..CONFIGURED).map(|number| format!("Job:c{number}")).collect();
    for name in &names {
        let mut spec = job(name.clone(), 5.0, &mut random);
        spec.course.rows = countable((spec.course.rows_per_second * kills() as f64).round()).unwrap();
        simulated.handle.add_job(spec);
    }
    let folder = TempDir::new().unwrap();
    let sent = Deliveries::new();
    let lines = format!("jobs: {names:?}\n{}", sent.section(folder.path()));
    let acknowledged = Mutex::new(Acknowledged::default());
    let exporter = start(&simulated, folder.path(), &lines).start().await;
    exporter.scrape_until("all are read before they begin", crate::faults::matrix::all_are_read).await;
    let mut exporter = Some(exporter);
    let mut shown = [0.0; 2];
    for round in 0..kills() {
        let mut running = match exporter.take() {
            Some(running) => running,
            None => start(&simulated, folder.path(), &lines).start().await,
        };
        check(&running, &acknowledged, &sent, round).await;
        let life = Duration::from_millis(random.random_range(20..900));
        let workers =
            (0..3).map(|worker| use_the_admin_api(&running, &simulated, round, worker, &acknowledged));
        let webhooks = (0..2).map(|worker| sent.send(&running, round, worker));
        let scrapes = async {
            let mut latest = shown;
            while let Ok(response) = http::get(running.address(), "/metrics").await {
                let now = rows(&Scrape::parse(&response.text()));
                assert!(
                    now[0] >= latest[0] && now[1] >= latest[1],
                    "round {round}: {now:?} after {latest:?}"
                );
                latest = now;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            latest
        };
        let kill = async {
            tokio::time::sleep(life).await;
            running.signal(Signal::KILL);
        };
        let (workers, webhooks) =
            (futures_util::future::join_all(workers), futures_util::future::join_all(webhooks));
        let (_, _, latest, ()) = tokio::join!(workers, webhooks, scrapes, kill);
        shown = latest;
        running.ended().await;
        let kept = stored(folder.path(), &simulated.base_url).await;
        assert_eq!(kept.totals, model(&kept), "round {round}");
        assert!(
            kept.totals.successful as f64 >= shown[0] && kept.totals.failed as f64 >= shown[1],
            "round {round}"
        );
    }
    let exporter = start(&simulated, folder.path(), &lines).start().await;
    check(&exporter, &acknowledged, &sent, kills()).await;
    let scrape = exporter
        .scrape_until("all jobs have ended", |scrape| {
            let jobs = |status| scrape.value("grid_bulk_jobs", &[("status", status)]).unwrap();
            jobs("PENDING") + jobs("PROCESSING") == 0.0 && rows(scrape) == sums(scrape)
        })
        .await;
    assert!(rows(&scrape)[0] > 1000.0, "{:?}", rows(&scrape));
    let put = acknowledged.lock().unwrap().put.len();
    let (deleted, sent) = (acknowledged.lock().unwrap().deleted.len(), sent.acknowledged());
    println!("{} kills, {put} jobs added, {deleted} deleted, {sent} webhooks taken", kills());
    assert!(put as u64 > kills() && sent as u64 > kills());
}

/// The rows of all jobs of a scrape.
fn sums(scrape: &Scrape) -> [f64; 2] {
    ["grid_bulk_job_successful_rows", "grid_bulk_job_failed_rows"]
        .map(|name| scrape.series(name, &[]).map(|sample| sample.value).sum())
}
