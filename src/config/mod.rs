//! The validated configuration: plain data, with no strings left to parse.
//!
//! [`reload`] is the way in: it reads the file (`source` its bytes, `yaml` its structure, `file` its meaning)
//! and lets [`merge`] put flags over environment over file. [`keys`] is the table of all keys. Each part of the
//! program takes its own section, never the whole. [`web_file`] reads the web server's own file.

mod credential;
mod discovery;
pub mod environment;
pub mod error;
mod file;
mod jobs;
pub mod keys;
pub(crate) mod listen;
pub mod merge;
mod places;
pub mod reload;
mod section;
pub(crate) mod source;
pub mod urls;
pub mod values;
pub mod web_file;
mod webhook;
pub(crate) mod yaml;

pub use environment::Environment;
pub use error::{Fault, Faults};
pub use jobs::{MOST_LABEL_NAMES, MOST_VALUE_BYTES};
pub use merge::{Draft, Inputs};
pub use places::Places;
pub use reload::{ConfigFingerprint, Loaded};
pub use web_file::{TlsServerConfig, WebFile};

use crate::job::{JobId, Labels};
use crate::secret::Secret;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// Everything that the configuration file says, merged with environment and flags. Replaced whole on a reload.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to reach the Grid API.
    pub grid: GridConfig,
    /// When and how fast to poll.
    pub poll: PollConfig,
    /// What bounds memory.
    pub limits: Limits,
    /// The jobs of the file, of `--job` and of `GRID_JOBS` that this shard watches, each once, in that order.
    pub jobs: Vec<JobSpec>,
    /// Lists of jobs that are read again and again.
    pub discovery: Discovery,
    /// Where Grid's webhooks are taken in; nothing if they are not.
    pub webhook: Option<WebhookConfig>,
    /// How long an ended job that no configuration names stays published.
    pub retention: Duration,
    /// Where the keys stand in the file whose values are looked at later.
    pub places: Places,
}

/// How to reach the Grid API (`grid:`).
#[derive(Clone, PartialEq, Eq)]
pub struct GridConfig {
    /// Scheme, host and path under which the API lies; no query, no fragment, no user, no slash at its end.
    pub base_url: Url,
    /// The API token's id: the user of HTTP Basic.
    pub client_id: CredentialSource,
    /// The API token's secret: the password of HTTP Basic.
    pub client_secret: CredentialSource,
    /// Until a connection stands, TLS included.
    pub connect_timeout: Duration,
    /// Until the head of the answer is there.
    pub timeout: Duration,
    /// Between two pieces of the body.
    pub read_idle_timeout: Duration,
    /// Of a whole answer.
    pub max_duration: Duration,
    /// The most bytes of a body, unpacked.
    pub max_response_bytes: u64,
    /// TLS towards the API.
    pub tls: TlsConfig,
    /// An HTTP proxy for all requests. Its user and password, if any, are in the URL: never print it whole.
    pub proxy_url: Option<Url>,
}

impl fmt::Debug for GridConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("GridConfig")
            .field("base_url", &self.base_url.as_str())
            .field("client_id", &self.client_id)
            .field("client_secret", &self.client_secret)
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("read_idle_timeout", &self.read_idle_timeout)
            .field("max_duration", &self.max_duration)
            .field("max_response_bytes", &self.max_response_bytes)
            .field("tls", &self.tls)
            // Its user and password stay out.
            .field("proxy_url", &self.proxy_url.as_ref().and_then(Url::host_str))
            .finish()
    }
}

/// Where a credential comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// Given in the environment or the file. The text says where, for `check-config`.
    Value {
        /// The credential.
        value: Secret,
        /// `grid.client_id of grid.yml`, `GRID_CLIENT_SECRET`.
        origin: String,
    },
    /// In a file, which is read again when it changes. White space at its end is not part of it.
    File(PathBuf),
}

impl CredentialSource {
    /// Where it comes from, never what it is.
    #[must_use]
    pub fn origin(&self) -> String {
        match self {
            Self::Value { origin, .. } => origin.clone(),
            Self::File(path) => format!("the file {}", error::shown_path(path)),
        }
    }
}

/// Lists of jobs that are read again and again, in the formats of Prometheus's service discovery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// Patterns of files (`job_files`); `*`, `?` and `[…]` as in Prometheus.
    pub files: Vec<PathBuf>,
    /// Servers (`job_http`).
    pub http: Vec<HttpSource>,
}

impl Discovery {
    /// True if no list is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.http.is_empty()
    }
}

/// A list of jobs over HTTP.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpSource {
    /// Its place in the file (`job_http[0]`), for messages.
    pub section: String,
    /// Where the list is. Its query may hold a token: never print it whole.
    pub url: Url,
    /// How often it is asked for; at least 1 s.
    pub refresh_interval: Duration,
    /// The time for a whole answer; no longer than the interval.
    pub timeout: Duration,
    /// The most bytes of an answer.
    pub max_response_bytes: u64,
    /// How we show who we are; nothing if we don't.
    pub authorization: Option<HttpAuthorization>,
    /// TLS towards the server.
    pub tls: TlsConfig,
}

