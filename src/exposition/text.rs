//! Prometheus's text format 0.0.4.
//!
//! Job series are written by [`append_samples`], one family of one job at a time, for `pages`; the exporter's own
//! metrics by [`append_own`] from what the prometheus crate gathers (its own encoder writes `le="1"`, and the design
//! wants float-like values that are the same in every format).

use crate::clock::UnixTime;
use crate::job::counts::countable;
use crate::job::{LabelName, Progress, Status};
use crate::store::{JobSnapshot, Summary};
use crate::telemetry::families::{self, Family, JOB_FAMILIES};
use prometheus::proto::{Metric, MetricFamily, MetricType};
use std::io::Write;

/// The exact content type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Appends HELP and TYPE of a family.
pub fn append_header(family: &Family, out: &mut Vec<u8>) {
    append_help_and_type(family.name, family.help, family.kind.as_str(), out);
}

fn append_help_and_type(name: &str, help: &str, kind: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"# HELP ");
    out.extend_from_slice(name.as_bytes());
    out.push(b' ');
    for byte in help.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(br"\\"),
            b'\n' => out.extend_from_slice(br"\n"),
            other => out.push(other),
        }
    }
    out.extend_from_slice(b"\n# TYPE ");
    out.extend_from_slice(name.as_bytes());
    out.push(b' ');
    out.extend_from_slice(kind.as_bytes());
    out.push(b'\n');
}

/// Appends a job's samples of all families, each family to its own buffer, without HELP and TYPE.
///
/// `out` has a buffer for each of [`JOB_FAMILIES`], in that order.
pub fn append_job(job: &JobSnapshot, label_names: &[LabelName], out: &mut [Vec<u8>; JOB_FAMILIES.len()]) {
    let mut id = Vec::with_capacity(job.id.as_str().len());
    append_escaped(job.id.as_str(), &mut id);
    for (family, buffer) in JOB_FAMILIES.iter().zip(out.iter_mut()) {
        append_samples(family, job, &id, label_names, buffer);
    }
}

/// Appends one job's samples of one family. `id` is its escaped id.
fn append_samples(
    family: &Family,
    job: &JobSnapshot,
    id: &[u8],
    label_names: &[LabelName],
    out: &mut Vec<u8>,
) {
    let mut sample = Sample { name: family.name, id, out };
    match family.name {
        name if name == families::JOB_INFO.name => sample.info(job, label_names),
        name if name == families::JOB_POLL_SUCCESS.name => {
            if job.tried {
                sample.value(if job.poll_success() { b"1" } else { b"0" });
            }
        }
        name if name == families::JOB_LAST_POLL_SUCCESS.name => sample.timestamp(job.last_poll_success),
        name => sample.observed(name, job),
    }
}

/// Where the samples of one job and family go.
struct Sample<'a> {
    name: &'static str,
    id: &'a [u8],
    out: &'a mut Vec<u8>,
}

