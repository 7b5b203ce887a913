//! Webhooks from outside: the real binary, deliveries of the simulator and of whoever else reaches the port.

mod again;
mod memory;
mod tls;

use crate::support::exporter::{Exporter, Start};
use crate::support::http::{Response, request, request_with_body};
use crate::support::simulator::Simulated;
use crate::support::{PATIENCE, wait_for};
use grid_bulk_exporter::sim::{Scenario, SimOptions, WebhookRecord, WebhookSigner, WebhookTarget};
use std::net::SocketAddr;

const PATH: &str = "/webhooks/grid";

/// The name of the file of public keys.
const KEY: &str = "grid-webhook.pem";

/// An exporter that takes webhooks of this signer in, and where.
async fn start(signer: &WebhookSigner, base_url: &str, lines: &str) -> (Exporter, SocketAddr) {
    let yaml = format!(
        "grid: {{ base_url: '{base_url}', client_id: demo, client_secret: demo, read_idle_timeout: 2s, max_response_bytes: 4MiB }}\n\
         webhook: {{ listen_address: '127.0.0.1:0', public_key_files: [ grid-webhook.pem ] }}\n{lines}\n"
    );
    begin(Start::with_config(&yaml), signer).await
}

/// Starts it with the signer's public key in its folder; tells where webhooks are taken in.
async fn begin(start: Start, signer: &WebhookSigner) -> (Exporter, SocketAddr) {
    std::fs::write(start.folder.path().join(KEY), signer.public_key_pem()).unwrap();
    let exporter = start.start().await;
    let address = taken_in_on(&exporter).await;
    (exporter, address)
}

/// Where webhooks are taken in, as the log says.
pub async fn taken_in_on(exporter: &Exporter) -> SocketAddr {
    let line = exporter.log_until(&["webhooks are taken in on http"]).await;
    let url = line.split("taken in on ").nth(1).unwrap();
    url.split("://").nth(1).unwrap().split('/').next().unwrap().parse().unwrap()
}

/// The end of a job of five rows, of which one failed.
pub fn body(delivery: &str, job: &str) -> String {
    format!(
        r#"{{"id":"{delivery}","type":"BULK_UPLOAD.COMPLETED","data":{{"id":"{job}","status":"COMPLETED","progress":{{"total":5,"processed":5,"successful":4,"failed":1}},"errors":[{{"correlationId":"1","error":{{"code":"X"}}}}]}}}}"#
    )
}

async fn post(address: SocketAddr, signature: &str, body: &str) -> Response {
    try_to_post(address, signature, body).await.unwrap()
}

/// The same to an exporter that may be gone.
pub async fn try_to_post(address: SocketAddr, signature: &str, body: &str) -> Result<Response, String> {
    request_with_body(address, "POST", PATH, &[("X-Grid-Signature", signature)], body).await
}

fn outcome(scrape: &crate::support::scrape::Scrape, outcome: &str) -> f64 {
    scrape.value("grid_bulk_exporter_webhooks_total", &[("outcome", outcome)]).unwrap()
}

