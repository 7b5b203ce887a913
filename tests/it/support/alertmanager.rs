//! A real Alertmanager (Debian's package) with the shipped routes, and a receiver of ours that takes its messages.

use super::prometheus::free_port;
use super::{http, wait_for};
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

/// One alert of one message.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The name of the receiver that it was sent to.
    pub receiver: String,
    pub firing: bool,
    pub labels: serde_json::Value,
    pub annotations: serde_json::Value,
}

impl Notice {
    pub fn is(&self, alert: &str, job: Option<&str>) -> bool {
        self.labels["alertname"] == alert && job.is_none_or(|job| self.labels["jobId"] == job)
    }
}

/// An Alertmanager that ends with the test.
pub struct Alertmanager {
    _child: Child,
    _folder: TempDir,
    pub address: SocketAddr,
    notices: Arc<Mutex<Vec<Notice>>>,
}

impl Alertmanager {
    /// Starts one with the shipped configuration: its routes and inhibitions, our receivers, shorter waits.
    pub async fn start() -> Self {
        let notices = Arc::default();
        let receiver = receive(Arc::clone(&notices)).await;
        let root = env!("CARGO_MANIFEST_DIR");
        let shipped =
            std::fs::read_to_string(format!("{root}/deploy/alertmanager/alertmanager.yml")).unwrap();
        let (routes, receivers) = shipped.split_once("\nreceivers:\n").expect("receivers stand last");
        let mut config = routes
            .replace("group_wait: 30s", "group_wait: 1s")
            .replace("group_interval: 5m", "group_interval: 1s")
            .replace("- grid-bulk.tmpl", &format!("- {root}/deploy/alertmanager/grid-bulk.tmpl"));
        config.push_str("\nreceivers:\n");
        for (name, body) in receivers.split("  - name: ").skip(1).filter_map(|part| part.split_once('\n')) {
            let resolved = !body.contains("send_resolved: false");
            config.push_str(&format!(
                "  - name: {name}\n    webhook_configs: [ {{ url: 'http://{receiver}/{name}', send_resolved: {resolved} }} ]\n"
            ));
        }
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("alertmanager.yml"), config).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new("prometheus-alertmanager")
            .arg("--config.file=alertmanager.yml")
            .arg("--storage.path=data")
            .arg("--cluster.listen-address=")
            .arg(format!("--web.listen-address={address}"))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("prometheus-alertmanager starts; tests/run installs it");
        let path = folder.path().join("log");
        let alertmanager = Self { _child: child, _folder: folder, address, notices };
        wait_for("Alertmanager is ready", || async {
            match http::get(address, "/-/ready").await {
                Ok(response) if response.status == 200 => Ok(()),
                other => Err(format!("{other:?}\n{}", std::fs::read_to_string(&path).unwrap_or_default())),
            }
        })
        .await;
        alertmanager
    }

    /// All that was received so far.
    pub fn notices(&self) -> Vec<Notice> {
        self.notices.lock().unwrap().clone()
    }

    /// Waits until an alert is held back because of another one; without `of` by whichever job's it is.
    pub async fn is_inhibited(&self, alert: &str, of: (&str, &str)) {
        wait_for(&format!("{alert} of {of:?} is inhibited"), || async {
            let state = self.state(alert, of).await?;
            if state == "suppressed" { Ok(()) } else { Err(state) }
        })
        .await;
    }

    /// `active` or `suppressed`.
    pub async fn state(&self, alert: &str, (label, value): (&str, &str)) -> Result<String, String> {
        let document = http::get(self.address, "/api/v2/alerts").await?.json();
        let alerts = document.as_array().ok_or("no list")?;
        let found = alerts
            .iter()
            .find(|one| one["labels"]["alertname"] == alert && one["labels"][label] == value)
            .ok_or_else(|| document.to_string())?;
        Ok(found["status"]["state"].as_str().unwrap_or_default().to_owned())
    }

    /// Tells it of an alert, as a Prometheus would.
    pub async fn add(&self, labels: &[&str]) {
        let output = Command::new("amtool")
            .arg(format!("--alertmanager.url=http://{}", self.address))
            .args(["alert", "add"])
            .args(labels)
            .output()
            .await
            .expect("amtool starts; tests/run installs it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Waits for a notice that an alert fires (or not any more).
    pub async fn notice(&self, alert: &str, job: Option<&str>, firing: bool) -> Notice {
        wait_for(&format!("{alert} of {job:?}, firing: {firing}"), || async {
            let notices = self.notices();
            let found = notices.iter().find(|notice| notice.is(alert, job) && notice.firing == firing);
            found.cloned().ok_or_else(|| format!("{notices:#?}"))
        })
        .await
    }
}

/// Takes messages on a free port, as long as the test runs.
async fn receive(notices: Arc<Mutex<Vec<Notice>>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let notices = Arc::clone(&notices);
            tokio::spawn(async move {
                if let Some(received) = take_message(stream).await {
                    notices.lock().unwrap().extend(received);
                }
            });
        }
    });
    address
}

/// Reads one request, answers it, and gives its alerts.
async fn take_message(mut stream: TcpStream) -> Option<Vec<Notice>> {
    let mut bytes = Vec::new();
    let (head, body_start) = loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break (String::from_utf8_lossy(&bytes[..end]).into_owned(), end + 4);
        }
    };
    let length: usize = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned))?
        .parse()
        .ok()?;
    while bytes.len() < body_start + length {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await.ok()?;
    let receiver = head.split(' ').nth(1)?.trim_start_matches('/').to_owned();
    let message: serde_json::Value = serde_json::from_slice(&bytes[body_start..body_start + length]).ok()?;
    let alerts = message["alerts"].as_array()?;
    Some(
        alerts
            .iter()
            .map(|alert| Notice {
                receiver: receiver.clone(),
                firing: alert["status"] == "firing",
                labels: alert["labels"].clone(),
                annotations: alert["annotations"].clone(),
            })
            .collect(),
    )
}
