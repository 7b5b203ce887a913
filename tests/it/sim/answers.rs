//! Good answers, refusals, limits, and that a run repeats.

use super::support::{CREDENTIALS, LONG, Running};
use grid_bulk_exporter::secret::Secret;
use grid_bulk_exporter::sim::{
    Course, Fault, FaultKind, RateLimit, RetryAfterForm, SimJobSpec, SimOptions, demo,
};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

const ENDED: &str =
    "jobs: [{id: 'Job:a', rows: 100, rows_per_second: 10, failing_share: 0.1, starts_at: -100}]";

#[tokio::test]
async fn an_ended_job_is_told_with_its_end_in_wall_clock_time() {
    let running = Running::with(ENDED).await;
    let answer = running.ask_a().await;
    assert_eq!((answer.status(), answer.header("content-type").as_deref()), (200, Some("application/json")));
    let job = answer.json();
    assert_eq!((&job["id"], &job["status"]), (&"Job:a".into(), &"COMPLETED".into()));
    assert_eq!(job["progress"]["failed"], 10);
    assert_eq!(job["errors"].as_array().unwrap().len(), 10);
    // It began 100 s before 14:32:00 and took 10.
    assert_eq!(job["completedAt"], "2025-08-15T14:30:30Z");
}

#[tokio::test]
async fn wrong_credentials_are_refused_and_new_ones_taken_at_once() {
    let running = Running::with(ENDED).await;
    for headers in ["", "authorization: Basic ZGVtbzpkZW1v00==\r\n", "authorization: Bearer demo\r\n"] {
        let refused = running.ask("Job:a", headers).await;
        assert_eq!((refused.status(), &refused.json()["code"]), (401, &"UNAUTHORIZED".into()), "{headers}");
    }
    running.handle.set_credentials("new", &Secret::new("secret".to_owned()));
    assert_eq!(running.ask_a().await.status(), 401);
    let new = running.ask("Job:a", "authorization: Basic bmV3OnNlY3JldA==\r\n").await;
    assert_eq!(new.status(), 200);
}

#[tokio::test]
async fn what_is_not_there_is_404_and_wrong_methods_are_405() {
    let running = Running::with(ENDED).await;
    let unknown = running.ask("Job:b", CREDENTIALS).await;
    assert_eq!((unknown.status(), &unknown.json()["code"]), (404, &"BULK_UPLOAD_JOB_NOT_FOUND".into()));
    let nowhere = format!("GET /elsewhere HTTP/1.1\r\nhost: a\r\n{CREDENTIALS}connection: close\r\n\r\n");
    assert_eq!(running.send(&nowhere).await.status(), 404);
    let path = "/grid/2025-10-13/customers/bulk/jobs/Job:a";
    let delete = format!("DELETE {path} HTTP/1.1\r\nhost: a\r\n{CREDENTIALS}connection: close\r\n\r\n");
    let refused = running.send(&delete).await;
    assert_eq!((refused.status(), refused.header("allow").as_deref()), (405, Some("get, head")));
    assert!(running.handle.remove_job("Job:a"));
    assert_eq!(running.ask_a().await.status(), 404);
}

#[tokio::test]
async fn over_the_limit_is_429_with_the_time_to_come_back() {
    let running = Running::with(ENDED).await;
    let limit = RateLimit { burst: 2.0, quota_headers: true, ..RateLimit::new(0.01) };
    running.handle.set_rate_limit(Some(limit));
    let first = running.ask_a().await;
    assert_eq!((first.status(), first.header("ratelimit-remaining").as_deref()), (200, Some("1")));
    assert_eq!(running.ask_a().await.status(), 200);
    let refused = running.ask_a().await;
    assert_eq!((refused.status(), &refused.json()["code"]), (429, &"RATE_LIMITED".into()));
    let wait: f64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((90.0..=100.0).contains(&wait), "{wait}");
    running.handle.set_rate_limit(Some(RateLimit { retry_after: RetryAfterForm::Absent, ..limit }));
    running.handle.set_rate_limit(None);
    assert_eq!(running.ask_a().await.status(), 200);
    let requests = running.handle.requests();
    assert_eq!((requests.total, requests.with_status(429), requests.of_job("Job:a").count()), (4, 1, 4));
    assert_eq!(running.handle.requests_of("Job:a"), 3, "throttled ones did not reach the job");
}

#[tokio::test]
async fn an_etag_spares_a_body_until_the_job_moves() {
    let running = Running::with(&format!("api: {{etag: true}}\n{ENDED}")).await;
    let tag = running.ask_a().await.header("etag").unwrap().to_ascii_uppercase();
    let again = running.ask("Job:a", &format!("{CREDENTIALS}if-none-match: {tag}\r\n")).await;
    assert_eq!((again.status(), again.body().len()), (304, 0));
    let other = running.ask("Job:a", &format!("{CREDENTIALS}if-none-match: \"x\"\r\n")).await;
    assert_eq!(other.status(), 200);
}