#[tokio::test]
async fn each_kind_of_delivery_gets_its_answer() {
    let signer = WebhookSigner::generate();
    let (exporter, address) = start(&signer, "http://127.0.0.1:1", "").await;
    let scrape = exporter.scrape().await;
    for name in ["accepted", "ignored", "duplicate", "other_shard", "bad_signature", "bad_body"] {
        assert_eq!(outcome(&scrape, name), 0.0, "{name}");
    }
    let good = body("Webhook:1", "Job:a");
    let json = format!(r#"{{"v": "1", "s": "{}"}}"#, signer.sign(good.as_bytes()));
    assert_eq!(post(address, &json, &good).await.status, 200);
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.status("Job:a").as_deref(), Some("COMPLETED"));
    assert_eq!(scrape.of_job("grid_bulk_job_poll_success", "Job:a"), Some(1.0));
    assert_eq!(scrape.value("grid_bulk_rows_total", &[("result", "successful")]), Some(4.0));
    assert_eq!(post(address, &signer.sign(good.as_bytes()), &good).await.status, 409);
    // Whatever is wrong with the signature, and whatever the body, the answer is the same.
    let other = WebhookSigner::generate().sign(good.as_bytes());
    let mut refusals = Vec::new();
    for (signature, body) in
        [(other.as_str(), good.as_str()), ("", "{"), ("AAAA", ""), (other.as_str(), "[]")]
    {
        let answer = post(address, signature, body).await;
        refusals.push((answer.status, answer.body));
    }
    refusals.dedup();
    assert_eq!((refusals.len(), refusals[0].0), (1, 401));
    for (body, status) in [
        (r#"{"id":"W","type":"TEST","data":{}}"#, 200),
        (r#"{"id":"W","type":"INCOMING_PAYMENT.COMPLETED","data":[1]}"#, 200),
        (r#"{"id":"W"}"#, 400),
        ("nonsense", 400),
    ] {
        assert_eq!(post(address, &signer.sign(body.as_bytes()), body).await.status, status, "{body}");
    }
    // Told before a byte of it is sent.
    let large = [("Content-Length", "5000000")];
    assert_eq!(request(address, "POST", PATH, &large).await.unwrap().status, 413);
    let encoded = [("Content-Encoding", "gzip")];
    assert_eq!(request_with_body(address, "POST", PATH, &encoded, "x").await.unwrap().status, 415);
    assert_eq!(request(address, "GET", PATH, &[]).await.unwrap().status, 405);
    for path in ["/", "/metrics", "/webhooks/grid/", "/-/healthy"] {
        assert_eq!(request(address, "GET", path, &[]).await.unwrap().status, 404, "{path}");
    }
    assert_eq!(exporter.request("POST", PATH, &[]).await.status, 404, "not on the exporter's own port");
    let slow = request(address, "POST", PATH, &[("Content-Length", "10")]).await.unwrap();
    assert_eq!(slow.status, 408);
    let scrape = exporter.scrape().await;
    let shown =
        ["accepted", "ignored", "duplicate", "bad_signature", "bad_body"].map(|name| outcome(&scrape, name));
    assert_eq!(shown, [1.0, 2.0, 1.0, 4.0, 5.0]);
}

#[tokio::test]
async fn a_thousand_deliveries_at_once_are_all_taken_once() {
    let signer = WebhookSigner::generate();
    let (exporter, address) = start(&signer, "http://127.0.0.1:1", "").await;
    let deliveries = (0..500).map(|number| {
        let body = body(&format!("Webhook:{number}"), &format!("Job:{number}"));
        (signer.sign(body.as_bytes()), body)
    });
    let deliveries: Vec<_> = deliveries.collect();
    // Each delivery twice; and again, as Grid does it, where a busy machine could not take it in time.
    let mut open: Vec<usize> = (0..1000).map(|number| number / 2).collect();
    let (mut taken, mut before, mut rounds) = (vec![0; 500], 0, 0);
    while !open.is_empty() {
        let posts = open.iter().map(|number| post(address, &deliveries[*number].0, &deliveries[*number].1));
        let answers = futures_util::future::join_all(posts).await;
        let mut again = Vec::new();
        for (number, answer) in open.into_iter().zip(answers) {
            match answer.status {
                200 => taken[number] += 1,
                409 => before += 1,
                503 => again.push(number),
                _ => panic!("{}", answer.text()),
            }
        }
        open = again;
        rounds += 1;
        println!("after round {rounds} of a thousand deliveries {} are refused for now", open.len());
        assert!(rounds < 20, "{} of 1,000 are still refused", open.len());
    }
    assert!(taken.iter().all(|times| *times <= 1), "none is taken twice");
    if rounds == 1 {
        assert_eq!((taken.iter().sum::<usize>(), before), (500, 500));
    }
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.job_ids().len(), 500);
    assert_eq!(scrape.value("grid_bulk_rows_total", &[("result", "failed")]), Some(500.0));
}

#[tokio::test]
async fn a_key_that_is_replaced_is_used_at_once_and_a_reload_changes_the_path() {
    let (old, new) = (WebhookSigner::generate(), WebhookSigner::generate());
    let (exporter, address) = start(&old, "http://127.0.0.1:1", "").await;
    std::fs::write(exporter.folder.path().join(KEY), new.public_key_pem()).unwrap();
    exporter.log_until(&["the webhook's public keys changed"]).await;
    let body = body("Webhook:1", "Job:a");
    assert_eq!(post(address, &old.sign(body.as_bytes()), &body).await.status, 401);
    assert_eq!(post(address, &new.sign(body.as_bytes()), &body).await.status, 200);
    let yaml = std::fs::read_to_string(exporter.folder.path().join("grid.yml")).unwrap();
    exporter.write_config(&yaml.replace("public_key_files", "path: /other, public_key_files"));
    exporter.signal(rustix::process::Signal::HUP);
    exporter.log_until(&["the configuration was reloaded"]).await;
    assert_eq!(post(address, "", "").await.status, 404);
}

#[tokio::test]
async fn the_simulators_webhooks_arrive_in_spite_of_their_faults() {
    let scenario = "webhooks: { signature: both, bad_signature: 0.4, tampered: 0.4, duplicate: 0.5 }\njobs:\n  - { id: 'Job:named', rows: 30, rows_per_second: 10, failing_share: 0.5 }\n  - { id: 'Job:unknown', rows: 20, rows_per_second: 10, ends: FAILED }\n";
    let scenario = Scenario::from_yaml(scenario, "scenario.yml").unwrap();
    let simulated = Simulated::start(SimOptions { scenario, ..SimOptions::default() }).await;
    let mut records = simulated.handle.webhook_records();
    let signer = WebhookSigner::generate();
    // Polled too rarely to see the end.
    let lines = "poll: { interval: 1h }\njobs: [ 'Job:named' ]";
    let (exporter, address) = start(&signer, &simulated.base_url, lines).await;
    let url = format!("http://{address}{PATH}").parse().unwrap();
    simulated.handle.set_webhook(WebhookTarget { url, signer });
    let scrape = exporter
        .scrape_until("both ended", |scrape| {
            scrape.status("Job:named").as_deref() == Some("COMPLETED")
                && scrape.status("Job:unknown").as_deref() == Some("FAILED")
        })
        .await;
    let state = simulated.handle.state("Job:named").unwrap();
    assert_eq!(scrape.of_job("grid_bulk_job_failed_rows", "Job:named"), Some(state.failed as f64));
    let first = tokio::time::timeout(PATIENCE, records.recv()).await.unwrap().unwrap();
    assert!(matches!(first, WebhookRecord { attempt: 1, outcome: Ok(200 | 401), .. }), "{first:?}");
    wait_for("the job's source is told", || async {
        let job = exporter.get("/api/v1/jobs/Job:unknown").await.json();
        if job["sources"] == serde_json::json!(["webhook"]) { Ok(()) } else { Err(job.to_string()) }
    })
    .await;
}
