//! Answers with another status than 200, but for 429, which stops all polls (`throttle`).

use super::matrix::{SHORT_LIMITS, fails, reads, run};

#[tokio::test]
async fn a_status_other_than_200_is_that_jobs_trouble() {
    run(
        SHORT_LIMITS,
        &[
            reads("early-hints", "early_hints"),
            fails(
                "no-content",
                "http_status, status: 204",
                "bad_response",
                "answered 204, which brings no job",
            ),
            fails("partial", "http_status, status: 206", "bad_response", "answered 206"),
            fails("not-modified", "http_status, status: 304", "bad_response", "no version was sent along"),
            fails("use-proxy", "http_status, status: 305", "redirect", "answered 305"),
            fails("bad-request", "http_status, status: 400", "other", "answered 400"),
            fails("unauthorized", "http_status, status: 401", "unauthorized", "credentials are refused"),
            fails("forbidden", "http_status, status: 403", "forbidden", "may not read this job"),
            fails("not-found", "http_status, status: 404", "not_found", "no such job"),
            fails("gone", "http_status, status: 410", "other", "answered 410"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_passing_fault_of_the_server_is_retried_and_a_lasting_one_is_told() {
    run(
        SHORT_LIMITS,
        &[
            fails("request-timeout", "http_status, status: 408", "server_error", "answered 408"),
            fails("server-error", "http_status, status: 500", "server_error", "answered 500"),
            fails("bad-gateway", "http_status, status: 502", "server_error", "answered 502"),
            fails(
                "unavailable",
                "http_status, status: 503, retry_after: '1'",
                "server_error",
                "answered 503",
            ),
            fails("gateway-timeout", "http_status, status: 504", "server_error", "answered 504"),
            fails(
                "no-retry",
                "http_status, status: 503, should_retry: false",
                "server_error",
                "answered 503",
            ),
            // One in three: the retries within the poll find a good answer.
            reads("now-and-then", "http_status, status: 503, share: 0.34"),
        ],
    )
    .await;
}
