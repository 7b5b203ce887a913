//! `healthcheck`: asks `/-/healthy` of the exporter that runs on this machine, for containers without curl.
//!
//! It takes the web flags of `serve`, so that the same environment serves both, and asks the first listen address;
//! an address that stands for all (`:10310`, `0.0.0.0`) is asked on loopback. The web configuration file says whether
//! TLS is spoken; whose certificate it is does not matter, as no secret is sent. A server that asks for a certificate of
//! ours, or refuses by its limit of requests, is alive: it has said so itself.

use super::listen;
use crate::config::{Faults, TlsConfig, WebOptions, web_file};
use crate::tls;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::AlertDescription;
use rustls::pki_types::ServerName;
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

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
    /// No TLS.
    #[error(
        "{url} does not answer: TLS can't be had ({reason}); is the exporter running with this web configuration file?"
    )]
    Tls {
        /// What was asked.
        url: String,
        /// Why.
        reason: String,
    },
    /// The web configuration file is refused, and the exporter answers neither with TLS nor without.
    #[error("{answer}; and its web configuration file is refused:\n{faults}")]
    WebConfig {
        /// What came of asking without TLS.
        answer: Box<Unhealthy>,
        /// What is wrong with the file.
        faults: Faults,
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
        Ok(answer) => {
            let _unread = writeln!(std::io::stdout().lock(), "healthy: {answer}");
            ExitCode::SUCCESS
        }
        Err(error) => super::refuse(&format!("unhealthy: {error}")),
    }
}

/// Asks the exporter that `web` describes; what it answered, in words.
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
    let prefix = &web.route_prefix;
    match web.config_file.as_deref().map(web_file::load).transpose() {
        Ok(file) => {
            ask_in_time(&Question::new(file.is_some_and(|file| file.tls.is_some()), prefix), hosts, port)
                .await
        }
        // The exporter runs on with the file before this one, whatever that said.
        Err(faults) => match ask_in_time(&Question::new(true, prefix), hosts, port).await {
            Ok(answer) => Ok(answer),
            Err(_not_by_tls) => {
                let plain = ask_in_time(&Question::new(false, prefix), hosts, port).await;
                plain.map_err(|answer| Unhealthy::WebConfig { answer: Box::new(answer), faults })
            }
        },
    }
}

/// What is asked for.
struct Question<'q> {
    scheme: &'static str,
    prefix: &'q str,
}

impl<'q> Question<'q> {
    fn new(tls: bool, prefix: &'q str) -> Self {
        Self { scheme: if tls { "https" } else { "http" }, prefix }
    }

    fn url(&self, authority: &str) -> String {
        format!("{}://{authority}{}/-/healthy", self.scheme, self.prefix)
    }
}

async fn ask_in_time(question: &Question<'_>, hosts: &[&str], port: u16) -> Result<String, Unhealthy> {
    match tokio::time::timeout(TIME_LIMIT, ask(question, hosts, port)).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Err(Unhealthy::Timeout(question.url(&join(hosts.first().unwrap_or(&""), port)))),
    }
}

/// Asks the first of `hosts` that takes a connection.
async fn ask(question: &Question<'_>, hosts: &[&str], port: u16) -> Result<String, Unhealthy> {
    let mut refused = None;
    for host in hosts {
        match TcpStream::connect((*host, port)).await {
            Ok(stream) => return ask_over(question, stream, host, port).await,
            Err(source) => {
                refused.get_or_insert(Unhealthy::Connect { address: join(host, port), source });
            }
        }
    }
    Err(refused.unwrap_or_else(|| Unhealthy::NoPort(port.to_string())))
}

async fn ask_over(
    question: &Question<'_>,
    stream: TcpStream,
    host: &str,
    port: u16,
) -> Result<String, Unhealthy> {
    let authority = join(host, port);
    let url = question.url(&authority);
    let request = Request::get(format!("{}/-/healthy", question.prefix))
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
    let asks_for_a_certificate = || Ok(format!("{url} asks for a client's certificate"));
    let outcome = if question.scheme == "https" {
        match shake_hands(stream, host).await {
            Ok(stream) => exchange(stream, request).await,
            Err(error) if wants_certificate(&*error) => return asks_for_a_certificate(),
            Err(error) => return Err(Unhealthy::Tls { url, reason: error.to_string() }),
        }
    } else {
        exchange(stream, request).await
    };
    match outcome {
        Ok(status @ (StatusCode::OK | StatusCode::TOO_MANY_REQUESTS)) => {
            Ok(format!("{url} answers {}", status.as_u16()))
        }
        Ok(status) => Err(Unhealthy::Status { url, status }),
        // In TLS 1.3 the refusal comes after the handshake.
        Err(error) if wants_certificate(&error) => asks_for_a_certificate(),
        Err(source) => Err(Unhealthy::Answer { url, source }),
    }
}

/// TLS with whoever is there.
async fn shake_hands(
    stream: TcpStream,
    host: &str,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Box<dyn Error + Send + Sync>> {
    let anybody = TlsConfig { insecure_skip_verify: true, ..TlsConfig::default() };
    let mut config = tls::client_config(&anybody, "healthcheck")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from(host.to_owned())?;
    Ok(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
}

/// Whether the other side broke off because it wants a certificate.
fn wants_certificate(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let inner = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::AlertReceived(alert)) = inner {
            use AlertDescription::{BadCertificate, CertificateRequired, HandshakeFailure};
            return matches!(alert, CertificateRequired | HandshakeFailure | BadCertificate);
        }
        cause = error.source();
    }
    false
}

async fn exchange<S>(stream: S, request: Request<Empty<Bytes>>) -> Result<StatusCode, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
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
