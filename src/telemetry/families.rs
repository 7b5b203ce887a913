//! The table of every metric family that is published: name, kind, labels, help.
//!
//! One constant each, and [`all`] of them in the order of the README's table. Formats, the registration of our own
//! metrics, the README's table, dashboards and rules are all held against this file by tests.

/// What kind of metric a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up; its name ends in `_total`.
    Counter,
    /// Buckets, sum and count.
    Histogram,
}

impl Kind {
    /// The word of the TYPE line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// The metric's name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Its labels, besides those that Prometheus adds.
    pub labels: &'static [&'static str],
    /// The text of the HELP line: one sentence or two, no line breaks.
    pub help: &'static str,
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    Family { name, kind: Kind::Gauge, labels, help }
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    Family { name, kind: Kind::Counter, labels, help }
}

const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    Family { name, kind: Kind::Histogram, labels, help }
}

/// The job's status.
pub const JOB_STATUS: Family = gauge(
    "grid_bulk_job_status",
    &["jobId", "status"],
    "1 for the job's status as of the last good poll, 0 for the others.",
);
/// Rows in the file.
pub const JOB_TOTAL_ROWS: Family =
    gauge("grid_bulk_job_total_rows", &["jobId"], "Rows in the uploaded file, as of the last good poll.");
/// Rows done.
pub const JOB_PROCESSED_ROWS: Family = gauge(
    "grid_bulk_job_processed_rows",
    &["jobId"],
    "Rows processed so far, well or not, as of the last good poll.",
);
/// Customers created.
pub const JOB_SUCCESSFUL_ROWS: Family = gauge(
    "grid_bulk_job_successful_rows",
    &["jobId"],
    "Rows whose customer was created, as of the last good poll.",
);
/// Rows that failed.
pub const JOB_FAILED_ROWS: Family = gauge(
    "grid_bulk_job_failed_rows",
    &["jobId"],
    "Rows whose customer could not be created, as of the last good poll.",
);
/// Error entries by code.
pub const JOB_ERROR_ENTRIES: Family = gauge(
    "grid_bulk_job_error_entries",
    &["jobId", "code"],
    "Entries in the job's list of errors by code, as of the last good poll; codes beyond limits.error_codes_per_job count as other.",
);
/// Whether the list of errors was cut.
pub const JOB_ERRORS_TRUNCATED: Family = gauge(
    "grid_bulk_job_errors_truncated",
    &["jobId"],
    "1 if the last good poll could not read the list of errors to its end, so that the entries by code are too few.",
);
/// First look.
pub const JOB_FIRST_SEEN: Family = gauge(
    "grid_bulk_job_first_seen_timestamp_seconds",
    &["jobId"],
    "When the exporter first read the job; kept while polls fail.",
);
/// Since when the status holds.
pub const JOB_STATUS_SINCE: Family = gauge(
    "grid_bulk_job_status_since_timestamp_seconds",
    &["jobId"],
    "When the exporter first saw the job in its status as of the last good poll.",
);
/// The last change.
pub const JOB_LAST_CHANGE: Family = gauge(
    "grid_bulk_job_last_change_timestamp_seconds",
    &["jobId"],
    "When the exporter last saw the job's status or counts change, as of the last good poll.",
);
/// The end.
pub const JOB_COMPLETED: Family = gauge(
    "grid_bulk_job_completed_timestamp_seconds",
    &["jobId"],
    "When the job ended, as the API said at the last good poll; only for an ended job that says so.",
);
/// The latest poll.
pub const JOB_POLL_SUCCESS: Family = gauge(
    "grid_bulk_job_poll_success",
    &["jobId"],
    "1 if the latest poll of the job was good, 0 if not; its other series then show what was last known.",
);
/// The last good poll.
pub const JOB_LAST_POLL_SUCCESS: Family = gauge(
    "grid_bulk_job_last_poll_success_timestamp_seconds",
    &["jobId"],
    "When the job was last read well.",
);
/// The job's labels.
pub const JOB_INFO: Family = gauge(
    "grid_bulk_job_info",
    &["jobId"],
    "1 for each watched job, polled or not, with the labels that the configuration gives to jobs.",
);
/// Jobs by status.
pub const JOBS: Family = gauge(
    "grid_bulk_jobs",
    &["status"],
    "Jobs watched, by status as of each one's last good poll; UNPOLLED is one that was never read well.",
);
/// Whether the API works.
pub const UP: Family = gauge(
    "grid_bulk_up",
    &[],
    "1 if in the latest interval in which anything was asked one answer at least showed that the API works and takes our credentials (2xx, 404, 429); else 0, also before the first.",
);
/// Rows over all jobs.
pub const ROWS: Family = counter(
    "grid_bulk_rows_total",
    &["result"],
    "Rows processed over all jobs since the exporter watches them, as of each one's last good poll; with --storage.path up to a second behind, as only what is on disk is shown.",
);
/// Polls.
pub const POLLS: Family = counter("grid_bulk_polls_total", &[], "Polls of jobs that ended, well or not.");
/// Polls that failed.
pub const POLL_FAILURES: Family =
    counter("grid_bulk_poll_failures_total", &["reason"], "Polls of jobs that failed, by reason.");