impl HttpSource {
    /// The address without its query.
    #[must_use]
    pub fn shown_url(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.into()
    }
}

impl fmt::Debug for HttpSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HttpSource")
            .field("url", &self.shown_url())
            .field("refresh_interval", &self.refresh_interval)
            .field("timeout", &self.timeout)
            .field("max_response_bytes", &self.max_response_bytes)
            .field("authorization", &self.authorization)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// How we show a server who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpAuthorization {
    /// HTTP Basic (`basic_auth`).
    Basic {
        /// The user.
        username: String,
        /// The password; none is an empty one.
        password: Option<CredentialSource>,
    },
    /// A header `Authorization: scheme credentials` (`authorization`).
    Header {
        /// `Bearer`, or another.
        scheme: String,
        /// What follows it.
        credentials: CredentialSource,
    },
}

/// Where Grid's webhooks are taken in (`webhook:`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookConfig {
    /// Where to listen for them alone: `host:port`, `:port` (all addresses, IPv6 and IPv4), `[::]:port`.
    pub listen_address: String,
    /// Where they are posted to; begins with `/`.
    pub path: String,
    /// Files of public keys (PEM), of which one must have made a webhook's signature. Read again when they change.
    pub public_key_files: Vec<PathBuf>,
    /// TLS, if it is spoken there, with the keys of the web configuration file.
    pub tls: Option<web_file::TlsServerConfig>,
}

impl WebhookConfig {
    /// The name of its TLS section in messages.
    pub const TLS_SECTION: &str = "webhook.tls_server_config";
}

/// TLS towards the API (`grid.tls_config`), as in Prometheus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// Authorities that are trusted instead of the system's (PEM).
    pub ca_file: Option<PathBuf>,
    /// Our certificate (PEM) and its key; both or none.
    pub client_certificate: Option<ClientCertificate>,
    /// The name that the server's certificate must have, if not the URL's host.
    pub server_name: Option<String>,
    /// Accept any certificate. Warned of at every start.
    pub insecure_skip_verify: bool,
}

/// A certificate to show to the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate and its chain (PEM).
    pub cert_file: PathBuf,
    /// The private key (PEM).
    pub key_file: PathBuf,
}

/// When and how fast to poll (`poll:`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PollConfig {
    /// How often each job is polled; at least 1 s.
    pub interval: Duration,
    /// Polls under way at once; at least 1.
    pub concurrency: usize,
    /// Requests sent a second, over all jobs; above 0.
    pub max_requests_per_second: f64,
}

/// What bounds memory (`limits:`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Jobs watched at once.
    pub jobs: usize,
    /// Error codes told apart, a job.
    pub error_codes_per_job: usize,
}

/// A job that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// Its id.
    pub id: JobId,
    /// Its labels; none for jobs from `--job` and `GRID_JOBS` that the file does not name.
    pub labels: Labels,
    /// Who names it, first the one whose labels it has.
    pub sources: Vec<JobSource>,
}

/// Who names a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobSource {
    /// `jobs:` in the configuration file.
    File,
    /// `--job`.
    Flag,
    /// `GRID_JOBS`.
    Environment,
    /// A file of `job_files`.
    Files,
    /// A server of `job_http`.
    Http,
    /// The admin API.
    Admin,
    /// A webhook of Grid's about a job that nobody names.
    Webhook,
}

impl JobSource {
    /// As the JSON API and the page show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "jobs",
            Self::Flag => "--job",
            Self::Environment => "GRID_JOBS",
            Self::Files => "job_files",
            Self::Http => "job_http",
            Self::Admin => "admin API",
            Self::Webhook => "webhook",
        }
    }
}

/// The web server's flags (`--web.*`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct WebOptions {
    /// Where to listen: `host:port`, `:port` (all addresses, IPv6 and IPv4), `[::]:port`.
    pub listen_addresses: Vec<String>,
    /// Take the listening sockets from systemd instead.
    pub systemd_socket: bool,
    /// The web configuration file: TLS, users, headers.
    pub config_file: Option<PathBuf>,
    /// Path of the metrics; begins with `/`.
    pub telemetry_path: String,
    /// The URL under which users reach the exporter; its path is the default of `route_prefix`.
    pub external_url: Option<Url>,
    /// Prefix of all paths: empty, or begins with `/` and does not end with it.
    pub route_prefix: String,
    /// Scrapes answered at once; more get 503. 0: no limit.
    pub max_requests: usize,
    /// Serve `POST /-/reload`.
    pub enable_lifecycle: bool,
    /// Serve `PUT` and `DELETE` of jobs.
    pub enable_admin_api: bool,
    /// Serve `GET /probe`.
    pub enable_probe: bool,
}
