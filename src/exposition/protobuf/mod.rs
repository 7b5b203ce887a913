//! `MetricFamily` messages of Prometheus's protobuf format, each behind its length ("delimited").
//!
//! A message's length stands before it, so a family's header needs the length of all its samples: `pages` sums them,
//! as it does for the whole body. Samples are `metric` fields, which follow each other without anything around them:
//! the strips of a family can be put together as in text. All numbers are doubles of a fixed size, so that a change
//! of values changes no length. A family without samples is left out, as client libraries do.
//!
//! Here are the job series and the sums over all jobs, `own` has the exporter's own metrics with native histograms,
//! `wire` the encoding. The schema is `io/prometheus/client/metrics.proto` of Prometheus's `client_model`. Called by
//! `pages` and `own`.

mod own;
mod wire;

use crate::clock::UnixTime;
use crate::exposition::samples::{self, Extra, Value};
use crate::exposition::text::fits_exemplar;
use crate::job::LabelName;
use crate::store::{JobSnapshot, RowExemplar, RowExemplars, RowTotals, Summary};
use crate::telemetry::families::{self, Family, JOB_FAMILIES, Kind};
use wire::{bytes_field, double_field, length_field, number_field, varint, varint_length};

pub use own::append_own;

/// Fields of the messages that we write.
mod field {
    pub(super) const FAMILY_NAME: u32 = 1;
    pub(super) const FAMILY_HELP: u32 = 2;
    pub(super) const FAMILY_TYPE: u32 = 3;
    pub(super) const FAMILY_METRIC: u32 = 4;
    pub(super) const METRIC_LABEL: u32 = 1;
    pub(super) const METRIC_GAUGE: u32 = 2;
    pub(super) const METRIC_COUNTER: u32 = 3;
    pub(super) const METRIC_HISTOGRAM: u32 = 7;
    pub(super) const LABEL_NAME: u32 = 1;
    pub(super) const LABEL_VALUE: u32 = 2;
    pub(super) const VALUE: u32 = 1;
    pub(super) const COUNTER_EXEMPLAR: u32 = 2;
    pub(super) const COUNTER_CREATED: u32 = 3;
    pub(super) const EXEMPLAR_LABEL: u32 = 1;
    pub(super) const EXEMPLAR_VALUE: u32 = 2;
    pub(super) const EXEMPLAR_TIME: u32 = 3;
    pub(super) const TIME_SECONDS: u32 = 1;
    pub(super) const TIME_NANOS: u32 = 2;
}

/// Bytes of a message with one double.
const ONE_DOUBLE: usize = 9;

/// The start of a family whose samples have so many bytes; nothing if it has none.
#[must_use]
pub fn header(family: &Family, samples: usize) -> Vec<u8> {
    let mut out = Vec::new();
    if samples > 0 {
        append_header(family.name, family.help, family.kind, samples, &mut out);
    }
    out
}

fn append_header(name: &str, help: &str, kind: Kind, samples: usize, out: &mut Vec<u8>) {
    let mut head = Vec::with_capacity(name.len() + help.len() + 8);
    bytes_field(field::FAMILY_NAME, name.as_bytes(), &mut head);
    bytes_field(field::FAMILY_HELP, help.as_bytes(), &mut head);
    let kind = match kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
        Kind::Histogram => 4,
    };
    number_field(field::FAMILY_TYPE, kind, &mut head);
    varint((head.len() + samples) as u64, out);
    out.extend_from_slice(&head);
}

/// Appends a job's samples of all families, each family to its own buffer.
///
/// `out` has a buffer for each of [`JOB_FAMILIES`], in that order.
pub fn append_job(job: &JobSnapshot, label_names: &[LabelName], out: &mut [Vec<u8>; JOB_FAMILIES.len()]) {
    let mut id = Vec::with_capacity(job.id.as_str().len() + 16);
    append_label("jobId", job.id.as_str(), &mut id);
    for (family, buffer) in JOB_FAMILIES.iter().zip(out.iter_mut()) {
        samples::of_job(family, job, label_names, |extra, value| {
            append_job_sample(&id, extra, value, buffer);
        });
    }
}

