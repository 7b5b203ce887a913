//! The admin API, as a script with curl uses it.

use super::config;
use crate::support::exporter::{Exporter, Start};
use crate::support::simulator::Simulated;
use serde_json::json;

async fn start(lines: &str) -> Exporter {
    let simulated = Simulated::with_scenario(
        "jobs:\n  - { id: 'Job:a', ends: never starts }\n  - { id: 'Job:done', rows: 10, rows_per_second: 100, starts_at: -60 }\n",
    )
    .await;
    let exporter =
        Start::with_config(&config(&simulated, lines)).argument("--web.enable-admin-api").start().await;
    // As long as the exporter runs.
    std::mem::forget(simulated);
    exporter
}

#[tokio::test]
async fn a_job_is_added_and_removed_and_metrics_show_it_before_the_answer() {
    let exporter = start("").await;
    assert!(exporter.scrape().await.job_ids().is_empty(), "it starts without any job");
    let answer = exporter.send("PUT", "/api/v1/jobs/Job:a", "{\"labels\": {\"team\": \"red\"}}").await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("location"), "/api/v1/jobs/Job%3Aa");
    assert_eq!(answer.json()["labels"], json!({"team": "red"}));
    assert_eq!(answer.json()["sources"], json!(["admin API"]));
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.value("grid_bulk_job_info", &[("jobId", "Job:a"), ("team", "red")]), Some(1.0));
    let answer = exporter.send("PUT", "/api/v1/jobs/Job%3Aa", "{\"labels\": {\"team\": \"blue\"}}").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        exporter.send("PUT", "/api/v1/jobs/Job:a", "{\"labels\": {\"team\": \"blue\"}}").await.status,
        200
    );
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.value("grid_bulk_job_info", &[("jobId", "Job:a"), ("team", "blue")]), Some(1.0));
    exporter
        .scrape_until("it is polled", |scrape| scrape.status("Job:a").as_deref() == Some("PENDING"))
        .await;
    assert_eq!(exporter.get("/api/v1/jobs/Job%3Aa").await.json()["status"], "PENDING");
    let answer = exporter.send("DELETE", "/api/v1/jobs/Job:a", "").await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert!(exporter.scrape().await.job_ids().is_empty());
    assert_eq!(exporter.send("DELETE", "/api/v1/jobs/Job:a", "").await.status, 404);
    assert_eq!(exporter.get("/api/v1/jobs/Job:a").await.status, 404);
}

#[tokio::test]
async fn many_at_once_are_all_there() {
    let exporter = start("").await;
    let puts = (0..200).map(|number| {
        let exporter = &exporter;
        async move { exporter.send("PUT", &format!("/api/v1/jobs/Job:{number}"), "").await.status }
    });
    let statuses = futures_util::future::join_all(puts).await;
    assert_eq!(statuses, vec![201; 200]);
    assert_eq!(exporter.scrape().await.job_ids().len(), 200);
}

#[tokio::test]
async fn without_its_flag_it_reads_and_changes_nothing() {
    let simulated = super::api().await;
    let exporter = Start::with_config(&config(&simulated, "jobs: [ 'Job:a' ]")).start().await;
    for method in ["PUT", "DELETE"] {
        let answer = exporter.send(method, "/api/v1/jobs/Job:a", "").await;
        assert_eq!(answer.status, 403);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(answer.json()["detail"].as_str().unwrap().contains("--web.enable-admin-api"));
    }
    assert_eq!(exporter.get("/api/v1/jobs/Job:a").await.status, 200);
}

#[tokio::test]
async fn what_is_configured_is_not_deleted_but_the_answer_says_where_it_is_named() {
    let exporter = start("jobs: [ { id: 'Job:a', labels: { team: file } } ]").await;
    let answer = exporter.send("DELETE", "/api/v1/jobs/Job:a", "").await;
    assert_eq!(answer.status, 404);
    assert!(answer.json()["detail"].as_str().unwrap().contains("is named by jobs"), "{}", answer.text());
    let answer = exporter.send("PUT", "/api/v1/jobs/Job:a", "{\"labels\": {\"team\": \"admin\"}}").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["labels"]["team"], "file", "the configuration's labels come first");
    assert_eq!(answer.json()["sources"], json!(["jobs", "admin API"]));
    assert_eq!(exporter.send("DELETE", "/api/v1/jobs/Job:a", "").await.status, 204);
    assert_eq!(exporter.scrape().await.job_ids(), ["Job:a"]);
}