/// Requests.
pub const API_REQUESTS: Family = counter(
    "grid_bulk_api_requests_total",
    &["code"],
    "Requests sent to the Grid API by HTTP status code, retries included; none if no answer came.",
);
/// Latency.
pub const API_REQUEST_DURATION: Family = histogram(
    "grid_bulk_api_request_duration_seconds",
    &[],
    "Time from sending a request to the Grid API to the end of its answer.",
);
/// Bytes read.
pub const API_RESPONSE_BYTES: Family = counter(
    "grid_bulk_api_response_bytes_total",
    &[],
    "Bytes of answers read from the Grid API, after unpacking.",
);
/// Time waited.
pub const API_THROTTLED: Family = counter(
    "grid_bulk_api_throttled_seconds_total",
    &[],
    "Time in which jobs were due but had to wait, because the API said so (429) or for the configured limit of requests.",
);
/// Contradictions.
pub const API_INCONSISTENT: Family = counter(
    "grid_bulk_api_inconsistent_answers_total",
    &["kind"],
    "Good polls whose answer contradicts itself or the one before: counts that don't add up, counts that fell, an ended job that runs again, a time of completion that can't be.",
);
/// Quota: how many.
pub const API_QUOTA_LIMIT: Family = gauge(
    "grid_bulk_api_quota_limit",
    &[],
    "Requests that the API permits in its present window; only if it says so in its answers.",
);
/// Quota: how many are left.
pub const API_QUOTA_REMAINING: Family = gauge(
    "grid_bulk_api_quota_remaining",
    &[],
    "Requests left in the API's present window; only if it says so in its answers.",
);
/// Quota: until when.
pub const API_QUOTA_RESET: Family = gauge(
    "grid_bulk_api_quota_reset_timestamp_seconds",
    &[],
    "When the API's present window ends; only if it says so in its answers.",
);
/// Length of a cycle's polls.
pub const POLL_CYCLE_DURATION: Family = histogram(
    "grid_bulk_exporter_poll_cycle_duration_seconds",
    &[],
    "Time from the start of a poll cycle, which lasts one interval, until each job due in it was answered.",
);
/// Cycles.
pub const POLL_CYCLES: Family =
    counter("grid_bulk_exporter_poll_cycles_total", &[], "Poll cycles that ended; one lasts one interval.");
/// Cycles that did not fit.
pub const POLL_OVERRUNS: Family = counter(
    "grid_bulk_exporter_poll_overruns_total",
    &[],
    "Poll cycles at whose end a job due in them had not even been asked for.",
);
/// The last cycle.
pub const LAST_POLL_CYCLE: Family = gauge(
    "grid_bulk_exporter_last_poll_cycle_timestamp_seconds",
    &[],
    "When the last poll cycle ended; moves also with nothing to poll.",
);
/// The last reload.
pub const CONFIG_RELOAD_SUCCESSFUL: Family = gauge(
    "grid_bulk_exporter_config_last_reload_successful",
    &[],
    "1 if the last load of the configuration was good, 0 if it was refused and the one before runs on.",
);
/// The last good reload.
pub const CONFIG_RELOAD_TIMESTAMP: Family = gauge(
    "grid_bulk_exporter_config_last_reload_success_timestamp_seconds",
    &[],
    "When the configuration was last loaded well.",
);
/// Jobs refused.
pub const JOBS_REJECTED: Family = counter(
    "grid_bulk_exporter_jobs_rejected_total",
    &["source"],
    "Jobs not watched because limits.jobs was reached, by the source that named them (file, http, admin, webhook).",
);
/// Lists that can't be read.
pub const SD_REFRESH_FAILURES: Family = counter(
    "grid_bulk_exporter_sd_refresh_failures_total",
    &["source"],
    "Readings of lists of jobs that failed, so that the list before stays, by source (file, http); only of sources that are configured.",
);
/// Lists that can be read.
pub const SD_LAST_SUCCESS: Family = gauge(
    "grid_bulk_exporter_sd_last_success_timestamp_seconds",
    &["source"],
    "When all lists of jobs of the source (file, http) were last read well, or when it was configured if never; only of sources that are configured.",
);
/// Webhooks.
pub const WEBHOOKS: Family = counter(
    "grid_bulk_exporter_webhooks_total",
    &["outcome"],
    "Webhooks that were answered, by what became of them: accepted, ignored (another type), duplicate, other_shard, bad_signature, bad_body (too large, cut off, or not like a webhook); only if they are configured.",
);
/// Open connections.
pub const WEB_CONNECTIONS: Family = gauge(
    "grid_bulk_exporter_web_connections",
    &[],
    "Connections open to the exporter's own web server, and to where webhooks are taken in.",
);
/// The storage.
pub const STORAGE_UP: Family = gauge(
    "grid_bulk_exporter_storage_up",
    &[],
    "1 if what is learnt is written to --storage.path, 0 if it is kept in memory alone because that fails; only with --storage.path.",
);
/// Which shard.
pub const SHARD_ORDINAL: Family = gauge(
    "grid_bulk_exporter_shard_ordinal",
    &[],
    "Which shard of the fleet this exporter is, counted from 0 (--shard).",
);
/// How many shards.
pub const TOTAL_SHARDS: Family = gauge(
    "grid_bulk_exporter_total_shards",
    &[],
    "Shards over which the jobs are spread (--total-shards); 1 if this exporter watches all.",
);
/// The build.
pub const BUILD_INFO: Family = gauge(
    "grid_bulk_exporter_build_info",
    &["version", "revision", "rustversion"],
    "1, with the exporter's version, the revision that it was built from and the compiler's version.",
);
/// CPU time.
pub const PROCESS_CPU: Family =
    counter("process_cpu_seconds_total", &[], "User and system CPU time spent, in seconds.");