/// Appends a sample of a job. `id` is its label, as a field.
fn append_job_sample(id: &[u8], extra: Extra<'_>, value: Value, out: &mut Vec<u8>) {
    let labels = id.len()
        + match extra {
            Extra::None => 0,
            Extra::One(name, text) => label_length(name, text),
            Extra::All(names, labels) => names
                .iter()
                .map(|name| label_length(name.as_str(), labels.get(name.as_str()).unwrap_or_default()))
                .sum(),
        };
    length_field(field::FAMILY_METRIC, labels + 2 + ONE_DOUBLE, out);
    out.extend_from_slice(id);
    match extra {
        Extra::None => {}
        Extra::One(name, text) => append_label(name, text, out),
        Extra::All(names, labels) => {
            for name in names {
                append_label(name.as_str(), labels.get(name.as_str()).unwrap_or_default(), out);
            }
        }
    }
    append_value(field::METRIC_GAUGE, value.as_f64(), out);
}

/// A gauge, or a counter that is a number alone.
fn append_value(field: u32, value: f64, out: &mut Vec<u8>) {
    length_field(field, ONE_DOUBLE, out);
    double_field(field::VALUE, value, out);
}

/// A metric's label.
fn append_label(name: &str, text: &str, out: &mut Vec<u8>) {
    length_field(field::METRIC_LABEL, pair_length(name, text), out);
    append_pair(name, text, out);
}

fn append_pair(name: &str, text: &str, out: &mut Vec<u8>) {
    bytes_field(field::LABEL_NAME, name.as_bytes(), out);
    bytes_field(field::LABEL_VALUE, text.as_bytes(), out);
}

/// The bytes of a field behind its length.
const fn field_length(bytes: usize) -> usize {
    1 + varint_length(bytes as u64) + bytes
}

const fn pair_length(name: &str, text: &str) -> usize {
    field_length(name.len()) + field_length(text.len())
}

const fn label_length(name: &str, text: &str) -> usize {
    field_length(pair_length(name, text))
}

/// `grid_bulk_jobs`.
#[must_use]
pub fn render_jobs(summary: &Summary) -> Vec<u8> {
    let mut samples = Vec::with_capacity(512);
    for (status, jobs) in samples::jobs_by_status(summary) {
        let mut metric = Vec::with_capacity(64);
        append_label("status", status, &mut metric);
        append_value(field::METRIC_GAUGE, jobs as f64, &mut metric);
        bytes_field(field::FAMILY_METRIC, &metric, &mut samples);
    }
    whole(&families::JOBS, &samples)
}

/// `grid_bulk_rows_total`, counted since `since`, with exemplars.
#[must_use]
pub fn render_rows(rows: &RowTotals, exemplars: &RowExemplars, since: Option<UnixTime>) -> Vec<u8> {
    let mut samples = Vec::with_capacity(512);
    for (result, rows, exemplar) in
        [("successful", rows.successful, &exemplars.successful), ("failed", rows.failed, &exemplars.failed)]
    {
        let mut counter = Vec::with_capacity(128);
        double_field(field::VALUE, rows as f64, &mut counter);
        if let Some(exemplar) = exemplar.as_ref().filter(|exemplar| fits_exemplar(exemplar)) {
            bytes_field(field::COUNTER_EXEMPLAR, &exemplar_message(exemplar), &mut counter);
        }
        if let Some(since) = since {
            bytes_field(field::COUNTER_CREATED, &timestamp(since), &mut counter);
        }
        let mut metric = Vec::with_capacity(160);
        append_label("result", result, &mut metric);
        bytes_field(field::METRIC_COUNTER, &counter, &mut metric);
        bytes_field(field::FAMILY_METRIC, &metric, &mut samples);
    }
    whole(&families::ROWS, &samples)
}

fn exemplar_message(exemplar: &RowExemplar) -> Vec<u8> {
    let mut pair = Vec::with_capacity(160);
    append_pair("jobId", exemplar.job.as_str(), &mut pair);
    let mut out = Vec::with_capacity(192);
    bytes_field(field::EXEMPLAR_LABEL, &pair, &mut out);
    double_field(field::EXEMPLAR_VALUE, exemplar.rows as f64, &mut out);
    bytes_field(field::EXEMPLAR_TIME, &timestamp(exemplar.at), &mut out);
    out
}

/// A `google.protobuf.Timestamp`: seconds, and nanoseconds that count upwards before the epoch too.
fn timestamp(time: UnixTime) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    let millis = time.as_millis();
    number_field(field::TIME_SECONDS, millis.div_euclid(1000).cast_unsigned(), &mut out);
    number_field(field::TIME_NANOS, millis.rem_euclid(1000).unsigned_abs() * 1_000_000, &mut out);
    out
}

/// A family with all its samples.
fn whole(family: &Family, samples: &[u8]) -> Vec<u8> {
    let mut out = header(family, samples.len());
    out.extend_from_slice(samples);
    out
}
