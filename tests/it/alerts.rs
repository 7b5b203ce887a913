//! From a failing row to a message: simulator, exporter, a real Prometheus with the rules, a real Alertmanager with the
//! shipped routes, and a receiver.

use crate::support::alertmanager::Alertmanager;
use crate::support::exporter::{Exporter, Start};
use crate::support::prometheus::Prometheus;
use crate::support::simulator::Simulated;
use crate::support::wait_for;
use grid_bulk_exporter::secret::Secret;
use grid_bulk_exporter::sim::SimOptions;
use std::net::SocketAddr;
use std::path::Path;
use tempfile::TempDir;
use tokio::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn exporter_config(base_url: &str, jobs: &str) -> String {
    format!(
        "grid: {{ base_url: '{base_url}', client_id: demo, client_secret: demo }}\npoll: {{ interval: 1s }}\njobs: {jobs}\n"
    )
}

/// A `prometheus.yml` that scrapes and evaluates each second what stands in `targets.yml` beside it.
fn prometheus_config(alertmanager: SocketAddr, rules: &Path) -> String {
    format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
         rule_files: ['{rules}/grid-bulk-alerts.yml', '{rules}/grid-bulk-recording.yml']\n\
         alerting: {{ alertmanagers: [ {{ static_configs: [ {{ targets: ['{alertmanager}'] }} ] }} ] }}\n\
         scrape_configs:\n  - job_name: grid-bulk-exporter\n    file_sd_configs: [ {{ files: [targets.yml], refresh_interval: 1s }} ]\n",
        rules = rules.display(),
    )
}

/// Makes Prometheus scrape the exporter from now on. The servers take a while to start, and the jobs' stories should
/// begin when they are seen.
fn scrape(prometheus: &Prometheus, exporter: &Exporter) {
    let target = exporter.address();
    std::fs::write(prometheus.folder.path().join("targets.yml"), format!("- targets: ['{target}']\n"))
        .unwrap();
}

/// Windows and waits of seconds.
const CUT: &str = "
    JobFailedRowsSpike+: { keep: '1s', window: '12s', bornWindow: '60s' },
    JobFailedRatioSpike+: { 'for': '2s', keep: '1s', window: '12s' },
    FailedRowsSpike+: { 'for': '2s', window: '12s' },
    JobStalled+: { 'for': '1s', keep: '1s', unchangedSeconds: 6 },
    CredentialsRefused+: { 'for': '2s', window: '60s' },
    ExporterBlind+: { 'for': '2s', window: '3s' },
    ExporterDown+: { 'for': '2s' },
";

/// Waits of seconds, windows as shipped.
const SOON: &str = "
    JobFailedRatioSpike+: { 'for': '2s' },
    FailedRowsSpike+: { 'for': '2s' },
    JobStalled+: { 'for': '1s' },
";

/// The rules from the mixin, evaluated each second, with these figures in place of the shipped ones.
pub async fn cut_down_rules(folder: &Path, alerts: &str) -> std::path::PathBuf {
    let config = folder.join("cut.jsonnet");
    let text = format!("{{ _config+:: {{ evaluationInterval: '1s', alerts+: {{ {alerts} }} }} }}");
    std::fs::write(&config, text).unwrap();
    let output = Command::new(format!("{ROOT}/deploy/mixin/generate"))
        .arg("--config")
        .arg(&config)
        .arg("--output")
        .arg(folder)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder.join("deploy/prometheus")
}

