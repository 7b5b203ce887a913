//! Decides when the next request may leave: requests a second, and how long the API wants none.
//!
//! Called by `poller` alone. Pure: told the time; the caller does the waiting. One pacer for all jobs, since the
//! limit in the configuration, like the API's own, holds for the whole exporter.

use std::time::Duration;
use tokio::time::Instant;

/// Requests are spaced evenly; where they are closer than this together, so many leave at once instead, because
/// timers tick in milliseconds.
const TICK: Duration = Duration::from_millis(5);

/// The pace of all requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacer {
    /// Time between two requests.
    spacing: Duration,
    /// When the next request is regularly due.
    next: Instant,
    /// No request before this.
    paused_until: Option<Instant>,
}

impl Pacer {
    /// A pacer that lets `rate` requests a second leave, beginning at `now`.
    pub(super) fn new(rate: f64, now: Instant) -> Self {
        Self { spacing: spacing(rate), next: now, paused_until: None }
    }

    /// Takes another rate.
    pub(super) fn set_rate(&mut self, rate: f64, now: Instant) {
        self.spacing = spacing(rate);
        self.next = self.next.min(now + self.spacing);
    }

    /// When the next request may leave; in the past if it may at once.
    pub(super) fn ready_at(&self) -> Instant {
        let early =
            if self.spacing < TICK { self.next.checked_sub(TICK).unwrap_or(self.next) } else { self.next };
        self.paused_until.map_or(early, |pause| pause.max(early))
    }

    /// A request leaves at `now`.
    pub(super) fn request(&mut self, now: Instant) {
        self.next = self.next.max(now) + self.spacing;
    }

    /// The API wants no request for so long.
    pub(super) fn pause(&mut self, duration: Duration, now: Instant) {
        let until = now + duration;
        self.paused_until = Some(self.paused_until.map_or(until, |pause| pause.max(until)));
    }
}

fn spacing(rate: f64) -> Duration {
    // A rate near 0 must not overflow: then one request a day leaves.
    Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX).min(Duration::from_secs(24 * 3600))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many requests leave within `duration`, asking every millisecond.
    fn leave_within(pacer: &mut Pacer, start: Instant, duration: Duration) -> u32 {
        let mut requests = 0;
        for millis in 0..u64::try_from(duration.as_millis()).unwrap() {
            let now = start + Duration::from_millis(millis);
            while pacer.ready_at() <= now {
                pacer.request(now);
                requests += 1;
            }
        }
        requests
    }

    #[test]
    fn the_rate_is_kept() {
        let start = Instant::now();
        for (rate, allowed) in
            [(5.0, 5..=5), (50.0, 50..=50), (1000.0, 1000..=1006), (25_000.0, 25_000..=25_126)]
        {
            let requests = leave_within(&mut Pacer::new(rate, start), start, Duration::from_secs(1));
            assert!(allowed.contains(&requests), "{requests} at {rate}");
        }
    }

    #[test]
    fn a_quiet_time_does_not_save_up_requests() {
        let start = Instant::now();
        let mut pacer = Pacer::new(50.0, start);
        let later = start + Duration::from_secs(60);
        assert_eq!(leave_within(&mut pacer, later, Duration::from_secs(1)), 50);
    }

    #[test]
    fn a_pause_holds_for_all_and_the_longer_one_wins() {
        let start = Instant::now();
        let mut pacer = Pacer::new(50.0, start);
        pacer.pause(Duration::from_secs(7), start);
        pacer.pause(Duration::from_secs(1), start);
        assert_eq!(pacer.ready_at(), start + Duration::from_secs(7));
    }

    #[test]
    fn absurd_rates_do_not_overflow() {
        let start = Instant::now();
        let mut pacer = Pacer::new(1e-300, start);
        pacer.request(start);
        assert_eq!(pacer.ready_at(), start + Duration::from_secs(24 * 3600));
    }
}
