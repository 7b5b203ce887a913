//! `demo --prometheus`: the machine's own Prometheus, on loopback, with the shipped rules, against the demo.
//!
//! Its files lie in a folder of their own below the system's temporary one, which goes when the demo ends, or does not begin.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

/// The rules, as they are shipped.
const ALERTS: &str = include_str!("../../../deploy/prometheus/grid-bulk-alerts.yml");
const RECORDING: &str = include_str!("../../../deploy/prometheus/grid-bulk-recording.yml");

/// Prometheus's own port; another one is taken if it is in use.
const USUAL_PORT: u16 = 9090;

/// Why Prometheus does not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrometheusError {
    #[error(
        "--prometheus: there is no `prometheus` on PATH; install it (Debian: apt install prometheus), or leave the flag out"
    )]
    NotInstalled,
    #[error("--prometheus: {what} ({source})")]
    Io {
        what: String,
        #[source]
        source: io::Error,
    },
}

/// A Prometheus that runs; it ends with the demo.
#[derive(Debug)]
pub(super) struct Prometheus {
    process: Child,
    folder: TempDir,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

impl Prometheus {
    /// Starts it, with this scrape configuration.
    pub(super) async fn start(
        scrape_configuration: &str,
        interval: Duration,
    ) -> Result<Self, PrometheusError> {
        let io = |what: String| move |source| PrometheusError::Io { what, source };
        // It goes with its last use, whatever fails from here on.
        let folder = tempfile::Builder::new().prefix("grid-bulk-demo-").tempdir();
        let folder = folder.map_err(io("no temporary folder can be made".to_owned()))?;
        let path = folder.path();
        let wrote = write_files(path, scrape_configuration, interval);
        wrote.map_err(io(format!("its files can't be written below {}", path.display())))?;
        let address = free_address().await.map_err(io("no port on loopback".to_owned()))?;
        let log = fs::File::create(path.join("prometheus.log"));
        let log = log.map_err(io(format!("its log can't be written below {}", path.display())))?;
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", path.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", path.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            // In a group of its own, so that Ctrl-C stops the demo, and the demo stops it.
            .process_group(0)
            .spawn();
        let process = process.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => PrometheusError::NotInstalled,
            _ => PrometheusError::Io { what: "prometheus can't be started".to_owned(), source: error },
        })?;
        Ok(Self { process, folder, address })
    }

    /// Waits until it ends, which it should not.
    pub(super) async fn ended(&mut self) -> String {
        let status =
            self.process.wait().await.map_or_else(|error| error.to_string(), |status| status.to_string());
        let log = fs::read_to_string(self.folder.path().join("prometheus.log")).unwrap_or_default();
        let last = log.lines().last().unwrap_or("its log is empty");
        format!("--prometheus: prometheus ended ({status}); it said at last: {last}")
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        let _ended = self.process.start_kill();
    }
}

fn write_files(folder: &Path, scrape_configuration: &str, interval: Duration) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("grid-bulk-alerts.yml"), ALERTS)?;
    fs::write(folder.join("grid-bulk-recording.yml"), RECORDING)?;
    let evaluation = format!("  evaluation_interval: {}s\n", interval.as_secs());
    let rules = "rule_files: [grid-bulk-alerts.yml, grid-bulk-recording.yml]\n";
    let (global, rest) =
        scrape_configuration.split_once("scrape_configs:").unwrap_or((scrape_configuration, ""));
    fs::write(folder.join("prometheus.yml"), format!("{global}{evaluation}{rules}scrape_configs:{rest}"))
}

/// The usual port on loopback, or a free one.
async fn free_address() -> io::Result<SocketAddr> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = match bind(USUAL_PORT).await {
        Ok(listener) => listener,
        Err(_) => bind(0).await?,
    };
    listener.local_addr()
}
