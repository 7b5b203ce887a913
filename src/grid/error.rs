//! Why a question to the API had no good answer, and the reason that it counts as.

use crate::job::{Inconsistency, PollFailure};
use thiserror::Error;

/// A question without a good answer. The text says what happened, for the log and the JSON API; it holds no
/// credential, no header, and nothing of the body but sizes, positions and names of keys.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ApiError {
    reason: PollFailure,
    message: String,
    inconsistency: Option<Inconsistency>,
}

impl ApiError {
    /// An error that counts as `reason`.
    #[must_use]
    pub fn new(reason: PollFailure, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), inconsistency: None }
    }

    /// The same, for an answer that also contradicts itself.
    #[must_use]
    pub const fn with_inconsistency(mut self, kind: Option<Inconsistency>) -> Self {
        self.inconsistency = kind;
        self
    }

    /// How the answer contradicts itself, if it does.
    #[must_use]
    pub const fn inconsistency(&self) -> Option<Inconsistency> {
        self.inconsistency
    }

    /// The reason that it counts as.
    #[must_use]
    pub const fn reason(&self) -> PollFailure {
        self.reason
    }
}
