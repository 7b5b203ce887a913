//! The exporter's own counters and gauges, kept in the prometheus crate, and its histograms, kept beside it.
//!
//! One struct for each part that measures (API, polls, reloads, web), built here from the table in
//! [`families`] and handed to that part. Series of jobs are not here: they come from the store.

use crate::clock::{SharedClock, UnixTime};
use crate::job::{Inconsistency, PollFailure, Shard};
use crate::telemetry::families;
use crate::telemetry::labelled::{Counters, Gauges};
use crate::telemetry::latency::LatencyHistogram;
use crate::telemetry::registering::Registering;
use crate::telemetry::registry::OwnRegistry;
use crate::telemetry::webhooks::WebhookMetrics;
use prometheus::{Counter, Gauge, IntCounter, IntGauge};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Bounds of the latency buckets, in seconds: from a fast answer to the longest default time limit and beyond.
const REQUEST_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Bounds of the cycle buckets, in seconds: from a handful of jobs to overruns of long intervals.
const CYCLE_BUCKETS: [f64; 11] = [0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0];

/// What the Grid client and the pacing measure.
#[derive(Clone, Debug)]
pub struct ApiMetrics {
    requests: Counters,
    /// That of the code 200: nearly all answers have it.
    good_requests: IntCounter,
    /// Seconds from a request to the end of its answer.
    pub request_duration: LatencyHistogram,
    /// Bytes read, unpacked.
    pub response_bytes: IntCounter,
    /// Seconds in which due jobs had to wait.
    pub throttled_seconds: Counter,
    quota_limit: Gauges,
    quota_remaining: Gauges,
    quota_reset: Gauges,
}

impl ApiMetrics {
    /// Counts a request by the status code of its answer; nothing if none came.
    pub fn count_request(&self, code: Option<u16>) {
        match code {
            Some(200) => self.good_requests.inc(),
            Some(code) => self.requests.with(&[&code.to_string()]).inc(),
            None => self.requests.with(&["none"]).inc(),
        }
    }

    /// Shows the quota that the API told: requests in its window, requests left, and when the window ends.
    pub fn show_quota(&self, limit: Option<f64>, remaining: Option<f64>, reset: Option<UnixTime>) {
        for (gauge, value) in [
            (&self.quota_limit, limit),
            (&self.quota_remaining, remaining),
            (&self.quota_reset, reset.map(UnixTime::as_seconds)),
        ] {
            if let Some(value) = value {
                gauge.with(&[]).set(value);
            }
        }
    }
}

/// What the poller measures.
#[derive(Clone, Debug)]
pub struct PollMetrics {
    /// Polls that ended.
    pub polls: IntCounter,
    failures: Counters,
    inconsistent: Counters,
    /// 1 if the API works.
    pub up: IntGauge,
    /// Seconds from a cycle's start until its jobs were answered.
    pub cycle_duration: LatencyHistogram,
    /// Cycles that ended.
    pub cycles: IntCounter,
    /// Cycles that did not fit.
    pub overruns: IntCounter,
    /// When the last cycle ended, in seconds since the epoch.
    pub last_cycle: Gauge,
}

impl PollMetrics {
    /// Counts a poll that failed.
    pub fn count_failure(&self, reason: PollFailure) {
        self.failures.with(&[reason.as_str()]).inc();
    }

    /// Counts a good poll whose answer contradicts itself or the one before.
    pub fn count_inconsistency(&self, kind: Inconsistency) {
        self.inconsistent.with(&[kind.as_str()]).inc();
    }
}

/// What loading the configuration measures.
#[derive(Clone, Debug)]
pub struct ReloadMetrics {
    successful: IntGauge,
    success_timestamp: Gauge,
}

impl ReloadMetrics {
    /// Notes a load that went well at `now`.
    pub fn loaded(&self, now: UnixTime) {
        self.successful.set(1);
        self.success_timestamp.set(now.as_seconds());
    }

    /// Notes a load that was refused.
    pub fn refused(&self) {
        self.successful.set(0);
    }
}

/// What the sources of jobs measure.
#[derive(Clone, Debug)]
pub struct DiscoveryMetrics {
    rejected: Counters,
    failures: Counters,
    last_success: Gauges,
    /// The last success of each server: their gauge shows the oldest, so that one that fails does not hide.
    servers: Arc<Mutex<BTreeMap<u64, UnixTime>>>,
}

impl DiscoveryMetrics {
    /// Counts jobs that did not fit under `limits.jobs`.
    pub fn count_rejected(&self, source: &str, jobs: u64) {
        self.rejected.with(&[source]).inc_by(jobs);
    }

