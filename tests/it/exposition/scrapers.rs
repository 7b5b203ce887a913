//! The real binary, scraped by curl and by real Prometheus servers with each set of flags that changes the format.

use crate::support::exporter::{Exporter, Start};
use crate::support::prometheus::{Prometheus, encode};
use crate::support::simulator::Simulated;
use crate::support::{http, wait_for};
use std::collections::BTreeSet;
use tempfile::TempDir;
use tokio::process::Command;

/// One that ends after the exporter began, so that it moves the counters, one that ended before, and one that is
/// polled all the time without a change.
const JOBS: &str = "
jobs:
  - { id: 'Job:moves', rows: 400, rows_per_second: 200, starts_at: 2, failing_share: 0.2 }
  - { id: 'Job:done', rows: 200, rows_per_second: 100, starts_at: -60 }
  - { id: 'Job:waits', ends: never starts }
";

const LATENCIES: [&str; 2] =
    ["grid_bulk_api_request_duration_seconds", "grid_bulk_exporter_poll_cycle_duration_seconds"];

async fn start() -> (Simulated, Exporter) {
    let simulated = Simulated::with_scenario(JOBS).await;
    let config = format!(
        "grid: {{ base_url: '{}', client_id: demo, client_secret: demo }}\npoll: {{ interval: 1s }}\njobs:\n  - {{ id: 'Job:moves', labels: {{ team: 'red \"1\"' }} }}\n  - Job:done\n  - Job:waits\n",
        simulated.base_url
    );
    let exporter = Start::with_config(&config).start().await;
    exporter
        .scrape_until("the imports ended", |scrape| {
            scrape.value("grid_bulk_jobs", &[("status", "COMPLETED")]) == Some(2.0)
                && scrape.value("grid_bulk_exporter_poll_cycle_duration_seconds_count", &[]) > Some(0.0)
        })
        .await;
    (simulated, exporter)
}

async fn prometheus(exporter: &Exporter, flags: &[&str]) -> Prometheus {
    let config = format!(
        "global: {{ scrape_interval: 1s }}\nscrape_configs:\n  - job_name: grid-bulk-exporter\n    static_configs:\n      - targets: ['{}']\n",
        exporter.address()
    );
    Prometheus::start_with(TempDir::new().unwrap(), &config, flags).await
}

const NATIVE: &str = "--enable-feature=native-histograms,exemplar-storage";
const CLASSIC: &str = "--enable-feature=exemplar-storage";

/// All series of the exporter that Prometheus has now, and the values of those that stand still.
async fn all_series(prometheus: &Prometheus) -> BTreeSet<String> {
    wait_for("all series are there", || async {
        let series = prometheus.query("{job=\"grid-bulk-exporter\"}").await?;
        let shown = |(labels, value): &(serde_json::Value, f64)| {
            let name = labels["__name__"].as_str().unwrap();
            let stands_still = ["grid_bulk_job_", "grid_bulk_jobs", "grid_bulk_rows_total"]
                .iter()
                .any(|start| name.starts_with(start))
                && !name.contains("last_poll_success");
            if stands_still { format!("{labels} {value}") } else { labels.to_string() }
        };
        let series: BTreeSet<_> = series.iter().map(shown).collect();
        // Prometheus adds `up` and others once a scrape is done.
        if series.iter().any(|series| series.contains("scrape_duration_seconds")) {
            Ok(series)
        } else {
            Err(String::new())
        }
    })
    .await
}

