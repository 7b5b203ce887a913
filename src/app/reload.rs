//! Loads the configuration anew while the exporter runs: on `SIGHUP`, `POST /-/reload`, or a change of the file.
//!
//! All of it is loaded and checked before anything changes; if it is refused, the one before runs on, each fault is
//! a line in the log, and a metric shows it. A reload is done when its set of jobs shows on `/metrics`. Done by
//! `control`.

use crate::app::control::Control;
use crate::app::discovery::{self, Prepared};
use crate::app::webhook;
use crate::app::{log_warnings, new_client, service_manager};
use crate::config::Config;
use crate::config::error::Faults;
use crate::config::merge::Inputs;
use crate::config::reload::{ConfigFingerprint, Loaded, load};
use crate::grid::client::GridClient;
use crate::poller::Setup;
use crate::storage::without_version;
use std::path::Path;
use std::sync::Arc;
use tracing::{error, info};

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

impl Control {
    /// True if the file is another than the one that was last loaded.
    pub(super) fn has_changed(&self) -> bool {
        let now = self.source.file().map(ConfigFingerprint::of);
        now.is_some() && now != self.fingerprint
    }

    /// Loads and applies the configuration, or tells in words why not.
    pub(super) async fn reload(&mut self) -> Result<(), String> {
        if self.fingerprint.is_some() {
            // Taken before the file is read, so that a change meanwhile is seen; and a bad file is not read again
            // and again.
            self.fingerprint = self.source.file().map(ConfigFingerprint::of);
        }
        service_manager::reloading();
        match self.load().await {
            Ok((config, client, sources, webhook)) => {
                self.webhook.apply(webhook);
                self.apply(config, client, sources).await;
                service_manager::ready("serving; the configuration was reloaded");
                Ok(())
            }
            Err(faults) => {
                self.own.reload.refused();
                for fault in faults.lines() {
                    error!("{fault}");
                }
                error!("the configuration is refused; the one before runs on");
                service_manager::ready(&format!("serving by the configuration before; refused: {faults}"));
                Err(faults)
            }
        }
    }

    async fn load(&mut self) -> Result<(Config, GridClient, Prepared, Option<webhook::Prepared>), String> {
        let source = Arc::clone(&self.source);
        let mut reading = tokio::task::spawn_blocking(move || source.load());
        // A disk that hangs holds up the reload, not the exporter.
        let loaded = loop {
            tokio::select! {
                loaded = &mut reading => break loaded,
                Some(done) = self.alive.recv() => { let _unheard = done.send(()); }
            }
        };
        let loaded = loaded.map_err(|error| format!("the configuration could not be read: {error}"))?;
        let Loaded { config, warnings, .. } = loaded.map_err(|faults| faults.to_string())?;
        if self.jobs.storage.is_some() {
            let (before, now) =
                (without_version(&self.grid.base_url), without_version(&config.grid.base_url));
            if before != now {
                return Err(format!(
                    "grid.base_url is another API, {now}, and --storage.path holds what was learnt from {before}; \
                     restart with another folder"
                ));
            }
        }
        let client = new_client(&config, &self.own, &self.clock)?;
        let sources = discovery::prepare(&config)?;
        let webhook = self.webhook.prepare(&config).await?;
        log_warnings(&warnings);
        Ok((config, client, sources, webhook))
    }

    async fn apply(&mut self, config: Config, client: GridClient, sources: Prepared) {
        let setup = Setup {
            reader: Arc::new(client),
            poll: config.poll,
            error_codes_per_job: config.limits.error_codes_per_job,
            is_other_api: config.grid != self.grid,
        };
        self.grid = config.grid;
        self.jobs.poller.set_up(setup).await;
        self.retention = config.retention;
        // What is named anew comes before what is withdrawn: a job that moves from one source to another never leaves.
        let updates = self.sources.change(sources).await;
        let (withdrawn, told): (Vec<_>, Vec<_>) =
            updates.into_iter().partition(|update| update.jobs.as_ref().is_some_and(Vec::is_empty));
        for update in told {
            self.jobs.take(update).await;
        }
        let (joined, left) = self.jobs.configure(config.jobs, config.limits.jobs).await;
        for update in withdrawn {
            self.jobs.take(update).await;
        }
        self.jobs.show().await;
        self.own.reload.loaded(self.clock.now());
        let jobs = self.jobs.catalog.len();
        info!(jobs, joined, left, "the configuration was reloaded; {jobs} jobs are watched");
    }
}
