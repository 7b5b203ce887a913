//! The exposition as others read it: Python's parsers, a protobuf library, curl, and a real Prometheus.

mod formats;
mod messages;
pub mod reading;
mod scrapers;
