//! A restart, by a signal and by a kill: `/metrics` shows at once what was last known, and counts on.

use super::{rows, start, storage_up};
use crate::faults::matrix::faults;
use crate::support::exporter::Exporter;
use crate::support::scrape::Scrape;
use crate::support::simulator::Simulated;
use grid_bulk_exporter::clock::{Clock as _, SystemClock};
use rustix::process::Signal;
use tempfile::TempDir;

/// Jobs that stand still at 400 of 1,000 rows, and some that run to their end.
const SCENARIO: &str = "jobs:
  - { id: 'Job:still', rows: 1000, rows_per_second: 100, starts_at: -5, failing_share: 0.1, stalls: [{ at: 4 }] }
  - { id: 'Job:put', rows: 1000, rows_per_second: 100, starts_at: -5, failing_share: 0.1, stalls: [{ at: 4 }] }
  - { id: 'Job:new', rows: 300, rows_per_second: 300, starts_at: 2, failing_share: 0.1 }
  - { id: 'Job:run', rows: 1500, rows_per_second: 300, starts_at: 1, failing_share: 0.1 }
";

const LAST_SUCCESS: &str = "grid_bulk_job_last_poll_success_timestamp_seconds";

/// All series of jobs but those that each poll moves, so that two scrapes can be compared.
fn states(scrape: &Scrape) -> Vec<String> {
    let moved = |name: &str| name == LAST_SUCCESS;
    let of_jobs =
        scrape.samples.iter().filter(|sample| sample.labels.contains_key("jobId") && !moved(&sample.name));
    let mut states: Vec<String> = of_jobs.map(|sample| format!("{sample:?}")).collect();
    states.sort();
    states
}

async fn killed(mut exporter: Exporter) {
    exporter.signal(Signal::KILL);
    exporter.ended().await;
}

fn has_ended(scrape: &Scrape, job: &str) -> bool {
    scrape.status(job).as_deref() == Some("COMPLETED")
}

async fn put(exporter: &Exporter, job: &str, labels: &str) {
    let answer = exporter.send("PUT", &format!("/api/v1/jobs/{job}"), labels).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
}

#[tokio::test]
async fn what_was_last_known_is_shown_at_once_and_it_is_ready_only_after_the_first_cycle() {
    let simulated = Simulated::with_scenario(SCENARIO).await;
    let folder = TempDir::new().unwrap();
    let mut exporter = start(&simulated, folder.path(), "jobs: [ 'Job:still' ]").start().await;
    put(&exporter, "Job:put", "{\"labels\": {\"team\": \"red\"}}").await;
    put(&exporter, "Job:new", "").await;
    let settled = exporter
        .scrape_until("all is counted", |scrape| {
            has_ended(scrape, "Job:new") && rows(scrape).iter().sum::<f64>() == 700.0
        })
        .await;
    exporter.signal(Signal::TERM);
    assert!(exporter.ended().await.success(), "{}", exporter.log());
    assert!(simulated.handle.set_faults("Job:still", faults("hang_head")));
    let asked = simulated.handle.requests_of("Job:new");

    // The process's own start is told from when the system booted, which the kernel gives in whole seconds.
    let started = SystemClock.now().as_seconds();
    let exporter = start(&simulated, folder.path(), "jobs: [ 'Job:still' ]").start().await;
    let after = exporter.scrape().await;
    assert_eq!(states(&after), states(&settled));
    assert_eq!(rows(&after), rows(&settled));
    assert_eq!(storage_up(&after), Some(1.0));
    assert_eq!(after.value("grid_bulk_job_info", &[("jobId", "Job:put"), ("team", "red")]), Some(1.0));
    let last_success = after.of_job(LAST_SUCCESS, "Job:still").unwrap();
    assert!(last_success < started, "{last_success}, though it started at {started}");
    assert_eq!(exporter.get("/-/ready").await.status, 503, "not before each job was tried");
    exporter
        .scrape_until("the other is polled", |scrape| scrape.of_job(LAST_SUCCESS, "Job:put") > Some(started))
        .await;
    assert_eq!(simulated.handle.requests_of("Job:new"), asked, "one that ended is not asked again");
    assert_eq!(
        exporter.get("/api/v1/jobs/Job:put").await.json()["sources"],
        serde_json::json!(["admin API"])
    );
}

