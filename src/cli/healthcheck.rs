//! `healthcheck`: asks `/-/healthy` of the exporter that runs on this machine, for containers without curl.
//!
//! It takes the web flags of `serve`, so that the same environment serves both, and asks the first listen address;
//! an address that stands for all (`:10310`, `0.0.0.0`) is asked on loopback.

use super::listen;
use crate::config::WebOptions;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpStream;

/// For the whole question, connection included.
pub const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Why the exporter does not count as healthy.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    /// The flags name no address that could be asked.
    #[error("--web.listen-address {0} does not say which port to ask; give the port that serve listens on")]
    NoPort(String),
    /// Nobody listens.
    #[error(
        "can't connect to {address}: {source}; is the exporter running with the same --web.listen-address?"
    )]
    Connect {
        /// Host and port.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// No answer in HTTP.
    #[error("{url} does not answer: {source}")]
    Answer {
        /// What was asked.
        url: String,
        /// Why.
        source: hyper::Error,
    },
    /// An answer other than 200.
    #[error("{url} answers {status}, not 200")]
    Status {
        /// What was asked.
        url: String,
        /// The answer's status.
        status: StatusCode,
    },
    /// No answer within [`TIME_LIMIT`].
    #[error("no answer from {0} within 5 s")]
    Timeout(String),
    /// The URL can't be asked for.
    #[error("{url} is not a URL that can be asked: {source}")]
    Url {
        /// What was to be asked.
        url: String,
        /// Why.
        source: http::Error,
    },
}

/// Asks, says the outcome in one line, and gives the exit code: 0 healthy, 1 not.
pub(super) fn main(web: &WebOptions) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return super::refuse(&format!("unhealthy: can't start the runtime: {error}")),
    };
    match runtime.block_on(check(web)) {
        Ok(url) => {
            let _unread = writeln!(std::io::stdout().lock(), "healthy: {url} answers 200");
            ExitCode::SUCCESS
        }
        Err(error) => super::refuse(&format!("unhealthy: {error}")),
    }
}

/// Asks the exporter that `web` describes; the URL that answered 200.
pub async fn check(web: &WebOptions) -> Result<String, Unhealthy> {
    let first = web.listen_addresses.first().map(String::as_str).unwrap_or_default();
    let (host, port) = match listen::split_address(first) {
        Ok((_, 0)) | Err(_) => return Err(Unhealthy::NoPort(first.to_owned())),
        Ok(address) => address,
    };
    let hosts: &[&str] = match host {
        "" => &["127.0.0.1", "::1"],
        "0.0.0.0" => &["127.0.0.1"],
        "::" => &["::1", "127.0.0.1"],
        _ => &[host],
    };
    let url = format!("http://{}{}/-/healthy", join(hosts.first().unwrap_or(&host), port), web.route_prefix);
    match tokio::time::timeout(TIME_LIMIT, ask(hosts, port, &web.route_prefix)).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Err(Unhealthy::Timeout(url)),
    }
}

/// Asks the first of `hosts` that takes a connection.
async fn ask(hosts: &[&str], port: u16, prefix: &str) -> Result<String, Unhealthy> {
    let mut refused = None;
    for host in hosts {
        match TcpStream::connect((*host, port)).await {
            Ok(stream) => return ask_over(stream, &join(host, port), prefix).await,
            Err(source) => {
                refused.get_or_insert(Unhealthy::Connect { address: join(host, port), source });
            }
        }
    }
    Err(refused.unwrap_or_else(|| Unhealthy::NoPort(port.to_string())))
}

async fn ask_over(stream: TcpStream, authority: &str, prefix: &str) -> Result<String, Unhealthy> {
    let url = format!("http://{authority}{prefix}/-/healthy");
    let request = Request::get(format!("{prefix}/-/healthy"))
        .header(http::header::HOST, authority)
        .header(
            http::header::USER_AGENT,
            concat!("grid-bulk-exporter-healthcheck/", env!("CARGO_PKG_VERSION")),
        )
        .body(Empty::new());
    let request = match request {
        Ok(request) => request,
        Err(source) => return Err(Unhealthy::Url { url, source }),
    };
    match exchange(stream, request).await {
        Ok(StatusCode::OK) => Ok(url),
        Ok(status) => Err(Unhealthy::Status { url, status }),
        Err(source) => Err(Unhealthy::Answer { url, source }),
    }
}

async fn exchange(stream: TcpStream, request: Request<Empty<Bytes>>) -> Result<StatusCode, hyper::Error> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // The connection has to be driven while the answer is awaited. Its end is told to the sender, which fails then.
    let connection = async {
        let _told_to_sender = connection.await;
        std::future::pending().await
    };
    tokio::select! {
        response = sender.send_request(request) => response.map(|response| response.status()),
        never = connection => never,
    }
}

fn join(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
