//! The series of one job alone, without the label `jobId`: for `/probe`, whose target label says which job it is.
//!
//! Prometheus gives the target's labels to each series. Were `jobId` in both, one of them would become
//! `exported_jobId`. So the series come out of `/probe` as `/metrics` would have them, once relabelling gives `jobId`.

use crate::exposition::text::{Dialect, append_header, append_job};
use crate::job::LabelName;
use crate::store::JobSnapshot;
use crate::telemetry::families::JOB_FAMILIES;

/// All families of a job in text format 0.0.4, with HELP and TYPE; families without a sample are left out.
#[must_use]
pub fn render(job: &JobSnapshot) -> Vec<u8> {
    let names: Vec<LabelName> = job.labels.iter().map(|(name, _)| name.clone()).collect();
    let mut families: [Vec<u8>; JOB_FAMILIES.len()] = std::array::from_fn(|_| Vec::new());
    append_job(job, &names, &mut families);
    let mut out = Vec::with_capacity(4096);
    for (family, samples) in JOB_FAMILIES.iter().zip(&families) {
        if samples.is_empty() {
            continue;
        }
        append_header(family, Dialect::Prometheus, &mut out);
        for line in samples.split_inclusive(|byte| *byte == b'\n') {
            append_without_id(line, family.name.len(), &mut out);
        }
    }
    out
}

/// Appends a line `name{jobId="…",more} 1` as `name{more} 1`. In a label's value a quotation mark has a backslash
/// before it, and a backslash another one.
fn append_without_id(line: &[u8], name: usize, out: &mut Vec<u8>) {
    const LABEL: &[u8] = b"{jobId=\"";
    let (name, labels) = line.split_at(name.min(line.len()));
    out.extend_from_slice(name);
    let Some(value) = labels.strip_prefix(LABEL) else {
        out.extend_from_slice(labels);
        return;
    };
    let mut is_escaped = false;
    let end = value.iter().position(|byte| {
        let ends = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        ends
    });
    let rest = end.and_then(|end| value.get(end + 1..)).unwrap_or_default();
    if let Some(more) = rest.strip_prefix(b",") {
        out.push(b'{');
        out.extend_from_slice(more);
    } else {
        out.extend_from_slice(rest.strip_prefix(b"}").unwrap_or(rest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixTime;
    use crate::job::{CompletedAt, ErrorTally, JobReading, PollFailure, Progress, ReportedStatus};
    use crate::store::Outcome;

    fn text(job: &JobSnapshot) -> String {
        String::from_utf8(render(job)).unwrap()
    }

    #[test]
    fn a_job_comes_without_its_id_and_with_all_else() {
        let mut errors = ErrorTally::new(20);
        errors.count(Some("A"));
        let reading = JobReading {
            status: ReportedStatus::from_word("PROCESSING"),
            progress: Some(Progress { total: 10.0, processed: 5.0, successful: 3.0, failed: 2.0 }),
            errors,
            errors_truncated: false,
            completed_at: CompletedAt::Absent,
        };
        let now = UnixTime::from_millis(1_755_000_000_500);
        let job = JobSnapshot::stranger("Job:\"},\\".parse().unwrap()).following(Outcome::Read(reading), now);
        let text = text(&job);
        for line in [
            "grid_bulk_job_status{status=\"PROCESSING\"} 1",
            "grid_bulk_job_failed_rows 2",
            "grid_bulk_job_error_entries{code=\"A\"} 1",
            "grid_bulk_job_poll_success 1",
            "grid_bulk_job_info 1",
            "# TYPE grid_bulk_job_total_rows gauge",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
        assert!(!text.contains("jobId=") && !text.contains("completed_timestamp"), "{text}");
    }

    #[test]
    fn a_job_that_can_not_be_read_says_so() {
        let failed = Outcome::Failed { reason: PollFailure::NotFound, message: "no".to_owned(), asked: true };
        let job = JobSnapshot::stranger("Job:a".parse().unwrap()).following(failed, UnixTime::from_millis(0));
        let text = text(&job);
        assert!(text.contains("grid_bulk_job_poll_success 0\n"), "{text}");
        assert!(!text.contains("grid_bulk_job_status"), "{text}");
    }
}
