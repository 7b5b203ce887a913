//! Takes the exporter's own metrics in as they are built: checked by the prometheus crate, read by the registry.
//!
//! Used by `own` and `webhooks` at the start.

use crate::clock::UnixTime;
use crate::telemetry::families::Family;
use crate::telemetry::labelled::{Counters, Gauges, Labelled};
use crate::telemetry::latency::LatencyHistogram;
use crate::telemetry::process::ProcessMetrics;
use crate::telemetry::registry::{OwnRegistry, Readable, Single, Value};
use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::{Error, GaugeVec, IntCounterVec, Opts, Registry};

/// Metrics as they are built. Each is refused if it breaks the crate's rules, or if it is there already.
#[derive(Default)]
pub(super) struct Registering {
    checks: Registry,
    sources: Vec<Box<dyn Readable>>,
}

impl Registering {
    /// A counter or gauge without labels, which `create` makes.
    pub(super) fn single<V>(
        &mut self,
        family: Family,
        create: impl FnOnce(Opts) -> Result<V, Error>,
    ) -> Result<V, Error>
    where
        V: Collector + Value + Clone + 'static,
    {
        let metric = self.checked(create(opts(family)))?;
        self.sources.push(Box::new(Single { family, metric: metric.clone() }));
        Ok(metric)
    }

    /// Counters with labels, none of them there yet.
    pub(super) fn counters(&mut self, family: Family) -> Result<Counters, Error> {
        self.labelled(family, IntCounterVec::new)
    }

    /// Gauges with labels, or one without that is not there from the start; none of them there yet.
    pub(super) fn gauges(&mut self, family: Family) -> Result<Gauges, Error> {
        self.labelled(family, GaugeVec::new)
    }

    fn labelled<B: MetricVecBuilder + 'static>(
        &mut self,
        family: Family,
        create: impl FnOnce(Opts, &[&str]) -> Result<MetricVec<B>, Error>,
    ) -> Result<Labelled<MetricVec<B>>, Error>
    where
        B::M: Value,
        B::P: 'static,
    {
        let labelled = Labelled::new(family, self.checked(create(opts(family), family.labels))?);
        self.sources.push(Box::new(labelled.clone()));
        Ok(labelled)
    }

    /// A metric that somebody else reads: it is checked, and no source.
    pub(super) fn checked<V: Collector + Clone + 'static>(
        &self,
        metric: Result<V, Error>,
    ) -> Result<V, Error> {
        let metric = metric?;
        self.checks.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    /// A histogram with these upper bounds, in seconds.
    pub(super) fn latency(&mut self, family: Family, bounds: &'static [f64]) -> LatencyHistogram {
        let latency = LatencyHistogram::new(family, bounds);
        self.sources.push(Box::new(latency.clone()));
        latency
    }

    /// What the process uses.
    pub(super) fn process(&mut self) -> Result<(), Error> {
        let process = ProcessMetrics::new(self)?;
        self.sources.push(Box::new(process));
        Ok(())
    }

    /// All of them, which count since `began`.
    pub(super) fn finish(self, began: UnixTime) -> OwnRegistry {
        OwnRegistry::new(self.sources, began)
    }
}

/// Name and help of a family in the prometheus crate's form.
pub(super) fn opts(family: Family) -> Opts {
    Opts::new(family.name, family.help)
}
