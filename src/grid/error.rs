//! Why a question to the API had no good answer, and the reason that it counts as.

use crate::job::{Inconsistency, PollFailure};
use std::error::Error as StdError;
use std::io;
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

/// An error and what it came from, one after the other. An `io::Error` that wraps another error hides it from `source`,
/// so it is opened.
pub fn causes<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
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
