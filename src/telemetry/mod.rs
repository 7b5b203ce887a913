//! What the exporter says: the table of every family, its own metrics, and its log.
//!
//! Used by every module that measures or publishes something.

pub mod families;
mod labelled;
pub mod latency;
pub mod log;
mod logfmt;
pub mod native;
pub mod own;
mod process;
mod registering;
pub mod registry;
pub mod webhooks;
