//! Where the exporter's own metrics are read: those of the prometheus crate, and the latencies.
//!
//! A scrape reads the numbers alone. Names, labels and helps are the table's and the metrics'; the crate's own registry,
//! which `own` has for its checks, would clone, merge and sort them all on each gathering. Two readings tell whether
//! anything moved between them, so that the bytes of the first can serve the second. Built by `own`, read by
//! `exposition` at each scrape.

use crate::clock::UnixTime;
use crate::telemetry::families::Family;
use crate::telemetry::latency::Latency;
use prometheus::{Counter, Gauge, IntCounter, IntGauge};
use std::fmt;
use std::sync::Arc;

/// The values of a series' labels, in the order of the family's names.
pub type LabelValues = Box<[Box<str>]>;

/// What a scrape can read.
pub(super) trait Readable: Send + Sync {
    /// Its families, sorted by name.
    fn families(&self) -> Vec<Family>;

    /// Appends what is found of each family, and the values of all their series.
    fn read(&self, found: &mut Vec<Found>, values: &mut Vec<f64>);
}

/// A counter or gauge with one number.
pub(super) trait Value: Send + Sync {
    /// The number now.
    fn value(&self) -> f64;
}

impl Value for Counter {
    fn value(&self) -> f64 {
        self.get()
    }
}

impl Value for Gauge {
    fn value(&self) -> f64 {
        self.get()
    }
}

impl Value for IntCounter {
    fn value(&self) -> f64 {
        self.get() as f64
    }
}

impl Value for IntGauge {
    fn value(&self) -> f64 {
        self.get() as f64
    }
}

/// A metric without labels.
pub(super) struct Single<V> {
    pub(super) family: Family,
    pub(super) metric: V,
}

impl<V: Value> Readable for Single<V> {
    fn families(&self) -> Vec<Family> {
        vec![self.family]
    }

    fn read(&self, found: &mut Vec<Found>, values: &mut Vec<f64>) {
        values.push(self.metric.value());
        found.push(Found::Single);
    }
}

/// What of one family is there.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// One series without labels.
    Single,
    /// A series for each of these, perhaps none.
    Series(Arc<[LabelValues]>),
    /// A histogram.
    Latency(Arc<Latency>),
}

/// All own metrics; cheap to clone. By default none.
#[derive(Clone, Default)]
pub struct OwnRegistry {
    sources: Arc<[Box<dyn Readable>]>,
    families: Arc<[Family]>,
    began: Option<UnixTime>,
}

impl fmt::Debug for OwnRegistry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OwnRegistry").field("families", &self.families.len()).finish_non_exhaustive()
    }
}

impl OwnRegistry {
    /// Reads from these, no family of which is there twice; they count since `began`.
    #[must_use]
    pub(super) fn new(mut sources: Vec<Box<dyn Readable>>, began: UnixTime) -> Self {
        sources.sort_by_key(|source| source.families().first().map(|family| family.name));
        let families = sources.iter().flat_map(|source| source.families()).collect();
        Self { sources: sources.into(), families, began: Some(began) }
    }

    /// Since when counters and histograms count; nothing if that isn't known.
    #[must_use]
    pub const fn began(&self) -> Option<UnixTime> {
        self.began
    }

    /// All numbers as they are now.
    #[must_use]
    pub fn read(&self) -> Reading {
        let mut found = Vec::with_capacity(self.families.len());
        let mut values = Vec::with_capacity(4 * self.families.len());
        for source in self.sources.iter() {
            source.read(&mut found, &mut values);
        }
        Reading { families: Arc::clone(&self.families), found, values }
    }
}

/// All numbers of one moment.
#[derive(Clone, Debug)]
pub struct Reading {
    families: Arc<[Family]>,
    found: Vec<Found>,
    values: Vec<f64>,
}