#[tokio::test]
async fn gzip_comes_where_it_is_asked_for() {
    let running = Running::with(&format!("api: {{gzip: true}}\n{ENDED}")).await;
    let plain = running.ask_a().await;
    assert_eq!(plain.header("content-encoding"), None);
    let packed = running.ask("Job:a", &format!("{CREDENTIALS}accept-encoding: gzip\r\n")).await;
    assert_eq!(packed.header("content-encoding").as_deref(), Some("gzip"));
    let mut unpacked = Vec::new();
    let body = packed.body();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&body[..]), &mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body());
}

#[tokio::test]
async fn the_same_seed_gives_the_same_jobs_and_answers() {
    let options = |seed| SimOptions { jobs: 40, seed, ..SimOptions::default() };
    let (one, two) = (Running::start(options(3)).await, Running::start(options(3)).await);
    let other = Running::start(options(4)).await;
    let ids = one.handle.job_ids();
    assert_eq!((ids.len(), &ids), (40, &two.handle.job_ids()));
    assert_ne!(ids, other.handle.job_ids());
    let mut statuses = std::collections::BTreeSet::new();
    for id in &ids {
        let job = one.ask(id, CREDENTIALS).await.json();
        statuses.insert(job["status"].to_string());
        // Running jobs move between the two questions; their entries up to the fewer ones are the same.
        let again = two.ask(id, CREDENTIALS).await.json();
        let entries = |job: &serde_json::Value| job["errors"].as_array().cloned().unwrap_or_default();
        let both = entries(&job).len().min(entries(&again).len());
        assert_eq!(entries(&job)[..both], entries(&again)[..both], "{id}");
    }
    assert!(statuses.len() >= 2, "{statuses:?}");
}

#[tokio::test]
async fn hundreds_of_thousands_of_error_entries_are_json_to_the_end() {
    let running = Running::with_fault("error_entries, entries: 200000").await;
    let body = running.ask_a().await.body();
    assert!(body.len() > 20_000_000, "{}", body.len());
    let job: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(job["errors"].as_array().unwrap().len(), 200_000);
}

#[tokio::test]
async fn demo_imports_are_answered_for_and_those_to_come_are_not() {
    let running = Running::start(SimOptions { demo: true, ..SimOptions::default() }).await;
    let imports = demo::imports_at(1, Duration::ZERO);
    let mut statuses = std::collections::BTreeSet::new();
    for import in &imports {
        statuses.insert(running.ask(&import.id, CREDENTIALS).await.json()["status"].to_string());
    }
    assert_eq!(statuses.len(), 4, "{statuses:?}");
    assert_eq!(running.ask(&demo::import(1, 50).id, CREDENTIALS).await.status(), 404);
}

#[tokio::test]
async fn http_2_without_tls_is_spoken_too() {
    let running = Running::with(ENDED).await;
    let stream = running.connect().await;
    let io = hyper_util::rt::TokioIo::new(stream);
    // The client's half of HTTP/2 is not among our features: the preface and an answer in frames must do.
    let mut stream = io.into_inner();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").await.unwrap();
    let mut head = [0; 9];
    timeout(LONG, stream.read_exact(&mut head)).await.unwrap().unwrap();
    assert_eq!(head[3], 4, "the server's SETTINGS frame comes first");
}

#[tokio::test]
async fn a_shutdown_ends_hanging_answers_and_idle_connections() {
    let running = Running::with_fault("hang_head").await;
    let mut hanging = running.connect().await;
    let request =
        format!("GET /grid/2025-10-13/customers/bulk/jobs/Job:a HTTP/1.1\r\nhost: a\r\n{CREDENTIALS}\r\n");
    hanging.write_all(request.as_bytes()).await.unwrap();
    let idle = running.connect().await;
    while running.handle.requests().total == 0 {
        tokio::task::yield_now().await;
    }
    running.stop().await;
    drop(idle);
}

#[tokio::test]
async fn faults_of_the_api_strike_every_job_and_heal() {
    let running = Running::with(ENDED).await;
    running.add(SimJobSpec { id: "Job:b".to_owned(), course: Course::default(), faults: vec![] });
    running.handle.set_api_faults(vec![Fault::always(FaultKind::Html)]);
    for id in ["Job:a", "Job:b", "Job:unknown"] {
        let answer = running.ask(id, CREDENTIALS).await;
        assert_eq!(answer.header("content-type").as_deref(), Some("text/html; charset=utf-8"), "{id}");
    }
    running.handle.set_api_faults(vec![]);
    assert_eq!(running.ask_a().await.json()["status"], "COMPLETED");
}