#[tokio::test]
async fn bad_requests_are_told_as_problems() {
    let exporter = start("limits: { jobs: 1 }").await;
    let large = format!("{{\"labels\": {{\"a\": \"{}\"}}}}", "x".repeat(70_000));
    for (path, body, status, part) in [
        ("/api/v1/jobs/a%20b", "", 400, "names no job"),
        ("/api/v1/jobs/%ff", "", 400, "UTF-8"),
        ("/api/v1/jobs/..", "", 400, "relative path"),
        ("/api/v1/jobs/a/b", "", 400, "'/'"),
        ("/api/v1/jobs/a", "{", 400, "is not like"),
        ("/api/v1/jobs/a", "{\"lables\": {}}", 400, "lables"),
        ("/api/v1/jobs/a", "{\"labels\": {\"status\": \"x\"}}", 400, "is set by Prometheus"),
        ("/api/v1/jobs/a", large.as_str(), 413, "65536"),
    ] {
        let answer = exporter.send("PUT", path, body).await;
        assert_eq!(answer.status, status, "{path} {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].as_str().unwrap().contains(part), "{problem}");
    }
    for (method, path, allowed) in [
        ("POST", "/api/v1/jobs/a", "GET, HEAD, PUT, DELETE"),
        ("PUT", "/api/v1/jobs", "GET, HEAD"),
        ("DELETE", "/api/v1/sd", "GET, HEAD"),
    ] {
        let answer = exporter.send(method, path, "").await;
        assert_eq!((answer.status, answer.header("allow")), (405, allowed));
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json()["detail"], format!("{method} is not possible here; use {allowed}."));
    }
    assert_eq!(exporter.send("PUT", "/api/v1/jobs/a", "").await.status, 201);
    let answer = exporter.send("PUT", "/api/v1/jobs/b", "").await;
    assert_eq!(answer.status, 507);
    assert!(answer.json()["detail"].as_str().unwrap().contains("limits.jobs"));
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.value("grid_bulk_exporter_jobs_rejected_total", &[("source", "admin")]), Some(1.0));
    assert_eq!(scrape.job_ids(), ["a"]);
}

#[tokio::test]
async fn the_list_is_filtered_and_paged() {
    let jobs = "jobs: [ { id: 'Job:a', labels: { team: red } }, { id: 'Job:done', labels: { team: Blue } }, 'Job:c' ]";
    let exporter = start(jobs).await;
    exporter
        .scrape_until("it is over", |scrape| scrape.status("Job:done").as_deref() == Some("COMPLETED"))
        .await;
    let ids = |query: &'static str| {
        let exporter = &exporter;
        async move {
            let document = exporter.get(&format!("/api/v1/jobs{query}")).await.json();
            assert_eq!(document["total"], 3, "{document}");
            let jobs = document["jobs"].as_array().unwrap().clone();
            jobs.iter().map(|job| job["jobId"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    assert_eq!(ids("").await.len(), 3);
    assert_eq!(ids("?status=completed").await, ["Job:done"]);
    assert_eq!(ids("?status=COMPLETED&status=UNPOLLED").await, ["Job:done", "Job:c"]);
    assert_eq!(ids("?label=team:red").await, ["Job:a"]);
    assert_eq!(ids("?label=team:re").await, Vec::<String>::new());
    assert_eq!(ids("?q=blue").await, ["Job:done"]);
    assert_eq!(ids("?q=job%3ac").await, ["Job:c"]);
    assert_eq!(ids("?limit=2").await, ["Job:a", "Job:done"]);
    assert_eq!(ids("?limit=2&offset=2").await, ["Job:c"]);
    assert_eq!(ids("?offset=99").await, Vec::<String>::new());
    let page = exporter.get("/api/v1/jobs?limit=2").await.json();
    assert_eq!((&page["matched"], &page["nextOffset"]), (&json!(3), &json!(2)));
    assert_eq!(exporter.get("/api/v1/jobs?limit=2&offset=2").await.json()["nextOffset"], json!(null));
    assert_eq!(exporter.get("/api/v1/jobs?stauts=FAILED").await.status, 400);
}

#[tokio::test]
async fn an_ended_job_of_the_admin_api_goes_after_retention_and_a_configured_one_stays() {
    let exporter = start("retention: 1s\njobs: [ 'Job:done' ]").await;
    exporter.scrape_until("it ended", |scrape| scrape.status("Job:done").is_some()).await;
    assert_eq!(exporter.send("PUT", "/api/v1/jobs/Job:not-there", "").await.status, 201);
    assert_eq!(exporter.send("PUT", "/api/v1/jobs/Job:a", "").await.status, 201);
    exporter.log_until(&["Job:not-there", "was over for the configured retention"]).await;
    exporter.scrape_until("it is gone", |scrape| scrape.job_ids() == ["Job:a", "Job:done"]).await;
}

#[tokio::test]
async fn the_ids_are_targets_for_prometheus() {
    let exporter = start("jobs: [ { id: 'Job:done', labels: { team: red } } ]").await;
    exporter.scrape_until("it ended", |scrape| scrape.status("Job:done").is_some()).await;
    let answer = exporter.get("/api/v1/sd").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let labels = json!({
        "__meta_grid_bulk_status": "COMPLETED",
        "__meta_grid_bulk_sources": ",jobs,",
        "__meta_grid_bulk_label_team": "red",
    });
    assert_eq!(answer.json(), json!([{"targets": ["Job:done"], "labels": labels}]));
}