impl PartialEq for Reading {
    /// Whether nothing moved between two readings of one registry.
    fn eq(&self, other: &Self) -> bool {
        let same_found = |(one, other): (&Found, &Found)| match (one, other) {
            (Found::Single, Found::Single) => true,
            (Found::Series(one), Found::Series(other)) => Arc::ptr_eq(one, other),
            (Found::Latency(one), Found::Latency(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        Arc::ptr_eq(&self.families, &other.families)
            && self.values.len() == other.values.len()
            // By their bits: what is no number is the same as itself here.
            && self.values.iter().zip(&other.values).all(|(one, other)| one.to_bits() == other.to_bits())
            && self.found.iter().zip(&other.found).all(same_found)
    }
}

impl Reading {
    /// The families that have series, sorted by name.
    pub fn families(&self) -> impl Iterator<Item = OwnFamily<'_>> {
        let mut values = self.values.as_slice();
        self.families.iter().zip(&self.found).filter_map(move |(family, found)| {
            let samples = match found {
                Found::Latency(latency) => Samples::Latency(latency),
                Found::Single => Samples::Single(*values.split_off_first()?),
                Found::Series(labels) => Samples::Series(labels, values.split_off(..labels.len())?),
            };
            let has_any = !matches!(samples, Samples::Series([], _));
            has_any.then_some(OwnFamily { family, samples })
        })
    }

    /// The value of a series, for tests: nothing if it isn't there.
    #[cfg(test)]
    pub(crate) fn value(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let family = self.families().find(|family| family.family.name == name)?;
        family
            .plain()
            .find(|(values, _)| values.iter().map(AsRef::as_ref).eq(labels.iter().copied()))
            .map(|(_, value)| value)
    }
}

/// One family as a scrape finds it.
#[derive(Clone, Copy, Debug)]
pub struct OwnFamily<'a> {
    /// Name, kind, labels and help.
    pub family: &'a Family,
    /// Its series.
    pub samples: Samples<'a>,
}

/// The series of a family.
#[derive(Clone, Copy, Debug)]
pub enum Samples<'a> {
    /// A counter or gauge without labels.
    Single(f64),
    /// Counters or gauges: the values of their labels, and their own.
    Series(&'a [LabelValues], &'a [f64]),
    /// Durations, in both forms of histograms.
    Latency(&'a Latency),
}

impl<'a> OwnFamily<'a> {
    /// Labels (by the values of the family's names) and value of each counter or gauge.
    pub fn plain(&self) -> impl Iterator<Item = (&'a [Box<str>], f64)> + use<'a> {
        let (single, series) = match self.samples {
            Samples::Single(value) => (Some(value), None),
            Samples::Series(labels, values) => (None, Some(labels.iter().zip(values))),
            Samples::Latency(_) => (None, None),
        };
        let single = single.map(|value| (&[] as &[Box<str>], value));
        single.into_iter().chain(series.into_iter().flatten().map(|(labels, value)| (&**labels, *value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::families::{API_REQUEST_DURATION, POLLS, SD_REFRESH_FAILURES, SHARD_ORDINAL};
    use crate::telemetry::registering::Registering;

    #[test]
    fn readings_differ_if_a_number_moved_or_a_series_came_or_went() {
        let mut registering = Registering::default();
        let polls = registering.single(POLLS, IntCounter::with_opts).unwrap();
        let failures = registering.counters(SD_REFRESH_FAILURES).unwrap();
        let shard = registering.single(SHARD_ORDINAL, IntGauge::with_opts).unwrap();
        let duration = registering.latency(API_REQUEST_DURATION, &[1.0]);
        let registry = registering.finish(UnixTime::from_millis(0));
        let mut before = registry.read();
        assert!(before == registry.read(), "nothing moved");
        let mut moved = |what: &str| {
            let now = registry.read();
            assert!(before != now, "{what}");
            assert!(now == registry.read());
            before = now;
        };
        polls.inc();
        moved("a counter");
        shard.set(3);
        moved("a gauge");
        duration.observe(0.5);
        moved("a histogram");
        duration.observe(0.5);
        moved("a histogram that was read before");
        failures.with(&["http"]);
        moved("a series came");
        failures.remove(&["http"]);
        failures.with(&["file"]);
        moved("another series with the same value is in the place of the first");
        failures.with(&["file"]).inc();
        moved("a series' number");
        failures.remove(&["file"]);
        moved("a series went");
        assert_eq!(registry.read().value(POLLS.name, &[]), Some(1.0));
        assert_eq!(registry.read().value(SD_REFRESH_FAILURES.name, &["file"]), None);
    }
}
