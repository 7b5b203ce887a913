//! Where the exporter's own metrics are gathered: those of the prometheus crate, and the latencies.
//!
//! Each metric is asked directly: the crate's own registry, which `own` has for its checks, merges and clones on each
//! gathering what can't be there twice. Built by `own`, read by `exposition` at each scrape.

use crate::clock::UnixTime;
use crate::telemetry::families::Family;
use crate::telemetry::latency::{Latency, LatencyHistogram};
use prometheus::core::Collector;
use prometheus::proto::{LabelPair, Metric, MetricFamily};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// All own metrics; cheap to clone. By default none.
#[derive(Clone, Default)]
pub struct OwnRegistry {
    collectors: Arc<[Box<dyn Collector>]>,
    latencies: Arc<[LatencyHistogram]>,
    began: Option<UnixTime>,
}

/// One family as a scrape finds it.
#[derive(Clone, Debug)]
pub enum OwnFamily {
    /// Counters and gauges.
    Plain(MetricFamily),
    /// Durations, in both forms of histograms.
    Latency(Family, Box<Latency>),
}

impl fmt::Debug for OwnRegistry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OwnRegistry").field("latencies", &self.latencies).finish_non_exhaustive()
    }
}

impl OwnRegistry {
    /// Gathers from these, no family of which is there twice; they count since `began`.
    #[must_use]
    pub fn new(
        collectors: Vec<Box<dyn Collector>>,
        latencies: Vec<LatencyHistogram>,
        began: UnixTime,
    ) -> Self {
        Self { collectors: collectors.into(), latencies: latencies.into(), began: Some(began) }
    }

    /// Since when counters and histograms count; nothing if that isn't known.
    #[must_use]
    pub const fn began(&self) -> Option<UnixTime> {
        self.began
    }

    /// All families that have samples, sorted by name, and their samples by labels.
    #[must_use]
    pub fn read(&self) -> Vec<OwnFamily> {
        let mut families = Vec::with_capacity(self.collectors.len() + self.latencies.len() + 8);
        let collected = self.collectors.iter().flat_map(|collector| collector.collect());
        families.extend(collected.filter(|family| !family.get_metric().is_empty()).map(sorted));
        families.extend(
            self.latencies.iter().map(|latency| OwnFamily::Latency(latency.family(), latency.read().into())),
        );
        families.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        families
    }

    /// The same, of histograms only the classic form.
    #[must_use]
    pub fn gather(&self) -> Vec<MetricFamily> {
        let classic = |family| match family {
            OwnFamily::Plain(family) => family,
            OwnFamily::Latency(family, latency) => latency.classic(family),
        };
        self.read().into_iter().map(classic).collect()
    }
}

fn sorted(mut family: MetricFamily) -> OwnFamily {
    if family.get_metric().len() > 1 {
        family.mut_metric().sort_unstable_by(by_labels);
    }
    OwnFamily::Plain(family)
}

fn by_labels(one: &Metric, other: &Metric) -> Ordering {
    let (one, other) = (one.get_label(), other.get_label());
    one.iter().map(LabelPair::value).cmp(other.iter().map(LabelPair::value))
}

impl OwnFamily {
    /// The family's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Plain(family) => family.name(),
            Self::Latency(family, _) => family.name,
        }
    }
}
