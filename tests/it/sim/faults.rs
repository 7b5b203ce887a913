//! Each fault, seen on a raw socket: it does on the wire what it says.

use super::support::{CREDENTIALS, Exchange, LONG, Running};
use grid_bulk_exporter::sim::{Fault, FaultKind, HttpStatusFault};
use serde_json::Value;
use std::io::Read as _;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

async fn struck_by(fault: &str) -> Exchange {
    Running::with_fault(fault).await.ask_a().await
}

fn promised(exchange: &Exchange) -> usize {
    exchange.header("content-length").unwrap().parse().unwrap()
}

#[tokio::test]
async fn http_status_sends_the_status_its_body_and_headers() {
    let answer =
        struck_by("http_status, status: 429, retry_after: 'soon', retry_after_ms: 250, should_retry: false")
            .await;
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.header("retry-after").as_deref(), Some("soon"));
    assert_eq!(answer.header("retry-after-ms").as_deref(), Some("250"));
    assert_eq!(answer.header("x-should-retry").as_deref(), Some("false"));
    assert_eq!(answer.json()["code"], "RATE_LIMITED");
    let empty = struck_by("http_status, status: 204").await;
    assert_eq!((empty.status(), empty.body().len()), (204, 0));
    assert_eq!(
        struck_by("http_status, status: 500, code: GRID_SWITCH_ERROR").await.json()["code"],
        "GRID_SWITCH_ERROR"
    );
}

