//! How fast a job's rows are processed, as the page shows it: smoothed, so that it can be read.
//!
//! Pure; a number of four bytes in each snapshot. Prometheus's `rate()` is better at this, but the page has none.

use std::time::Duration;

/// What happened this long ago weighs a third of what happens now.
const MEMORY: Duration = Duration::from_secs(60);

/// Rows a second; nothing before a job was read twice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate(f32);

impl Rate {
    /// Not known yet.
    pub(super) const UNKNOWN: Self = Self(-1.0);

    /// A known rate, in rows a second.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "seven digits are more than anybody reads")]
    pub fn of(rows_per_second: f64) -> Self {
        Self(rows_per_second.max(0.0) as f32)
    }

    /// The rate in rows a second, or nothing if it is not known yet.
    #[must_use]
    pub fn rows_per_second(self) -> Option<f64> {
        (self.0 >= 0.0).then_some(f64::from(self.0))
    }

    /// The rate after `rows` more were processed in the `elapsed` time. What can't be (no time, rows taken back,
    /// nonsense) changes nothing.
    pub(super) fn after(self, rows: f64, elapsed: Duration) -> Self {
        let now = rows / elapsed.as_secs_f64();
        if !now.is_finite() || now < 0.0 {
            return self;
        }
        let Some(before) = self.rows_per_second() else { return Self::of(now) };
        let kept = (-elapsed.as_secs_f64() / MEMORY.as_secs_f64()).exp();
        Self::of(before * kept + now * (1.0 - kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_A_MINUTE: Duration = Duration::from_secs(30);

    #[test]
    fn the_first_two_readings_tell_it_and_later_ones_smooth_it() {
        assert_eq!(Rate::UNKNOWN.rows_per_second(), None);
        let first = Rate::UNKNOWN.after(300.0, HALF_A_MINUTE);
        assert_eq!(first.rows_per_second(), Some(10.0));
        let slower = first.after(0.0, HALF_A_MINUTE).rows_per_second().unwrap();
        assert!((6.0..6.1).contains(&slower), "{slower}");
        let steady = (0..20).fold(first, |rate, _| rate.after(600.0, HALF_A_MINUTE));
        assert!((19.9..=20.0).contains(&steady.rows_per_second().unwrap()));
    }

    #[test]
    fn nonsense_changes_nothing() {
        let rate = Rate::UNKNOWN.after(300.0, HALF_A_MINUTE);
        for (rows, elapsed) in [
            (-1.0, HALF_A_MINUTE),
            (1.0, Duration::ZERO),
            (f64::NAN, HALF_A_MINUTE),
            (f64::INFINITY, HALF_A_MINUTE),
        ] {
            assert_eq!(rate.after(rows, elapsed), rate);
        }
    }
}
