//! What was asked: for tests of pacing and fairness, in bounded memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// So many requests are kept with their times; older ones only count.
pub const MAX_RECORDS: usize = 100_000;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// Real time since the simulator's start.
    pub at: Duration,
    /// The job asked for, known or not; nothing for other requests.
    pub job: Option<Arc<str>>,
    /// The status of the answer; nothing if there was none (reset, hang, cut).
    pub status: Option<u16>,
}

/// All that was asked.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    /// Number of all requests since the start.
    pub total: u64,
    /// The latest [`MAX_RECORDS`], oldest first.
    pub records: Vec<RequestRecord>,
}

impl Requests {
    /// The kept requests for one job.
    pub fn of_job<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a RequestRecord> {
        self.records.iter().filter(move |record| record.job.as_deref() == Some(id))
    }

    /// How many kept requests were answered with this status.
    #[must_use]
    pub fn with_status(&self, status: u16) -> usize {
        self.records.iter().filter(|record| record.status == Some(status)).count()
    }
}

#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    state: Mutex<LogState>,
}

#[derive(Debug, Default)]
struct LogState {
    total: u64,
    records: VecDeque<RequestRecord>,
}

impl RequestLog {
    pub(crate) fn record(&self, record: RequestRecord) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.total += 1;
        if state.records.len() >= MAX_RECORDS {
            state.records.pop_front();
        }
        state.records.push_back(record);
    }

    pub(crate) fn snapshot(&self) -> Requests {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Requests { total: state.total, records: state.records.iter().cloned().collect() }
    }

    /// Forgets the records and begins to count anew.
    pub(crate) fn clear(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = LogState::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_keeps_the_latest_and_counts_all() {
        let log = RequestLog::default();
        for second in 0..MAX_RECORDS as u64 + 5 {
            log.record(RequestRecord { at: Duration::from_secs(second), job: None, status: Some(200) });
        }
        let requests = log.snapshot();
        assert_eq!(requests.total, MAX_RECORDS as u64 + 5);
        assert_eq!(requests.records.len(), MAX_RECORDS);
        assert_eq!(requests.records[0].at, Duration::from_secs(5));
    }
}
