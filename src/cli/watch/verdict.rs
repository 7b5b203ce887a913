//! When an import needs no more watching, and what the exit code is then. Pure; called by `watch`.

use crate::cli::terminal::Exit;
use crate::clock::UnixTime;
use crate::job::{PollFailure, Status};
use crate::store::JobSnapshot;
use std::sync::Arc;

/// An import that was just uploaded may not be found for a moment.
const GRACE_MILLIS: i64 = 10_000;

/// What makes the exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum FailOn {
    /// Nothing: it is 0 once the imports ended, however
    Never,
    /// A row that failed, or an import that ended as FAILED
    Rows,
    /// An import that ended as FAILED, whatever its rows
    Job,
}

/// What is to come of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// More is to come.
    Running,
    /// It ended.
    Ended,
    /// The API does not know it.
    NotThere,
    /// The API refuses us, for this reason.
    Refused(String),
}

/// What is to come of an import at `now`.
pub(super) fn fate(job: &JobSnapshot, now: UnixTime) -> Fate {
    if job.status().is_some_and(Status::is_ended) {
        return Fate::Ended;
    }
    let Some(failure) = &job.failure else { return Fate::Running };
    match failure.reason {
        PollFailure::Unauthorized | PollFailure::Forbidden => Fate::Refused(failure.message.clone()),
        PollFailure::NotFound
            if now.as_millis().saturating_sub(failure.since.as_millis()) >= GRACE_MILLIS =>
        {
            Fate::NotThere
        }
        // Passing, or what a change elsewhere can mend.
        PollFailure::NotFound
        | PollFailure::Timeout
        | PollFailure::Dns
        | PollFailure::Connect
        | PollFailure::Tls
        | PollFailure::Redirect
        | PollFailure::RateLimited
        | PollFailure::ServerError
        | PollFailure::BadResponse
        | PollFailure::TooLarge
        | PollFailure::Other => Fate::Running,
    }
}

/// The exit code once none runs any more.
pub(super) fn exit(jobs: &[Arc<JobSnapshot>], fates: &[Fate], fail_on: FailOn) -> Exit {
    if fates.iter().any(|fate| *fate != Fate::Ended) {
        return Exit::NotDone;
    }
    let job_failed = jobs.iter().any(|job| job.status() == Some(Status::Failed));
    let has_failed_rows = |job: &JobSnapshot| {
        let observed = job.observed.as_ref();
        observed.is_some_and(|observed| {
            // Where the API sends no counts, its list of errors tells.
            observed.progress.is_some_and(|progress| progress.failed > 0.0)
                || observed.errors.iter().any(|(_, entries)| entries > 0)
        })
    };
    let failed = match fail_on {
        FailOn::Never => false,
        FailOn::Rows => job_failed || jobs.iter().any(|job| has_failed_rows(job)),
        FailOn::Job => job_failed,
    };
    if failed { Exit::Failed } else { Exit::Good }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{CompletedAt, ErrorTally, JobReading, Progress, ReportedStatus};
    use crate::store::Outcome;

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_millis(seconds * 1000)
    }

    fn read(status: &str, failed: f64, codes: &[&str]) -> JobSnapshot {
        let mut errors = ErrorTally::new(20);
        for code in codes {
            errors.count(Some(code));
        }
        let reading = JobReading {
            status: ReportedStatus::from_word(status),
            progress: Some(Progress { total: 9.0, processed: 9.0, successful: 9.0 - failed, failed }),
            errors,
            errors_truncated: false,
            completed_at: CompletedAt::Absent,
        };
        JobSnapshot::stranger("Job:a".parse().unwrap()).following(Outcome::Read(reading), at(0))
    }

    fn unread(reason: PollFailure) -> JobSnapshot {
        let outcome = Outcome::Failed { reason, message: "why".to_owned(), asked: true };
        JobSnapshot::stranger("Job:a".parse().unwrap()).following(outcome, at(0))
    }

    #[test]
    fn an_import_that_is_not_found_gets_a_moment_and_a_refusal_none() {
        assert_eq!(fate(&unread(PollFailure::NotFound), at(9)), Fate::Running);
        assert_eq!(fate(&unread(PollFailure::NotFound), at(10)), Fate::NotThere);
        assert_eq!(fate(&unread(PollFailure::Unauthorized), at(0)), Fate::Refused("why".to_owned()));
        assert_eq!(fate(&unread(PollFailure::Timeout), at(1000)), Fate::Running);
        assert_eq!(fate(&read("PROCESSING", 1.0, &[]), at(1000)), Fate::Running);
        assert_eq!(fate(&read("FAILED", 1.0, &[]), at(0)), Fate::Ended);
    }

    #[test]
    fn the_exit_code_is_what_fail_on_says() {
        let exits = |job: JobSnapshot| {
            let jobs = [Arc::new(job)];
            [FailOn::Never, FailOn::Rows, FailOn::Job].map(|fail_on| exit(&jobs, &[Fate::Ended], fail_on))
        };
        assert_eq!(exits(read("COMPLETED", 0.0, &[])), [Exit::Good; 3]);
        assert_eq!(exits(read("COMPLETED", 1.0, &[])), [Exit::Good, Exit::Failed, Exit::Good]);
        assert_eq!(exits(read("COMPLETED", 0.0, &["X"])), [Exit::Good, Exit::Failed, Exit::Good]);
        assert_eq!(exits(read("FAILED", 0.0, &[])), [Exit::Good, Exit::Failed, Exit::Failed]);
        let jobs = [Arc::new(unread(PollFailure::NotFound))];
        assert_eq!(exit(&jobs, &[Fate::NotThere], FailOn::Never), Exit::NotDone);
    }
}