#[tokio::test]
async fn rows_of_a_job_that_ended_while_nobody_looked_are_added_once() {
    let simulated = Simulated::with_scenario(SCENARIO).await;
    let folder = TempDir::new().unwrap();
    let exporter = start(&simulated, folder.path(), "").start().await;
    put(&exporter, "Job:run", "").await;
    let before = exporter.scrape_until("some rows are counted", |scrape| rows(scrape)[0] > 0.0).await;
    killed(exporter).await;
    crate::support::wait_for("the job ends", || async {
        let state = simulated.handle.state("Job:run").unwrap();
        if state.processed == 1500 && state.ended_at.is_some() { Ok(()) } else { Err(format!("{state:?}")) }
    })
    .await;
    let state = simulated.handle.state("Job:run").unwrap();
    let all = [(state.processed - state.failed) as f64, state.failed as f64];
    for _ in 0..2 {
        let exporter = start(&simulated, folder.path(), "").start().await;
        let first = exporter.scrape().await;
        assert!(rows(&first)[0] >= rows(&before)[0], "it came back lower");
        exporter.scrape_until("all are counted", |scrape| rows(scrape) == all).await;
        killed(exporter).await;
    }
}

#[tokio::test]
async fn what_the_admin_api_acknowledged_survives_a_kill_at_once() {
    let simulated = Simulated::with_scenario(SCENARIO).await;
    let folder = TempDir::new().unwrap();
    let exporter = start(&simulated, folder.path(), "").start().await;
    put(&exporter, "Job:put", "{\"labels\": {\"team\": \"red\"}}").await;
    put(&exporter, "Job:still", "").await;
    assert_eq!(
        exporter.send("PUT", "/api/v1/jobs/Job:put", "{\"labels\": {\"team\": \"blue\"}}").await.status,
        200
    );
    killed(exporter).await;
    let exporter = start(&simulated, folder.path(), "").start().await;
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.job_ids(), ["Job:put", "Job:still"]);
    assert_eq!(scrape.value("grid_bulk_job_info", &[("jobId", "Job:put"), ("team", "blue")]), Some(1.0));
    assert_eq!(exporter.send("DELETE", "/api/v1/jobs/Job:put", "").await.status, 204);
    killed(exporter).await;
    let exporter = start(&simulated, folder.path(), "").start().await;
    assert_eq!(exporter.scrape().await.job_ids(), ["Job:still"]);
}

#[tokio::test]
async fn jobs_that_the_configuration_names_no_longer_are_gone_and_retention_goes_on() {
    let simulated = Simulated::with_scenario(SCENARIO).await;
    let folder = TempDir::new().unwrap();
    let exporter = start(&simulated, folder.path(), "jobs: [ 'Job:still' ]").start().await;
    put(&exporter, "Job:new", "").await;
    exporter.scrape_until("it ended", |scrape| has_ended(scrape, "Job:new")).await;
    killed(exporter).await;
    let exporter = start(&simulated, folder.path(), "retention: 1s").start().await;
    exporter.scrape_until("its retention is over", |scrape| scrape.job_ids().is_empty()).await;
    killed(exporter).await;
    let exporter = start(&simulated, folder.path(), "jobs: [ 'Job:still' ]").start().await;
    assert_eq!(exporter.scrape().await.job_ids(), ["Job:still"]);
}

#[tokio::test]
async fn a_folder_in_use_and_another_api_are_refused_by_one_line() {
    let simulated = Simulated::with_scenario(SCENARIO).await;
    let folder = TempDir::new().unwrap();
    let exporter = start(&simulated, folder.path(), "").start().await;
    let refused = |base_url: String| {
        let path = format!("--storage.path={}", folder.path().display());
        async move {
            let variables = [
                ("GRID_CLIENT_ID", "demo"),
                ("GRID_CLIENT_SECRET", "demo"),
                ("GRID_JOBS", "Job:a"),
                ("LIGHTSPARK_GRID_BASE_URL", &base_url),
            ];
            let address = "--web.listen-address=127.0.0.1:0";
            let finished = crate::support::exporter::run(&[address, &path], &variables).await;
            assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""), "{}", finished.stderr);
            assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
            finished.stderr
        }
    };
    assert!(refused(simulated.base_url.clone()).await.contains("is in use by another process"));
    exporter.write_config(
        "grid:\n  base_url: http://127.0.0.1:1/other\n  client_id: demo\n  client_secret: demo\njobs: [ 'Job:a' ]\n",
    );
    exporter.signal(Signal::HUP);
    exporter.log_until(&["grid.base_url", "another API", "restart"]).await;
    assert!(exporter.scrape().await.job_ids().is_empty(), "the configuration before runs on");
    killed(exporter).await;
    let line = refused("http://127.0.0.1:1/other".to_owned()).await;
    assert!(
        line.contains("holds what was learnt from") && line.contains("http://127.0.0.1:1/other"),
        "{line}"
    );
    start(&simulated, folder.path(), "").start().await;
}
