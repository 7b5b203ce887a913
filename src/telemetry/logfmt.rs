//! One event as a line of logfmt, in the form of Prometheus's own logs: `ts=… level=info component=poller msg="…"`,
//! then the event's fields. Used by `log`.
//!
//! Our own, because the crate for it writes `\'`, which other readers of logfmt take for two characters, and names
//! the message otherwise than Prometheus does.

use std::fmt::{self, Write};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::registry::LookupSpan;

/// Writes events as logfmt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_str("ts=")?;
        SystemTime.format_time(&mut writer)?;
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        write!(writer, " level={level} component={}", component(event.metadata().target()))?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        write!(writer, " msg={}", Value(&fields.message))?;
        writeln!(writer, "{}", fields.others)
    }
}

/// The part of the program that an event comes from: the module below our crate's root, or the library.
fn component(target: &str) -> &str {
    let mut parts = target.split("::");
    let first = parts.next().unwrap_or_default();
    if first == env!("CARGO_CRATE_NAME") { parts.next().unwrap_or("main") } else { first }
}

/// Gathers an event's fields: the message, which comes first, and all others in their order.
#[derive(Default)]
struct Fields {
    message: String,
    others: String,
}

impl Fields {
    fn push(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            // Writing to a string can't fail.
            let _infallible = write!(self.others, " {}={}", field.name(), Value(value));
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, &value.to_string());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, &format!("{value:?}"));
    }
}

/// A value: as it is where that is one word, else quoted, with quotes, backslashes and controls escaped as in JSON.
struct Value<'a>(&'a str);

impl fmt::Display for Value<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '=' | '\\');
        if !self.0.is_empty() && self.0.chars().all(is_plain) {
            return formatter.write_str(self.0);
        }
        formatter.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' => formatter.write_str("\\\"")?,
                '\\' => formatter.write_str("\\\\")?,
                '\n' => formatter.write_str("\\n")?,
                '\r' => formatter.write_str("\\r")?,
                '\t' => formatter.write_str("\\t")?,
                other if other.is_control() => write!(formatter, "\\u{:04x}", u32::from(other))?,
                other => formatter.write_char(other)?,
            }
        }
        formatter.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_where_they_must_be_and_stay_on_one_line() {
        for (value, written) in [
            ("Job:1", "Job:1"),
            ("", "\"\""),
            ("can't be read", "\"can't be read\""),
            ("a=b", "\"a=b\""),
            ("say \"x\"\\\n\u{1b}[0m", "\"say \\\"x\\\"\\\\\\n\\u001b[0m\""),
        ] {
            assert_eq!(Value(value).to_string(), written);
        }
    }

    #[test]
    fn the_component_is_the_module_below_the_root_or_the_library() {
        assert_eq!(component("grid_bulk_exporter::poller::report"), "poller");
        assert_eq!(component("grid_bulk_exporter"), "main");
        assert_eq!(component("hyper::proto"), "hyper");
    }
}
