//! Groups of flags, as several commands share them.

use super::listen;
use super::shard::ShardFlags;
use crate::config::{WebOptions, urls};
use crate::job::JobId;
use crate::storage::{OnError, StorageOptions};
use crate::telemetry::log::{Format, LogOptions};
use clap::builder::BoolishValueParser;
use std::path::PathBuf;
use tracing::level_filters::LevelFilter;
use url::Url;

/// All flags of `serve`.
#[derive(clap::Args)]
pub(super) struct ServeFlags {
    #[command(flatten)]
    pub(super) config: ConfigFlags,
    #[command(flatten)]
    pub(super) shard: ShardFlags,
    #[command(flatten)]
    pub(super) web: WebFlags,
    #[command(flatten)]
    pub(super) storage: StorageFlags,
    #[command(flatten)]
    pub(super) log: LogFlags,
}

/// Where the configuration comes from.
#[derive(clap::Args)]
#[command(next_help_heading = "Configuration")]
pub(super) struct ConfigFlags {
    /// The configuration file (YAML); without it, grid-bulk-exporter.yml of the working directory if that is there
    #[arg(long = "config.file", value_name = "FILE")]
    pub(super) file: Option<PathBuf>,

    /// Reload the configuration when its file changes, as SIGHUP does
    #[arg(long = "config.enable-auto-reload", value_name = "BOOL", value_parser = BoolishValueParser::new(),
          num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true",
          hide_possible_values = true)]
    pub(super) enable_auto_reload: bool,

    // A doc comment would put backticks around the variable.
    #[arg(
        long = "job",
        value_name = "ID",
        help = "Id of a job to watch; may be given several times, and adds to the file's jobs and those of GRID_JOBS"
    )]
    pub(super) jobs: Vec<JobId>,
}

/// The web server.
#[derive(clap::Args)]
#[command(next_help_heading = "Web")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct WebFlags {
    /// Where to listen: host:port, :port (all addresses) or `[::]:port`; may be given several times
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = ":10310",
          value_parser = listen::parse_address)]
    listen_addresses: Vec<String>,

    /// File with TLS, users and headers, in the format of Prometheus's exporter-toolkit
    #[arg(long = "web.config.file", value_name = "FILE")]
    config_file: Option<PathBuf>,

    /// Path of the metrics
    #[arg(long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics",
          value_parser = listen::parse_telemetry_path)]
    telemetry_path: String,

    /// URL under which users reach the exporter, such as behind a proxy; its path prefixes all paths
    #[arg(long = "web.external-url", value_name = "URL", value_parser = urls::parse_external_url)]
    external_url: Option<Url>,

    /// Prefix of all paths; without it, the path of --web.external-url
    #[arg(long = "web.route-prefix", value_name = "PATH", value_parser = listen::parse_route_prefix)]
    route_prefix: Option<String>,

    /// Take the listening sockets from systemd instead of --web.listen-address
    #[arg(long = "web.systemd-socket", value_name = "BOOL", value_parser = BoolishValueParser::new(),
          num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true",
          hide_possible_values = true)]
    systemd_socket: bool,

    /// Scrapes answered at once, more get 503; 0: no limit
    #[arg(long = "web.max-requests", value_name = "COUNT", default_value = "40",
          value_parser = parse_max_requests)]
    max_requests: u32,

    /// Reload the configuration on POST /-/reload
    #[arg(long = "web.enable-lifecycle", value_name = "BOOL", value_parser = BoolishValueParser::new(),
          num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true",
          hide_possible_values = true)]
    enable_lifecycle: bool,

    /// Add and remove jobs by PUT and DELETE of /api/v1/jobs/{jobId}
    #[arg(long = "web.enable-admin-api", value_name = "BOOL", value_parser = BoolishValueParser::new(),
          num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true",
          hide_possible_values = true)]
    enable_admin_api: bool,

    /// Poll a job now on GET /probe?target={jobId}
    #[arg(long = "web.enable-probe", value_name = "BOOL", value_parser = BoolishValueParser::new(),
          num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true",
          hide_possible_values = true)]
    enable_probe: bool,
}

impl WebFlags {
    /// The flags as one; an error if they contradict each other.
    pub(super) fn into_options(self) -> Result<WebOptions, String> {
        for (index, address) in self.listen_addresses.iter().enumerate() {
            let is_fixed = !address.ends_with(":0");
            if is_fixed && self.listen_addresses.iter().take(index).any(|before| before == address) {
                return Err(format!("--web.listen-address {address} is given twice; give it once"));
            }
        }
        let route_prefix = match (self.route_prefix, &self.external_url) {
            (Some(prefix), _) => prefix,
            (None, Some(url)) => listen::parse_route_prefix(url.path())
                .map_err(|message| format!("the path of --web.external-url: {message}"))?,
            (None, None) => String::new(),
        };
        Ok(WebOptions {
            listen_addresses: self.listen_addresses,
            systemd_socket: self.systemd_socket,
            config_file: self.config_file,
            telemetry_path: self.telemetry_path,
            external_url: self.external_url,
            route_prefix,
            max_requests: usize::try_from(self.max_requests).unwrap_or(usize::MAX),
            enable_lifecycle: self.enable_lifecycle,
            enable_admin_api: self.enable_admin_api,
            enable_probe: self.enable_probe,
        })
    }
}

fn parse_max_requests(text: &str) -> Result<u32, String> {
    text.parse()
        .map_err(|_| "it is not a whole number that can be counted to; write one such as 40".to_owned())
}

/// What outlives a restart.
#[derive(clap::Args)]
#[command(next_help_heading = "Storage")]
pub(super) struct StorageFlags {
    /// Folder in which what is learnt outlives a restart, made if it is not there; without it, memory only
    #[arg(long = "storage.path", value_name = "DIR", value_parser = parse_storage_path)]
    path: Option<PathBuf>,

    /// What a storage that can't be used means
    #[arg(long = "storage.on-error", value_name = "WHAT", default_value = "exit")]
    on_error: StorageError,
}

impl StorageFlags {
    pub(super) fn into_options(self) -> StorageOptions {
        let on_error = match self.on_error {
            StorageError::Exit => OnError::Exit,
            StorageError::Memory => OnError::Memory,
        };
        StorageOptions { path: self.path, on_error }
    }
}

fn parse_storage_path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("it is empty; name a folder such as /var/lib/grid-bulk-exporter".to_owned());
    }
    Ok(PathBuf::from(text))
}

/// What a storage that can't be used means.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum StorageError {
    /// Do not start; acknowledge nothing that is not on disk
    Exit,
    /// Memory is good enough: start without what was stored
    Memory,
}

/// The log, which goes to standard error.
#[derive(clap::Args)]
#[command(next_help_heading = "Log")]
pub(super) struct LogFlags {
    /// The least severe events that are logged
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info")]
    level: Level,

    /// How events are written
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "logfmt")]
    format: Format,
}

impl LogFlags {
    pub(super) fn into_options(self) -> LogOptions {
        let level = match self.level {
            Level::Error => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
        };
        LogOptions { level, format: self.format }
    }
}

/// How severe an event must be to be logged.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Level {
    /// What stops the exporter or a part of it
    Error,
    /// What somebody should look at
    Warn,
    /// Starts, reloads, jobs that change their status
    Info,
    /// First readings of jobs and connections that break; may hold personal data
    Debug,
}
