//! Polls that are tried again within themselves: as the official SDK does, a passing fault of the server or the
//! connection costs half a second, not an interval. Pure; called by `poller` alone.

use crate::grid::Answer;
use crate::job::{JobId, PollFailure};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BinaryHeap;
use std::time::Duration;
use tokio::time::Instant;

/// A poll asks again so often at most.
const RETRIES: u32 = 2;

/// The first wait; the second is twice as long. The SDK's own figures.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// A server that wants a longer wait is not asked again within the poll.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Whether a poll that ended in `answer`, its `attempt`th beginning with 0, asks again; and after how long.
/// `chance`, from 0 to 1, is the jitter: up to a quarter sooner.
///
/// A time limit that ran out is not tried again: the API is slow, and it would hold a place for minutes.
pub(super) fn wait_before_retry(answer: &Answer, attempt: u32, chance: f64) -> Option<Duration> {
    let Err(error) = &answer.outcome else { return None };
    if attempt >= RETRIES || answer.advice.should_retry == Some(false) {
        return None;
    }
    let may_pass = match error.reason() {
        PollFailure::ServerError | PollFailure::Connect | PollFailure::Dns => true,
        // What the whole of polling waits for, or what asking again can't mend.
        PollFailure::RateLimited
        | PollFailure::Unauthorized
        | PollFailure::Forbidden
        | PollFailure::NotFound
        | PollFailure::Redirect
        | PollFailure::Tls
        | PollFailure::Timeout
        | PollFailure::BadResponse
        | PollFailure::TooLarge
        | PollFailure::Other => false,
    };
    let wanted = answer.advice.should_retry == Some(true) && error.reason() != PollFailure::RateLimited;
    let wait = FIRST_WAIT * 2_u32.pow(attempt);
    let told = answer.advice.retry_after.unwrap_or_default();
    // The SDK's own limit: what takes longer is left to the next interval.
    (told <= LONGEST_WAIT && (may_pass || wanted))
        .then(|| wait.mul_f64(1.0 - 0.25 * chance.clamp(0.0, 1.0)).max(told))
}

/// Polls that wait to ask again.
#[derive(Debug, Default)]
pub(super) struct Retries {
    queue: BinaryHeap<Reverse<(Instant, u64)>>,
    waiting: BTreeMap<u64, Waiting>,
    tickets: u64,
}

/// A poll that waits to ask again.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Its job.
    pub(super) id: JobId,
    /// How often it asked before.
    pub(super) attempt: u32,
    /// What came of the last time.
    pub(super) answer: Answer,
}

impl Retries {
    /// A poll asks again at `at`.
    pub(super) fn push(&mut self, at: Instant, waiting: Waiting) {
        self.tickets += 1;
        self.queue.push(Reverse((at, self.tickets)));
        self.waiting.insert(self.tickets, waiting);
    }

    /// A job leaves: its poll does not ask again.
    pub(super) fn forget(&mut self, id: &JobId) {
        self.waiting.retain(|_, waiting| waiting.id != *id);
    }

    /// When the next one asks.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes the next one, if its time has come.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Waiting> {
        if self.next()? > now {
            return None;
        }
        let Reverse((_, ticket)) = self.queue.pop()?;
        self.waiting.remove(&ticket)
    }
}
