//! A metric of the prometheus crate with labels, and the list of its series beside it.
//!
//! The crate hands out its series only by gathering: clones of all names, labels and helps, which is most of what a
//! scrape would cost. With the list, a scrape reads the numbers alone. Built by `registering`, held by `own` and `webhooks`,
//! read by `registry`.

use crate::telemetry::families::Family;
use crate::telemetry::registry::{Found, LabelValues, Readable, Value};
use prometheus::core::{MetricVec, MetricVecBuilder};
use prometheus::{GaugeVec, IntCounterVec};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Counters with labels.
pub(super) type Counters = Labelled<IntCounterVec>;

/// Gauges with labels.
pub(super) type Gauges = Labelled<GaugeVec>;

/// What the crate has for metrics with labels.
pub(super) trait Vector {
    /// A series.
    type Metric: Value + Clone;

    /// The series with these values, made if it is not there.
    ///
    /// # Panics
    /// If they are not as many as the metric has labels.
    fn series(&self, values: &[&str]) -> Self::Metric;

    /// Takes a series away, if it is there.
    fn remove(&self, values: &[&str]);
}

impl<B: MetricVecBuilder> Vector for MetricVec<B>
where
    B::M: Value,
{
    type Metric = B::M;

    fn series(&self, values: &[&str]) -> B::M {
        self.with_label_values(values)
    }

    fn remove(&self, values: &[&str]) {
        // An error means that it is not there.
        let _absent = self.remove_label_values(values);
    }
}

/// The metric; clones share its series.
#[derive(Clone)]
pub(super) struct Labelled<V: Vector> {
    family: Family,
    vector: V,
    series: Arc<Mutex<Series<V::Metric>>>,
}

/// The series, by the values of their labels.
struct Series<M> {
    metrics: Vec<M>,
    /// The labels of each; another list whenever a series comes or goes.
    labels: Arc<[LabelValues]>,
}

impl<M> Series<M> {
    /// Where the series with these labels is, or where it belongs.
    fn place(&self, values: &[&str]) -> Result<usize, usize> {
        self.labels.binary_search_by(|labels| labels.iter().map(AsRef::as_ref).cmp(values.iter().copied()))
    }
}

impl<V: Vector> fmt::Debug for Labelled<V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Labelled").field(&self.family.name).finish()
    }
}

impl<V: Vector> Labelled<V> {
    /// A metric without series.
    pub(super) fn new(family: Family, vector: V) -> Self {
        let series = Series { metrics: Vec::new(), labels: Arc::new([]) };
        Self { family, vector, series: Arc::new(Mutex::new(series)) }
    }

    /// The series with these values of the family's labels, in their order; it is there from now on.
    ///
    /// # Panics
    /// If they are not as many as the family's labels, as in the crate.
    pub(super) fn with(&self, values: &[&str]) -> V::Metric {
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let place = series.place(values);
        if let Some(metric) = place.ok().and_then(|place| series.metrics.get(place)) {
            return metric.clone();
        }
        let metric = self.vector.series(values);
        let (Ok(place) | Err(place)) = place;
        let mut labels = series.labels.to_vec();
        labels.insert(place, values.iter().copied().map(Box::from).collect());
        series.labels = labels.into();
        series.metrics.insert(place, metric.clone());
        metric
    }

    /// Takes a series away, if it is there.
    pub(super) fn remove(&self, values: &[&str]) {
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(place) = series.place(values) else { return };
        let mut labels = series.labels.to_vec();
        labels.remove(place);
        series.labels = labels.into();
        series.metrics.remove(place);
        self.vector.remove(values);
    }
}

impl<V> Readable for Labelled<V>
where
    V: Vector + Send + Sync,
    V::Metric: Send,
{
    fn families(&self) -> Vec<Family> {
        vec![self.family]
    }

    fn read(&self, found: &mut Vec<Found>, values: &mut Vec<f64>) {
        let series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        values.extend(series.metrics.iter().map(Value::value));
        found.push(Found::Series(Arc::clone(&series.labels)));
    }
}
