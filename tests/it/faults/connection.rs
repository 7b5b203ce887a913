//! Connections that break, stand still or crawl.

use super::matrix::{SHORT_LIMITS, fails, reads, run};

#[tokio::test]
async fn connections_that_break_cost_their_own_poll_alone() {
    run(
        SHORT_LIMITS,
        &[
            fails("reset-before-head", "reset, where: before_head", "connect", "connection reset"),
            fails("reset-in-head", "reset, where: in_head", "connect", "connection reset"),
            fails("reset-in-body", "reset, where: in_body", "connect", "bytes of its body"),
            reads("reset-after-body", "reset, where: after_body"),
            fails("closed-without-answer", "goaway", "connect", "broke before the answer"),
            fails("cut-body", "cut_body, after_bytes: 20", "connect", "broke off after 20 bytes"),
            fails("cut-in-errors", "cut_body, after_bytes: 900", "connect", "broke off after 900 bytes"),
            fails("too-long-a-length", "wrong_length, difference: 10", "connect", "bytes of its body"),
            fails(
                "too-short-a-length",
                "wrong_length, difference: -10",
                "bad_response",
                "ends within its JSON",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn answers_that_stand_still_or_crawl_end_at_their_limits() {
    run(
        SHORT_LIMITS,
        &[
            fails("hangs-in-head", "hang_head", "timeout", "within 2s (grid.timeout)"),
            fails(
                "hangs-in-body",
                "hang_body, after_bytes: 20",
                "timeout",
                "stood still for 2s after 20 bytes",
            )
            .slow(),
            fails("one-byte-a-second", "trickle, bytes_per_second: 1", "timeout", "(grid.max_duration)")
                .slow(),
            reads("hangs-in-errors", "hang_body, after_bytes: 900").truncated().slow(),
            reads("late", "delay, seconds: 0.3"),
        ],
    )
    .await;
}
