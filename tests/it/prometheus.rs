//! A real Prometheus scrapes the running exporter.

use crate::support::exporter::Start;
use crate::support::prometheus::Prometheus;
use crate::support::simulator::Simulated;
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

const JOBS: &str = "
jobs:
  - { id: 'Job:runs', rows: 1000000, rows_per_second: 500, starts_at: -5, failing_share: 0.2 }
  - { id: 'Job:done', rows: 200, rows_per_second: 100, starts_at: -60 }
  - { id: 'Job:waits', ends: never starts }
";

fn scrape_config(target: std::net::SocketAddr) -> String {
    format!(
        "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: grid-bulk-exporter\n    static_configs:\n      - targets: [\"{target}\"]\n"
    )
}

#[tokio::test]
async fn prometheus_scrapes_the_exporter_and_answers_from_its_series() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let config = format!(
        "grid: {{ base_url: '{}', client_id: demo, client_secret: demo }}\npoll: {{ interval: 1s }}\njobs:\n  - {{ id: 'Job:runs', labels: {{ team: red }} }}\n  - Job:done\n  - Job:waits\n",
        simulated.base_url
    );
    let exporter = Start::with_config(&config).start().await;
    let prometheus = Prometheus::start(TempDir::new().unwrap(), &scrape_config(exporter.address())).await;

    prometheus.query_until("up{job=\"grid-bulk-exporter\"}", 1.0).await;
    prometheus.query_until("grid_bulk_job_status{jobId=\"Job:runs\",status=\"PROCESSING\"}", 1.0).await;
    prometheus.query_until("sum(grid_bulk_job_status)", 3.0).await;
    prometheus.query_until("count(grid_bulk_job_status)", 15.0).await;
    prometheus.query_until("grid_bulk_job_processed_rows{jobId=\"Job:done\"}", 200.0).await;
    prometheus.query_until("sum(grid_bulk_jobs)", 3.0).await;
    prometheus.query_until("count(grid_bulk_job_info{team=\"red\"})", 1.0).await;
    prometheus.query_until("grid_bulk_up", 1.0).await;
    // One scrape shows one job in one state.
    prometheus
        .query_until(
            "grid_bulk_job_processed_rows{jobId=\"Job:runs\"} - grid_bulk_job_successful_rows - grid_bulk_job_failed_rows",
            0.0,
        )
        .await;
    // The counter moves with the job; a rate needs two scrapes.
    crate::support::wait_for("rows a second", || async {
        let result = prometheus.query("sum(rate(grid_bulk_rows_total[10s]))").await?;
        match result.as_slice() {
            [(_, rate)] if *rate > 10.0 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    // Types as Prometheus understood them.
    let metadata = crate::support::http::get(prometheus.address, "/api/v1/metadata").await.unwrap().json();
    assert_eq!(metadata["data"]["grid_bulk_job_failed_rows"][0]["type"], "gauge");
    // It took OpenMetrics, in which a counter's family has no `_total`.
    assert_eq!(metadata["data"]["grid_bulk_rows"][0]["type"], "counter");
    assert_eq!(metadata["data"]["grid_bulk_api_request_duration_seconds"][0]["type"], "histogram");
}

#[tokio::test]
async fn promtool_has_one_complaint_and_that_is_the_labels_name() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let config = format!(
        "grid: {{ base_url: '{}', client_id: demo, client_secret: demo }}\njobs: [ 'Job:runs', 'Job:done' ]\n",
        simulated.base_url
    );
    let exporter = Start::with_config(&config).start().await;
    exporter
        .scrape_until("all jobs are read", |scrape| {
            scrape.value("grid_bulk_jobs", &[("status", "UNPOLLED")]) == Some(0.0)
        })
        .await;
    let text = exporter.get("/metrics").await.body;
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts; tests/run installs it");
    let mut input = promtool.stdin.take().unwrap();
    input.write_all(&text).await.unwrap();
    drop(input);
    let output = promtool.wait_with_output().await.unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let others: Vec<_> = said
        .lines()
        .filter(|line| {
            // `jobId` is the label's name by contract, whatever linters say of its case.
            !(line.starts_with("grid_bulk_job_")
                && line.ends_with("label names should be written in 'snake_case' not 'camelCase'"))
        })
        .collect();
    assert_eq!(others, Vec::<&str>::new());
    assert!(!said.is_empty(), "it read our metrics at all");
}
