//! A fleet of exporters: each job is watched by one of them, whoever names it.

use crate::support::exporter::{Exporter, Start};
use crate::support::http::request_with_body;
use crate::support::simulator::Simulated;
use crate::support::wait_for;
use grid_bulk_exporter::job::{JobId, Shard};
use grid_bulk_exporter::sim::WebhookSigner;
use std::fmt::Write as _;
use std::path::Path;

const TOTAL: u32 = 3;

fn owner(id: &str) -> u32 {
    let id: JobId = id.parse().unwrap();
    (0..TOTAL).find(|number| Shard::new(*number, TOTAL).unwrap().owns(&id)).unwrap()
}

/// A job's id that this shard owns.
fn of_shard(shard: u32, name: &str) -> String {
    (0..10_000).map(|number| format!("Job:{name}{number}")).find(|id| owner(id) == shard).unwrap()
}

fn ids(names: &[&str], jobs: usize) -> Vec<String> {
    names.iter().flat_map(|name| (0..jobs).map(move |number| format!("Job:{name}-{number}"))).collect()
}

async fn api(ids: &[String]) -> Simulated {
    let mut scenario = "jobs:\n".to_owned();
    for id in ids {
        writeln!(scenario, "  - {{ id: '{id}', rows: 100, rows_per_second: 100, starts_at: -60 }}").unwrap();
    }
    scenario.push_str("  - { id: 'Job:any', rows: 1 }\n");
    Simulated::with_scenario(&scenario).await
}

/// One of the fleet, with the same file and environment as all others.
async fn start(simulated: &Simulated, lines: &str, shard: u32, storage: Option<&Path>) -> Exporter {
    let yaml = format!(
        "grid: {{ base_url: '{}', client_id: demo, client_secret: demo }}\npoll: {{ interval: 1s }}\n{lines}\n",
        simulated.base_url
    );
    let mut start = Start::with_config(&yaml)
        .argument("--web.enable-admin-api")
        .argument("--web.enable-probe")
        .argument(&format!("--total-shards={TOTAL}"))
        .argument("--shard=auto")
        .variable("POD_NAME", &format!("grid-bulk-exporter-{shard}"))
        .variable("GRID_JOBS", &ids(&["variable"], 20).join(","));
    std::fs::write(
        start.folder.path().join("jobs.json"),
        serde_json::json!([{ "targets": ids(&["list"], 20), "labels": { "team": "red" } }]).to_string(),
    )
    .unwrap();
    if let Some(folder) = storage {
        start = start.argument(&format!("--storage.path={}", folder.display()));
    }
    start.start().await
}

fn lines() -> String {
    format!(
        "jobs: [ '{}' ]\njob_files: [ jobs.json ]\nlimits: {{ jobs: 45 }}",
        ids(&["file"], 20).join("', '")
    )
}

#[tokio::test]
async fn each_job_of_every_source_is_watched_by_exactly_one() {
    let mut all = ids(&["file", "list", "variable"], 20);
    let simulated = api(&all).await;
    let mut watched = Vec::new();
    for shard in 0..TOTAL {
        // 60 jobs are named, but limits.jobs, 45, is about the own ones.
        let exporter = start(&simulated, &lines(), shard, None).await;
        let scrape = exporter
            .scrape_until("all are polled", |scrape| {
                scrape.job_ids().iter().all(|id| scrape.status(id).as_deref() == Some("COMPLETED"))
            })
            .await;
        assert_eq!(scrape.value("grid_bulk_exporter_shard_ordinal", &[]), Some(f64::from(shard)));
        assert_eq!(scrape.value("grid_bulk_exporter_total_shards", &[]), Some(f64::from(TOTAL)));
        assert_eq!(scrape.value("grid_bulk_exporter_jobs_rejected_total", &[("source", "file")]), Some(0.0));
        let targets = exporter.get("/api/v1/sd").await.json();
        assert_eq!(targets.as_array().unwrap().len(), scrape.job_ids().len());
        let page = exporter.get("/").await.text();
        assert!(page.contains(&format!("shard {shard} of {TOTAL} (counted from 0)")), "{page}");
        watched.extend(scrape.job_ids().iter().map(ToString::to_string));
    }
    watched.sort();
    all.sort();
    assert_eq!(watched, all);
    for id in &all {
        assert!(simulated.handle.requests_of(id) >= 1, "{id} was never asked for");
    }
}

#[test]
fn the_program_in_the_documents_finds_the_same_shard() {
    let text = include_str!("../../docs/scaling.md");
    let (_, rest) = text.split_once("```python\n").unwrap();
    let (program, _) = rest.split_once("```").unwrap();
    let ids = ids(&["list", "\u{e4}", "019542f5-b3e7-1d02"], 50);
    let program = format!("{program}\nimport sys\nfor id in sys.argv[1:]: print(shard(id, {TOTAL}))\n");
    let output = std::process::Command::new("python3").args(["-c", &program]).args(&ids).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let found: Vec<u32> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(found, ids.iter().map(|id| owner(id)).collect::<Vec<_>>());
}

