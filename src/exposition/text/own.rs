//! The exporter's own metrics in the text formats.
//!
//! From what the prometheus crate gathers, and not by its encoder, which knows one format and writes `le="1"`: the
//! design wants float-like bounds that are the same in every format.

use super::line::{append_bound, append_sample};
use super::{Dialect, append_help_and_type};
use crate::exposition::own::counters_and_gauges;
use crate::telemetry::families::Kind;
use crate::telemetry::latency::Latency;
use crate::telemetry::registry::OwnFamily;

/// Appends one family.
pub fn append_own(family: &OwnFamily, dialect: Dialect, out: &mut Vec<u8>) {
    match family {
        OwnFamily::Latency(family, latency) => {
            append_help_and_type(family.name, family.help, Kind::Histogram, dialect, out);
            append_latency(family.name, latency, out);
        }
        OwnFamily::Plain(gathered) => {
            let Some((kind, samples)) = counters_and_gauges(gathered) else { return };
            append_help_and_type(gathered.name(), gathered.help(), kind, dialect, out);
            for (labels, value) in samples {
                let labels = labels.iter().map(|pair| (pair.name(), pair.value()));
                append_sample(gathered.name(), "", labels, value, out);
                out.push(b'\n');
            }
        }
    }
}

/// Appends the classic form: the native one exists in protobuf alone.
fn append_latency(name: &str, latency: &Latency, out: &mut Vec<u8>) {
    for (bound, count) in latency.cumulative().chain([(f64::INFINITY, latency.count)]) {
        let mut le = Vec::with_capacity(16);
        append_bound(bound, &mut le);
        let le = str::from_utf8(&le).unwrap_or_default();
        append_sample(name, "_bucket", [("le", le)], count as f64, out);
        out.push(b'\n');
    }
    append_sample(name, "_sum", [], latency.sum, out);
    out.push(b'\n');
    append_sample(name, "_count", [], latency.count as f64, out);
    out.push(b'\n');
}