impl Sample<'_> {
    /// Families that are there only once the job was read.
    fn observed(&mut self, name: &str, job: &JobSnapshot) {
        let Some(observed) = &job.observed else { return };
        let count = |count: fn(&Progress) -> f64| observed.progress.as_ref().map(count);
        if name == families::JOB_STATUS.name {
            for status in Status::ALL {
                let holds = status == observed.status.status();
                self.labelled("status", status.as_str(), if holds { b"1" } else { b"0" });
            }
        } else if name == families::JOB_TOTAL_ROWS.name {
            self.number(count(|progress| progress.total));
        } else if name == families::JOB_PROCESSED_ROWS.name {
            self.number(count(|progress| progress.processed));
        } else if name == families::JOB_SUCCESSFUL_ROWS.name {
            self.number(count(|progress| progress.successful));
        } else if name == families::JOB_FAILED_ROWS.name {
            self.number(count(|progress| progress.failed));
        } else if name == families::JOB_ERROR_ENTRIES.name {
            for (code, entries) in observed.errors.iter() {
                self.open();
                append_label("code", code, true, self.out);
                self.out.extend_from_slice(b"} ");
                append_count(entries, self.out);
                self.out.push(b'\n');
            }
        } else if name == families::JOB_ERRORS_TRUNCATED.name {
            self.value(if observed.errors_truncated { b"1" } else { b"0" });
        } else if name == families::JOB_FIRST_SEEN.name {
            self.timestamp(Some(observed.first_seen));
        } else if name == families::JOB_STATUS_SINCE.name {
            self.timestamp(Some(observed.status_since));
        } else if name == families::JOB_LAST_CHANGE.name {
            self.timestamp(Some(observed.last_change));
        } else if name == families::JOB_COMPLETED.name {
            self.timestamp(observed.completed_at);
        }
    }

    /// `name{jobId="…"`, without the closing brace.
    fn open(&mut self) {
        self.out.extend_from_slice(self.name.as_bytes());
        self.out.extend_from_slice(b"{jobId=\"");
        self.out.extend_from_slice(self.id);
        self.out.push(b'"');
    }

    fn value(&mut self, value: &[u8]) {
        self.open();
        self.close(value);
    }

    fn close(&mut self, value: &[u8]) {
        self.out.extend_from_slice(b"} ");
        self.out.extend_from_slice(value);
        self.out.push(b'\n');
    }

    fn labelled(&mut self, label: &str, text: &str, value: &[u8]) {
        self.open();
        append_label(label, text, true, self.out);
        self.close(value);
    }

    fn number(&mut self, number: Option<f64>) {
        if let Some(number) = number {
            self.open();
            self.out.extend_from_slice(b"} ");
            append_number(number, self.out);
            self.out.push(b'\n');
        }
    }

    fn timestamp(&mut self, time: Option<UnixTime>) {
        if let Some(time) = time {
            self.open();
            self.out.extend_from_slice(b"} ");
            append_timestamp(time, self.out);
            self.out.push(b'\n');
        }
    }

    /// Each info series has every label that any job has; an empty value is no label to Prometheus.
    fn info(&mut self, job: &JobSnapshot, label_names: &[LabelName]) {
        self.open();
        for name in label_names {
            append_label(name.as_str(), job.labels.get(name.as_str()).unwrap_or_default(), true, self.out);
        }
        self.close(b"1");
    }
}

/// The families over all jobs, with HELP and TYPE.
#[must_use]
pub fn render_summary(summary: &Summary) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    append_header(&families::JOBS, &mut out);
    let read = Status::ALL.iter().map(|status| status.as_str()).zip(summary.by_status);
    for (status, jobs) in read.chain([("UNPOLLED", summary.unpolled)]) {
        append_sample(families::JOBS.name, "", [("status", status)], jobs as f64, &mut out);
    }
    append_header(&families::ROWS, &mut out);
    for (result, rows) in [("successful", summary.rows.successful), ("failed", summary.rows.failed)] {
        append_sample(families::ROWS.name, "", [("result", result)], rows as f64, &mut out);
    }
    out
}

/// Appends one family of the exporter's own metrics, as the prometheus crate gathered it.
pub fn append_own(family: &MetricFamily, out: &mut Vec<u8>) {
    let kind = match family.get_field_type() {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::HISTOGRAM => "histogram",
        // We register neither summaries nor untyped metrics; `own` has a test of what is gathered.
        MetricType::SUMMARY | MetricType::UNTYPED => return,
    };
    append_help_and_type(family.name(), family.help(), kind, out);
    for metric in family.get_metric() {
        let value = match family.get_field_type() {
            MetricType::HISTOGRAM => {
                append_histogram(family.name(), metric, out);
                continue;
            }
            MetricType::COUNTER => metric.get_counter().get_value(),
            _ => metric.get_gauge().get_value(),
        };
        append_sample(family.name(), "", labels_of(metric), value, out);
    }
}

fn labels_of(metric: &Metric) -> impl Iterator<Item = (&str, &str)> {
    metric.get_label().iter().map(|pair| (pair.name(), pair.value()))
}

fn append_histogram(name: &str, metric: &Metric, out: &mut Vec<u8>) {
    let histogram = metric.get_histogram();
    let bounds =
        histogram.get_bucket().iter().map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
    let finite = bounds.filter(|(bound, _)| bound.is_finite());
    for (bound, count) in finite.chain([(f64::INFINITY, histogram.get_sample_count())]) {
        let mut le = Vec::with_capacity(16);
        append_bound(bound, &mut le);
        let le = str::from_utf8(&le).unwrap_or_default();
        append_sample(name, "_bucket", labels_of(metric).chain([("le", le)]), count as f64, out);
    }
    append_sample(name, "_sum", labels_of(metric), histogram.get_sample_sum(), out);
    append_sample(name, "_count", labels_of(metric), histogram.get_sample_count() as f64, out);
}

