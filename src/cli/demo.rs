//! `demo`: the exporter and a simulated Grid API in one process, with a dozen imports that move. No account needed.
//!
//! The exporter is the very one of `serve`; only its configuration comes from here instead of a file. New imports
//! come and old ones leave by the same way as a reload.

mod grafana;
mod prometheus;

use super::serve::{StartError, block_on, listen_for_signals, run};
use super::{DemoArgs, refuse};
use crate::app::reload::ConfigSource;
use crate::app::{AppOptions, Exporter};
use crate::clock::{SharedClock, SystemClock};
use crate::config::reload::Loaded;
use crate::config::{
    Config, CredentialSource, Discovery, Faults, GridConfig, JobSource, JobSpec, Limits, Places, PollConfig,
    TlsConfig, WebOptions,
};
use crate::job::{LabelName, Shard};
use crate::secret::Secret;
use crate::sim::demo::imports_at;
use crate::sim::{SimHandle, SimOptions, Simulator};
use crate::storage::StorageOptions;
use crate::telemetry::log;
use crate::web::reload::ReloadRequest;
use prometheus::Prometheus;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use url::Url;

/// What imports, sizes and failing rows follow from: each demo tells the same story.
const SEED: u64 = 7;

/// How often the demo polls, and Prometheus should scrape.
const INTERVAL: Duration = Duration::from_secs(5);

/// How often it is looked for new imports.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// User and password of the simulated API.
const CREDENTIAL: &str = "demo";

/// Runs the demo until a signal stops it.
pub(super) fn main(args: DemoArgs) -> ExitCode {
    log::init(args.log.level, args.log.format);
    let clock: SharedClock = Arc::new(SystemClock);
    let options = SimOptions { seed: SEED, demo: true, clock: Arc::clone(&clock), ..SimOptions::default() };
    let simulator = match Simulator::new(options) {
        Ok(simulator) => simulator,
        Err(error) => return refuse(&error.to_string()),
    };
    block_on(demonstrate(args, simulator, clock))
}

async fn demonstrate(args: DemoArgs, simulator: Simulator, clock: SharedClock) -> Result<(), StartError> {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.map_err(|error| StartError::Other(format!("no port on loopback: {error}")))?;
    let address = listener.local_addr().map_err(|error| StartError::Other(error.to_string()))?;
    let source = DemoSource::new(&simulator.handle(), address).map_err(StartError::Other)?;
    let source = Arc::new(source);
    let web = args.web.clone();
    let signals = listen_for_signals()?;
    let options = AppOptions {
        web: args.web,
        storage: StorageOptions::default(),
        auto_reload: false,
        shard: Shard::default(),
    };
    let exporter = Exporter::start(Arc::<DemoSource>::clone(&source), options, clock).await?;
    let shown = Shown::new(&web, exporter.scheme(), exporter.addresses());
    let mut prometheus = if args.prometheus { Some(start_prometheus(&shown).await?) } else { None };
    let queried = prometheus.as_ref().map(|prometheus| prometheus.address);
    if let Some(folder) = &args.grafana_files {
        let queried = queried.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 9090)));
        grafana::write(folder, queried, INTERVAL).map_err(|error| {
            StartError::Other(format!(
                "--grafana-files {}: {error}; name a folder to write to",
                folder.display()
            ))
        })?;
    }
    tell(&shown, queried, args.grafana_files.as_deref());

    let shutdown = CancellationToken::new();
    let following = follow(source, exporter.reload_requests());
    // It ends with this function, after the exporter: stopped by the same token, it might end first and look broken.
    let simulating = simulator.serve(listener, CancellationToken::new());
    let scraping = async {
        match &mut prometheus {
            Some(prometheus) => prometheus.ended().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        result = run(exporter, signals, shutdown) => result,
        () = following => Ok(()),
        () = simulating => Err(StartError::Other("the simulated API ended unexpectedly".to_owned())),
        why = scraping => Err(StartError::Other(why)),
    }
}

async fn start_prometheus(shown: &Shown) -> Result<Prometheus, StartError> {
    let started = Prometheus::start(&shown.scrape_configuration(), INTERVAL).await;
    started.map_err(|error| StartError::Other(error.to_string()))
}

/// How users and Prometheus reach the demo.
struct Shown {
    /// `http` or `https`.
    scheme: &'static str,
    /// `host:port`.
    target: String,
    /// The page's path.
    page: String,
    /// The metrics' path.
    metrics: String,
}

impl Shown {
    fn new(web: &WebOptions, scheme: &'static str, addresses: &[SocketAddr]) -> Self {
        let target = addresses.first().map_or_else(String::new, |address| {
            if address.ip().is_unspecified() {
                format!("127.0.0.1:{}", address.port())
            } else {
                address.to_string()
            }
        });
        let page = format!("{}/", web.route_prefix);
        Self { scheme, target, page, metrics: format!("{}{}", web.route_prefix, web.telemetry_path) }
    }