    /// A source is configured: its series are there from now on. Age is counted from `now`, as one that never
    /// succeeds must not hide.
    pub fn configured(&self, source: &str, now: UnixTime) {
        self.failures.with(&[source]);
        self.succeeded(source, now);
    }

    /// A source is no longer configured.
    pub fn removed(&self, source: &str) {
        self.failures.remove(&[source]);
        self.last_success.remove(&[source]);
    }

    /// Notes that all lists of a source were read well at `now`.
    pub fn succeeded(&self, source: &str, now: UnixTime) {
        self.last_success.with(&[source]).set(now.as_seconds());
    }

    /// Counts readings that failed.
    pub fn count_failures(&self, source: &str, failures: u64) {
        self.failures.with(&[source]).inc_by(failures);
    }

    /// Notes that one server of `job_http` was read well at `now`, or is configured since.
    pub fn server_succeeded(&self, server: u64, now: UnixTime) {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        servers.insert(server, now);
        if let Some(oldest) = servers.values().min() {
            self.succeeded("http", *oldest);
        }
    }

    /// One server of `job_http` is no longer configured.
    pub fn server_removed(&self, server: u64) {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        servers.remove(&server);
        match servers.values().min() {
            Some(oldest) => self.succeeded("http", *oldest),
            None => self.removed("http"),
        }
    }
}

/// What the storage measures.
#[derive(Clone, Debug)]
pub struct StorageMetrics {
    up: Gauges,
}

impl StorageMetrics {
    /// Shows whether what is learnt is written; until this is called there is no storage.
    pub fn show(&self, is_up: bool) {
        self.up.with(&[]).set(if is_up { 1.0 } else { 0.0 });
    }
}

/// All metrics of the exporter itself, and the registry that gathers them.
#[derive(Clone, Debug)]
pub struct OwnMetrics {
    /// Gathers them all; the encoders write what it returns.
    pub registry: OwnRegistry,
    /// Of the Grid client and the pacing.
    pub api: ApiMetrics,
    /// Of the poller.
    pub poll: PollMetrics,
    /// Of the configuration.
    pub reload: ReloadMetrics,
    /// Of the sources of jobs.
    pub discovery: DiscoveryMetrics,
    /// Of webhooks.
    pub webhooks: WebhookMetrics,
    /// Connections open to our web server.
    pub web_connections: IntGauge,
    /// Of the storage.
    pub storage: StorageMetrics,
    shard: [IntGauge; 2],
}

/// Version, revision and compiler of this build.
pub mod build {
    /// The package's version.
    pub const VERSION: &str = env!("CARGO_PKG_VERSION");
    /// The git revision, or `unknown`.
    pub const REVISION: &str = env!("BUILD_REVISION");
    /// The compiler's version.
    pub const RUST_VERSION: &str = env!("BUILD_RUST_VERSION");
}