/// Appends one whole sample line; `suffix` belongs to the name.
fn append_sample<'a>(
    name: &str,
    suffix: &str,
    labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    value: f64,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(suffix.as_bytes());
    let mut has_labels = false;
    for (label, text) in labels {
        if !has_labels {
            out.push(b'{');
        }
        append_label(label, text, has_labels, out);
        has_labels = true;
    }
    if has_labels {
        out.push(b'}');
    }
    out.push(b' ');
    append_number(value, out);
    out.push(b'\n');
}

fn append_label(label: &str, text: &str, comma: bool, out: &mut Vec<u8>) {
    if comma {
        out.push(b',');
    }
    out.extend_from_slice(label.as_bytes());
    out.extend_from_slice(b"=\"");
    append_escaped(text, out);
    out.push(b'"');
}

/// Appends a label's value: backslash, quote and line feed are escaped, all else stands as it is.
fn append_escaped(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(br"\\"),
            b'"' => out.extend_from_slice(br#"\""#),
            b'\n' => out.extend_from_slice(br"\n"),
            other => out.push(other),
        }
    }
}

/// Appends a sample's value: whole numbers without a point, others in their shortest exact form.
fn append_number(number: f64, out: &mut Vec<u8>) {
    // Most are counts, and whole numbers are written five times faster; -0 keeps its sign below.
    if let Some(count) = countable(number).filter(|_| number.is_sign_positive()) {
        append_count(count, out);
        return;
    }
    // Writing to a vector can't fail.
    let _infallible = if number.is_nan() {
        out.write_all(b"NaN")
    } else if number.is_infinite() {
        out.write_all(if number > 0.0 { b"+Inf" } else { b"-Inf" })
    } else if number != 0.0 && !(1e-5..1e21).contains(&number.abs()) {
        write!(out, "{number:e}")
    } else {
        write!(out, "{number}")
    };
}

/// Appends a whole number.
fn append_count(mut count: u64, out: &mut Vec<u8>) {
    // 20 digits are the most that 64 bits have.
    let mut digits = [b'0'; 20];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(count % 10).unwrap_or(0);
        count /= 10;
        used += 1;
        if count == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
}

/// Appends a bucket's bound: float-like, `1.0` and not `1`.
fn append_bound(bound: f64, out: &mut Vec<u8>) {
    append_number(bound, out);
    if bound.is_finite() && bound.fract() == 0.0 && bound.abs() < 1e21 {
        out.extend_from_slice(b".0");
    }
}

/// Appends a moment in seconds, with milliseconds where it has any.
fn append_timestamp(time: UnixTime, out: &mut Vec<u8>) {
    let millis = time.as_millis();
    let sign = if millis < 0 { "-" } else { "" };
    let (seconds, rest) = (millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000);
    out.extend_from_slice(sign.as_bytes());
    append_count(seconds, out);
    if rest != 0 {
        // Three digits: the leading 1 of 1000 + rest becomes the point.
        let point = out.len();
        append_count(1000 + rest, out);
        if let Some(point) = out.get_mut(point) {
            *point = b'.';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_written_so_that_they_read_back() {
        for (number, text) in [
            (0.0, "0"),
            (5000.0, "5000"),
            (-3.0, "-3"),
            (0.25, "0.25"),
            (1e30, "1e30"),
            (1e-7, "1e-7"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
            (9_007_199_254_740_992.0, "9007199254740992"),
        ] {
            assert_eq!(written(|out| append_number(number, out)), text);
        }
    }

    #[test]
    fn bounds_are_float_like() {
        for (bound, text) in [(1.0, "1.0"), (0.005, "0.005"), (300.0, "300.0"), (f64::INFINITY, "+Inf")] {
            assert_eq!(written(|out| append_bound(bound, out)), text);
        }
    }

    #[test]
    fn timestamps_keep_their_milliseconds() {
        for (millis, text) in
            [(1_500, "1.500"), (2_000, "2"), (-1_005, "-1.005"), (i64::MIN, "-9223372036854775.808")]
        {
            assert_eq!(written(|out| append_timestamp(UnixTime::from_millis(millis), out)), text);
        }
    }

    #[test]
    fn label_values_are_escaped() {
        let line = written(|out| append_sample("m", "", [("a", "x\\y\"z\n"), ("b", "é")], 1.0, out));
        assert_eq!(line, "m{a=\"x\\\\y\\\"z\\n\",b=\"é\"} 1\n");
    }
}
