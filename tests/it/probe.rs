//! `/probe` end to end: the real binary, the simulated API, and a real Prometheus with the configuration of the docs.

use crate::support::exporter::{Exporter, Start};
use crate::support::prometheus::Prometheus;
use crate::support::scrape::Scrape;
use crate::support::simulator::Simulated;
use crate::support::wait_for;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;

const JOBS: &str = "
jobs:
  - { id: 'Job:a', rows: 1000, rows_per_second: 100, starts_at: -5, failing_share: 0.1, stalls: [{ at: 4 }] }
  - { id: 'Job:b', rows: 200, rows_per_second: 100, starts_at: -60 }
  - { id: 'Job:hangs', faults: [ { fault: hang_head } ] }
  - { id: 'Job:stranger', rows: 50, rows_per_second: 1, starts_at: -10 }
";

async fn start(simulated: &Simulated, jobs: &str) -> Exporter {
    let config = format!(
        "grid:\n  base_url: {}\n  client_id: demo\n  client_secret: a-secret-of-the-demo\npoll: {{ interval: 10m }}\njobs: {jobs}\n",
        simulated.base_url
    );
    let secret = grid_bulk_exporter::secret::Secret::new("a-secret-of-the-demo".to_owned());
    simulated.handle.set_credentials("demo", &secret);
    let exporter = Start::with_config(&config).argument("--web.enable-probe").start().await;
    exporter.scrape_until("the first polls are made", |scrape| scrape.status("Job:a").is_some()).await;
    exporter
}

#[tokio::test]
async fn prometheus_gets_each_job_as_a_target_with_the_docs_configuration() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let jobs = "[ 'Job:b', { id: 'Job:a', labels: { team: red } } ]";
    let exporter = start(&simulated, jobs).await;
    let docs = std::fs::read_to_string(format!("{}/docs/probe.md", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let config = docs.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let config = config
        .replace("localhost:10310", &exporter.address().to_string())
        .replace("scrape_interval: 30s", "scrape_interval: 1s\n    scrape_timeout: 1s")
        .replace("/api/v1/sd", "/api/v1/sd\n        refresh_interval: 1s");
    let prometheus = Prometheus::start(TempDir::new().unwrap(), &config).await;
    prometheus
        .query_until("grid_bulk_job_failed_rows{jobId=\"Job:a\"} > 10", f64::from(failed(&exporter).await))
        .await;
    prometheus.query_until("grid_bulk_job_status{jobId=\"Job:b\",status=\"COMPLETED\"}", 1.0).await;
    prometheus.query_until("count(up{job=\"grid-bulk-jobs\"} == 1)", 2.0).await;
    prometheus.query_until("count({exported_jobId=~\".+\"}) or vector(0)", 0.0).await;
    prometheus.query_until("grid_bulk_job_info{jobId=\"Job:a\",team=\"red\"}", 1.0).await;
    // The same series and values as `/metrics` has.
    let scrape = exporter.scrape().await;
    let of_a =
        scrape.samples.iter().filter(|sample| sample.labels.get("jobId").is_some_and(|id| id == "Job:a"));
    let result = prometheus.query("count({__name__=~\"grid_bulk_job_.+\",jobId=\"Job:a\"})").await.unwrap();
    assert_eq!(result[0].1, of_a.count() as f64);
}

async fn failed(exporter: &Exporter) -> u32 {
    let failed = exporter.scrape().await.of_job("grid_bulk_job_failed_rows", "Job:a").unwrap();
    failed.to_string().parse().unwrap()
}

#[tokio::test]
async fn a_probe_polls_joins_and_counts_no_row_twice() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let exporter = start(&simulated, "[ 'Job:a', 'Job:b' ]").await;
    let rows = "grid_bulk_rows_total";
    let before = exporter.scrape().await.value(rows, &[("result", "successful")]);
    wait_for("what was read is five seconds old", || async {
        let answer = exporter.get("/probe?target=Job:a&debug=true").await.text();
        if answer.contains("asks the API") { Ok(()) } else { Err(answer) }
    })
    .await;
    let polls = simulated.handle.requests_of("Job:a");
    for _ in 0..5 {
        let answer = exporter.get("/probe?target=Job:a").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        let scrape = Scrape::parse(&answer.text());
        assert_eq!(scrape.value("grid_bulk_job_processed_rows", &[]), Some(400.0));
        assert_eq!(scrape.value("grid_bulk_job_poll_success", &[]), Some(1.0));
        assert!(
            scrape.samples.iter().all(|sample| sample.name.starts_with("grid_bulk_job_")),
            "its series alone"
        );
    }
    assert_eq!(simulated.handle.requests_of("Job:a"), polls, "what is young is told again");
    assert_eq!(exporter.scrape().await.value(rows, &[("result", "successful")]), before);
    assert_eq!(exporter.get("/probe?target=Job:b").await.status, 200);
    assert_eq!(simulated.handle.requests_of("Job:b"), 1, "one that ended is not asked for again");
}

