//! Prometheus's text formats 0.0.4 and 1.0.0, and OpenMetrics.
//!
//! For gauges all of them have the same bytes, so that the job series of one are those of all: `pages` keeps them
//! once. What differs are counters, whose HELP and TYPE OpenMetrics writes without `_total`, exemplars, which it alone
//! has, and its end mark. We write no `_created` lines, which Prometheus would take for series of their own.
//!
//! Here are the job series and the sums over all jobs, `own` has the exporter's own metrics, `line` writes names,
//! labels and numbers. Called by `pages` and `own`.

mod line;
mod own;

use crate::exposition::samples::{self, Extra, Value};
use crate::job::LabelName;
use crate::store::{JobSnapshot, RowExemplar, RowExemplars, RowTotals, Summary};
use crate::telemetry::families::{self, Family, JOB_FAMILIES, Kind};
use line::{append_escaped, append_label, append_number, append_sample, append_value};

pub use own::append_own;

/// What stands at the end in OpenMetrics: who cuts a body off is found out.
pub const OPEN_METRICS_END: &[u8] = b"# EOF\n";

/// Characters that OpenMetrics permits in the labels of an exemplar, names and values together.
const EXEMPLAR_CHARACTERS: usize = 128;

/// Which of the text formats, where they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// 0.0.4 and 1.0.0.
    Prometheus,
    /// OpenMetrics 0.0.1 and 1.0.0.
    OpenMetrics,
}

/// Appends HELP and TYPE of a family.
pub fn append_header(family: &Family, dialect: Dialect, out: &mut Vec<u8>) {
    let Family { name, help, kind, .. } = *family;
    let name = match (dialect, kind) {
        (Dialect::OpenMetrics, Kind::Counter) => name.strip_suffix("_total").unwrap_or(name),
        _ => name,
    };
    out.extend_from_slice(b"# HELP ");
    out.extend_from_slice(name.as_bytes());
    out.push(b' ');
    append_help(help, dialect, out);
    out.extend_from_slice(b"\n# TYPE ");
    out.extend_from_slice(name.as_bytes());
    out.push(b' ');
    out.extend_from_slice(kind.as_str().as_bytes());
    out.push(b'\n');
}

fn append_help(help: &str, dialect: Dialect, out: &mut Vec<u8>) {
    // Nearly none has anything to escape, and fifty are written at each scrape.
    if memchr::memchr3(b'\\', b'\n', b'"', help.as_bytes()).is_none() {
        out.extend_from_slice(help.as_bytes());
        return;
    }
    for byte in help.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(br"\\"),
            b'\n' => out.extend_from_slice(br"\n"),
            b'"' if dialect == Dialect::OpenMetrics => out.extend_from_slice(br#"\""#),
            other => out.push(other),
        }
    }
}

/// Appends a job's samples of all families, each family to its own buffer, without HELP and TYPE.
///
/// `out` has a buffer for each of [`JOB_FAMILIES`], in that order.
pub fn append_job(job: &JobSnapshot, label_names: &[LabelName], out: &mut [Vec<u8>; JOB_FAMILIES.len()]) {
    let mut id = Vec::with_capacity(job.id.as_str().len());
    append_escaped(job.id.as_str(), &mut id);
    for (family, buffer) in JOB_FAMILIES.iter().zip(out.iter_mut()) {
        samples::of_job(family, job, label_names, |extra, value| {
            append_job_sample(family.name, &id, extra, value, buffer);
        });
    }
}

/// Appends a sample of a job. `id` is its escaped id.
fn append_job_sample(name: &str, id: &[u8], extra: Extra<'_>, value: Value, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"{jobId=\"");
    out.extend_from_slice(id);
    out.push(b'"');
    match extra {
        Extra::None => {}
        Extra::One(label, text) => append_label(label, text, true, out),
        Extra::All(names, labels) => {
            for name in names {
                append_label(name.as_str(), labels.get(name.as_str()).unwrap_or_default(), true, out);
            }
        }
    }
    out.extend_from_slice(b"} ");
    append_value(value, out);
    out.push(b'\n');
}

/// `grid_bulk_jobs`, with HELP and TYPE.
#[must_use]
pub fn render_jobs(summary: &Summary) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    append_header(&families::JOBS, Dialect::Prometheus, &mut out);
    for (status, jobs) in samples::jobs_by_status(summary) {
        append_sample(families::JOBS.name, "", [("status", status)], jobs as f64, &mut out);
        out.push(b'\n');
    }
    out
}

/// `grid_bulk_rows_total`, with HELP and TYPE, and in OpenMetrics with exemplars.
#[must_use]
pub fn render_rows(rows: &RowTotals, exemplars: &RowExemplars, dialect: Dialect) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    append_header(&families::ROWS, dialect, &mut out);
    for (result, rows, exemplar) in
        [("successful", rows.successful, &exemplars.successful), ("failed", rows.failed, &exemplars.failed)]
    {
        append_sample(families::ROWS.name, "", [("result", result)], rows as f64, &mut out);
        let fitting = exemplar.as_ref().filter(|exemplar| fits_exemplar(exemplar));
        if let Some(exemplar) = fitting.filter(|_| dialect == Dialect::OpenMetrics) {
            out.extend_from_slice(b" # {");
            append_label("jobId", exemplar.job.as_str(), false, &mut out);
            out.extend_from_slice(b"} ");
            append_number(exemplar.rows as f64, &mut out);
            out.push(b' ');
            append_value(Value::Time(exemplar.at), &mut out);
        }
        out.push(b'\n');
    }
    out
}

/// Whether an exemplar is short enough for OpenMetrics; the other formats keep to that as well.
pub(super) fn fits_exemplar(exemplar: &RowExemplar) -> bool {
    "jobId".len() + exemplar.job.as_str().chars().count() <= EXEMPLAR_CHARACTERS
}
