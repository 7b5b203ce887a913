//! Good answers that contradict themselves or each other: shown as they came, counted, and told once.

use super::matrix::{SHORT_LIMITS, all_are_read, config, faults, simulator, success};
use crate::support::exporter::{Exporter, Start};
use crate::support::scrape::Scrape;
use crate::support::simulator::Simulated;
use crate::support::wait_for;

/// An exporter that has read `Job:a` and `Job:b` well, before `Job:a` gets its faults.
async fn begin(text: &str) -> (Simulated, Exporter) {
    let jobs = ["Job:a", "Job:b"].map(str::to_owned);
    let simulated = simulator(&jobs).await;
    let exporter = Start::with_config(&config(&simulated.base_url, SHORT_LIMITS, &jobs)).start().await;
    exporter.scrape_until("all jobs are read", all_are_read).await;
    assert!(simulated.handle.set_faults("Job:a", faults(text)));
    (simulated, exporter)
}

fn kinds(scrape: &Scrape) -> Vec<(String, f64)> {
    scrape
        .series("grid_bulk_api_inconsistent_answers_total", &[])
        .filter(|sample| sample.value > 0.0)
        .map(|sample| (sample.labels["kind"].clone(), sample.value))
        .collect()
}

/// The fault is counted as these kinds, poll for poll, and told once for each.
async fn contradicts(fault: &str, expected: &[&str], shown: &[(&str, f64)]) {
    let (simulated, exporter) = begin(fault).await;
    let asked = simulated.handle.requests_of("Job:a");
    wait_for("three more polls", || async {
        let now = simulated.handle.requests_of("Job:a");
        if now >= asked + 3 { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
    let scrape = exporter
        .scrape_until(fault, |scrape| {
            kinds(scrape).iter().map(|(kind, _)| kind.as_str()).eq(expected.iter().copied())
        })
        .await;
    for (name, value) in shown {
        assert_eq!(scrape.of_job(name, "Job:a"), Some(*value), "{fault}: as it came");
    }
    assert_eq!(success(&scrape, "Job:a"), 1.0, "{fault}: the poll is good");
    for result in ["successful", "failed"] {
        assert_eq!(scrape.value("grid_bulk_rows_total", &[("result", result)]), Some(0.0), "{fault}");
    }
    for kind in expected {
        let log = exporter.log();
        let text = format!(" kind={kind} ");
        let told: Vec<_> = log.lines().filter(|line| line.contains(&text)).collect();
        assert_eq!(told.len(), 1, "{fault}: {log}");
        assert!(told[0].contains("level=warn") && told[0].contains("job=Job:a"), "{}", told[0]);
    }
}

#[tokio::test]
async fn counts_that_contradict_each_other_are_shown_counted_and_told_once() {
    const PROCESSED: &str = "grid_bulk_job_processed_rows";
    const FAILED: &str = "grid_bulk_job_failed_rows";
    const TOTAL: &str = "grid_bulk_job_total_rows";
    tokio::join!(
        contradicts("counts, processed: 1200", &["counts"], &[(PROCESSED, 1200.0)]),
        contradicts("counts, processed: 401", &["counts"], &[(PROCESSED, 401.0)]),
        contradicts("counts, failed: -1", &["counts", "fell"], &[(FAILED, -1.0)]),
        contradicts("counts, failed: 40.5", &["counts"], &[]),
        contradicts("counts, failed: 1e30", &["counts"], &[(FAILED, 1e30)]),
        contradicts("counts, failed: 9007199254740994", &["counts"], &[(FAILED, 9_007_199_254_740_994.0)]),
        contradicts("counts, total: 999", &["fell"], &[(TOTAL, 999.0)]),
        contradicts("status_word, word: PENDING", &["status"], &[(TOTAL, 1000.0)]),
        contradicts("completed_at, value: yesterday", &["completed_at"], &[(TOTAL, 1000.0)]),
    );
}

#[tokio::test]
async fn a_new_status_is_unknown_told_once_and_polled_on() {
    let (simulated, exporter) = begin("status_word, word: PAUSED").await;
    let scrape = exporter
        .scrape_until("the new status", |scrape| scrape.status("Job:a").as_deref() == Some("UNKNOWN"))
        .await;
    assert_eq!(success(&scrape, "Job:a"), 1.0);
    let asked = simulated.handle.requests_of("Job:a");
    wait_for("it is polled on", || async {
        let now = simulated.handle.requests_of("Job:a");
        if now >= asked + 3 { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
    let log = exporter.log();
    assert_eq!(log.matches("a status that this version doesn't know").count(), 1, "{log}");
    assert!(log.contains("word=PAUSED"), "{log}");
    let document = exporter.get("/api/v1/jobs").await.json();
    assert_eq!(document["jobs"][0]["rawStatus"], "PAUSED");
}

#[tokio::test]
async fn a_job_that_completed_short_of_its_total_is_shown_so() {
    let (_simulated, exporter) = begin("status_word, word: COMPLETED").await;
    let scrape = exporter
        .scrape_until("it ended", |scrape| scrape.status("Job:a").as_deref() == Some("COMPLETED"))
        .await;
    assert_eq!(kinds(&scrape), [("counts".to_owned(), 1.0)]);
    assert_eq!(scrape.of_job("grid_bulk_job_processed_rows", "Job:a"), Some(400.0));
    assert_eq!(scrape.of_job("grid_bulk_job_completed_timestamp_seconds", "Job:a"), None);
}

/// 304 and quota headers, where the API offers them.
#[tokio::test]
async fn quota_headers_are_published_and_conditional_requests_are_made() {
    let scenario = "
api: { etag: true, rate_limit: { requests_per_second: 40, quota_headers: true } }
jobs: [ { id: 'Job:a', rows: 1000, rows_per_second: 100, starts_at: -5, stalls: [{ at: 4 }] } ]
";
    let simulated = Simulated::with_scenario(scenario).await;
    let yaml = config(&simulated.base_url, SHORT_LIMITS, &["Job:a".to_owned()])
        .replace(super::matrix::CLIENT, "demo")
        .replace(super::matrix::SECRET, "demo");
    let exporter = Start::with_config(&yaml).start().await;
    let scrape = exporter
        .scrape_until("unchanged answers", |scrape| {
            scrape.value("grid_bulk_api_requests_total", &[("code", "304")]) >= Some(2.0)
        })
        .await;
    assert_eq!(scrape.value("grid_bulk_api_requests_total", &[("code", "200")]), Some(1.0));
    assert_eq!(scrape.status("Job:a").as_deref(), Some("PROCESSING"));
    assert_eq!(success(&scrape, "Job:a"), 1.0);
    assert_eq!(scrape.value("grid_bulk_api_quota_limit", &[]), Some(40.0));
    assert!(scrape.value("grid_bulk_api_quota_remaining", &[]) >= Some(1.0));
    assert!(scrape.value("grid_bulk_api_quota_reset_timestamp_seconds", &[]) > Some(1.7e9));
}

#[tokio::test]
async fn switching_the_checks_of_certificates_off_warns_once_at_every_start() {
    let yaml = config(
        "https://localhost:1/v1",
        "  tls_config: { insecure_skip_verify: true }\n",
        &["Job:a".to_owned()],
    );
    let exporter = Start::with_config(&yaml).start().await;
    let log = exporter.log();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("insecure_skip_verify")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("level=warn"), "{log}");
}
