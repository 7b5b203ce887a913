//! `job_http` against a server that does as it is told.

use super::{api, config};
use crate::support::exporter::{Exporter, Start};
use crate::support::scrape::Scrape;
use crate::support::simulator::Simulated;
use crate::support::wait_for;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const FAILURES: &str = "grid_bulk_exporter_sd_refresh_failures_total";
const SUCCESS: &str = "grid_bulk_exporter_sd_last_success_timestamp_seconds";
const HTTP: [(&str, &str); 1] = [("source", "http")];

/// A server that answers each request with the same bytes, and keeps what it was asked.
pub(super) struct ListServer {
    pub(super) address: SocketAddr,
    answer: Arc<Mutex<String>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl ListServer {
    pub(super) async fn start(answer: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new(answer.to_owned()));
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let (said, heard) = (Arc::clone(&answer), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (said, heard) = (Arc::clone(&said), Arc::clone(&heard));
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        let mut byte = [0];
                        if stream.read_exact(&mut byte).await.is_err() {
                            return;
                        }
                        request.push(byte[0]);
                    }
                    heard.lock().unwrap().push(String::from_utf8_lossy(&request).to_lowercase());
                    let answer = said.lock().unwrap().clone();
                    let _gone = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { address, answer, requests }
    }

    fn say(&self, answer: &str) {
        answer.clone_into(&mut self.answer.lock().unwrap());
    }

