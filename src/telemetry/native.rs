//! Prometheus's native histogram: buckets that need no bounds to be chosen, each a fixed factor wider than the one
//! before.
//!
//! Recorded in the finest resolution that we use, 2^(1/8) from bound to bound (9 %); when observations spread over
//! more than [`MOST_BUCKETS`], neighbours are joined and the factor squares, as often as it takes. So memory is
//! bounded whatever is observed, and nothing is ever forgotten. Kept by `latency` beside the classic buckets, written
//! by `exposition` in the one format that knows such histograms, protobuf.

use std::collections::BTreeMap;

/// The resolution at the start: 2^3 buckets from each power of two to the next.
const FINEST: i32 = 3;

/// The coarsest that the format knows: 2^16 from bound to bound, which spans all numbers in 129 buckets.
const COARSEST: i32 = -4;

/// More buckets than these are joined. Client libraries have the same default.
pub const MOST_BUCKETS: usize = 160;

/// Observations up to this, in the unit of what is observed, count as zero: 2^-128, as in client libraries.
pub const ZERO_THRESHOLD: f64 = f64::from_bits((1023 - 128) << 52);

/// Bounds from 1/2 (without it) to 1 in the finest resolution: 2^(i/8 - 1).
const BOUNDS: [f64; 1 << FINEST] = [
    0.5,
    0.545_253_866_332_628_8,
    0.594_603_557_501_360_5,
    0.648_419_777_325_504_8,
    std::f64::consts::FRAC_1_SQRT_2,
    0.771_105_412_703_970_4,
    0.840_896_415_253_714_4,
    0.917_004_043_204_671_2,
];

/// The buckets of one histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeBuckets {
    schema: i32,
    zero: u64,
    /// By index; index `i` reaches from 2^((i-1)/2^schema), without it, to 2^(i/2^schema).
    counts: BTreeMap<i32, u64>,
}

/// A run of buckets without a large gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The index of its first bucket, or how many buckets lie between it and the span before.
    pub offset: i32,
    /// How many buckets it has.
    pub length: u32,
}

impl Default for NativeBuckets {
    fn default() -> Self {
        Self { schema: FINEST, zero: 0, counts: BTreeMap::new() }
    }
}

impl NativeBuckets {
    /// Counts an observation: a finite number, not below 0.
    pub(super) fn observe(&mut self, value: f64) {
        if value <= ZERO_THRESHOLD {
            self.zero += 1;
            return;
        }
        let index = ceiling_shift(finest_index(value), FINEST - self.schema);
        *self.counts.entry(index).or_default() += 1;
        while self.counts.len() > MOST_BUCKETS && self.schema > COARSEST {
            self.join_neighbours();
        }
    }

    fn join_neighbours(&mut self) {
        let mut joined = BTreeMap::new();
        for (index, count) in &self.counts {
            *joined.entry(ceiling_shift(*index, 1)).or_default() += count;
        }
        self.counts = joined;
        self.schema -= 1;
    }

    /// The resolution: each bucket is 2^(2^-schema) times as wide as the one before; -4 to 8.
    #[must_use]
    pub const fn schema(&self) -> i32 {
        self.schema
    }

    /// Observations that count as zero.
    #[must_use]
    pub const fn zero_count(&self) -> u64 {
        self.zero
    }

    /// The buckets as the format has them: spans, and for each bucket in them the difference to the one before.
    #[must_use]
    pub fn spans_and_deltas(&self) -> (Vec<Span>, Vec<i64>) {
        let mut spans: Vec<Span> = Vec::new();
        let mut deltas = Vec::with_capacity(self.counts.len());
        let mut next_index = 0;
        let mut before = 0;
        let mut push = |count: u64| {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            deltas.push(count - before);
            before = count;
        };
        for (index, count) in &self.counts {
            let gap = index - next_index;
            match spans.last_mut() {
                // One or two empty buckets are shorter than a new span.
                Some(span) if gap <= 2 => {
                    (0..gap).for_each(|_| push(0));
                    span.length += gap.unsigned_abs() + 1;
                }
                _ => spans.push(Span { offset: gap, length: 1 }),
            }
            push(*count);
            next_index = index + 1;
        }
        (spans, deltas)
    }
}