/// Waits until all rules were evaluated so many more times.
async fn more_evaluations(prometheus: &Prometheus, more: f64) {
    let evaluated = || async {
        let metrics = crate::support::http::get(prometheus.address, "/metrics").await?.text();
        let lines =
            metrics.lines().filter(|line| line.starts_with("prometheus_rule_group_iterations_total{"));
        let counts: Vec<f64> = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse().ok()).collect();
        counts.into_iter().reduce(f64::min).ok_or_else(|| "no group was evaluated".to_owned())
    };
    let before = evaluated().await.unwrap();
    wait_for("more evaluations", || async {
        let now = evaluated().await?;
        if now >= before + more { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
}

async fn no_rule_failed(prometheus: &Prometheus) {
    // Prometheus does not scrape itself here, so its own metrics are read directly.
    let metrics = crate::support::http::get(prometheus.address, "/metrics").await.unwrap().text();
    let failed: Vec<_> = metrics
        .lines()
        .filter(|line| line.starts_with("prometheus_rule_evaluation_failures_total") && !line.ends_with(" 0"))
        .collect();
    assert_eq!(failed, Vec::<&str>::new());
    assert!(metrics.contains("prometheus_rule_evaluations_total"), "it evaluates rules at all");
}

#[tokio::test]
async fn a_spike_a_stall_a_failure_and_a_dead_exporter_reach_the_receiver_and_end() {
    let scenario = "
jobs:
  - { id: 'Job:spike', rows: 1000000, rows_per_second: 100, spikes: [ { at: 25, for: 6, share: 0.9, code: DUPLICATE_CUSTOMER } ] }
  - { id: 'Job:calm', rows: 1000000, rows_per_second: 100, failing_share: 0.001 }
  - { id: 'Job:stalls', rows: 1000000, rows_per_second: 100, stalls: [ { at: 3, for: 35 } ] }
  - { id: 'Job:fails', rows: 100000, rows_per_second: 100, ends: FAILED, fails_after: 5 }
";
    let alertmanager = Alertmanager::start().await;
    let folder = TempDir::new().unwrap();
    let rules = cut_down_rules(folder.path(), CUT).await;
    let prometheus = Prometheus::start(folder, &prometheus_config(alertmanager.address, &rules)).await;
    let simulated = Simulated::with_scenario(scenario).await;
    let jobs = "[ { id: 'Job:spike', labels: { name: eu-launch } }, 'Job:calm', 'Job:stalls', 'Job:fails' ]";
    let exporter = Start::with_config(&exporter_config(&simulated.base_url, jobs)).start().await;
    scrape(&prometheus, &exporter);

    let spike = alertmanager.notice("GridBulkJobFailedRowsSpike", Some("Job:spike"), true).await;
    assert_eq!(spike.receiver, "tickets");
    assert_eq!(spike.labels["severity"], "warning");
    let text = spike.annotations["description"].as_str().unwrap();
    assert!(text.contains("Job:spike (eu-launch)") && text.contains("rows failed within"), "{text}");
    let dashboard = spike.annotations["dashboard_url"].as_str().unwrap();
    assert!(dashboard.ends_with("/d/grid-bulk-job?var-jobId=Job%3Aspike"), "{dashboard}");
    assert!(spike.annotations["runbook_url"].as_str().unwrap().ends_with("/GridBulkJobFailedRowsSpike.md"));

    let ratio = alertmanager.notice("GridBulkJobFailedRatioSpike", Some("Job:spike"), true).await;
    assert_eq!((ratio.receiver.as_str(), &ratio.labels["severity"]), ("on-call", &"critical".into()));
    let failed = alertmanager.notice("GridBulkJobFailed", Some("Job:fails"), true).await;
    assert_eq!(failed.receiver, "on-call-once");
    let stalled = alertmanager.notice("GridBulkJobStalled", Some("Job:stalls"), true).await;
    assert_eq!(stalled.receiver, "on-call");

    // It ends by itself once the window has passed the spike, and was told once.
    alertmanager.notice("GridBulkJobFailedRowsSpike", Some("Job:spike"), false).await;
    let told = alertmanager.notices();
    let firing = told
        .iter()
        .filter(|notice| notice.is("GridBulkJobFailedRowsSpike", Some("Job:spike")) && notice.firing);
    assert_eq!(firing.count(), 1, "{told:#?}");
    let calm: Vec<_> = told.iter().filter(|notice| notice.labels["jobId"] == "Job:calm").collect();
    assert!(calm.is_empty(), "{calm:#?}");
    no_rule_failed(&prometheus).await;

    alertmanager.notice("GridBulkJobFailedRatioSpike", Some("Job:spike"), false).await;
    alertmanager.notice("GridBulkJobStalled", Some("Job:stalls"), false).await;

    simulated.handle.set_credentials("demo", &Secret::new("another".to_owned()));
    let refused = alertmanager.notice("GridBulkCredentialsRefused", None, true).await;
    assert_eq!((refused.receiver.as_str(), &refused.labels["severity"]), ("on-call", &"critical".into()));
    alertmanager.is_inhibited("GridBulkExporterBlind", ("job", "grid-bulk-exporter")).await;
    simulated.handle.set_credentials("demo", &Secret::new("demo".to_owned()));

    drop(exporter);
    let down = alertmanager.notice("GridBulkExporterDown", None, true).await;
    assert_eq!(down.receiver, "on-call");
    // Nobody knows anything of imports now: what is told of them is held back.
    alertmanager.is_inhibited("GridBulkJobFailed", ("jobId", "Job:fails")).await;
}

#[tokio::test]
async fn what_an_alert_explains_is_held_back_and_nothing_else() {
    let alertmanager = Alertmanager::start().await;
    for labels in [
        ["alertname=GridBulkCredentialsRefused", "job=a", "severity=critical", "cluster=x"],
        ["alertname=GridBulkExporterBlind", "job=a", "severity=critical", "cluster=x"],
        ["alertname=GridBulkJobStalled", "job=a", "severity=critical", "cluster=x"],
        ["alertname=GridBulkJobStalled", "job=a", "severity=critical", "cluster=y"],
        ["alertname=GridBulkJobStalled", "job=b", "severity=critical", "cluster=x"],
        ["alertname=GridBulkApiErrors", "job=a", "severity=warning", "cluster=x"],
    ] {
        alertmanager.add(&labels).await;
    }
    alertmanager.is_inhibited("GridBulkExporterBlind", ("job", "a")).await;
    // By hand, since three alerts have the same name.
    let document = crate::support::http::get(alertmanager.address, "/api/v2/alerts").await.unwrap().json();
    for alert in document.as_array().unwrap() {
        let labels = &alert["labels"];
        let explained = labels["job"] == "a"
            && labels["cluster"] == "x"
            && (labels["alertname"] == "GridBulkExporterBlind"
                || labels["alertname"] == "GridBulkJobStalled");
        let expected = if explained { "suppressed" } else { "active" };
        assert_eq!(alert["status"]["state"], expected, "{alert}");
    }
}

#[tokio::test]
async fn failures_that_were_there_at_the_first_scrape_are_told_and_three_of_four_rows_are_not() {
    let scenario = "
jobs:
  - { id: 'Job:born-bad', rows: 1000000, rows_per_second: 200, starts_at: -20, failing_share: 0.5 }
  - { id: 'Job:tiny', rows: 4, rows_per_second: 100, starts_at: -20, failing_share: 0.75 }
  - { id: 'Job:calm', rows: 1000000, rows_per_second: 200, starts_at: -20 }
";
    let alertmanager = Alertmanager::start().await;
    let folder = TempDir::new().unwrap();
    let rules = cut_down_rules(folder.path(), SOON).await;
    let prometheus = Prometheus::start(folder, &prometheus_config(alertmanager.address, &rules)).await;
    let simulated = Simulated::with_scenario(scenario).await;
    let jobs = "[ 'Job:born-bad', 'Job:tiny', 'Job:calm' ]";
    let exporter = Start::with_config(&exporter_config(&simulated.base_url, jobs)).start().await;
    scrape(&prometheus, &exporter);
    let spike = alertmanager.notice("GridBulkJobFailedRowsSpike", Some("Job:born-bad"), true).await;
    assert_eq!(spike.labels["severity"], "warning");
    no_rule_failed(&prometheus).await;
    // Long enough for every alert that may come within seconds to be told.
    more_evaluations(&prometheus, 10.0).await;
    let others: Vec<_> = alertmanager
        .notices()
        .into_iter()
        .filter(|notice| {
            notice.labels["jobId"] != "Job:born-bad" && notice.labels["jobId"] != serde_json::Value::Null
        })
        .collect();
    assert!(others.is_empty(), "{others:#?}");
}

#[tokio::test]
async fn the_shipped_rules_tell_of_failures_that_were_there_at_the_first_scrape() {
    let scenario = "jobs: [ { id: 'Job:born-bad', rows: 1000000, rows_per_second: 200, starts_at: -20, failing_share: 0.5 } ]";
    let alertmanager = Alertmanager::start().await;
    let rules = Path::new(ROOT).join("deploy/prometheus");
    // The shipped groups are evaluated each 30 s; the first evaluation comes at a random point within that.
    let config = prometheus_config(alertmanager.address, &rules);
    let prometheus = Prometheus::start(TempDir::new().unwrap(), &config).await;
    let simulated = Simulated::with_scenario(scenario).await;
    let exporter =
        Start::with_config(&exporter_config(&simulated.base_url, "[ 'Job:born-bad' ]")).start().await;
    scrape(&prometheus, &exporter);
    let spike = alertmanager.notice("GridBulkJobFailedRowsSpike", Some("Job:born-bad"), true).await;
    assert_eq!(spike.receiver, "tickets");
    no_rule_failed(&prometheus).await;
}

/// Asks every query of the dashboards until all are answered.
async fn evaluate(prometheus: &Prometheus, arguments: &[&str]) {
    wait_for("all queries are answered", || async {
        let output = Command::new(format!("{ROOT}/tests/mixin/evaluate"))
            .arg(format!("http://{}", prometheus.address))
            .args(["--range", "5m", "--longest", "10"])
            .args(arguments)
            .output()
            .await
            .unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(()) } else { Err(said) }
    })
    .await;
}

#[tokio::test]
async fn without_imports_the_dashboards_are_empty_and_not_broken() {
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    let rules = Path::new(ROOT).join("deploy/prometheus");
    let prometheus = Prometheus::start(TempDir::new().unwrap(), &prometheus_config(nobody, &rules)).await;
    evaluate(&prometheus, &["--imports", "0"]).await;
}

#[tokio::test]
async fn a_thousand_imports_draw_no_thousand_lines() {
    let jobs = 1000;
    let options = SimOptions { jobs, ..SimOptions::default() };
    let simulated = Simulated::start(options).await;
    let ids: Vec<String> = simulated
        .handle
        .job_ids()
        .iter()
        .map(|id| format!("{{ id: '{id}', labels: {{ name: n, team: red }} }}"))
        .collect();
    assert_eq!(ids.len(), 1000);
    let config = exporter_config(&simulated.base_url, &format!("[ {} ]", ids.join(", ")))
        .replace("interval: 1s", "interval: 5s, max_requests_per_second: 500");
    let exporter = Start::with_config(&config).start().await;
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    let rules = Path::new(ROOT).join("deploy/prometheus");
    let prometheus = Prometheus::start(TempDir::new().unwrap(), &prometheus_config(nobody, &rules)).await;
    scrape(&prometheus, &exporter);
    prometheus.query_until("sum(grid_bulk_jobs{status!=\"UNPOLLED\"})", 1000.0).await;
    prometheus.query_until("count(count_over_time(grid_bulk_up[1m]) >= 5)", 1.0).await;
    evaluate(&prometheus, &["--imports", "1000"]).await;
}

#[tokio::test]
async fn every_query_of_the_dashboards_is_answered() {
    let scenario = "
jobs:
  - { id: 'Job:a', rows: 1000000, rows_per_second: 100, starts_at: -30, failing_share: 0.1 }
  - { id: 'Job:b', rows: 500, rows_per_second: 100, starts_at: -60, failing_share: 0.1 }
  - { id: 'Job:c', ends: never starts }
  - { id: 'Job:d', rows: 1000, rows_per_second: 100, ends: FAILED, starts_at: -60, failing_share: 1 }
";
    let simulated = Simulated::with_scenario(scenario).await;
    let jobs = "[ { id: 'Job:a', labels: { name: eu-launch, team: red } }, { id: 'Job:b', labels: { team: blue } }, 'Job:c', 'Job:d' ]";
    let exporter = Start::with_config(&exporter_config(&simulated.base_url, jobs)).start().await;
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    let rules = Path::new(ROOT).join("deploy/prometheus");
    let prometheus = Prometheus::start(TempDir::new().unwrap(), &prometheus_config(nobody, &rules)).await;
    scrape(&prometheus, &exporter);
    prometheus.query_until("count(count_over_time(grid_bulk_up[1m]) >= 8)", 1.0).await;
    evaluate(&prometheus, &["--imports", "4", "--job-id", "Job:a"]).await;
}
