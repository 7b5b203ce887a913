//! Loads the configuration anew while the exporter runs: on `SIGHUP`, `POST /-/reload`, or a change of the file.
//!
//! All of it is loaded and checked before anything changes; if it is refused, the one before runs on, each fault is
//! a line in the log, and a metric shows it. A reload is done when its set of jobs shows on `/metrics`.

use crate::app::log_warnings;
use crate::catalog::Catalog;
use crate::clock::SharedClock;
use crate::config::error::Faults;
use crate::config::merge::Inputs;
use crate::config::reload::{ConfigFingerprint, Loaded, load};
use crate::config::{Config, JobSpec};
use crate::exposition::Exposition;
use crate::grid::client::GridClient;
use crate::poller::{Handle, Setup};
use crate::telemetry::own::OwnMetrics;
use crate::web::reload::ReloadRequest;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// How often the file is looked at, where `--config.enable-auto-reload` is given.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where the configuration comes from.
pub trait ConfigSource: Send + Sync + 'static {
    /// Loads the whole of it. May block.
    fn load(&self) -> Result<Loaded, Faults>;

    /// Its file, if it has one.
    fn file(&self) -> Option<&Path>;
}

impl ConfigSource for Inputs {
    fn load(&self) -> Result<Loaded, Faults> {
        load(self)
    }

    fn file(&self) -> Option<&Path> {
        self.config_file.as_deref()
    }
}

/// The task that reloads.
pub(super) struct Reloader {
    pub(super) source: Arc<dyn ConfigSource>,
    pub(super) requests: mpsc::Receiver<ReloadRequest>,
    pub(super) poller: Handle<GridClient>,
    pub(super) exposition: Arc<Exposition>,
    pub(super) catalog: Catalog,
    pub(super) own: OwnMetrics,
    pub(super) clock: SharedClock,
    /// The jobs of the configuration that the exporter started with.
    pub(super) first_jobs: Vec<JobSpec>,
    /// The file's state when it was last loaded; nothing if its changes are not followed.
    pub(super) fingerprint: Option<ConfigFingerprint>,
}

impl Reloader {
    /// Hands out the first set of jobs, then reloads until `shutdown`.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let jobs = std::mem::take(&mut self.first_jobs);
        self.watch(&jobs).await;
        // The catalog has them now; a second list of 100,000 jobs would stay for the life of the process.
        drop(jobs);
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                Some(request) = self.requests.recv() => {
                    let result = self.reload().await;
                    // Whoever asked may have gone.
                    let _unheard = request.done.send(result);
                }
                _ = look.tick(), if self.fingerprint.is_some() => {
                    if self.has_changed() {
                        let _logged = self.reload().await;
                    }
                }
            }
        }
    }

    /// True if the file is another than the one that was last loaded.
    fn has_changed(&self) -> bool {
        let now = self.source.file().map(ConfigFingerprint::of);
        now.is_some() && now != self.fingerprint
    }

    /// Loads and applies the configuration, or tells in words why not.
    async fn reload(&mut self) -> Result<(), String> {
        if self.fingerprint.is_some() {
            // Taken before the file is read, so that a change meanwhile is seen; and a bad file is not read again
            // and again.
            self.fingerprint = self.source.file().map(ConfigFingerprint::of);
        }
        match self.load().await {
            Ok((config, client)) => {
                self.apply(config, client).await;
                Ok(())
            }
            Err(faults) => {
                self.own.reload.refused();
                for fault in faults.lines() {
                    error!("{fault}");
                }
                error!("the configuration is refused; the one before runs on");
                Err(faults)
            }
        }
    }

    async fn load(&self) -> Result<(Config, GridClient), String> {
        let source = Arc::clone(&self.source);
        let loaded = tokio::task::spawn_blocking(move || source.load()).await;
        let loaded = loaded.map_err(|error| format!("the configuration could not be read: {error}"))?;
        let Loaded { config, warnings, .. } = loaded.map_err(|faults| faults.to_string())?;
        let client = GridClient::new(&config.grid, self.own.api.clone(), Arc::clone(&self.clock))
            .map_err(|error| error.to_string())?;
        log_warnings(&warnings);
        Ok((config, client))
    }

    async fn apply(&mut self, config: Config, client: GridClient) {
        let setup = Setup {
            reader: Arc::new(client),
            poll: config.poll,
            error_codes_per_job: config.limits.error_codes_per_job,
        };
        self.poller.set_up(setup).await;
        let (joined, left) = self.watch(&config.jobs).await;
        self.own.reload.loaded(self.clock.now());
        let jobs = self.catalog.len();
        info!(jobs, joined, left, "the configuration was reloaded; {jobs} jobs are watched");
    }

    /// Makes `jobs` the watched set, and returns when `/metrics` shows it. Tells how many joined and left.
    async fn watch(&mut self, jobs: &[JobSpec]) -> (usize, usize) {
        let change = self.catalog.replace(jobs);
        let counts = (change.joined.len(), change.left.len());
        self.poller.change_jobs(change).await;
        let exposition = Arc::clone(&self.exposition);
        let _rendered = tokio::task::spawn_blocking(move || exposition.refresh()).await;
        counts
    }
}