#[tokio::test]
async fn every_prometheus_has_the_same_series_whichever_format_it_takes() {
    let (_simulated, exporter) = start().await;
    let classic = prometheus(&exporter, &[CLASSIC]).await;
    let native = prometheus(&exporter, &[NATIVE]).await;
    let (classic_series, native_series) = (all_series(&classic).await, all_series(&native).await);
    let of_latency = |series: &String| LATENCIES.iter().any(|name| series.contains(name));
    let others = |all: &BTreeSet<String>| -> Vec<String> {
        all.iter().filter(|series| !of_latency(series)).cloned().collect()
    };
    assert_eq!(others(&classic_series), others(&native_series));
    assert!(others(&classic_series).len() > 100);
    // 14 and 11 bounds, infinity, sum and count; or one native histogram each.
    assert_eq!(classic_series.iter().filter(|series| of_latency(series)).count(), 17 + 14);
    let latencies: Vec<_> = native_series.iter().filter(|series| of_latency(series)).collect();
    assert_eq!(latencies.len(), 2, "{latencies:?}");
    for prometheus in [&classic, &native] {
        prometheus.query_until("sum(grid_bulk_rows_total)", 400.0).await;
        wait_for("the exemplar of the rows that failed", || async {
            let path = format!(
                "/api/v1/query_exemplars?query={}&start=0&end=4000000000",
                encode("grid_bulk_rows_total{result=\"failed\"}")
            );
            let found = http::get(prometheus.address, &path).await?.json();
            let job = &found["data"][0]["exemplars"][0]["labels"]["jobId"];
            if job == "Job:moves" { Ok(()) } else { Err(found.to_string()) }
        })
        .await;
    }
}

/// What the recording rules record of latencies.
fn recorded() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus/grid-bulk-recording.yml");
    let text = std::fs::read_to_string(path).unwrap();
    let rules = text.split("- expr: |\n").map(|rule| rule.split_once("record: ").unwrap_or((rule, "")));
    let mut found = rules.filter(|(expression, _)| LATENCIES.iter().any(|name| expression.contains(name)));
    let (expression, name) = found.next().unwrap();
    assert!(name.starts_with("\"job:grid_bulk_api_request_duration_seconds:p99_5m\""), "{name}");
    assert!(found.next().is_none());
    expression.to_owned()
}

/// The queries of the exporter's dashboard that name a latency, as Grafana would send them.
fn latency_queries() -> Vec<String> {
    fn expressions(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                found.extend(fields.get("expr").and_then(serde_json::Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| expressions(value, found));
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
            _ => {}
        }
    }
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/dashboards/exporter.json")).unwrap();
    let mut found = Vec::new();
    expressions(&serde_json::from_str(&text).unwrap(), &mut found);
    found.retain(|expression| LATENCIES.iter().any(|name| expression.contains(name)));
    let filled = |expression: &String| {
        let expression = expression.replace("$__rate_interval", "20s");
        ["$cluster", "$job", "$instance"].iter().fold(expression, |text, name| text.replace(name, ".*"))
    };
    found.iter().map(filled).collect()
}

#[tokio::test]
async fn latency_panels_and_the_recorded_quantile_work_with_classic_and_native_histograms() {
    let (_simulated, exporter) = start().await;
    let queries = latency_queries();
    assert_eq!(queries.len(), 6, "{queries:?}");
    for flags in [[CLASSIC], [NATIVE]] {
        let prometheus = prometheus(&exporter, &flags).await;
        for query in queries.iter().chain([&recorded()]) {
            wait_for(&format!("{query} with {flags:?}"), || async {
                let path = format!("/api/v1/query?query={}", encode(query));
                let found = http::get(prometheus.address, &path).await?.json();
                let series = found["data"]["result"].as_array().ok_or_else(|| found.to_string())?;
                let holds = |series: &serde_json::Value| {
                    let number = series["value"][1].as_str().and_then(|text| text.parse::<f64>().ok());
                    // A native histogram comes as it is, for a heatmap.
                    number.is_some_and(|number| number.is_finite() && number >= 0.0)
                        || series["histogram"][1]["count"].as_str().is_some_and(|count| count != "0")
                };
                if !series.is_empty() && series.iter().all(holds) { Ok(()) } else { Err(found.to_string()) }
            })
            .await;
        }
        // A quantile is one of what the simulator's answers take, not of what buckets there are.
        let quantile = "histogram_quantile(0.5, sum by (instance, le) (rate(grid_bulk_api_request_duration_seconds_bucket[20s]))) >= 0 or histogram_quantile(0.5, sum by (instance) (rate(grid_bulk_api_request_duration_seconds[20s]))) >= 0";
        let found = prometheus.query(quantile).await.unwrap();
        assert!(matches!(found.as_slice(), [(_, seconds)] if *seconds > 0.0 && *seconds < 30.0), "{found:?}");
    }
}