#[tokio::test]
async fn unknown_and_failing_jobs_are_200_with_poll_success_0_and_nobody_joins_the_set() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let exporter = start(&simulated, "[ 'Job:a' ]").await;
    let unknown = Scrape::parse(&exporter.get("/probe?target=Job:none").await.text());
    assert_eq!(unknown.value("grid_bulk_job_poll_success", &[]), Some(0.0));
    assert_eq!(unknown.value("grid_bulk_job_processed_rows", &[]), None);
    let stranger = Scrape::parse(&exporter.get("/probe?target=Job%3Astranger").await.text());
    assert_eq!(stranger.value("grid_bulk_job_poll_success", &[]), Some(1.0));
    assert!(stranger.value("grid_bulk_job_processed_rows", &[]) >= Some(10.0));
    let began = Instant::now();
    let headers = [("X-Prometheus-Scrape-Timeout-Seconds", "1.5")];
    let slow = exporter.request("GET", "/probe?target=Job:hangs", &headers).await;
    assert!(began.elapsed() >= Duration::from_millis(990), "{:?}", began.elapsed());
    assert_eq!(slow.status, 200);
    assert_eq!(Scrape::parse(&slow.text()).value("grid_bulk_job_poll_success", &[]), Some(0.0));
    let debug = exporter.request("GET", "/probe?target=Job:hangs&debug=true", &headers).await.text();
    assert!(debug.contains("not read within 1 s") && debug.contains("joins a poll"), "{debug}");
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.job_ids(), ["Job:a"]);
    assert_eq!(scrape.value("grid_bulk_rows_total", &[("result", "successful")]), Some(0.0));
}

#[tokio::test]
async fn the_whole_course_is_told_without_secrets() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let exporter = start(&simulated, "[ 'Job:a' ]").await;
    let answer = exporter.get("/probe?target=Job:stranger&debug=true").await;
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    let text = answer.text();
    for part in [
        "Probe of Job:stranger",
        "not watched",
        "attempt 1",
        "HTTP 200 after",
        "read: PROCESSING",
        "Metrics that would have been returned:\n# HELP",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains("a-secret-of-the-demo") && !text.to_lowercase().contains("basic "), "{text}");
}

#[tokio::test]
async fn what_can_not_be_probed_is_told_in_one_line_and_never_reaches_the_api() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let exporter = start(&simulated, "[ 'Job:a' ]").await;
    simulated.handle.clear_requests();
    for query in [
        "",
        "?target=",
        "?target=..",
        "?target=..%2F..%2Fadmin",
        "?target=Job:a&targets=x",
        "?target=a%0Ab",
        "?debug=true",
    ] {
        let answer = exporter.get(&format!("/probe{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.text().lines().count(), 1, "{query}: {}", answer.text());
    }
    let timeout = [("X-Prometheus-Scrape-Timeout-Seconds", "soon")];
    assert_eq!(exporter.request("GET", "/probe?target=Job:b", &timeout).await.status, 400);
    assert_eq!(exporter.request("POST", "/probe?target=Job:b", &[]).await.status, 405);
    for id in ["..", "admin", "none"] {
        assert_eq!(simulated.handle.requests_of(id), 0);
    }
    assert_eq!(simulated.handle.requests().of_job("Job:b").count(), 0);

    let off = Start::without_config()
        .variable("GRID_CLIENT_ID", "demo")
        .variable("GRID_CLIENT_SECRET", "demo")
        .variable("LIGHTSPARK_GRID_BASE_URL", &simulated.base_url)
        .argument("--job=Job:a")
        .start()
        .await;
    let answer = off.get("/probe?target=Job:a").await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("--web.enable-probe"));
}

#[tokio::test]
async fn a_prober_gets_gzip_where_it_asks_for_it() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let exporter = start(&simulated, "[ 'Job:a' ]").await;
    let path = "/probe?target=Job:b";
    let plain = exporter.get(path).await;
    assert_eq!(plain.header("content-encoding"), "");
    let packed = exporter.request("GET", path, &[("Accept-Encoding", "gzip")]).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_eq!(packed.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed.body[..]), &mut text).unwrap();
    assert!(text.contains("grid_bulk_job_status{status=\"COMPLETED\"} 1\n"), "{text}");
}
