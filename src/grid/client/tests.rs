//! The client against small servers on loopback, one fault each. Real time and real sockets: limits are short.

mod answers;
mod credentials;
mod limits;
mod redirects;
mod secrets;
mod server;
mod tls;
mod transport;

use super::*;
use crate::clock::SystemClock;
use crate::config::{CredentialSource, TlsConfig};
use crate::job::{ErrorTally, JobReading, PollFailure};
use crate::secret::Secret;
use crate::telemetry::own::OwnMetrics;
use server::Server;

/// Planted where no text may show it, with characters that other encodings change.
const SECRET: &str = "s3cret/+?&ü";
const CLIENT_ID: &str = "token-id-0195";
/// base64 of both, as HTTP Basic sends it.
const BASIC: &str = "dG9rZW4taWQtMDE5NTpzM2NyZXQvKz8mw7w=";

/// A body with everything that a reading must have.
const JOB: &str = r#"{"id":"Job:1","status":"PROCESSING","progress":{"total":9,"processed":3,"successful":1,"failed":2},"errors":[{"code":"A"},{"code":"A"}]}"#;

fn value(text: &str) -> CredentialSource {
    CredentialSource::Value { value: Secret::new(text.to_owned()), origin: "the test".to_owned() }
}

fn config(base_url: &str) -> GridConfig {
    GridConfig {
        base_url: Url::parse(base_url).unwrap(),
        client_id: value(CLIENT_ID),
        client_secret: value(SECRET),
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
        read_idle_timeout: Duration::from_secs(5),
        max_duration: Duration::from_secs(10),
        max_response_bytes: 1_048_576,
        tls: TlsConfig::default(),
        proxy_url: None,
    }
}

fn metrics() -> OwnMetrics {
    OwnMetrics::new(&(Arc::new(SystemClock) as SharedClock)).unwrap()
}

fn client_of(config: &GridConfig) -> GridClient {
    GridClient::new(config, metrics().api, Arc::new(SystemClock)).unwrap()
}

fn query() -> JobQuery {
    JobQuery { id: "Job:1".parse().unwrap(), tally: ErrorTally::new(20), validators: None }
}

async fn read(config: &GridConfig) -> Answer {
    client_of(config).read(query()).await
}

/// The job of a good answer.
fn job(answer: Answer) -> JobReading {
    match answer.outcome {
        Ok(Reading::Job(job)) => job,
        other => panic!("not a job: {other:?}"),
    }
}

/// Asserts that the answer failed for this reason, with a text that has these parts and no secret.
#[track_caller]
fn assert_failed(answer: &Answer, reason: PollFailure, parts: &[&str]) {
    let error = answer.outcome.as_ref().unwrap_err();
    let text = error.to_string();
    assert_eq!(error.reason(), reason, "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
    assert!(!text.contains('\n') && text.len() < 400, "one line: {text}");
    assert_no_secret(&format!("{answer:?} {text}"));
}

/// Asserts that none of the planted secrets is in a text, in any encoding.
#[track_caller]
fn assert_no_secret(text: &str) {
    for secret in
        [SECRET, "s3cret", BASIC, BASIC.trim_end_matches('='), "s3cret%2F%2B%3F%26%C3%BC", "czNjcmV0"]
    {
        assert!(!text.contains(secret), "{secret:?} is in: {text}");
    }
}

#[test]
fn an_id_is_one_segment_below_the_base_whatever_is_in_it() {
    for (base, prefix) in [
        ("http://api.invalid/v1", "http://api.invalid/v1/customers/bulk/jobs/"),
        ("http://api.invalid/v1/", "http://api.invalid/v1/customers/bulk/jobs/"),
        ("http://api.invalid", "http://api.invalid/customers/bulk/jobs/"),
    ] {
        let client = GridClient::new(&config(base), metrics().api, Arc::new(SystemClock)).unwrap();
        for (id, segment) in [
            ("Job:019542f5-b3e7-1d02-0000-000000000006", "Job:019542f5-b3e7-1d02-0000-000000000006"),
            ("a.b~c_d@e", "a.b~c_d@e"),
            ("...", "..."),
            ("Job:a?b#c", "Job:a%3Fb%23c"),
            ("%2e%2e", "%252e%252e"),
            (r"..\a", "..%5Ca"),
            ("ü!", "%C3%BC%21"),
        ] {
            assert_eq!(client.job_url(&id.parse().unwrap()).as_str(), format!("{prefix}{segment}"));
        }
    }
}
