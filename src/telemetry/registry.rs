//! Where the exporter's own metrics are gathered: those in the prometheus crate's registry, and the latencies.
//!
//! Built by `own`, read by `exposition` at each scrape.

use crate::clock::UnixTime;
use crate::telemetry::families::Family;
use crate::telemetry::latency::{Latency, LatencyHistogram};
use prometheus::Registry;
use prometheus::proto::MetricFamily;

/// The registry; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct OwnRegistry {
    registry: Registry,
    latencies: Vec<LatencyHistogram>,
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

impl From<Registry> for OwnRegistry {
    fn from(registry: Registry) -> Self {
        Self { registry, ..Self::default() }
    }
}

impl OwnRegistry {
    /// Gathers from `registry` and these latencies, none of which is in it; they count since `began`.
    #[must_use]
    pub const fn new(registry: Registry, latencies: Vec<LatencyHistogram>, began: UnixTime) -> Self {
        Self { registry, latencies, began: Some(began) }
    }

    /// Since when counters and histograms count; nothing if that isn't known.
    #[must_use]
    pub const fn began(&self) -> Option<UnixTime> {
        self.began
    }

    /// All families, sorted by name.
    #[must_use]
    pub fn read(&self) -> Vec<OwnFamily> {
        let mut families: Vec<_> = self.registry.gather().into_iter().map(OwnFamily::Plain).collect();
        families.extend(
            self.latencies.iter().map(|latency| OwnFamily::Latency(latency.family(), latency.read().into())),
        );
        families.sort_by(|one, other| one.name().cmp(other.name()));
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
