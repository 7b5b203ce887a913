//! The README's section 'Which way do I register jobs?', tried as it stands.

use super::servers::{ListServer, list};
use super::{api, config};
use crate::support::exporter::{Start, binary};
use crate::webhook::taken_in_on;
use grid_bulk_exporter::sim::WebhookSigner;
use std::path::Path;
use std::process::Stdio;

const SIX: &str = "Job:019542f5-b3e7-1d02-0000-000000000006";
const SEVEN: &str = "Job:019542f5-b3e7-1d02-0000-000000000007";

/// The blocks of the section, with their language.
fn blocks() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let section = text.split("## Which way do I register jobs?").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let block = |block: &str| {
        let (language, text) = block.split_once('\n').unwrap();
        (language.to_owned(), text.to_owned())
    };
    section.split("```").skip(1).step_by(2).map(block).collect()
}

/// The block of YAML that begins so.
fn yaml(blocks: &[(String, String)], beginning: &str) -> String {
    let found = blocks.iter().find(|(language, text)| language == "yaml" && text.starts_with(beginning));
    found.unwrap_or_else(|| panic!("no block begins with {beginning}")).1.clone()
}

#[tokio::test]
async fn each_way_brings_its_job() {
    let blocks = blocks();
    let yaml = |beginning: &str| yaml(&blocks, beginning);
    let simulated = api().await;
    // The configuration's list.
    let exporter = Start::with_config(&config(&simulated, &yaml("jobs:"))).start().await;
    assert_eq!(exporter.scrape().await.job_ids(), [SIX, SEVEN]);
    // A file.
    let start = Start::with_config(&config(&simulated, &yaml("job_files:")));
    std::fs::create_dir(start.folder.path().join("jobs")).unwrap();
    std::fs::write(start.folder.path().join("jobs/eu-launch.yml"), yaml("# jobs/eu-launch.yml")).unwrap();
    let exporter = start.start().await;
    let labels = [("jobId", SIX), ("name", "eu-launch"), ("team", "onboarding")];
    assert_eq!(exporter.scrape().await.value("grid_bulk_job_info", &labels), Some(1.0));
    // The admin API, by the lines for curl: its method, path and body.
    let exporter =
        Start::with_config(&config(&simulated, "")).argument("--web.enable-admin-api").start().await;
    let script = blocks.iter().find(|(_, text)| text.contains("curl")).unwrap().1.replace("\\\n", " ");
    let mut statuses = Vec::new();
    for line in script.lines().filter(|line| line.starts_with("curl ")) {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words[1], "-X");
        let path = words[3].strip_prefix("http://localhost:10310").unwrap();
        let body = line.split('\'').nth(1).unwrap_or_default();
        statuses.push(exporter.send(words[2], path, body).await.status);
    }
    assert_eq!(statuses, [201, 204]);
    // A flag, and the variable.
    let flag = format!("--job={SIX}");
    assert!(
        blocks.iter().any(|(_, text)| text.contains(&flag) && text.contains(&format!("GRID_JOBS={SIX}")))
    );
    let start = Start::with_config(&config(&simulated, "")).argument(&flag).variable("GRID_JOBS", SEVEN);
    assert_eq!(start.start().await.scrape().await.job_ids(), [SIX, SEVEN]);
}

#[tokio::test]
async fn a_server_s_list_brings_its_job() {
    let simulated = api().await;
    let server = ListServer::start(&list(&format!("\"{SIX}\""))).await;
    let block = yaml(&blocks(), "job_http:");
    let here = block
        .replace("https://imports.example.com", &format!("http://{}", server.address))
        .replace("/run/secrets/imports", "password");
    let start = Start::with_config(&config(&simulated, &here));
    std::fs::write(start.folder.path().join("password"), "p\n").unwrap();
    let exporter = start.start().await;
    assert_eq!(exporter.scrape().await.job_ids(), [SIX]);
    let request = server.last_request();
    assert!(request.starts_with("get /jobs http/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nx-prometheus-refresh-interval-seconds: 60\r\n"), "{request}");
    assert!(request.contains("\r\nauthorization: basic zxhwb3j0zxi6ca==\r\n"), "{request}");
}

#[tokio::test]
async fn the_simulator_s_webhooks_bring_their_jobs() {
    let (simulated, blocks) = (api().await, blocks());
    let webhook = yaml(&blocks, "webhook:").replace(":10311", "127.0.0.1:0");
    let start = Start::with_config(&config(&simulated, &webhook));
    let key = start.folder.path().join("grid-webhook.pem");
    std::fs::write(&key, WebhookSigner::generate().public_key_pem()).unwrap();
    let exporter = start.start().await;
    exporter.log_until(&["webhooks are taken in on http://127.0.0.1:", "/webhooks/grid"]).await;
    let address = taken_in_on(&exporter).await.to_string();
    // The line as it stands, to that port; with jobs that end soon.
    let line = &blocks.iter().find(|(_, text)| text.contains(" simulate ")).unwrap().1;
    let words = line.trim().replace("127.0.0.1:10311", &address);
    std::fs::write(
        exporter.folder.path().join("soon.yml"),
        format!("jobs:\n  - {{ id: '{SIX}', rows: 30, rows_per_second: 10 }}\n"),
    )
    .unwrap();
    let mut simulate = binary();
    simulate
        .args(words.split_whitespace().skip(1))
        .args(["--scenario=soon.yml", "--listen-address=127.0.0.1:0"]);
    simulate.current_dir(exporter.folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let _until_the_end_of_the_test = simulate.spawn().unwrap();
    exporter.scrape_until("it ended", |scrape| scrape.status(SIX).as_deref() == Some("COMPLETED")).await;
}