#[tokio::test]
async fn whoever_asks_the_wrong_one_is_told_the_right_one() {
    let simulated = api(&[]).await;
    let exporter = start(&simulated, "", 1, None).await;
    let (own, other) = (of_shard(1, "own"), of_shard(2, "other"));
    assert_eq!(exporter.send("PUT", &format!("/api/v1/jobs/{own}"), "").await.status, 201);
    let path = format!("/api/v1/jobs/{other}");
    for method in ["PUT", "DELETE", "GET"] {
        let answer = exporter.send(method, &path, "").await;
        assert_eq!(answer.status, 421, "{method}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["shard"], 2);
        let detail = problem["detail"].as_str().unwrap();
        assert_eq!(
            detail,
            format!("{other} is watched by shard 2 of 3, and this is shard 1 of 3; ask that one.")
        );
    }
    for path in [format!("/probe?target={other}"), format!("/jobs/{other}")] {
        let answer = exporter.get(&path).await;
        assert_eq!(answer.status, 421, "{path}");
        assert!(answer.text().contains("is watched by shard 2 of 3"), "{}", answer.text());
    }
    assert_eq!(exporter.get(&format!("/probe?target={own}")).await.status, 200);
    assert_eq!(simulated.handle.requests_of(&other), 0);
    assert!(!exporter.scrape().await.job_ids().contains(&other));
}

#[tokio::test]
async fn a_webhook_about_another_shards_job_is_taken_and_left_alone() {
    let (simulated, signer) = (api(&[]).await, WebhookSigner::generate());
    let folder = tempfile::TempDir::new().unwrap();
    let key = folder.path().join("grid.pem");
    std::fs::write(&key, signer.public_key_pem()).unwrap();
    let lines =
        format!("webhook: {{ listen_address: '127.0.0.1:0', public_key_files: [ '{}' ] }}", key.display());
    let exporter = start(&simulated, &lines, 0, None).await;
    let line = exporter.log_until(&["webhooks are taken in on"]).await;
    let address = line.split("on http://").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
    let (own, other) = (of_shard(0, "own"), of_shard(1, "other"));
    // The one that is another's comes twice, and is the same both times.
    for (delivery, job) in [("1", &other), ("1", &other), ("2", &own)] {
        let body = format!(
            r#"{{"id":"Webhook:{delivery}","type":"BULK_UPLOAD.COMPLETED","data":{{"id":"{job}","status":"COMPLETED","progress":{{"total":1,"processed":1,"successful":1,"failed":0}}}}}}"#
        );
        let signature = signer.sign(body.as_bytes());
        let headers = [("X-Grid-Signature", signature.as_str())];
        let answer = request_with_body(address, "POST", "/webhooks/grid", &headers, &body).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let scrape = exporter.scrape().await;
    let outcome = |name| scrape.value("grid_bulk_exporter_webhooks_total", &[("outcome", name)]);
    assert_eq!((outcome("other_shard"), outcome("accepted")), (Some(2.0), Some(1.0)));
    assert!(!scrape.job_ids().contains(&other) && scrape.job_ids().contains(&own));
    assert_eq!(scrape.value("grid_bulk_rows_total", &[("result", "successful")]), Some(1.0));
}

#[tokio::test]
async fn what_is_stored_of_a_job_that_is_anothers_now_is_let_go_and_its_rows_are_counted_once() {
    let moved = of_shard(2, "moved");
    let simulated = api(std::slice::from_ref(&moved)).await;
    let folder = tempfile::TempDir::new().unwrap();
    let rows = |scrape: &crate::support::scrape::Scrape| {
        scrape.value("grid_bulk_rows_total", &[("result", "successful")]).unwrap()
    };
    // The fleet had one shard when the job was named.
    let yaml =
        format!("grid: {{ base_url: '{}', client_id: demo, client_secret: demo }}\n", simulated.base_url);
    let mut alone = Start::with_config(&yaml)
        .argument("--web.enable-admin-api")
        .argument(&format!("--storage.path={}", folder.path().display()))
        .start()
        .await;
    let body = r#"{"id": "x"}"#;
    assert_eq!(alone.send("PUT", &format!("/api/v1/jobs/{moved}"), body).await.status, 400);
    assert_eq!(alone.send("PUT", &format!("/api/v1/jobs/{moved}"), "").await.status, 201);
    let before =
        alone.scrape_until("it ended", |scrape| scrape.status(&moved).as_deref() == Some("COMPLETED")).await;
    alone.signal(rustix::process::Signal::TERM);
    assert!(alone.ended().await.success());

    let mut exporter = start(&simulated, "", 0, Some(folder.path())).await;
    exporter
        .log_until(&["1 jobs that the admin API or webhooks named are those of other shards now", &moved])
        .await;
    let scrape = exporter.scrape().await;
    assert!(!scrape.job_ids().contains(&moved));
    assert_eq!(rows(&scrape), rows(&before), "what it counted stays counted");
    exporter.signal(rustix::process::Signal::TERM);
    assert!(exporter.ended().await.success());
    // It is let go for good: the old size brings nothing back.
    let yaml = format!("{yaml}jobs: [ 'Job:none' ]\n");
    let alone = Start::with_config(&yaml)
        .argument(&format!("--storage.path={}", folder.path().display()))
        .start()
        .await;
    wait_for("it is polled", || async {
        let scrape = alone.scrape().await;
        if scrape.job_ids() == ["Job:none"] { Ok(()) } else { Err(format!("{:?}", scrape.job_ids())) }
    })
    .await;
    assert_eq!(rows(&alone.scrape().await), rows(&before));
}

#[tokio::test]
async fn a_shard_that_is_not_there_is_one_line_and_exit_code_2() {
    for (arguments, name, part) in [
        (&["--shard=3", "--total-shards=3"][..], "", "shards count from 0, so the last is 2"),
        (&["--shard=0", "--total-shards=0"], "", "--total-shards is 0; write a number from 1 to 10000"),
        (&["--shard=-1"], "", "neither a number, counted from 0, nor auto"),
        (&["--shard=auto", "--total-shards=3"], "exporter", "does not end in a number such as -0"),
        (&["--shard=auto", "--total-shards=3"], "exporter-7", "read off the variable POD_NAME, `exporter-7`"),
    ] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_grid-bulk-exporter"))
            .args(arguments)
            .env("POD_NAME", name)
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.lines().next().unwrap().contains(part), "{told}");
    }
}