    pub(super) fn last_request(&self) -> String {
        self.requests.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

fn answer(status: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

pub(super) fn list(ids: &str) -> String {
    answer(
        "200 OK",
        "application/json; charset=utf-8",
        &format!("[{{\"targets\": [{ids}], \"labels\": {{\"team\": \"x\", \"__meta_a\": \"b\"}}}}]"),
    )
}

async fn start(server: &ListServer, lines: &str) -> Exporter {
    start_against(&api().await, server, lines).await
}

async fn start_against(simulated: &Simulated, server: &ListServer, lines: &str) -> Exporter {
    let entry = format!(
        "job_http:\n  - url: http://{}/jobs?token=hunter2\n    refresh_interval: 1s\n    timeout: 1s\n{lines}",
        server.address
    );
    Start::with_config(&config(simulated, &entry)).argument("--web.enable-lifecycle").start().await
}

#[tokio::test]
async fn a_list_is_asked_for_as_prometheus_does_and_followed() {
    let server = ListServer::start(&list("\"Job:1\", \"Job:2\"")).await;
    let exporter = start(&server, "    basic_auth: { username: u, password: p }\n").await;
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.job_ids(), ["Job:1", "Job:2"], "at the first scrape");
    assert_eq!(scrape.value("grid_bulk_job_info", &[("jobId", "Job:1"), ("team", "x")]), Some(1.0));
    let request = server.last_request();
    for part in [
        "get /jobs?token=hunter2 http/1.1\r\n",
        "\r\naccept: application/json\r\n",
        "\r\nx-prometheus-refresh-interval-seconds: 1\r\n",
        "\r\nuser-agent: grid-bulk-exporter/",
        "\r\nauthorization: basic dtpw\r\n",
    ] {
        assert!(request.contains(part), "{part:?} in {request}");
    }
    server.say(&list("\"Job:2\", \"Job:3\""));
    exporter.scrape_until("it is followed", |scrape| scrape.job_ids() == ["Job:2", "Job:3"]).await;
    assert_eq!(exporter.scrape().await.value(FAILURES, &HTTP), Some(0.0));
    server.say(&answer("200 OK", "application/json", "[]"));
    exporter.scrape_until("an empty list is a list", |scrape| scrape.job_ids().is_empty()).await;
}

#[tokio::test]
async fn whatever_is_wrong_with_an_answer_the_list_before_stays() {
    let server = ListServer::start(&list("\"Job:1\"")).await;
    let exporter = start(&server, "    max_response_bytes: 1KiB\n").await;
    assert_eq!(exporter.scrape().await.job_ids(), ["Job:1"]);
    let body = "[{\"targets\": [\"Job:9\"]}]";
    let large = format!("[{}{{\"targets\": [\"Job:9\"]}}]", " ".repeat(2000));
    for (bad, part) in [
        (answer("500 Internal Server Error", "application/json", body), "answered 500"),
        (answer("204 No Content", "application/json", ""), "answered 204"),
        (answer("200 OK", "text/plain", body), "content type"),
        (answer("200 OK", "application/json", "[{\"targets\": [\"Job:9\""), "no list of target groups"),
        (answer("200 OK", "application/json", "[{\"targets\": [\"a b\"]}]"), "a b"),
        (answer("200 OK", "application/json", &large), "max_response_bytes"),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n[".to_owned(),
            "could not be asked",
        ),
        (String::new(), "could not be asked"),
    ] {
        let before = exporter.scrape().await.value(FAILURES, &HTTP).unwrap();
        server.say(&bad);
        exporter.log_until(&["the list of jobs", part]).await;
        let scrape = exporter
            .scrape_until("it is counted", |scrape| scrape.value(FAILURES, &HTTP).unwrap() > before)
            .await;
        assert_eq!(scrape.job_ids(), ["Job:1"], "{bad}");
    }
    let stale = exporter.scrape().await.value(SUCCESS, &HTTP).unwrap();
    server.say(&list("\"Job:1\", \"Job:2\""));
    let scrape = exporter.scrape_until("it is well again", |scrape| scrape.job_ids().len() == 2).await;
    assert!(scrape.value(SUCCESS, &HTTP).unwrap() > stale);
    exporter.log_until(&["can be read again"]).await;
    assert!(!exporter.log().contains("hunter2"), "the query may hold a token: {}", exporter.log());
}

#[tokio::test]
async fn a_server_that_is_away_at_the_start_brings_its_jobs_later_and_no_spike_of_rows() {
    let simulated = Simulated::with_scenario(
        "jobs:\n  - { id: 'Job:1', rows: 1000, rows_per_second: 100, starts_at: -5, stalls: [{ at: 4 }] }\n  \
         - { id: 'Job:2', rows: 1000, rows_per_second: 100, starts_at: -3, stalls: [{ at: 2 }] }\n",
    )
    .await;
    let server = ListServer::start("").await;
    let exporter = start_against(&simulated, &server, "").await;
    let scrape = exporter.scrape().await;
    assert!(scrape.job_ids().is_empty());
    assert!(scrape.value(FAILURES, &HTTP).unwrap() >= 1.0);
    let rows = |scrape: &Scrape| scrape.value("grid_bulk_rows_total", &[("result", "successful")]).unwrap();
    server.say(&list("\"Job:1\""));
    let scrape = exporter.scrape_until("it came", |scrape| scrape.status("Job:1").is_some()).await;
    assert_eq!(rows(&scrape), 0.0, "its rows were counted before the process began");
    server.say(&list("\"Job:1\", \"Job:2\""));
    let scrape = exporter.scrape_until("a new one came", |scrape| scrape.status("Job:2").is_some()).await;
    assert_eq!(rows(&scrape), 200.0, "all rows of a new one are new");
}

#[tokio::test]
async fn a_reload_takes_servers_on_and_off() {
    let server = ListServer::start(&list("\"Job:1\", \"Job:2\"")).await;
    let exporter = start(&server, "    authorization: { credentials: abc }\n").await;
    assert!(server.last_request().contains("\r\nauthorization: bearer abc\r\n"), "{}", server.last_request());
    let other = ListServer::start(&list("\"Job:2\", \"Job:3\"")).await;
    let text = std::fs::read_to_string(exporter.folder.path().join("grid.yml")).unwrap();
    let changed = text.replace(&server.address.to_string(), &other.address.to_string());
    exporter.write_config(&changed);
    assert_eq!(exporter.request("POST", "/-/reload", &[]).await.status, 200);
    assert_eq!(exporter.scrape().await.job_ids(), ["Job:2", "Job:3"]);
    exporter.write_config(&format!("{}\njobs: [ 'Job:3' ]\n", changed.split("job_http").next().unwrap()));
    assert_eq!(exporter.request("POST", "/-/reload", &[]).await.status, 200);
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.job_ids(), ["Job:3"]);
    assert_eq!(scrape.value(SUCCESS, &HTTP), None);
    let asked = other.requests.lock().unwrap().len();
    wait_for("some time passes", || async {
        let cycles = exporter.scrape().await.value("grid_bulk_exporter_poll_cycles_total", &[]).unwrap();
        if cycles >= 4.0 { Ok(()) } else { Err(cycles.to_string()) }
    })
    .await;
    assert!(other.requests.lock().unwrap().len() <= asked + 1, "it is not asked any more");
}
