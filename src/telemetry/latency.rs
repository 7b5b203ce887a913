//! A histogram of durations, kept in both of Prometheus's forms at once: classic buckets and a native histogram.
//!
//! The prometheus crate knows the classic form alone, so these are recorded beside it; one lock holds both forms, so
//! that a scrape shows the same observations in both. Built by `own`, observed by `grid` and `poller`, read through
//! [`OwnRegistry`](super::registry::OwnRegistry).

use crate::telemetry::families::Family;
use crate::telemetry::native::NativeBuckets;
use crate::telemetry::registry::{Found, Readable};
use std::sync::{Arc, Mutex, PoisonError};

/// The handle; cheap to clone.
#[derive(Clone, Debug)]
pub struct LatencyHistogram {
    family: Family,
    /// Shared with whoever read it; the next observation then makes another.
    state: Arc<Mutex<Arc<Latency>>>,
}

/// What was observed so far.
#[derive(Clone, Debug)]
pub struct Latency {
    /// Upper bounds of the classic buckets, ascending, without infinity; in seconds.
    pub bounds: &'static [f64],
    /// How many observations fell into each classic bucket alone.
    counts: Vec<u64>,
    /// Observations.
    pub count: u64,
    /// Their sum, in seconds.
    pub sum: f64,
    /// The same observations in the native form.
    pub native: NativeBuckets,
}

impl LatencyHistogram {
    /// A histogram without observations, whose classic buckets have these upper bounds, in seconds.
    #[must_use]
    pub fn new(family: Family, bounds: &'static [f64]) -> Self {
        let latency = Latency {
            bounds,
            counts: vec![0; bounds.len()],
            count: 0,
            sum: 0.0,
            native: NativeBuckets::default(),
        };
        Self { family, state: Arc::new(Mutex::new(Arc::new(latency))) }
    }

    /// Counts a duration, in seconds. One below 0 counts as 0, and one that is no number is none.
    pub fn observe(&self, seconds: f64) {
        if !seconds.is_finite() {
            return;
        }
        let seconds = seconds.max(0.0);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = Arc::make_mut(&mut state);
        let bucket = state.bounds.partition_point(|bound| *bound < seconds);
        if let Some(count) = state.counts.get_mut(bucket) {
            *count += 1;
        }
        state.count += 1;
        state.sum += seconds;
        state.native.observe(seconds);
    }

    /// What was observed up to now.
    #[must_use]
    pub fn latency(&self) -> Arc<Latency> {
        Arc::clone(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many durations were observed.
    #[must_use]
    pub fn get_sample_count(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).count
    }
}

impl Latency {
    /// The classic buckets: upper bound, and how many observations do not exceed it. Infinity is not among them.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        self.bounds.iter().zip(&self.counts).scan(0, |sum, (bound, count)| {
            *sum += count;
            Some((*bound, *sum))
        })
    }
}

impl Readable for LatencyHistogram {
    fn families(&self) -> Vec<Family> {
        vec![self.family]
    }

    fn read(&self, found: &mut Vec<Found>, _values: &mut Vec<f64>) {
        found.push(Found::Latency(self.latency()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::families::API_REQUEST_DURATION;

    #[test]
    fn both_forms_have_the_same_observations() {
        let histogram = LatencyHistogram::new(API_REQUEST_DURATION, &[0.1, 1.0]);
        for seconds in [0.0, 0.1, 0.100_01, 0.5, 1.0, 30.0, -1.0, f64::NAN, f64::INFINITY] {
            histogram.observe(seconds);
        }
        let latency = histogram.latency();
        assert_eq!(latency.cumulative().collect::<Vec<_>>(), [(0.1, 3), (1.0, 6)]);
        assert_eq!(latency.count, 7);
        assert!((latency.sum - 31.700_01).abs() < 1e-9);
        let (_, deltas) = latency.native.spans_and_deltas();
        let mut count = 0;
        let counted: i64 = deltas
            .iter()
            .map(|delta| {
                count += delta;
                count
            })
            .sum();
        assert_eq!(latency.native.zero_count() + u64::try_from(counted).unwrap(), latency.count);
    }
}