/// The index in the finest resolution of a number above [`ZERO_THRESHOLD`].
fn finest_index(value: f64) -> i32 {
    // value = fraction * 2^exponent with the fraction in [1/2, 1); no such number is subnormal.
    let bits = value.to_bits();
    let exponent = i32::try_from((bits >> 52) & 0x7ff).unwrap_or(0) - 1022;
    let fraction = f64::from_bits((bits & ((1 << 52) - 1)) | (1022 << 52));
    let within = BOUNDS.partition_point(|bound| *bound < fraction);
    ((exponent - 1) << FINEST) + i32::try_from(within).unwrap_or(0)
}

/// The index in a resolution that is `by` steps coarser.
const fn ceiling_shift(index: i32, by: i32) -> i32 {
    (index + (1 << by) - 1) >> by
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn upper_bound(schema: i32, index: i32) -> f64 {
        (f64::from(index) * (-f64::from(schema)).exp2()).exp2()
    }

    /// Index and count of each bucket, read back from spans and deltas as Prometheus does.
    fn read_back(buckets: &NativeBuckets) -> BTreeMap<i32, u64> {
        let (spans, deltas) = buckets.spans_and_deltas();
        let mut deltas = deltas.into_iter();
        let (mut index, mut count) = (0, 0);
        let mut counts = BTreeMap::new();
        for span in spans {
            index += span.offset;
            for _ in 0..span.length {
                count += deltas.next().unwrap();
                counts.insert(index, u64::try_from(count).unwrap());
                index += 1;
            }
        }
        assert_eq!(deltas.next(), None);
        counts
    }

    #[test]
    fn powers_of_two_are_the_upper_bounds_of_their_buckets() {
        for (value, index) in [(1.0, 0), (2.0, 8), (0.5, -8), (1.01, 1), (0.99, 0), (4.0, 16), (1.0001, 1)] {
            assert_eq!(finest_index(value), index, "{value}");
        }
    }

    #[test]
    fn observations_of_all_sizes_keep_to_the_bound() {
        let mut buckets = NativeBuckets::default();
        let mut value = ZERO_THRESHOLD;
        let mut observed = 0;
        while value.is_finite() {
            buckets.observe(value);
            observed += 1;
            value *= 1.01;
        }
        assert!(buckets.counts.len() <= MOST_BUCKETS, "{}", buckets.counts.len());
        assert!(buckets.schema() < 0);
        assert_eq!(buckets.counts.values().sum::<u64>() + buckets.zero_count(), observed);
        // Even all that can be told apart at the coarsest fits.
        let mut all = NativeBuckets { schema: COARSEST, ..NativeBuckets::default() };
        for exponent in -128..1024 {
            all.observe(1.5 * f64::from(exponent).exp2());
        }
        assert!(all.counts.len() <= MOST_BUCKETS);
        assert_eq!(all.schema(), COARSEST);
    }

    #[test]
    fn nothing_observed_has_no_spans() {
        assert_eq!(NativeBuckets::default().spans_and_deltas(), (vec![], vec![]));
    }

    proptest! {
        #[test]
        fn each_observation_lies_within_its_bucket(value in 1e-9_f64..1e6, coarser in 0..7) {
            let schema = FINEST - coarser;
            let mut buckets = NativeBuckets { schema, ..NativeBuckets::default() };
            buckets.observe(value);
            let index = *buckets.counts.keys().next().unwrap();
            let (lower, upper) = (upper_bound(schema, index - 1), upper_bound(schema, index));
            prop_assert!(lower < value * (1.0 + 1e-12) && value <= upper * (1.0 + 1e-12), "{lower} {value} {upper}");
        }

        #[test]
        fn spans_and_deltas_read_back_to_the_same_counts(
            values in prop::collection::vec(prop_oneof![0.001_f64..10.0, 1e-12..1e12, Just(0.0)], 0..2000),
        ) {
            let mut buckets = NativeBuckets::default();
            for value in &values {
                buckets.observe(*value);
            }
            let mut read = read_back(&buckets);
            read.retain(|_, count| *count > 0);
            prop_assert_eq!(&read, &buckets.counts);
            prop_assert_eq!(read.values().sum::<u64>() + buckets.zero_count(), values.len() as u64);
        }
    }
}
