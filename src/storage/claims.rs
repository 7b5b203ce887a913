//! What is kept beside the jobs' states: who named a job that nobody would name again after a restart, and which
//! deliveries of webhooks were taken.
//!
//! Made by `app`, which knows the sources; written by `write` together with the jobs' states.

use crate::clock::UnixTime;
use crate::config::JobSource;
use crate::job::{JobId, Labels};

/// A source names a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The job.
    pub id: JobId,
    /// Who names it.
    pub source: JobSource,
    /// The labels that it gives.
    pub labels: Labels,
}

/// A claim that is to be kept from now on, or not any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimChange {
    /// It is new, or has other labels.
    Named(Claim),
    /// It is withdrawn.
    Withdrawn {
        /// The job.
        id: JobId,
        /// Who named it.
        source: JobSource,
    },
}

/// A delivery of a webhook that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id, as the sender gives it. Bounded by whoever takes it.
    pub id: String,
    /// When.
    pub at: UnixTime,
}

/// A source in the file. These words never change.
pub(super) const fn code(source: JobSource) -> &'static str {
    match source {
        JobSource::File => "file",
        JobSource::Flag => "flag",
        JobSource::Environment => "environment",
        JobSource::Files => "job_files",
        JobSource::Http => "job_http",
        JobSource::Admin => "admin",
        JobSource::Webhook => "webhook",
    }
}

/// The source of a word in the file.
pub(super) fn source(word: &str) -> Option<JobSource> {
    [
        JobSource::File,
        JobSource::Flag,
        JobSource::Environment,
        JobSource::Files,
        JobSource::Http,
        JobSource::Admin,
        JobSource::Webhook,
    ]
    .into_iter()
    .find(|source| code(*source) == word)
}
