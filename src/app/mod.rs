//! Builds the parts of a running exporter, wires them, owns every task, and stops them.
//!
//! Called by `cli` for `serve` and `demo`. Everything that can fail at the start (configuration, certificates,
//! listening sockets) is done in [`Exporter::start`] before the first task runs, so there is no half-started
//! process; a task that ends on its own ends the exporter, so there is no healthy-looking blind one.

mod control;
mod deliveries;
mod discovery;
mod poll_thread;
pub mod reload;
mod service_manager;
pub mod signals;
mod watched;
mod webhook;

use crate::app::control::Control;
use crate::app::deliveries::Deliveries;
use crate::app::discovery::Sources;
use crate::app::poll_thread::PollThread;
use crate::app::reload::ConfigSource;
use crate::app::service_manager::Pulse;
use crate::app::watched::WatchedJobs;
use crate::app::webhook::WebhookListener;
use crate::catalog::Catalog;
use crate::clock::SharedClock;
use crate::config::error::{Fault, Faults};
use crate::config::reload::Loaded;
use crate::config::{Config, WebOptions};
use crate::exposition::Exposition;
use crate::grid::client::GridClient;
use crate::job::Shard;
use crate::poller::{ClockHandle, Poller, Setup, Surroundings};
use crate::storage::{self, Identity, Keeper, Started, StorageError, StorageOptions};
use crate::telemetry::own::{OwnMetrics, build};
use crate::web::door::{Door, DoorError};
use crate::web::listen::{self, ListenError};
use crate::web::reload::ReloadRequest;
use crate::web::{Web, server};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Why the exporter does not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The configuration is refused: a fault a line.
    #[error("{0}")]
    Config(#[from] Faults),
    /// The Grid client can't be built: a certificate or a secret file.
    #[error("{0}")]
    Client(String),
    /// The web configuration file is refused.
    #[error("{0}")]
    Door(#[from] DoorError),
    /// A listening socket can't be had.
    #[error("{0}")]
    Listen(#[from] ListenError),
    /// What is stored can't be used.
    #[error("{0}")]
    Storage(#[from] StorageError),
    /// The system gives no thread to poll on.
    #[error("there is no thread to poll on: {0}; raise the limit of threads or of open files")]
    Thread(#[source] std::io::Error),
    /// Our own table of metrics is broken.
    #[error("the exporter's own metrics can't be set up ({0}); please report this")]
    Metrics(#[from] prometheus::Error),
    /// A task ended although nobody stopped it.
    #[error("the task '{0}' ended unexpectedly; please report this together with the log")]
    TaskEnded(&'static str),
}

/// How the exporter is run, beside its configuration: what a reload leaves as it is.
#[derive(Clone, Debug)]
pub struct AppOptions {
    /// The web server.
    pub web: WebOptions,
    /// What outlives a restart.
    pub storage: StorageOptions,
    /// Reload when the configuration file changes.
    pub auto_reload: bool,
    /// Whose jobs are watched, of a fleet.
    pub shard: Shard,
}

/// What is under way at a stop is waited for so long: longer than each part takes by its own limit.
const LAST_ANSWERS: Duration = server::STOP_TIMEOUT.saturating_add(Duration::from_secs(2));

/// After the other tasks ended, the storage may write for so long.
const LAST_WRITE: Duration = Duration::from_secs(10);

/// A built exporter, whose sockets listen already.
pub struct Exporter {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    web: Arc<Web>,
    /// With the thread that it will run on.
    poller: (Poller<GridClient>, PollThread),
    control: Control,
    pulse: Pulse<GridClient>,
    keeper: Option<Keeper>,
    prepared_webhook: Option<webhook::Prepared>,
    reload: mpsc::Sender<ReloadRequest>,
}

impl Exporter {
    /// Loads the configuration, binds the sockets and builds all parts.
    pub async fn start(
        source: Arc<dyn ConfigSource>,
        options: AppOptions,
        clock: SharedClock,
    ) -> Result<Self, AppError> {
        let AppOptions { web: options, storage, auto_reload, shard } = options;
        let Loaded { config, warnings, fingerprint } = source.load()?;
        let own = OwnMetrics::new(&clock)?;
        own.show_shard(shard);
        let client = new_client(&config, &own, &clock).map_err(AppError::Client)?;
        let prepared = discovery::prepare(&config).map_err(AppError::Client)?;
        let identity = Identity::new(&config.grid.base_url, client.token_checksum());
        let Started { store, claims, writing } =
            storage::start(&storage, identity, &clock, own.storage.clone()).await?;
        let (storage, keeper) = writing.unzip();
        let (deliveries, heard) = mpsc::channel(256);
        let webhook = WebhookListener::new(deliveries, own.clone(), shard);
        let prepared_webhook = webhook.prepare(&config).await.map_err(AppError::Client)?;
        let door = options.config_file.as_deref().map(Door::open).transpose()?.map(Arc::new);
        let listeners = bind(&options).await?;
        let addresses = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        log_warnings(&warnings);
        log_warnings(&door.as_ref().map(|door| door.warnings()).unwrap_or_default());

        let exposition = Arc::new(Exposition::new(store.clone(), own.registry.clone()));
        let surroundings = Surroundings {
            store: store.clone(),
            clock: ClockHandle(Arc::clone(&clock)),
            poll_metrics: own.poll.clone(),
            api_metrics: own.api.clone(),
        };
        let setup = Setup {
            reader: Arc::new(client),
            poll: config.poll,
            error_codes_per_job: config.limits.error_codes_per_job,
            is_other_api: false,
        };
        let (mut poller, handle) = Poller::new(setup, surroundings);
        // Before anything listens: a scrape shows all jobs from the first moment, polled or not.
        let mut catalog = Catalog::new(config.limits.jobs, shard);
        poller.begin_with(catalog.configure(&config.jobs, config.limits.jobs));
        let mut sources = Sources::new(own.discovery.clone(), Arc::clone(&clock));
        let lists = sources.change(prepared).await;
        let mut jobs = WatchedJobs {
            catalog,
            exposition: Arc::clone(&exposition),
            store: store.clone(),
            metrics: own.discovery.clone(),
            unheard: sources.ids(),
            poller: handle,
            storage,
            unsaved: Vec::new(),
        };
        jobs.restore(claims, &mut poller);
        for list in lists {
            jobs.begin_with(list, &mut poller);
        }
        jobs.forget_unnamed();
        exposition.refresh();
        own.reload.loaded(clock.now());
        let (reload, requests) = mpsc::channel(4);
        let (admin, asked) = mpsc::channel(256);
        let (pulse, alive) = Pulse::new(jobs.poller.heartbeat());
        let web = Arc::new(Web {
            exposition: Arc::clone(&exposition),
            scrapes: (options.max_requests > 0).then(|| Arc::new(Semaphore::new(options.max_requests))),
            options,
            shard,
            store,
            readiness: jobs.poller.readiness(),
            reload: reload.clone(),
            admin,
            pages: Mutex::default(),
            probe: jobs.poller.probes(),
            connections: own.web_connections.clone(),
            door,
            clock: Arc::clone(&clock),
        });
        let watched = jobs.catalog.len();
        info!(
            version = build::VERSION, revision = build::REVISION, jobs = watched,
            base_url = %config.grid.base_url, shard = shard.number(), total_shards = shard.total(),
            "grid-bulk-exporter starts and watches {watched} jobs"
        );
        let control = Control {
            source,
            requests,
            admin: asked,
            alive,
            heard,
            deliveries: Deliveries::default(),
            webhook,
            jobs,
            sources,
            retention: config.retention,
            own,
            clock,
            grid: config.grid,
            fingerprint: fingerprint.filter(|_| auto_reload),
        };
        let poller = (poller, PollThread::start().map_err(AppError::Thread)?);
        Ok(Self { listeners, addresses, web, poller, control, pulse, keeper, prepared_webhook, reload })
    }

    /// The addresses that are listened on, with the ports that were chosen.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// `https`, or `http`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.web.door.as_ref().is_some_and(|door| door.has_tls()) { "https" } else { "http" }
    }

    /// Asks for reloads, once the exporter runs.
    #[must_use]
    pub fn reload_requests(&self) -> mpsc::Sender<ReloadRequest> {
        self.reload.clone()
    }

    /// Runs until `shutdown`, then answers what is under way and returns.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), AppError> {
        let scheme = self.scheme();
        for address in &self.addresses {
            info!(%address, "listening on {scheme}://{address}{}/", self.web.options.route_prefix);
        }
        let mut tasks = JoinSet::new();
        let (poller, thread) = self.poller;
        let polling = thread.run(poller.run(shutdown.child_token()));
        tasks.spawn(async move {
            polling.await;
            "poller"
        });
        let exposition = Arc::clone(&self.web.exposition);
        tasks.spawn(async move {
            exposition.keep_fresh().await;
            "exposition"
        });
        let mut control = self.control;
        control.webhook.apply(self.prepared_webhook);
        let control = control.run(shutdown.child_token());
        tasks.spawn(async move {
            control.await;
            "control"
        });
        let web_server = server::serve(self.web, self.listeners, shutdown.child_token());
        tasks.spawn(async move {
            web_server.await;
            "web"
        });
        // The storage ends last, so that it has what all others did.
        let (mut keeping, last) = (JoinSet::new(), CancellationToken::new());
        if let Some(keeper) = self.keeper {
            keeping.spawn(keeper.run(last.child_token()));
        }
        if let Some(every) = service_manager::watchdog() {
            let watch = service_manager::watch(every, self.pulse, service_manager::alive);
            tasks.spawn(async move {
                watch.await;
                "watchdog"
            });
        }
        service_manager::ready("serving");
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            Some(_) = keeping.join_next() => {
                shutdown.cancel();
                return Err(AppError::TaskEnded("storage"));
            }
            ended = tasks.join_next() => {
                shutdown.cancel();
                let name = ended.and_then(Result::ok).unwrap_or("one that panicked");
                return Err(AppError::TaskEnded(name));
            }
        }
        service_manager::stopping();
        info!("stopping: answering what is under way");
        let mut left = BTreeSet::from(["web", "control", "poller"]);
        let all_end = async {
            while !left.is_empty()
                && let Some(ended) = tasks.join_next().await
            {
                left.remove(ended.unwrap_or_default());
            }
        };
        if timeout(LAST_ANSWERS, all_end).await.is_err() {
            warn!(?left, "some tasks do not end, and are left");
        }
        last.cancel();
        if timeout(LAST_WRITE, keeping.join_all()).await.is_err() {
            warn!("the storage does not end; what was learnt in the last second may be lost");
        }
        info!("stopped");
        Ok(())
    }
}

/// Binds all addresses, or takes systemd's sockets.
async fn bind(options: &WebOptions) -> Result<Vec<TcpListener>, ListenError> {
    if options.systemd_socket {
        return listen::from_systemd();
    }
    let mut listeners = Vec::new();
    for address in &options.listen_addresses {
        listeners.extend(listen::bind(address).await?);
    }
    Ok(listeners)
}

/// A client for this configuration, or why there is none, with the place in the file.
fn new_client(config: &Config, own: &OwnMetrics, clock: &SharedClock) -> Result<GridClient, String> {
    GridClient::new(&config.grid, own.api.clone(), Arc::clone(clock))
        .map_err(|error| config.places.locate(&error.to_string()))
}

fn log_warnings(warnings: &[Fault]) {
    for warning in warnings {
        warn!("{warning}");
    }
}
