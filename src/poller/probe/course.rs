//! What happens in the course of a probe, for whoever wants to know: written by the poller, read by the web at the end.

use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// Lines of one course at most.
const MOST_LINES: usize = 100;

/// What happens in the course of a probe, for whoever wants to know.
#[derive(Clone, Debug)]
pub struct Course {
    began: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Course {
    /// A course that begins now.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it begins at a moment")]
    pub fn new() -> Self {
        Self { began: Instant::now(), lines: Arc::default() }
    }

    /// Notes what happens now.
    pub fn tell(&self, what: &str) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < MOST_LINES {
            lines.push(format!("{:.3} s  {what}", self.began.elapsed().as_secs_f64()));
        }
    }

    /// What happened so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