#[tokio::test]
async fn curl_unpacks_each_encoding_and_head_says_what_get_would() {
    let (_simulated, exporter) = start().await;
    let url =
        format!("http://{}/metrics?name%5B%5D=grid_bulk_job_info&name[]=grid_bulk_jobs", exporter.address());
    let accept = "Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,*/*;q=0.2";
    let mut bodies = BTreeSet::new();
    for encoding in ["identity", "gzip", "zstd", "gzip;q=0.5, zstd"] {
        let output = Command::new("curl")
            .args(["-sS", "-g", "--noproxy", "*", "--compressed", "-H", accept, "-H"])
            .arg(format!("Accept-Encoding: {encoding}"))
            .args(["-D", "/dev/stderr"])
            .arg(&url)
            .output()
            .await
            .expect("curl starts; tests/run installs it");
        let head = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(output.status.success(), "{head}");
        let expected = encoding.rsplit(' ').next().unwrap();
        assert_eq!(head.contains("content-encoding: "), expected != "identity", "{head}");
        assert!(
            expected == "identity" || head.contains(&format!("content-encoding: {expected}\r\n")),
            "{head}"
        );
        assert!(head.contains("vary: accept, accept-encoding\r\n"), "{head}");
        assert!(
            head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8\r\n"),
            "{head}"
        );
        bodies.insert(String::from_utf8(output.stdout).unwrap());
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    let body = bodies.first().unwrap();
    assert!(body.ends_with("grid_bulk_jobs{status=\"UNPOLLED\"} 0\n# EOF\n"), "{body}");
    assert_eq!(body.lines().filter(|line| line.starts_with("# TYPE")).count(), 2);
    let path = "/metrics?name[]=grid_bulk_job_info";
    for accept in [
        "*/*",
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
        "nonsense",
    ] {
        for encoding in ["identity", "gzip", "zstd"] {
            let headers = [("Accept", accept), ("Accept-Encoding", encoding)];
            // The second time, after the first made what was not there.
            exporter.request("GET", path, &headers).await;
            let get = exporter.request("GET", path, &headers).await;
            let head = exporter.request("HEAD", path, &headers).await;
            assert_eq!((get.status, head.status), (200, 200));
            for name in ["content-type", "content-length", "content-encoding", "vary"] {
                assert_eq!(get.header(name), head.header(name), "{accept} {encoding} {name}");
            }
            assert!(head.body.is_empty() && get.body.len().to_string() == get.header("content-length"));
        }
    }
}

#[tokio::test]
async fn a_filter_takes_names_in_any_number_and_form_and_other_parameters_change_nothing() {
    let (_simulated, exporter) = start().await;
    let names = |query: &str| {
        let (path, exporter) = (format!("/metrics?{query}"), &exporter);
        async move {
            let text = exporter.get(&path).await.text();
            let types: Vec<_> =
                text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).map(str::to_owned).collect();
            (types, text)
        }
    };
    let (all, _) = names("").await;
    assert!(all.len() > 40);
    for query in ["name[]=", "other=1", "name=grid_bulk_jobs", "name[]", "%FF=%FF&&&=", "name[]=&name[]="] {
        assert_eq!(names(query).await.0, all, "{query}");
    }
    for (query, expected) in [
        ("name[]=grid_bulk_up", vec!["grid_bulk_up gauge"]),
        (
            "name[]=grid_bulk_up&name[]=grid_bulk_up&name[]=grid_bulk_jobs",
            vec!["grid_bulk_jobs gauge", "grid_bulk_up gauge"],
        ),
        ("name%5b%5D=grid_bulk_rows", vec!["grid_bulk_rows_total counter"]),
        (
            "name[]=grid_bulk_exporter_poll_cycle_duration_seconds_bucket",
            vec!["grid_bulk_exporter_poll_cycle_duration_seconds histogram"],
        ),
    ] {
        assert_eq!(names(query).await.0, expected, "{query}");
    }
    for query in ["name[]=no_such", "name[]=%00%FF", &format!("name[]={}", "x".repeat(5000))] {
        assert_eq!(names(query).await.1, "", "{query}");
    }
}