#[tokio::test]
async fn delay_waits_and_then_answers_well() {
    let running = Running::with_fault("delay, seconds: 0.2").await;
    let began = Instant::now();
    assert_eq!(running.ask_a().await.status(), 200);
    assert!(began.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn hang_head_sends_nothing_and_keeps_the_connection() {
    let running = Running::with_fault("hang_head").await;
    let mut stream = running.connect().await;
    ask_on(&mut stream).await;
    let mut byte = [0];
    let waited = timeout(Duration::from_millis(300), stream.read(&mut byte)).await;
    assert!(waited.is_err(), "nothing came, not even an end: {waited:?}");
    assert_eq!(running.handle.requests().records[0].status, None);
}

#[tokio::test]
async fn hang_body_sends_the_head_and_so_many_bytes() {
    let running = Running::with_fault("hang_body, after_bytes: 7").await;
    let mut stream = running.connect().await;
    ask_on(&mut stream).await;
    let mut bytes = Vec::new();
    while !bytes.ends_with(br#"{"id":""#) {
        bytes.push(timeout(LONG, stream.read_u8()).await.unwrap().unwrap());
    }
    // The chunk's end may still come, but no further chunk.
    let mut rest = [0; 64];
    let more = timeout(Duration::from_millis(200), stream.read(&mut rest)).await.map_or(0, Result::unwrap);
    assert!(more <= 2, "{:?}", &rest[..more]);
    assert!(timeout(Duration::from_millis(200), stream.read(&mut rest)).await.is_err());
}

#[tokio::test]
async fn trickle_takes_its_time_and_is_whole() {
    let running = Running::with_fault("trickle, bytes_per_second: 20000").await;
    let began = Instant::now();
    let answer = running.ask_a().await;
    let expected = answer.body().len() as f64 / 20_000.0;
    assert!(began.elapsed().as_secs_f64() >= expected, "{expected} s");
    assert_eq!(answer.json()["status"], "PROCESSING");
}

#[tokio::test]
async fn cut_body_closes_before_the_promised_end() {
    let answer = struck_by("cut_body, after_bytes: 25").await;
    assert_eq!((answer.status(), answer.body().len(), answer.reset), (200, 25, false));
    assert!(promised(&answer) > 25);
}

#[tokio::test]
async fn wrong_length_promises_more_or_less_than_comes() {
    let more = struck_by("wrong_length, difference: 10").await;
    assert_eq!(promised(&more), more.body().len() + 10);
    let less = struck_by("wrong_length, difference: -10").await;
    assert_eq!(promised(&less), less.body().len() - 10);
    assert!(less.json()["status"].is_string(), "all of the JSON is there");
}

#[tokio::test]
async fn reset_comes_where_it_is_told_to() {
    let before = struck_by("reset").await;
    assert!(before.reset && before.bytes.is_empty());
    let in_head = struck_by("reset, where: in_head").await;
    assert!(in_head.reset && in_head.bytes.starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert!(!in_head.bytes.windows(4).any(|window| window == b"\r\n\r\n"));
    let in_body = struck_by("reset, where: in_body").await;
    assert!(in_body.reset && in_body.body().len() < promised(&in_body) && !in_body.body().is_empty());
    let after = struck_by("reset, where: after_body").await;
    assert!(after.reset && after.body().len() == promised(&after));
    assert_eq!(after.json()["status"], "PROCESSING");
}

#[tokio::test]
async fn goaway_closes_http_1_without_an_answer_and_is_a_frame_in_http_2() {
    let closed = struck_by("goaway").await;
    assert!(closed.bytes.is_empty() && !closed.reset);

    let running = Running::with_fault("goaway").await;
    let mut stream = running.connect().await;
    // HPACK without indexing: each field as a literal, by RFC 7541 section 6.2.2.
    let mut fields = Vec::new();
    for (name, value) in [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/grid/2025-10-13/customers/bulk/jobs/Job:a"),
        ("authorization", "Basic ZGVtbzpkZW1v"),
    ] {
        fields.push(0);
        for text in [name, value] {
            fields.push(u8::try_from(text.len()).unwrap());
            fields.extend_from_slice(text.as_bytes());
        }
    }
    let mut request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00".to_vec();
    request.extend([0, 0, u8::try_from(fields.len()).unwrap(), 1, 5, 0, 0, 0, 1]);
    request.extend(fields);
    stream.write_all(&request).await.unwrap();
    let mut bytes = Vec::new();
    timeout(LONG, stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
    let (mut rest, mut kinds) = (&bytes[..], Vec::new());
    while rest.len() >= 9 {
        let length = usize::from(rest[0]) << 16 | usize::from(rest[1]) << 8 | usize::from(rest[2]);
        kinds.push(rest[3]);
        rest = &rest[9 + length..];
    }
    assert_eq!(kinds.last(), Some(&7), "GOAWAY is the last frame: {kinds:?}");
    assert!(!kinds.contains(&1), "no answer: {kinds:?}");
}

#[tokio::test]
async fn early_hints_come_before_a_good_answer() {
    let answer = struck_by("early_hints").await;
    assert_eq!(answer.status(), 103);
    let rest = String::from_utf8(answer.body()).unwrap();
    let (head, body) = rest.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(serde_json::from_str::<Value>(body).is_ok());
}

#[tokio::test]
async fn bodies_that_are_no_json_are_none() {
    let html = struck_by("html").await;
    assert_eq!(
        (html.status(), html.header("content-type").as_deref()),
        (200, Some("text/html; charset=utf-8"))
    );
    let empty = struck_by("empty_body").await;
    assert_eq!((empty.status(), promised(&empty), empty.body().len()), (200, 0, 0));
    for fault in ["not_json", "bom", "invalid_utf8", "lone_surrogate"] {
        let answer = struck_by(fault).await;
        assert_eq!(
            (answer.status(), answer.header("content-type").as_deref()),
            (200, Some("application/json"))
        );
        assert!(serde_json::from_slice::<Value>(&answer.body()).is_err(), "{fault}");
    }
    assert!(struck_by("bom").await.body().starts_with(b"\xef\xbb\xbf{"));
    assert!(struck_by("invalid_utf8").await.body().windows(4).any(|window| window == b"\"\xffPR"));
    assert!(struck_by("lone_surrogate").await.body().windows(9).any(|window| window == br#""\ud800PR"#));
}

#[tokio::test]
async fn deep_nesting_goes_as_deep_as_told() {
    let body = struck_by("deep_nesting, depth: 5000").await.body();
    assert_eq!(body.windows(10).filter(|window| *window == [b'['; 10]).count(), 5000 - 9);
    assert_eq!(body.last(), Some(&b'}'));
}

#[tokio::test]
async fn huge_string_is_as_long_as_told() {
    let answer = struck_by("huge_string, bytes: 5000000, in: status").await;
    assert_eq!(answer.json()["status"].as_str().unwrap().len(), 5_000_000);
}

#[tokio::test]
async fn gzip_bomb_is_small_on_the_wire_and_large_unpacked() {
    let answer = struck_by("gzip_bomb, bytes: 200000000").await;
    assert_eq!(answer.header("content-encoding").as_deref(), Some("gzip"));
    let body = answer.body();
    assert!(body.len() < 1_000_000, "{}", body.len());
    let unpacked = std::io::copy(&mut flate2::read::GzDecoder::new(&body[..]), &mut std::io::sink()).unwrap();
    assert!(unpacked >= 200_000_000);
}

#[tokio::test]
async fn false_gzip_is_not_gzip() {
    let answer = struck_by("false_gzip").await;
    assert_eq!(answer.header("content-encoding").as_deref(), Some("gzip"));
    let body = answer.body();
    assert!(flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut Vec::new()).is_err());
}

#[tokio::test]
async fn duplicate_keys_say_first_what_is_true() {
    let body = String::from_utf8(struck_by("duplicate_keys").await.body()).unwrap();
    assert_eq!(body.matches("\"status\":").count(), 2);
    assert!(body.find("PROCESSING").unwrap() < body.find("PENDING").unwrap());
    assert_eq!(body.matches("\"progress\":").count(), 2);
}

#[tokio::test]
async fn redirects_lead_where_they_are_told_to() {
    let path = "/grid/2025-10-13/customers/bulk/jobs/job:a";
    for (to, location) in [
        ("loop", path.to_owned()),
        ("same_host", format!("{path}?redirected")),
        ("'http://127.0.0.1:1/x'", "http://127.0.0.1:1/x".to_owned()),
        ("'file:///etc/passwd'", "file:///etc/passwd".to_owned()),
    ] {
        let answer = struck_by(&format!("redirect, to: {to}")).await;
        assert_eq!((answer.status(), answer.header("location")), (302, Some(location)));
    }
    let followed =
        Running::with_fault("redirect, to: same_host").await.ask("Job:a?redirected", CREDENTIALS).await;
    assert_eq!((followed.status(), &followed.json()["id"]), (200, &"Job:a".into()));
}

#[tokio::test]
async fn oddities_come_through_as_they_are_written() {
    let body = String::from_utf8(struck_by("counts, total: 1e400, processed: -1, failed: '12'").await.body())
        .unwrap();
    assert!(body.contains(r#""progress":{"total":1e400,"processed":-1,"successful":"#), "{body}");
    assert!(body.contains(r#""failed":"12"}"#), "{body}");
    assert_eq!(struck_by("status_word, word: PAUSED").await.json()["status"], "PAUSED");
    assert!(struck_by("old_job_id").await.json()["jobId"].is_string());
    assert_eq!(struck_by("null_errors").await.json()["errors"], Value::Null);
    assert_eq!(struck_by("completed_at, value: yesterday").await.json()["completedAt"], "yesterday");
}

#[tokio::test]
async fn faults_come_and_heal_by_themselves_and_at_run_time() {
    let running = Running::with_fault("html, until: 0.3").await;
    assert_eq!(running.ask_a().await.header("content-type").as_deref(), Some("text/html; charset=utf-8"));
    let healed = async {
        while running.ask_a().await.header("content-type").as_deref() != Some("application/json") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, healed).await.unwrap();
    let fault = Fault::always(FaultKind::HttpStatus(HttpStatusFault::new(503)));
    running.give(fault.for_share(0.5));
    let before = running.handle.requests().with_status(503);
    for _ in 0..10 {
        running.ask_a().await;
    }
    assert_eq!(running.handle.requests().with_status(503) - before, 5);
    running.heal();
    assert_eq!(running.ask_a().await.status(), 200);
}

#[tokio::test]
async fn a_broken_connection_leaves_its_neighbours_alone() {
    let running = Running::with_fault("reset").await;
    running.add(grid_bulk_exporter::sim::generated_job(1, 1));
    let neighbour = running.handle.job_ids().into_iter().find(|id| id != "Job:a").unwrap();
    let (broken, whole) = tokio::join!(running.ask_a(), running.ask(&neighbour, CREDENTIALS));
    assert!(broken.reset);
    assert_eq!(whole.status(), 200);
}

async fn ask_on(stream: &mut tokio::net::TcpStream) {
    let path = "/grid/2025-10-13/customers/bulk/jobs/Job:a";
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n{CREDENTIALS}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
}
