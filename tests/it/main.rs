//! Integration tests: one binary, whose modules mirror `src/` and the endpoints.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    clippy::format_push_string,
    missing_docs,
    unreachable_pub,
    reason = "a panic is the report of a failure; what tests share is not an interface"
)]

mod alerts;
mod attack;
mod bad_input;
mod config_bad_files;
mod config_command_line;
mod config_commands;
mod config_docs;
mod config_merge;
mod corpus;
mod discovery;
mod docs;
mod exposition;
mod faults;
mod fleet;
mod generated;
mod layers;
mod links;
mod memory;
mod model;
mod page;
mod probe;
mod prometheus;
mod secrets;
mod serve;
mod service_manager;
mod shards;
mod side_by_side;
mod sim;
mod storage;
mod support;
mod upload;
mod watch;
mod web_config;
mod webhook;
