//! The four row counts of a job.

/// The API's `progress`: rows of the uploaded file, published as they came.
///
/// They are 64-bit floats because that is what Prometheus keeps, and because the API may send what it likes
/// (a negative number, a fraction, 1e30): it is shown, but [`countable`] says whether it may be counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Rows in the file.
    pub total: f64,
    /// Rows done, well or not.
    pub processed: f64,
    /// Customers created.
    pub successful: f64,
    /// Rows that failed.
    pub failed: f64,
}

/// The largest whole number that a 64-bit float holds together with all smaller ones: 2^53.
const LARGEST_COUNT: f64 = 9_007_199_254_740_992.0;

/// The number as a count of rows; nothing if it is negative, has a fraction, or exceeds 2^53.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just before")]
pub fn countable(number: f64) -> Option<u64> {
    ((0.0..=LARGEST_COUNT).contains(&number) && number.fract() == 0.0).then_some(number as u64)
}

impl Progress {
    /// True if the counts can be true together: whole, none negative, `processed` no more than `total`, and
    /// `successful` + `failed` = `processed`.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        let counts = [self.total, self.processed, self.successful, self.failed].map(countable);
        let [Some(total), Some(processed), Some(successful), Some(failed)] = counts else { return false };
        processed <= total && successful + failed == processed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_up_to_two_to_the_53_are_countable() {
        assert_eq!(countable(0.0), Some(0));
        assert_eq!(countable(9_007_199_254_740_992.0), Some(1 << 53));
        for number in [-1.0, 0.5, 1e30, f64::NAN, f64::INFINITY, 9_007_199_254_740_994.0] {
            assert_eq!(countable(number), None, "{number}");
        }
    }

    #[test]
    fn counts_that_contradict_each_other_are_told() {
        let good = Progress { total: 10.0, processed: 5.0, successful: 3.0, failed: 2.0 };
        assert!(good.is_consistent());
        assert!(!Progress { processed: 11.0, successful: 9.0, ..good }.is_consistent(), "more than all");
        assert!(!Progress { failed: 3.0, ..good }.is_consistent(), "parts exceed the sum");
        assert!(!Progress { successful: 2.5, failed: 2.5, ..good }.is_consistent(), "half a row");
        assert!(!Progress { total: f64::MAX, ..good }.is_consistent());
    }
}
