//! What is asked, and what follows from each status code and kind of body.

use super::server::{Step, answer, gzip, json};
use super::*;
use crate::grid::Quota;

#[tokio::test]
async fn a_job_is_asked_for_as_the_api_wants_it() {
    let server = Server::saying(json(JOB)).await;
    let answer = read(&config(&server.url())).await;
    assert_eq!(answer.status_code, Some(200));
    let job = job(answer);
    assert_eq!(job.errors.iter().collect::<Vec<_>>(), [("A", 2)]);
    let requests = server.requests();
    let head = requests[0].to_ascii_lowercase();
    assert!(requests[0].starts_with("GET /grid/v1/customers/bulk/jobs/Job:1 HTTP/1.1\r\n"), "{head}");
    assert!(requests[0].contains(&format!("Basic {BASIC}\r\n")), "{}", requests[0]);
    let user_agent = format!("user-agent: grid-bulk-exporter/{}\r\n", env!("CARGO_PKG_VERSION"));
    for header in [user_agent.as_str(), "accept: application/json\r\n", "accept-encoding: gzip\r\n"] {
        assert!(head.contains(header), "{header:?} is not in {head}");
    }
}

#[tokio::test]
async fn an_id_can_not_leave_its_place_in_the_path() {
    let server = Server::saying(answer("404 Not Found", "", "")).await;
    let client = client_of(&config(&format!("{}/", server.url())));
    for id in ["a?b#c", "%2e%2e", "ü\"<>", "a\\b;c"] {
        let query = JobQuery { id: id.parse().unwrap(), ..query() };
        assert_failed(&client.read(query).await, PollFailure::NotFound, &["404"]);
    }
    let paths: Vec<_> = server
        .requests()
        .iter()
        .map(|head| head.split(' ').nth(1).unwrap().rsplit('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(paths, ["a%3Fb%23c", "%252e%252e", "%C3%BC%22%3C%3E", "a%5Cb%3Bc"]);
    assert!(server.requests().iter().all(|head| head.starts_with("GET /grid/v1/customers/bulk/jobs/")));
}

#[tokio::test]
async fn connections_are_used_again_after_errors_too() {
    let big = answer("500 Oops", "", "x".repeat(20_000));
    let server =
        Server::answering([big, json(JOB), json(JOB)].map(|bytes| vec![Step::Send(bytes)]).to_vec()).await;
    let client = client_of(&config(&server.url()));
    assert!(client.read(query()).await.outcome.is_err());
    for _ in 0..3 {
        assert!(client.read(query()).await.outcome.is_ok());
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn every_status_code_has_its_reason() {
    for (status, reason, part) in [
        (
            "401 U",
            PollFailure::Unauthorized,
            "401: the credentials are refused; check grid.client_id and grid.client_secret",
        ),
        ("403 F", PollFailure::Forbidden, "403"),
        ("404 N", PollFailure::NotFound, "404: it knows no such job"),
        ("408 T", PollFailure::ServerError, "408"),
        ("429 M", PollFailure::RateLimited, "429"),
        ("500 E", PollFailure::ServerError, "500"),
        ("503 E", PollFailure::ServerError, "503"),
        ("599 E", PollFailure::ServerError, "599"),
        ("202 A", PollFailure::BadResponse, "202"),
        ("206 P", PollFailure::BadResponse, "206"),
        ("300 M", PollFailure::Redirect, "300"),
        ("400 B", PollFailure::Other, "400"),
        ("418 T", PollFailure::Other, "418"),
        ("451 L", PollFailure::Other, "451"),
    ] {
        let server = Server::saying(answer(status, "", r#"{"message":"s3cret"}"#)).await;
        let answer = read(&config(&server.url())).await;
        assert_failed(&answer, reason, &["the API answered", part]);
        assert_eq!(answer.status_code.unwrap().to_string(), status[..3]);
    }
    for status in ["204 No Content", "304 Not Modified"] {
        let server = Server::saying(format!("HTTP/1.1 {status}\r\n\r\n")).await;
        assert_failed(&read(&config(&server.url())).await, PollFailure::BadResponse, &[&status[..3]]);
    }
}

#[tokio::test]
async fn an_interim_answer_is_passed_over() {
    let mut bytes = b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n".to_vec();
    bytes.extend(json(JOB));
    let server = Server::saying(bytes).await;
    assert_eq!(job(read(&config(&server.url())).await).errors.iter().count(), 1);
}

#[tokio::test]
async fn a_body_that_is_no_job_is_a_bad_response() {
    let html = answer("200 OK", "Content-Type: text/html; charset=utf-8\r\n", "<html>Sign in, s3cret</html>");
    for (answer, parts) in [
        (html, &["200 with text/html instead of JSON", "proxy"][..]),
        (json(""), &["empty"]),
        (json("\u{feff}{}"), &["byte order mark"]),
        (json(b"{\"id\":\"\xff\"}"), &["not UTF-8 at byte 7"]),
        (json("[1]"), &["not an object"]),
        (json(format!("{{\"x\":{}", "[".repeat(10_000))), &["deeper than 64"]),
        (json(r#"{"id":"Job:s3cret","status":"PENDING"}"#), &["another job"]),
        (json(r#"{"id":"Job:1","status":"PENDING","status":"FAILED"}"#), &["`status` twice"]),
        (json(r#"{"id":"Job:1","status":"PENDING"} x"#), &["not JSON at byte 34"]),
        (answer("200 OK", "Content-Encoding: br\r\n", "abc"), &["Content-Encoding"]),
        (answer("200 OK", "Content-Encoding: gzip\r\n", "no gzip at all"), &["broken gzip"]),
        (answer("200 OK", "Content-Encoding: gzip\r\n", &gzip(JOB.as_bytes())[..40]), &["broken gzip"]),
    ] {
        let server = Server::saying(answer).await;
        assert_failed(&read(&config(&server.url())).await, PollFailure::BadResponse, parts);
    }
}

#[tokio::test]
async fn a_packed_body_is_unpacked() {
    let server = Server::saying(answer("200 OK", "Content-Encoding: gzip\r\n", gzip(JOB.as_bytes()))).await;
    let own = metrics();
    let client = GridClient::new(&config(&server.url()), own.api.clone(), Arc::new(SystemClock)).unwrap();
    assert!(client.read(query()).await.outcome.is_ok());
    assert_eq!(own.api.response_bytes.get(), JOB.len() as u64);
    assert_eq!(own.api.request_duration.get_sample_count(), 1);
}

#[tokio::test]
async fn an_unchanged_job_costs_no_body() {
    let headers = "ETag: \"v1\"\r\nLast-Modified: Fri, 15 Aug 2025 14:32:00 GMT\r\n";
    let first = answer("200 OK", headers, JOB);
    let second = b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec();
    let server = Server::answering(vec![vec![Step::Send(first)], vec![Step::Send(second)]]).await;
    let client = client_of(&config(&server.url()));
    let first = client.read(query()).await;
    assert!(!server.requests()[0].to_ascii_lowercase().contains("if-"));
    let validators = first.validators.clone();
    assert_eq!(validators.as_ref().unwrap().etag.as_deref(), Some("\"v1\""));
    let second = client.read(JobQuery { validators: validators.clone(), ..query() }).await;
    assert_eq!(second.outcome.unwrap(), Reading::Unchanged);
    assert_eq!(second.validators, validators);
    let head = server.requests()[1].to_ascii_lowercase();
    assert!(head.contains("if-none-match: \"v1\"\r\n"), "{head}");
    assert!(head.contains("if-modified-since: fri, 15 aug 2025 14:32:00 gmt\r\n"), "{head}");
}

#[tokio::test]
async fn a_version_of_a_job_that_was_not_read_whole_is_not_kept() {
    let mut bad = config(&Server::saying("").await.url());
    for (body, limit) in [("{", 1_000), (JOB, JOB.len() as u64 - 20)] {
        let server = Server::saying(answer("200 OK", "ETag: \"v1\"\r\n", body)).await;
        bad.base_url = Url::parse(&server.url()).unwrap();
        bad.max_response_bytes = limit;
        assert_eq!(read(&bad).await.validators, None, "{body}");
    }
    let long = format!("ETag: \"{}\"\r\n", "x".repeat(300));
    let server = Server::saying(answer("200 OK", &long, JOB)).await;
    assert_eq!(read(&config(&server.url())).await.validators, None);
}

#[tokio::test]
async fn advice_is_handed_on_with_every_answer() {
    let headers = "Retry-After: 7\r\nx-should-retry: false\r\nRateLimit-Limit: 10\r\n";
    for status in ["200 OK", "429 Too Many"] {
        let server = Server::saying(answer(status, headers, JOB)).await;
        let advice = read(&config(&server.url())).await.advice;
        assert_eq!(advice.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(advice.should_retry, Some(false));
        assert_eq!(advice.quota, Some(Quota { limit: Some(10.0), ..Quota::default() }));
    }
}
