//! Poll cycles: what was due in each, whether all of it was asked by its end, and when all of it was answered.
//!
//! A cycle lasts one interval and follows the clock, whatever the polls do; so it ends also with nothing to poll.
//! A job belongs to the cycle in which it was due, and to one at a time, so a cycle that does not fit never piles up
//! a second one behind it. Pure: told the time. Called by `schedule` alone.

use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The cycles since the start.
#[derive(Debug)]
pub(super) struct Cycles {
    epoch: Instant,
    interval: Duration,
    /// The number of the present cycle.
    current: u64,
    /// Cycles with jobs that were not answered yet, and the present one.
    open: BTreeMap<u64, Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// Jobs due in it that were not asked yet.
    unasked: usize,
    /// Jobs due in it that were asked, not answered.
    asked: usize,
    /// When the latest answer came.
    last_answer: Option<Instant>,
}

/// What the end of a cycle shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CycleEnd {
    /// True if a job due in it, or before, had not even been asked.
    pub(super) overrun: bool,
    /// From its start until all jobs due in it were answered; nothing if some still are not.
    pub(super) duration: Option<Duration>,
}

impl Cycles {
    pub(super) fn new(epoch: Instant, interval: Duration) -> Self {
        Self { epoch, interval, current: 0, open: BTreeMap::new() }
    }

    /// When the present cycle ends.
    pub(super) fn end(&self) -> Instant {
        self.start_of(self.current + 1)
    }

    /// A job is due at `due`.
    pub(super) fn scheduled(&mut self, due: Instant) {
        self.open.entry(self.number_at(due)).or_default().unasked += 1;
    }

    /// A job that was due at `due` is asked.
    pub(super) fn asked(&mut self, due: Instant) {
        let cycle = self.open.entry(self.number_at(due)).or_default();
        cycle.unasked = cycle.unasked.saturating_sub(1);
        cycle.asked += 1;
    }

    /// A job that was due at `due` is answered. If it was the last of a cycle that has ended: how long that took.
    pub(super) fn answered(&mut self, due: Instant, now: Instant) -> Option<Duration> {
        let number = self.number_at(due);
        let cycle = self.open.get_mut(&number)?;
        cycle.asked = cycle.asked.saturating_sub(1);
        cycle.last_answer = Some(now);
        self.close_if_over(number)
    }

    /// A job that was due at `due` and not asked yet left the set, or gets another time.
    pub(super) fn withdrawn(&mut self, due: Instant) -> Option<Duration> {
        let number = self.number_at(due);
        let cycle = self.open.get_mut(&number)?;
        cycle.unasked = cycle.unasked.saturating_sub(1);
        self.close_if_over(number)
    }

    /// Ends the present cycle, if its time is over at `now`, and goes to the one in which `now` lies.
    pub(super) fn end_at(&mut self, now: Instant) -> Option<CycleEnd> {
        if now < self.end() {
            return None;
        }
        let ended = self.current;
        // Of this cycle or an earlier one: as long as a job waits to be asked, no cycle fits.
        let overrun = self.open.range(..=ended).any(|(_, cycle)| cycle.unasked > 0);
        self.current = self.number_at(now).max(ended + 1);
        let duration =
            if self.open.contains_key(&ended) { self.close_if_over(ended) } else { Some(Duration::ZERO) };
        Some(CycleEnd { overrun, duration })
    }

    fn close_if_over(&mut self, number: u64) -> Option<Duration> {
        let cycle = self.open.get(&number)?;
        if number >= self.current || cycle.unasked + cycle.asked > 0 {
            return None;
        }
        let start = self.start_of(number);
        let duration =
            cycle.last_answer.map_or(Duration::ZERO, |answer| answer.saturating_duration_since(start));
        self.open.remove(&number);
        Some(duration)
    }

    fn number_at(&self, time: Instant) -> u64 {
        let since = time.saturating_duration_since(self.epoch).as_nanos();
        u64::try_from(since / self.interval.as_nanos().max(1)).unwrap_or(u64::MAX)
    }

    fn start_of(&self, number: u64) -> Instant {
        self.epoch + multiple(self.interval, number)
    }
}

/// `interval` times `number`; a hundred years where that exceeds what a duration holds.
pub(super) fn multiple(interval: Duration, number: u64) -> Duration {
    let nanos = interval.as_nanos().saturating_mul(u128::from(number));
    let limit = Duration::from_secs(100 * 365 * 24 * 3600);
    u64::try_from(nanos).map_or(limit, |nanos| Duration::from_nanos(nanos).min(limit))
}
