//! What the admin API asks of the app: a job more, a job less.

use crate::catalog::{LimitReached, NotNamed};
use crate::job::{JobId, Labels};
use tokio::sync::oneshot;

/// A request, and where its answer goes once `/metrics` shows what was asked.
#[derive(Debug)]
pub enum AdminRequest {
    /// Watch a job, with these labels.
    Put {
        /// The job.
        id: JobId,
        /// Its labels, all of them.
        labels: Labels,
        /// Takes the answer: whether the job is new.
        done: oneshot::Sender<Result<bool, LimitReached>>,
    },
    /// Name a job no longer.
    Delete {
        /// The job.
        id: JobId,
        /// Takes the answer.
        done: oneshot::Sender<Result<(), NotNamed>>,
    },
}
