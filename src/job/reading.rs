//! What one good answer of the API says about a job.

use crate::clock::UnixTime;
use crate::job::{ErrorTally, Progress, ReportedStatus};

/// One answer, read whole: everything in it belongs together.
#[derive(Clone, Debug, PartialEq)]
pub struct JobReading {
    /// The job's status.
    pub status: ReportedStatus,
    /// The row counts; nothing if the answer had no `progress`, and the last known ones stay.
    pub progress: Option<Progress>,
    /// Entries of `errors` by code; all 0 if the answer had none.
    pub errors: ErrorTally,
    /// True if `errors` was not read to its end although status and counts were whole.
    pub errors_truncated: bool,
    /// When the job ended.
    pub completed_at: CompletedAt,
}

/// The API's `completedAt`, promised only for ended jobs (an official example shows it on a running one).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompletedAt {
    /// Not there, or null.
    Absent,
    /// An RFC 3339 time.
    At(UnixTime),
    /// There, but not a time: the first 64 characters of it. The poll is good all the same.
    Unreadable(Box<str>),
}
