//! The listener for webhooks: started, moved and stopped as the configuration says.
//!
//! Used by `control`, which owns it. Keys are read and the address is bound before anything changes, so that a fault
//! refuses the configuration; a listener whose address stays runs on through a reload.

use crate::config::{Config, Places, WebhookConfig};
use crate::grid::webhook::KeyFiles;
use crate::job::Shard;
use crate::telemetry::own::OwnMetrics;
use crate::tls::server::TlsServer;
use crate::web::webhook::{DeliveryRequest, WebhookSettings, Webhooks};
use crate::web::{listen, server};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// A listener that can be started: its keys were read, its address is bound.
pub(super) struct Prepared {
    settings: WebhookSettings,
    address: String,
    /// Nothing if the present ones go on.
    listeners: Option<Vec<TcpListener>>,
}

/// The listener, if one is configured.
pub(super) struct WebhookListener {
    deliveries: mpsc::Sender<DeliveryRequest>,
    own: OwnMetrics,
    shard: Shard,
    running: Option<Running>,
    /// Servers: the present one, and those that still answer what is under way.
    servers: JoinSet<()>,
    /// Reads the files of keys.
    watching: Option<AbortHandle>,
    watchers: JoinSet<()>,
}

struct Running {
    address: String,
    webhooks: Arc<Webhooks>,
    stop: CancellationToken,
}

impl WebhookListener {
    /// Not started yet. What comes goes to `deliveries`.
    pub(super) fn new(deliveries: mpsc::Sender<DeliveryRequest>, own: OwnMetrics, shard: Shard) -> Self {
        let (servers, watchers) = (JoinSet::new(), JoinSet::new());
        Self { deliveries, own, shard, running: None, servers, watching: None, watchers }
    }

    /// Reads keys and binds the address, or tells in words why that can't be.
    pub(super) async fn prepare(&self, config: &Config) -> Result<Option<Prepared>, String> {
        let Some(webhook) = &config.webhook else { return Ok(None) };
        let keys = load_keys(webhook).await.map_err(|error| config.places.locate(&error))?;
        let address = webhook.listen_address.clone();
        let goes_on = self.running.as_ref().is_some_and(|running| running.address == address);
        let listeners = if goes_on {
            None
        } else {
            let bound = listen::bind(&address).await;
            Some(bound.map_err(|error| {
                let why = format!("webhook.listen_address: {address} can't be listened on: {}", error.why());
                config.places.locate(&why)
            })?)
        };
        let tls = self.prepare_tls(webhook, &config.places).map_err(|error| config.places.locate(&error))?;
        let settings = WebhookSettings {
            tls,
            path: webhook.path.clone(),
            keys: Arc::new(keys),
            max_bytes: config.grid.max_response_bytes,
            read_idle_timeout: config.grid.read_idle_timeout,
            max_duration: config.grid.max_duration,
            // Twice as many as are shown: the job may have codes already, and which, is known only when it is named.
            error_codes: config.limits.error_codes_per_job.saturating_mul(2),
        };
        Ok(Some(Prepared { settings, address, listeners }))
    }

    /// TLS as configured; the present one, with its sessions, if nothing about it changed.
    fn prepare_tls(
        &self,
        webhook: &WebhookConfig,
        places: &Places,
    ) -> Result<Option<Arc<TlsServer>>, String> {
        let Some(config) = &webhook.tls else { return Ok(None) };
        let present = self.running.as_ref().and_then(|running| running.webhooks.tls());
        if let Some(present) = present.filter(|present| present.is_of(config, true)) {
            return Ok(Some(present));
        }
        let made = TlsServer::new(config.clone(), WebhookConfig::TLS_SECTION, places.clone(), true);
        let made = made.map_err(|error| error.to_string())?;
        if let Some(warning) = made.warning() {
            warn!("{warning}");
        }
        Ok(Some(Arc::new(made)))
    }

    /// Listens as prepared from now on, or not at all.
    pub(super) fn apply(&mut self, prepared: Option<Prepared>) {
        if let Some(watching) = self.watching.take() {
            watching.abort();
        }
        let Some(Prepared { settings, address, listeners }) = prepared else {
            self.stop();
            return;
        };
        while self.watchers.try_join_next().is_some() {}
        self.watching = Some(self.watchers.spawn(Arc::clone(&settings.keys).watch()));
        match (listeners, &self.running) {
            (None, Some(running)) => running.webhooks.set_up(settings),
            (listeners, _) => {
                self.stop();
                self.start(settings, address, listeners.unwrap_or_default());
            }
        }
    }

    fn start(&mut self, settings: WebhookSettings, address: String, listeners: Vec<TcpListener>) {
        let (path, keys) = (settings.path.clone(), settings.keys.current().count());
        let scheme = if settings.tls.is_some() { "https" } else { "http" };
        for bound in listeners.iter().filter_map(|listener| listener.local_addr().ok()) {
            info!(address = %bound, keys, "webhooks are taken in on {scheme}://{bound}{path}, signed by one of {keys} keys");
        }
        let webhooks = Webhooks::new(
            settings,
            self.shard,
            self.deliveries.clone(),
            self.own.webhooks.clone(),
            self.own.web_connections.clone(),
        );
        let (webhooks, stop) = (Arc::new(webhooks), CancellationToken::new());
        self.servers.spawn(server::serve(Arc::clone(&webhooks), listeners, stop.clone()));
        self.running = Some(Running { address, webhooks, stop });
    }

    /// Takes nothing in any more; what is under way is answered.
    pub(super) fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            info!("webhooks are no longer taken in on {}", running.address);
            running.stop.cancel();
        }
    }

    /// Waits until a server ends; for ever if there is none. None should while it was not stopped.
    pub(super) async fn ended(&mut self) {
        loop {
            match self.servers.join_next().await {
                // One that was stopped, by a reload.
                Some(Ok(())) if self.running.as_ref().is_none_or(|_| !self.servers.is_empty()) => {}
                Some(_) => return,
                None => std::future::pending().await,
            }
        }
    }

    /// Waits until all that is under way is answered.
    pub(super) async fn finish(mut self) {
        self.stop();
        while self.servers.join_next().await.is_some() {}
    }
}

async fn load_keys(webhook: &WebhookConfig) -> Result<KeyFiles, String> {
    let files = webhook.public_key_files.clone();
    // On a thread that may block: a file may lie on a network.
    let loaded = tokio::task::spawn_blocking(move || KeyFiles::load(files)).await;
    let loaded = loaded.map_err(|error| format!("webhook.public_key_files: can't be read: {error}"))?;
    loaded.map_err(|error| error.to_string())
}