/// Open files.
pub const PROCESS_OPEN_FDS: Family = gauge("process_open_fds", &[], "File descriptors open.");
/// Most open files.
pub const PROCESS_MAX_FDS: Family = gauge("process_max_fds", &[], "File descriptors that may be open.");
/// Virtual memory.
pub const PROCESS_VIRTUAL_MEMORY: Family =
    gauge("process_virtual_memory_bytes", &[], "Virtual memory size in bytes.");
/// Most virtual memory.
pub const PROCESS_VIRTUAL_MEMORY_MAX: Family = gauge(
    "process_virtual_memory_max_bytes",
    &[],
    "Virtual memory that may be taken, in bytes; -1 if unlimited.",
);
/// Resident memory.
pub const PROCESS_RESIDENT_MEMORY: Family =
    gauge("process_resident_memory_bytes", &[], "Resident memory size in bytes.");
/// Threads.
pub const PROCESS_THREADS: Family = gauge("process_threads", &[], "Threads of the process.");
/// Start.
pub const PROCESS_START_TIME: Family =
    gauge("process_start_time_seconds", &[], "When the process started, in seconds since the epoch.");

/// Families of single jobs, in the order in which they are published.
pub const JOB_FAMILIES: [Family; 14] = [
    JOB_STATUS,
    JOB_TOTAL_ROWS,
    JOB_PROCESSED_ROWS,
    JOB_SUCCESSFUL_ROWS,
    JOB_FAILED_ROWS,
    JOB_ERROR_ENTRIES,
    JOB_ERRORS_TRUNCATED,
    JOB_FIRST_SEEN,
    JOB_STATUS_SINCE,
    JOB_LAST_CHANGE,
    JOB_COMPLETED,
    JOB_POLL_SUCCESS,
    JOB_LAST_POLL_SUCCESS,
    JOB_INFO,
];

/// Families over all jobs, taken from the same state as those of single jobs.
pub const SUMMARY_FAMILIES: [Family; 2] = [JOBS, ROWS];

/// The exporter's own families, made anew for each scrape.
pub const OWN_FAMILIES: [Family; 34] = [
    UP,
    POLLS,
    POLL_FAILURES,
    API_REQUESTS,
    API_REQUEST_DURATION,
    API_RESPONSE_BYTES,
    API_THROTTLED,
    API_INCONSISTENT,
    API_QUOTA_LIMIT,
    API_QUOTA_REMAINING,
    API_QUOTA_RESET,
    POLL_CYCLE_DURATION,
    POLL_CYCLES,
    POLL_OVERRUNS,
    LAST_POLL_CYCLE,
    CONFIG_RELOAD_SUCCESSFUL,
    CONFIG_RELOAD_TIMESTAMP,
    JOBS_REJECTED,
    SD_REFRESH_FAILURES,
    SD_LAST_SUCCESS,
    WEBHOOKS,
    WEB_CONNECTIONS,
    STORAGE_UP,
    SHARD_ORDINAL,
    TOTAL_SHARDS,
    BUILD_INFO,
    PROCESS_CPU,
    PROCESS_OPEN_FDS,
    PROCESS_MAX_FDS,
    PROCESS_VIRTUAL_MEMORY,
    PROCESS_VIRTUAL_MEMORY_MAX,
    PROCESS_RESIDENT_MEMORY,
    PROCESS_THREADS,
    PROCESS_START_TIME,
];

/// Every family.
pub fn all() -> impl Iterator<Item = Family> {
    JOB_FAMILIES.into_iter().chain(SUMMARY_FAMILIES).chain(OWN_FAMILIES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_and_helps_follow_the_conventions() {
        let mut names = HashSet::new();
        for family in all() {
            assert!(names.insert(family.name), "{} stands in the table twice", family.name);
            assert_eq!(family.kind == Kind::Counter, family.name.ends_with("_total"), "{}", family.name);
            // Without a quote, for which the text formats have different rules.
            assert!(!family.help.is_empty() && !family.help.contains(['\n', '\\', '"']), "{}", family.name);
        }
    }
}
