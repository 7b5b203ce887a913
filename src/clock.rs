//! Wall-clock time: the only place that reads the system's clock.
//!
//! Everything that shows a timestamp takes a [`Clock`], so that tests set the time. Intervals, time limits and
//! backoff never use it: they rest on tokio's monotonic clock, which a jump of the system's clock can't move.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// A moment, in milliseconds since 1970-01-01T00:00:00Z; may lie before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime {
    millis: i64,
}

impl UnixTime {
    /// The moment `millis` milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self { millis }
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.millis
    }

    /// Seconds since the epoch with their fraction, as Prometheus writes timestamps.
    #[must_use]
    pub fn as_seconds(self) -> f64 {
        self.millis as f64 / 1000.0
    }
}

impl From<SystemTime> for UnixTime {
    fn from(time: SystemTime) -> Self {
        let millis = match time.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
        };
        Self { millis }
    }
}

/// Tells the wall-clock time.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> UnixTime;
}

/// A clock that is handed around.
pub type SharedClock = Arc<dyn Clock>;

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    fn now(&self) -> UnixTime {
        SystemTime::now().into()
    }
}

/// A clock that starts at a chosen moment and follows tokio's clock, paused or not. For tests and simulations.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    start: UnixTime,
    origin: tokio::time::Instant,
}

impl TokioClock {
    /// A clock that shows `start` now.
    #[must_use]
    pub fn starting_at(start: UnixTime) -> Self {
        Self { start, origin: tokio::time::Instant::now() }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> UnixTime {
        let elapsed = i64::try_from(self.origin.elapsed().as_millis()).unwrap_or(i64::MAX);
        UnixTime::from_millis(self.start.as_millis().saturating_add(elapsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_time_before_the_epoch_is_negative() {
        assert_eq!(UnixTime::from(UNIX_EPOCH - Duration::from_millis(1500)).as_millis(), -1500);
    }

    #[test]
    fn seconds_keep_their_fraction() {
        assert!((UnixTime::from_millis(1_755_268_320_250).as_seconds() - 1_755_268_320.25).abs() < 1e-9);
    }

    #[tokio::test(start_paused = true)]
    async fn the_tokio_clock_follows_paused_time() {
        let clock = TokioClock::starting_at(UnixTime::from_millis(1_000));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(clock.now(), UnixTime::from_millis(3_000));
    }
}
