//! The exporter's own metrics in protobuf: counters with their start, histograms in both forms.

use super::wire::{bytes_field, double_field, number_field, varint, zigzag};
use super::{append_header, append_label, append_value, field, timestamp};
use crate::clock::UnixTime;
use crate::telemetry::families::{Family, Kind};
use crate::telemetry::latency::Latency;
use crate::telemetry::native::{NativeBuckets, ZERO_THRESHOLD};
use crate::telemetry::registry::{OwnFamily, Samples};

/// Fields of `Histogram` and the messages in it.
mod histogram {
    pub(super) const SAMPLE_COUNT: u32 = 1;
    pub(super) const SAMPLE_SUM: u32 = 2;
    pub(super) const BUCKET: u32 = 3;
    pub(super) const SCHEMA: u32 = 5;
    pub(super) const ZERO_THRESHOLD: u32 = 6;
    pub(super) const ZERO_COUNT: u32 = 7;
    pub(super) const POSITIVE_SPAN: u32 = 12;
    pub(super) const POSITIVE_DELTA: u32 = 13;
    pub(super) const CREATED: u32 = 15;
    pub(super) const BUCKET_COUNT: u32 = 1;
    pub(super) const BUCKET_BOUND: u32 = 2;
    pub(super) const SPAN_OFFSET: u32 = 1;
    pub(super) const SPAN_LENGTH: u32 = 2;
}

/// Appends one family; its counters and histograms count since `began`, where that is known.
pub fn append_own(own: &OwnFamily<'_>, began: Option<UnixTime>, out: &mut Vec<u8>) {
    let created = began.map(timestamp);
    let created = created.as_deref();
    let mut samples = Vec::with_capacity(1024);
    let mut metric = Vec::with_capacity(512);
    if let Samples::Latency(latency) = own.samples {
        bytes_field(field::METRIC_HISTOGRAM, &histogram(latency, created), &mut metric);
        bytes_field(field::FAMILY_METRIC, &metric, &mut samples);
    }
    for (values, value) in own.plain() {
        metric.clear();
        for (name, label) in own.family.labels.iter().zip(values) {
            append_label(name, label, &mut metric);
        }
        match (own.family.kind, created) {
            (Kind::Counter, Some(created)) => {
                let mut counter = Vec::with_capacity(32);
                double_field(field::VALUE, value, &mut counter);
                bytes_field(field::COUNTER_CREATED, created, &mut counter);
                bytes_field(field::METRIC_COUNTER, &counter, &mut metric);
            }
            (Kind::Counter, None) => append_value(field::METRIC_COUNTER, value, &mut metric),
            (Kind::Gauge | Kind::Histogram, _) => append_value(field::METRIC_GAUGE, value, &mut metric),
        }
        bytes_field(field::FAMILY_METRIC, &metric, &mut samples);
    }
    let Family { name, help, kind, .. } = *own.family;
    append_header(name, help, kind, samples.len(), out);
    out.extend_from_slice(&samples);
}

/// Both forms in one message: a Prometheus that takes native histograms reads the second, any other the first.
fn histogram(latency: &Latency, created: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    number_field(histogram::SAMPLE_COUNT, latency.count, &mut out);
    double_field(histogram::SAMPLE_SUM, latency.sum, &mut out);
    let mut inner = Vec::with_capacity(256);
    // The bucket up to infinity goes without saying.
    for (bound, count) in latency.cumulative() {
        inner.clear();
        number_field(histogram::BUCKET_COUNT, count, &mut inner);
        double_field(histogram::BUCKET_BOUND, bound, &mut inner);
        bytes_field(histogram::BUCKET, &inner, &mut out);
    }
    append_native(&latency.native, &mut inner, &mut out);
    if let Some(created) = created {
        bytes_field(histogram::CREATED, created, &mut out);
    }
    out
}

fn append_native(native: &NativeBuckets, inner: &mut Vec<u8>, out: &mut Vec<u8>) {
    number_field(histogram::SCHEMA, zigzag(native.schema().into()), out);
    // Above 0, by which Prometheus knows a native histogram before its first observation.
    double_field(histogram::ZERO_THRESHOLD, ZERO_THRESHOLD, out);
    number_field(histogram::ZERO_COUNT, native.zero_count(), out);
    let (spans, deltas) = native.spans_and_deltas();
    for span in spans {
        inner.clear();
        number_field(histogram::SPAN_OFFSET, zigzag(span.offset.into()), inner);
        number_field(histogram::SPAN_LENGTH, span.length.into(), inner);
        bytes_field(histogram::POSITIVE_SPAN, inner, out);
    }
    if !deltas.is_empty() {
        inner.clear();
        for delta in deltas {
            varint(zigzag(delta), inner);
        }
        bytes_field(histogram::POSITIVE_DELTA, inner, out);
    }
}
