//! Repeatable randomness: numbers that follow from a seed and a place, not from a generator's state.
//!
//! Used by everything in `sim` that varies. A generator would have to be walked from its start for the 80,000th
//! failed row of a job; a mixed number can be asked for out of order, and by any thread, and is always the same.

/// A number that depends on all of `parts` and looks random (`SplitMix64`'s finaliser over each).
pub(crate) fn mix(parts: &[u64]) -> u64 {
    parts.iter().fold(0x9E37_79B9_7F4A_7C15, |state, part| {
        let mut z = (state ^ part).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}

/// The same as a fraction, 0 ≤ x < 1.
pub(crate) fn fraction(parts: &[u64]) -> f64 {
    // 53 bits are what a 64-bit float holds exactly.
    (mix(parts) >> 11) as f64 / 9_007_199_254_740_992.0
}

/// A number from `low` to `high`, both included.
pub(crate) fn between(low: u64, high: u64, parts: &[u64]) -> u64 {
    low + mix(parts) % (high.saturating_sub(low) + 1)
}

/// What a job's number counts in, so that ids of different origins never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Series {
    /// Jobs of `--jobs N`.
    Generated,
    /// Jobs that came as an upload.
    Uploaded,
    /// Imports of the demo.
    Demo,
}

impl Series {
    pub(crate) const fn number(self) -> u16 {
        match self {
            Self::Generated => 0,
            Self::Uploaded => 1,
            Self::Demo => 2,
        }
    }
}

/// The id of a simulated job: of the API's form, the number readable at its end
/// (`Job:0195f2a1-77c0-1d02-0000-000000000001`). The same for the same seed, in every run.
#[must_use]
pub fn job_id(seed: u64, series: Series, number: u64) -> String {
    let mixed = mix(&[seed, 0x1d]);
    format!(
        "Job:0195{:04x}-{:04x}-1d02-{:04}-{number:012}",
        mixed & 0xffff,
        (mixed >> 16) & 0xffff,
        series.number()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_the_api_and_repeat() {
        let id = job_id(1, Series::Generated, 42);
        assert_eq!(id, job_id(1, Series::Generated, 42));
        assert_eq!(id.len(), "Job:019542f5-b3e7-1d02-0000-000000000006".len());
        assert!(id.ends_with("-1d02-0000-000000000042"), "{id}");
        assert_ne!(id, job_id(2, Series::Generated, 42));
        assert_ne!(id, job_id(1, Series::Uploaded, 42));
    }

    #[test]
    fn fractions_fill_their_range() {
        let sample: Vec<f64> = (0..1000).map(|n| fraction(&[7, n])).collect();
        let mean = sample.iter().sum::<f64>() / 1000.0;
        assert!(sample.iter().all(|x| (0.0..1.0).contains(x)));
        assert!((0.45..0.55).contains(&mean), "{mean}");
        assert!((0..100).all(|n| (3..=5).contains(&between(3, 5, &[n]))));
    }
}
