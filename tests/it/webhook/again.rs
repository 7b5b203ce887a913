//! Deliveries that come again: after a refusal for the moment they are taken, after a restart they are known.

use super::{KEY, begin, body, outcome, post, start};
use crate::support::exporter::Start;
use grid_bulk_exporter::sim::WebhookSigner;
use rustix::process::Signal;
use tempfile::TempDir;

#[tokio::test]
async fn what_found_no_room_is_taken_when_it_comes_again() {
    let signer = WebhookSigner::generate();
    let lines = "limits: { jobs: 1 }\njobs: [ 'Job:full' ]";
    let (exporter, address) = start(&signer, "http://127.0.0.1:1", lines).await;
    let told = body("Webhook:1", "Job:a");
    let signature = signer.sign(told.as_bytes());
    for _ in 0..2 {
        let answer = post(address, &signature, &told).await;
        assert_eq!(answer.status, 503);
        assert!(answer.text().contains("limits.jobs"), "{}", answer.text());
    }
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.job_ids(), ["Job:full"], "a living one is never evicted");
    assert_eq!(scrape.value("grid_bulk_exporter_jobs_rejected_total", &[("source", "webhook")]), Some(2.0));
    for name in ["accepted", "duplicate", "bad_body"] {
        assert_eq!(outcome(&scrape, name), 0.0, "{name}");
    }
    exporter.log_until(&["job Job:a of a webhook is not watched: limits.jobs is 1"]).await;
    // Room for one more.
    let yaml = std::fs::read_to_string(exporter.folder.path().join("grid.yml")).unwrap();
    exporter.write_config(&yaml.replace("jobs: 1 }", "jobs: 2 }"));
    exporter.signal(Signal::HUP);
    exporter.log_until(&["the configuration was reloaded"]).await;
    assert_eq!(post(address, &signature, &told).await.status, 200);
    assert_eq!(post(address, &signature, &told).await.status, 409);
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.status("Job:a").as_deref(), Some("COMPLETED"));
    assert_eq!((outcome(&scrape, "accepted"), outcome(&scrape, "duplicate")), (1.0, 1.0));
    assert_eq!(scrape.value("grid_bulk_rows_total", &[("result", "failed")]), Some(1.0), "counted once");
}

#[tokio::test]
async fn with_storage_a_delivery_and_its_job_are_known_after_a_kill() {
    let signer = WebhookSigner::generate();
    let folder = TempDir::new().unwrap();
    let yaml = format!(
        "grid: {{ base_url: 'http://127.0.0.1:1', client_id: demo, client_secret: demo }}\n\
         webhook: {{ listen_address: '127.0.0.1:0', public_key_files: [ {KEY} ] }}\n"
    );
    let restart = || {
        let path = format!("--storage.path={}", folder.path().display());
        begin(Start::with_config(&yaml).argument(&path).argument("--web.enable-admin-api"), &signer)
    };
    let told = ["a", "deleted"].map(|name| body(&format!("Webhook:{name}"), &format!("Job:{name}")));
    let (mut exporter, address) = restart().await;
    for told in &told {
        assert_eq!(post(address, &signer.sign(told.as_bytes()), told).await.status, 200);
    }
    assert_eq!(exporter.send("DELETE", "/api/v1/jobs/Job:deleted", "").await.status, 204);
    exporter.signal(Signal::KILL);
    exporter.ended().await;
    let (exporter, address) = restart().await;
    for told in &told {
        assert_eq!(post(address, &signer.sign(told.as_bytes()), told).await.status, 409);
    }
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.job_ids(), ["Job:a"], "what was deleted does not come back");
    assert_eq!(scrape.status("Job:a").as_deref(), Some("COMPLETED"));
    assert_eq!(scrape.value("grid_bulk_rows_total", &[("result", "failed")]), Some(2.0));
    assert_eq!((outcome(&scrape, "accepted"), outcome(&scrape, "duplicate")), (0.0, 2.0));
    let sources = exporter.get("/api/v1/jobs/Job:a").await.json()["sources"].clone();
    assert_eq!(sources, serde_json::json!(["webhook"]));
}

#[tokio::test]
async fn without_storage_the_last_10_000_are_known_until_a_restart() {
    let signer = WebhookSigner::generate();
    let (mut exporter, address) = start(&signer, "http://127.0.0.1:1", "").await;
    let told = body("Webhook:1", "Job:a");
    let signature = signer.sign(told.as_bytes());
    assert_eq!(post(address, &signature, &told).await.status, 200);
    assert_eq!(post(address, &signature, &told).await.status, 409);
    exporter.signal(Signal::TERM);
    assert!(exporter.ended().await.success(), "{}", exporter.log());
    let (_exporter, address) = start(&signer, "http://127.0.0.1:1", "").await;
    assert_eq!(post(address, &signature, &told).await.status, 200);
}
