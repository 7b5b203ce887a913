//! Answers of 200 that are no job, or far too much of one.

use super::matrix::{SHORT_LIMITS, fails, reads, run};

#[tokio::test]
async fn bodies_that_are_no_job_are_refused_and_what_was_known_stays() {
    run(
        SHORT_LIMITS,
        &[
            fails("html", "html", "bad_response", "text/html instead of JSON"),
            fails("empty", "empty_body", "bad_response", "the body is empty"),
            fails("text", "not_json", "bad_response", "not JSON at byte 0"),
            fails("bom", "bom", "bad_response", "byte order mark"),
            fails("invalid-utf8", "invalid_utf8", "bad_response", "not UTF-8 at byte"),
            fails("lone-surrogate", "lone_surrogate", "bad_response", "half a surrogate pair"),
            fails("deep", "deep_nesting", "bad_response", "nested deeper than 64"),
            fails("false-gzip", "false_gzip", "bad_response", "broken gzip"),
            fails("twice", "duplicate_keys", "bad_response", "`status` twice"),
        ],
    )
    .await;
}

#[tokio::test]
async fn bodies_that_lack_something_or_say_another_type_are_refused() {
    run(
        SHORT_LIMITS,
        &[
            fails("other-job", "wrong_id", "bad_response", "names another job"),
            fails("no-id", "no_id", "bad_response", "no `id`"),
            fails("no-status", "no_status", "bad_response", "no `status`"),
            fails("text-count", "counts, failed: '12'", "bad_response", "`progress.failed` is not"),
            fails("infinite-count", "counts, total: 1e400", "bad_response", "too large a number"),
            reads("old-id", "old_job_id"),
            reads("no-progress", "no_progress"),
            reads("null-errors", "null_errors"),
            reads("no-errors", "no_errors"),
            reads("nested-errors", "nested_errors"),
            reads("odd-completion", "completed_at, value: yesterday"),
        ],
    )
    .await;
}

/// Strings and bombs far beyond the limit on a body's size, here 2 MiB.
#[tokio::test]
async fn bodies_beyond_the_limit_end_there_and_what_came_whole_before_is_published() {
    let limits = "  timeout: 10s\n  max_duration: 60s\n  max_response_bytes: 2MiB\n";
    run(
        limits,
        &[
            // The bomb stands behind `errors`, which were read to their end.
            reads("bomb", "gzip_bomb"),
            reads("bomb-without-errors", "no_errors + gzip_bomb").truncated(),
            fails("bomb-without-status", "no_status + gzip_bomb", "too_large", "grid.max_response_bytes"),
            reads("huge-message", "no_errors + huge_string, bytes: 100000000").truncated(),
        ],
    )
    .await;
}
