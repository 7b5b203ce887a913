//! Prometheus exporter for bulk customer imports of the Lightspark Grid API.
//!
//! Data flows one way:
//!
//! ```text
//! config ─► catalog (which jobs) ─► poller (when, how fast) ─► grid (HTTP, JSON) ─► store (latest state of each job)
//!                                                                                      │
//!                        Prometheus ◄─ web (hyper) ◄─ exposition (bytes, rendered once a change) ◄─┘
//! ```
//!
//! The web never calls the API, the poller never formats text, the job types do no I/O. Polling has a clock of its
//! own, against Prometheus's general advice, because the API is rate limited, bodies may have 100 MB, and several
//! Prometheus servers may scrape.
//!
//! A module may use what stands above it in this list and nothing else (`tests/it/layers.rs` checks it):
//!
//! | module | may use |
//! | --- | --- |
//! | [`clock`], [`secret`] | nothing of ours |
//! | [`job`] | `clock` |
//! | [`telemetry`], [`config`] | the rows above, not each other |
//! | [`tls`] | `config` and above, not `telemetry` |
//! | [`grid`], `store`, `catalog` | the rows above, never each other; of the configuration only their own section |
//! | `poller` | `catalog`, `grid`, `store` and above: the only place where the three meet |
//! | `storage` | `store`, `telemetry`, `config`, the first rows; it doesn't know who polls |
//! | `exposition` | `store`, `telemetry`, `job`; it doesn't know that an API exists |
//! | `web` | `exposition`, `tls`, the handles of `store`, `catalog` and `poller`, the first rows; of `grid` only `webhook` |
//! | `sim` | `job`, `clock`, `secret`; not `grid`, or one mistake made in both would hide itself |
//! | `app`, `cli` | everything; nothing uses them |

pub mod app;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod exposition;
pub mod grid;
pub mod job;
pub mod poller;
pub mod secret;
pub mod sim;
pub mod storage;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod web;
