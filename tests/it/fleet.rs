//! Several exporters in one real Prometheus, with the shipped rules and the dashboards' own queries: whether the imports are
//! spread over shards, watched by a pair or belong to two accounts, each counts once, as with one exporter alone.

use crate::alerts::cut_down_rules;
use crate::support::exporter::{Exporter, Start};
use crate::support::prometheus::Prometheus;
use crate::support::simulator::Simulated;
use crate::support::wait_for;
use grid_bulk_exporter::sim::{Course, Ending, SimJobSpec};
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;

const JOBS: usize = 6;
/// So many rows in all fail that `GridBulkFailedRowsSpike`, from 500 on, is silent unless they count twice.
const ROWS: u64 = 300;

fn ids() -> Vec<String> {
    (0..JOBS).map(|number| format!("Job:fleet-{number}")).collect()
}

/// Fleets, told apart by the label `cluster`.
struct Fleets {
    targets: Vec<Value>,
    exporters: Vec<Exporter>,
}

impl Fleets {
    async fn add(&mut self, cluster: &str, more: Value, start: Start) {
        let exporter = start.start().await;
        let mut labels = json!({ "cluster": cluster });
        labels.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.targets.push(json!({ "targets": [exporter.address().to_string()], "labels": labels }));
        self.exporters.push(exporter);
    }
}

fn exporter(simulated: &Simulated, interval: &str, lines: &str) -> Start {
    Start::with_config(&format!(
        "grid: {{ base_url: '{}', client_id: demo, client_secret: demo }}\npoll: {{ interval: {interval} }}\n{lines}\n",
        simulated.base_url
    ))
}

/// The exporters, none of which knows an import yet. The second of the late pair asks only once.
async fn fleets(simulated: &Simulated, lists: &Path) -> Fleets {
    let mut fleets = Fleets { targets: Vec::new(), exporters: Vec::new() };
    let list = |name: &str| format!("job_files: [ '{}' ]", lists.join(name).display());
    let all = || exporter(simulated, "1s", &list("all.json"));
    for interval in ["1s", "1h"] {
        fleets.add("late", json!({}), exporter(simulated, interval, &list("all.json"))).await;
    }
    fleets.add("one", json!({}), all()).await;
    for shard in 0..2 {
        let flag = format!("--shard={shard}");
        fleets.add("shards", json!({}), all().argument(&flag).argument("--total-shards=2")).await;
        fleets.add("pair", json!({}), all()).await;
    }
    for account in ["eu", "us"] {
        let start = exporter(simulated, "1s", &list(&format!("{account}.json")));
        fleets.add("accounts", json!({ "account": account }), start).await;
    }
    fleets
}

fn write_list(lists: &Path, name: &str, ids: &[String]) {
    let text = if ids.is_empty() { json!([]) } else { json!([{ "targets": ids }]) };
    // In one step, since the exporters watch the file.
    let new = lists.join("new");
    std::fs::write(&new, text.to_string()).unwrap();
    std::fs::rename(new, lists.join(name)).unwrap();
}

/// All imports anew: they wait, or run from now on.
fn set_imports(simulated: &Simulated, runs: bool) {
    for id in ids() {
        let course = Course {
            rows: ROWS,
            rows_per_second: 100.0,
            failing_share: 0.2,
            starts_at: simulated.handle.now(),
            ending: if runs { Ending::Completed } else { Ending::NeverStarts },
            ..Course::default()
        };
        simulated.handle.add_job(SimJobSpec { id, course, faults: Vec::new() });
    }
}

/// A panel's query, as Grafana sends it with this cluster chosen.
fn query_of(dashboard: &str, title: &str, number: usize, cluster: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards").join(dashboard);
    let board: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut panels = board["panels"].as_array().unwrap().iter();
    let found = panels.find(|panel| panel["title"] == title).unwrap_or_else(|| panic!("no panel {title}"));
    let mut expression = found["targets"][number]["expr"].as_str().unwrap().to_owned();
    for (variable, value) in [("$__rate_interval", "5m"), ("$__range", "5m"), ("$cluster", cluster)] {
        expression = expression.replace(variable, value);
    }
    ["$jobId", "$job", "$instance", "$team"].iter().fold(expression, |text, name| text.replace(name, ".*"))
}

/// Waits until the sum over the query's series is this; shares of the whole suffice where a rate is extrapolated.
async fn adds_up(prometheus: &Prometheus, what: &str, query: &str, expected: f64, tolerance: f64) {
    wait_for(what, || async {
        let series = prometheus.query(query).await?;
        let sum: f64 = series.iter().map(|(_, value)| value).sum();
        let is_right = !series.is_empty() && (sum - expected).abs() <= tolerance * expected;
        if is_right { Ok(()) } else { Err(format!("{query}: {sum} is not {expected}: {series:?}")) }
    })
    .await;
}