    /// The whole of a `prometheus.yml`.
    fn scrape_configuration(&self) -> String {
        let mut lines = match self.metrics.as_str() {
            "/metrics" => String::new(),
            other => format!("    metrics_path: {other}\n"),
        };
        if self.scheme == "https" {
            lines.push_str("    scheme: https\n    tls_config: { insecure_skip_verify: true }\n");
        }
        format!(
            "global:\n  scrape_interval: {}s\nscrape_configs:\n  - job_name: grid-bulk-exporter\n{lines}    \
             static_configs:\n      - targets: [\"{}\"]\n",
            INTERVAL.as_secs(),
            self.target,
        )
    }
}

/// Says where to look and how Prometheus scrapes it. On standard output, apart from the log.
fn tell(shown: &Shown, prometheus: Option<SocketAddr>, grafana_files: Option<&Path>) {
    let Shown { scheme, target, page, metrics } = shown;
    let scraping = match prometheus {
        Some(address) => format!(
            "\n\nPrometheus scrapes it, with the alert rules:\nGraphs http://{address}/graph\n\
             Alerts http://{address}/alerts\n"
        ),
        None => format!(", with this prometheus.yml:\n\n{}", shown.scrape_configuration()),
    };
    let drawing = grafana_files.map_or_else(String::new, |folder| {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        format!(
            "\nDashboards and provisioning for Grafana are in {0}; start it with\n\
             GF_PATHS_PROVISIONING='{0}/provisioning'\n",
            folder.display()
        )
    });
    let text = format!(
        "A simulated Grid API runs a dozen imports; new ones come every minute.\n\n\
         Open   {scheme}://{target}{page}\nScrape {scheme}://{target}{metrics}{scraping}{drawing}\nStop with Ctrl-C.\n\n"
    );
    // If nobody reads it there is nobody to tell.
    let _unread = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Reloads whenever the set of imports is another; never ends.
async fn follow(source: Arc<DemoSource>, reload: mpsc::Sender<ReloadRequest>) {
    let mut watched = source.job_ids();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = source.job_ids();
        if now != watched {
            watched = now;
            let (done, result) = oneshot::channel();
            // Errors mean that the exporter is stopping.
            let _stopping = reload.send(ReloadRequest { done }).await;
            let _stopping = result.await;
        }
    }
}

/// The demo's configuration: the simulated API, and the imports that are there now.
struct DemoSource {
    simulator: SimHandle,
    base_url: Url,
    name: LabelName,
    team: LabelName,
}

impl DemoSource {
    fn new(simulator: &SimHandle, address: SocketAddr) -> Result<Self, String> {
        let label = |name: &str| name.parse::<LabelName>().map_err(|error| error.to_string());
        Ok(Self {
            base_url: Url::parse(&simulator.base_url(address)).map_err(|error| error.to_string())?,
            simulator: simulator.clone(),
            name: label("name")?,
            team: label("team")?,
        })
    }

    fn jobs(&self) -> Vec<JobSpec> {
        let elapsed = Duration::try_from_secs_f64(self.simulator.now()).unwrap_or_default();
        imports_at(SEED, elapsed)
            .into_iter()
            .filter_map(|import| {
                let labels = [(self.name.clone(), import.name), (self.team.clone(), import.team.to_owned())];
                let id = import.id.parse().ok()?;
                Some(JobSpec { id, labels: labels.into_iter().collect(), sources: vec![JobSource::File] })
            })
            .collect()
    }

    fn job_ids(&self) -> Vec<String> {
        self.jobs().into_iter().map(|job| job.id.to_string()).collect()
    }
}

impl ConfigSource for DemoSource {
    fn load(&self) -> Result<Loaded, Faults> {
        let credential = || CredentialSource::Value {
            value: Secret::new(CREDENTIAL.to_owned()),
            origin: "the demo".to_owned(),
        };
        let config = Config {
            grid: GridConfig {
                base_url: self.base_url.clone(),
                client_id: credential(),
                client_secret: credential(),
                connect_timeout: Duration::from_secs(5),
                timeout: Duration::from_secs(10),
                read_idle_timeout: Duration::from_secs(10),
                max_duration: Duration::from_secs(300),
                max_response_bytes: 1 << 30,
                tls: TlsConfig::default(),
                proxy_url: None,
            },
            poll: PollConfig { interval: INTERVAL, concurrency: 16, max_requests_per_second: 50.0 },
            limits: Limits { jobs: 100_000, error_codes_per_job: 20 },
            jobs: self.jobs(),
            discovery: Discovery::default(),
            webhook: None,
            retention: Duration::from_secs(24 * 3600),
            places: Places::default(),
        };
        Ok(Loaded { config, warnings: Vec::new(), fingerprint: None })
    }

    fn file(&self) -> Option<&Path> {
        None
    }
}
