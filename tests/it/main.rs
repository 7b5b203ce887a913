//! Integration tests: one binary, whose modules mirror `src/` and the endpoints.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic in a test is the report of a failure"
)]

mod sim;