impl OwnMetrics {
    /// Builds and registers them all, each known label value at 0.
    ///
    /// # Errors
    /// Only if the table of families breaks the prometheus crate's rules, which a test excludes.
    pub fn new(clock: &SharedClock) -> Result<Self, prometheus::Error> {
        let mut registry = Registering::default();
        let requests = registry.counters(families::API_REQUESTS)?;
        let api = ApiMetrics {
            good_requests: requests.with(&["200"]),
            requests,
            request_duration: registry.latency(families::API_REQUEST_DURATION, &REQUEST_BUCKETS),
            response_bytes: registry.single(families::API_RESPONSE_BYTES, IntCounter::with_opts)?,
            throttled_seconds: registry.single(families::API_THROTTLED, Counter::with_opts)?,
            quota_limit: registry.gauges(families::API_QUOTA_LIMIT)?,
            quota_remaining: registry.gauges(families::API_QUOTA_REMAINING)?,
            quota_reset: registry.gauges(families::API_QUOTA_RESET)?,
        };
        // A code is there from the start where an alert divides by it or looks for its first event.
        for code in ["200", "401", "403", "404", "429", "500", "none"] {
            api.requests.with(&[code]);
        }
        let poll = PollMetrics {
            polls: registry.single(families::POLLS, IntCounter::with_opts)?,
            failures: registry.counters(families::POLL_FAILURES)?,
            inconsistent: registry.counters(families::API_INCONSISTENT)?,
            up: registry.single(families::UP, IntGauge::with_opts)?,
            cycle_duration: registry.latency(families::POLL_CYCLE_DURATION, &CYCLE_BUCKETS),
            cycles: registry.single(families::POLL_CYCLES, IntCounter::with_opts)?,
            overruns: registry.single(families::POLL_OVERRUNS, IntCounter::with_opts)?,
            last_cycle: registry.single(families::LAST_POLL_CYCLE, Gauge::with_opts)?,
        };
        for reason in PollFailure::ALL {
            poll.failures.with(&[reason.as_str()]);
        }
        for kind in Inconsistency::ALL {
            poll.inconsistent.with(&[kind.as_str()]);
        }
        // The loop's age is counted from the start: a poller that never ends its first cycle must not hide.
        poll.last_cycle.set(clock.now().as_seconds());
        let reload = ReloadMetrics {
            successful: registry.single(families::CONFIG_RELOAD_SUCCESSFUL, IntGauge::with_opts)?,
            success_timestamp: registry.single(families::CONFIG_RELOAD_TIMESTAMP, Gauge::with_opts)?,
        };
        let discovery = DiscoveryMetrics {
            rejected: registry.counters(families::JOBS_REJECTED)?,
            failures: registry.counters(families::SD_REFRESH_FAILURES)?,
            last_success: registry.gauges(families::SD_LAST_SUCCESS)?,
            servers: Arc::default(),
        };
        for source in ["file", "http", "admin", "webhook"] {
            discovery.rejected.with(&[source]);
        }
        let webhooks = WebhookMetrics::register(&mut registry)?;
        let web_connections = registry.single(families::WEB_CONNECTIONS, IntGauge::with_opts)?;
        let storage = StorageMetrics { up: registry.gauges(families::STORAGE_UP)? };
        let shard = [
            registry.single(families::SHARD_ORDINAL, IntGauge::with_opts)?,
            registry.single(families::TOTAL_SHARDS, IntGauge::with_opts)?,
        ];
        let [_, total] = &shard;
        total.set(1);
        let build_info = registry.gauges(families::BUILD_INFO)?;
        build_info.with(&[build::VERSION, build::REVISION, build::RUST_VERSION]).set(1.0);
        registry.process()?;
        let registry = registry.finish(clock.now());
        Ok(Self { registry, api, poll, reload, discovery, webhooks, web_connections, storage, shard })
    }

    /// Shows which shard this is; until then it is the only one.
    pub fn show_shard(&self, shard: Shard) {
        let [ordinal, total] = &self.shard;
        ordinal.set(shard.number().into());
        total.set(shard.total().into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{SystemClock, UnixTime};

    fn metrics() -> OwnMetrics {
        OwnMetrics::new(&(Arc::new(SystemClock) as SharedClock)).unwrap()
    }

    #[test]
    fn what_is_registered_is_what_the_table_says() {
        let own = metrics();
        own.api.show_quota(Some(1.0), Some(1.0), Some(UnixTime::from_millis(0)));
        own.discovery.configured("file", UnixTime::from_millis(0));
        own.storage.show(true);
        own.webhooks.configured();
        let reading = own.registry.read();
        let found: Vec<_> = reading.families().map(|family| *family.family).collect();
        assert!(found.is_sorted_by_key(|family| family.name), "{found:?}");
        let mut table = families::OWN_FAMILIES;
        table.sort_unstable_by_key(|family| family.name);
        assert_eq!(found, table);
    }

    #[test]
    fn every_reason_is_there_with_0_from_the_start() {
        let own = metrics();
        let reading = own.registry.read();
        let family = reading.families().find(|family| *family.family == families::POLL_FAILURES).unwrap();
        assert_eq!(family.plain().count(), PollFailure::ALL.len());
        assert!(family.plain().all(|(_, failures)| failures == 0.0));
    }

    #[test]
    fn sources_are_shown_while_they_are_configured_and_of_servers_the_oldest_success() {
        let own = metrics();
        let shown = || own.registry.read().value(families::SD_LAST_SUCCESS.name, &["http"]);
        assert_eq!(shown(), None);
        own.discovery.configured("http", UnixTime::from_millis(1000));
        own.discovery.server_succeeded(1, UnixTime::from_millis(2000));
        own.discovery.server_succeeded(2, UnixTime::from_millis(5000));
        own.discovery.server_succeeded(2, UnixTime::from_millis(9000));
        assert_eq!(shown(), Some(2.0));
        own.discovery.server_removed(1);
        assert_eq!(shown(), Some(9.0));
        own.discovery.server_removed(2);
        assert_eq!(shown(), None);
    }

    #[test]
    fn quota_gauges_are_there_only_once_the_api_says_so() {
        let own = metrics();
        let has_quota = || own.registry.read().value(families::API_QUOTA_LIMIT.name, &[]).is_some();
        assert!(!has_quota());
        own.api.show_quota(Some(100.0), None, None);
        assert!(has_quota());
    }
}
