//! Which samples a job has in which family: decided once, for every format. Called by `text` and `protobuf`.

use crate::clock::UnixTime;
use crate::job::{LabelName, Labels, Progress, Status};
use crate::store::{JobSnapshot, Observed, Summary};
use crate::telemetry::families::{self, Family};

/// A sample's value, in the form that is written fastest.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    /// 1 or 0.
    Flag(bool),
    /// A whole number.
    Count(u64),
    /// Any number.
    Number(f64),
    /// A moment, in seconds with their fraction.
    Time(UnixTime),
}

/// A sample's labels besides `jobId`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Extra<'a> {
    /// None.
    None,
    /// One: name and value.
    One(&'static str, &'a str),
    /// Each name that any job has, with this job's value; an empty value is no label to Prometheus.
    All(&'a [LabelName], &'a Labels),
}

impl Value {
    /// The value as Prometheus reads it.
    pub(super) fn as_f64(self) -> f64 {
        match self {
            Self::Flag(flag) => f64::from(u8::from(flag)),
            Self::Count(count) => count as f64,
            Self::Number(number) => number,
            Self::Time(time) => time.as_seconds(),
        }
    }
}

/// Hands each sample of one job and family to `write`.
pub(super) fn of_job<'a>(
    family: &Family,
    job: &'a JobSnapshot,
    label_names: &'a [LabelName],
    mut write: impl FnMut(Extra<'a>, Value),
) {
    match family.name {
        name if name == families::JOB_INFO.name => {
            write(Extra::All(label_names, &job.labels), Value::Flag(true));
        }
        name if name == families::JOB_POLL_SUCCESS.name => {
            if job.tried {
                write(Extra::None, Value::Flag(job.poll_success()));
            }
        }
        name if name == families::JOB_LAST_POLL_SUCCESS.name => {
            if let Some(time) = job.last_poll_success {
                write(Extra::None, Value::Time(time));
            }
        }
        name => {
            // All others are there only once the job was read.
            if let Some(observed) = &job.observed {
                of_observed(name, observed, write);
            }
        }
    }
}

fn of_observed<'a>(name: &str, observed: &'a Observed, mut write: impl FnMut(Extra<'a>, Value)) {
    let count = |count: fn(&Progress) -> f64| observed.progress.as_ref().map(count).map(Value::Number);
    let time = |time: UnixTime| Some(Value::Time(time));
    let single = if name == families::JOB_STATUS.name {
        for status in Status::ALL {
            let holds = status == observed.status.status();
            write(Extra::One("status", status.as_str()), Value::Flag(holds));
        }
        None
    } else if name == families::JOB_ERROR_ENTRIES.name {
        for (code, entries) in observed.errors.iter() {
            write(Extra::One("code", code), Value::Count(entries));
        }
        None
    } else if name == families::JOB_TOTAL_ROWS.name {
        count(|progress| progress.total)
    } else if name == families::JOB_PROCESSED_ROWS.name {
        count(|progress| progress.processed)
    } else if name == families::JOB_SUCCESSFUL_ROWS.name {
        count(|progress| progress.successful)
    } else if name == families::JOB_FAILED_ROWS.name {
        count(|progress| progress.failed)
    } else if name == families::JOB_ERRORS_TRUNCATED.name {
        Some(Value::Flag(observed.errors_truncated))
    } else if name == families::JOB_FIRST_SEEN.name {
        time(observed.first_seen)
    } else if name == families::JOB_STATUS_SINCE.name {
        time(observed.status_since)
    } else if name == families::JOB_LAST_CHANGE.name {
        time(observed.last_change)
    } else if name == families::JOB_COMPLETED.name {
        observed.completed_at.and_then(time)
    } else {
        None
    };
    if let Some(value) = single {
        write(Extra::None, value);
    }
}

/// Each status of `grid_bulk_jobs`, and how many jobs have it.
pub(super) fn jobs_by_status(summary: &Summary) -> impl Iterator<Item = (&'static str, usize)> {
    let read = Status::ALL.iter().map(|status| status.as_str()).zip(summary.by_status);
    read.chain([("UNPOLLED", summary.unpolled)])
}
