//! The exporter's own metrics in the text formats.
//!
//! Not by the prometheus crate's encoder, which knows one format and writes `le="1"`: the design wants float-like bounds
//! that are the same in every format.

use super::line::{append_bound, append_sample};
use super::{Dialect, append_header};
use crate::telemetry::latency::Latency;
use crate::telemetry::registry::{OwnFamily, Samples};

/// Appends one family.
pub fn append_own(own: &OwnFamily<'_>, dialect: Dialect, out: &mut Vec<u8>) {
    let family = own.family;
    append_header(family, dialect, out);
    if let Samples::Latency(latency) = own.samples {
        append_latency(family.name, latency, out);
    }
    for (values, value) in own.plain() {
        let labels = family.labels.iter().copied().zip(values.iter().map(AsRef::as_ref));
        append_sample(family.name, "", labels, value, out);
        out.push(b'\n');
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
