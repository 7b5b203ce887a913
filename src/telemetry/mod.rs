//! What the exporter says: the table of every family, its own metrics, and its log.
//!
//! Used by every module that measures or publishes something.

pub mod families;
pub mod log;
mod logfmt;
pub mod own;
pub mod process;
pub mod webhooks;