#[tokio::test]
async fn shards_a_pair_and_two_accounts_count_each_import_once() {
    let lists = TempDir::new().unwrap();
    let names = ["all.json", "eu.json", "us.json"];
    for name in names {
        write_list(lists.path(), name, &[]);
    }
    let folder = TempDir::new().unwrap();
    let rules = cut_down_rules(folder.path(), "").await;
    let simulated = Simulated::with_scenario("jobs: [ { id: 'Job:any', rows: 1 } ]").await;
    set_imports(&simulated, false);
    let fleets = fleets(&simulated, lists.path()).await;
    std::fs::write(folder.path().join("targets.json"), Value::from(fleets.targets.clone()).to_string())
        .unwrap();
    let config = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
         rule_files: ['{rules}/grid-bulk-alerts.yml', '{rules}/grid-bulk-recording.yml']\n\
         scrape_configs:\n  - job_name: grid-bulk-exporter\n    file_sd_configs: [ {{ files: [targets.json] }} ]\n",
        rules = rules.display(),
    );
    let prometheus = Prometheus::start(folder, &config).await;
    let ids = ids();
    for (name, ids) in names.into_iter().zip([&ids[..], &ids[..2], &ids[2..]]) {
        write_list(lists.path(), name, ids);
    }
    // Twice in each of the two pairs, once elsewhere.
    let waiting = "count(grid_bulk_job_status{status=\"PENDING\"} == 1)";
    prometheus.query_until(waiting, (7 * JOBS) as f64).await;
    // Each counter is seen at 0 before it moves.
    prometheus.query_until("count(grid_bulk_rows_total == 0)", 18.0).await;
    set_imports(&simulated, true);
    let ended = "count by (cluster) (count by (cluster, jobId) (grid_bulk_job_status{status=\"COMPLETED\"} == 1) > 0)";
    adds_up(&prometheus, "all imports have ended in all fleets", ended, (5 * JOBS) as f64, 0.0).await;

    let states: Vec<_> = ids.iter().map(|id| simulated.handle.state(id).unwrap()).collect();
    let rows = JOBS as f64 * ROWS as f64;
    let failed = states.iter().map(|state| state.failed).sum::<u64>() as f64;
    assert!((260.0..480.0).contains(&failed), "{failed} rows failed");
    for cluster in ["one", "shards", "pair", "accounts"] {
        for (what, query, expected, tolerance) in [
            (
                "imports by status",
                query_of("overview.json", "Imports by status", 0, cluster),
                JOBS as f64,
                0.0,
            ),
            ("imports watched", query_of("exporter.json", "Imports watched", 0, cluster), JOBS as f64, 0.0),
            (
                "imports by status",
                query_of("exporter.json", "Imports by status", 0, cluster),
                JOBS as f64,
                0.0,
            ),
            ("rows per second", query_of("overview.json", "Rows per second", 0, cluster), rows / 300.0, 0.15),
            (
                "by result",
                query_of("overview.json", "Rows per second by result", 0, cluster),
                rows / 300.0,
                0.15,
            ),
            ("failed rows", query_of("overview.json", "Failed rows", 0, cluster), failed, 0.15),
            ("failure ratio", query_of("overview.json", "Failure ratio", 0, cluster), failed / rows, 0.15),
            (
                "recorded rate",
                format!("job:grid_bulk_rows:rate5m{{cluster=\"{cluster}\"}}"),
                rows / 300.0,
                0.15,
            ),
            (
                "recorded ratio",
                format!("avg(job:grid_bulk_failed_rows:ratio_rate5m{{cluster=\"{cluster}\"}})"),
                failed / rows,
                0.15,
            ),
            (
                "recorded progress",
                format!("jobId:grid_bulk_job_progress:ratio{{cluster=\"{cluster}\"}}"),
                JOBS as f64,
                0.0,
            ),
            (
                "one alert an import",
                format!("ALERTS{{alertname=\"GridBulkJobEndedWithFailedRows\",cluster=\"{cluster}\"}}"),
                JOBS as f64,
                0.0,
            ),
        ] {
            adds_up(&prometheus, &format!("{cluster}: {what}"), &query, expected, tolerance).await;
        }
    }
    let spike = prometheus.query("ALERTS{alertname=\"GridBulkFailedRowsSpike\",cluster!=\"late\"}").await;
    assert_eq!(spike, Ok(Vec::new()), "failed rows counted twice");

    // One half of this pair still takes them for waiting.
    let late = |query: &str| format!("count({query}{{cluster=\"late\",status=~\"PENDING|COMPLETED\"}} == 1)");
    prometheus.query_until(&late("grid_bulk_job_status"), (2 * JOBS) as f64).await;
    let by_status = query_of("overview.json", "Imports by status", 0, "late");
    adds_up(&prometheus, "late: imports by status", &by_status, JOBS as f64, 0.0).await;
    let statuses = query_of("overview.json", "All imports", 1, "late");
    let rows = prometheus.query(&statuses).await.unwrap();
    assert_eq!(rows.len(), JOBS, "one row an import: {rows:?}");
}
