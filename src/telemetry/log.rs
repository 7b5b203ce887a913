//! The log: one event a line on standard error, as logfmt or JSON. Set up once by `cli`, before anything else runs.

use crate::telemetry::logfmt::Logfmt;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// `key=value` pairs.
    Logfmt,
    /// One JSON object.
    Json,
}

/// The log flags (`--log.*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// The least severe events that are logged.
    pub level: LevelFilter,
    /// How they are written.
    pub format: Format,
}

/// Sends all events of `level` and above to standard error. A second call changes nothing.
///
/// Libraries are heard from `warn` on only: at debug level some of them print headers, and with them credentials. Of
/// those that speak with clients of ours only errors: a client could write into the log as fast as it can send.
pub fn init(level: LevelFilter, format: Format) {
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("h2", LevelFilter::ERROR)
        .with_target("rustls", LevelFilter::ERROR)
        .with_target("grid_bulk_exporter", level);
    let layer = match format {
        Format::Logfmt => tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .event_format(Logfmt)
            .with_writer(std::io::stderr)
            .with_filter(filter)
            .boxed(),
        Format::Json => tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_writer(std::io::stderr)
            .with_filter(filter)
            .boxed(),
    };
    let _already_set = tracing_subscriber::registry().with(layer).try_init();
}
