//! A real Prometheus (Debian's package) on a free port of loopback, and its query API.

use super::{http, wait_for};
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// A Prometheus that ends with the test.
pub struct Prometheus {
    _child: Child,
    pub address: SocketAddr,
    pub folder: TempDir,
}

/// A port that was free just now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

impl Prometheus {
    /// Starts one with this `prometheus.yml`, whose relative paths are below `folder`.
    pub async fn start(folder: TempDir, config: &str) -> Self {
        Self::start_with(folder, config, &[]).await
    }

    /// The same with more flags.
    pub async fn start_with(folder: TempDir, config: &str, flags: &[&str]) -> Self {
        std::fs::write(folder.path().join("prometheus.yml"), config).expect("written");
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let log = std::fs::File::create(folder.path().join("prometheus.log")).expect("a log");
        let child = Command::new("prometheus")
            .arg("--config.file=prometheus.yml")
            .arg(format!("--web.listen-address={address}"))
            .arg("--storage.tsdb.path=data")
            .args(flags)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("prometheus starts; tests/run installs it");
        let prometheus = Self { _child: child, address, folder };
        wait_for("Prometheus is ready", || async {
            match http::get(address, "/-/ready").await {
                Ok(response) if response.status == 200 => Ok(()),
                other => Err(format!("{other:?}\n{}", prometheus.log())),
            }
        })
        .await;
        prometheus
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("prometheus.log")).unwrap_or_default()
    }

    /// The result of an instant query: each series' labels and value.
    pub async fn query(&self, expression: &str) -> Result<Vec<(serde_json::Value, f64)>, String> {
        let path = format!("/api/v1/query?query={}", encode(expression));
        let document = http::get(self.address, &path).await?.json();
        if document["status"] != "success" {
            return Err(document.to_string());
        }
        let series = document["data"]["result"].as_array().ok_or("no vector")?;
        Ok(series
            .iter()
            .map(|series| {
                let value =
                    series["value"][1].as_str().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN);
                (series["metric"].clone(), value)
            })
            .collect())
    }

    /// Asks until the query gives exactly this one value.
    pub async fn query_until(&self, expression: &str, expected: f64) {
        wait_for(expression, || async {
            let result = self.query(expression).await?;
            match result.as_slice() {
                [(_, value)] if (value - expected).abs() < 1e-9 => Ok(()),
                other => Err(format!("{other:?} is not {expected}")),
            }
        })
        .await;
    }
}

/// Percent-encodes a query.
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
