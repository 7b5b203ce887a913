//! The configuration file as typed: what stands in it, with defaults, each value checked.
//!
//! Called by `reload`. What environment and flags may bring (base URL, credentials) stays optional here.

use super::jobs::{self, FileJob};
use super::keys;
use super::section::{Findings, Section};
use super::yaml::{Entry, Node};
use super::{
    ClientCertificate, CredentialSource, Discovery, Limits, PollConfig, TlsConfig, WebhookConfig, discovery,
    source, urls, webhook,
};
use crate::secret::Secret;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// All that the file says. No `Debug`: the proxy's URL may hold a password.
pub(super) struct FileConfig {
    pub(super) grid: GridSection,
    pub(super) poll: PollConfig,
    pub(super) limits: Limits,
    pub(super) jobs: Vec<FileJob>,
    pub(super) discovery: Discovery,
    pub(super) webhook: Option<WebhookConfig>,
    pub(super) retention: Duration,
}

/// `grid:`, of which the environment may replace the first three.
pub(super) struct GridSection {
    pub(super) base_url: Option<(Url, usize)>,
    pub(super) client_id: Option<FileCredential>,
    pub(super) client_secret: Option<FileCredential>,
    pub(super) connect_timeout: Duration,
    pub(super) timeout: Duration,
    pub(super) read_idle_timeout: Duration,
    pub(super) max_duration: Duration,
    pub(super) max_response_bytes: u64,
    pub(super) tls: TlsConfig,
    pub(super) proxy_url: Option<Url>,
}

/// A credential of the file, and where it stands.
pub(super) struct FileCredential {
    pub(super) source: CredentialSource,
    pub(super) key: &'static str,
    pub(super) line: usize,
}

/// Reads the document. A file without one (`None`) is an empty mapping: all defaults.
pub(super) fn read(findings: &mut Findings, root: Option<&Node<'_>>) -> FileConfig {
    let top = root.and_then(|root| Section::open(findings, root, "", String::new())).unwrap_or_default();
    let grid = top.section(findings, "grid").unwrap_or_default();
    let poll = top.section(findings, "poll").unwrap_or_default();
    let limits = top.section(findings, "limits").unwrap_or_default();
    FileConfig {
        grid: read_grid(findings, &grid),
        poll: PollConfig {
            interval: poll.duration(findings, &keys::INTERVAL),
            concurrency: poll.count(findings, &keys::CONCURRENCY),
            max_requests_per_second: poll.number(findings, &keys::MAX_REQUESTS_PER_SECOND),
        },
        limits: Limits {
            jobs: limits.count(findings, &keys::JOBS_LIMIT),
            error_codes_per_job: limits.count(findings, &keys::ERROR_CODES_LIMIT),
        },
        jobs: top.entry("jobs").map(|entry| jobs::read(findings, &entry.node)).unwrap_or_default(),
        discovery: discovery::read(findings, &top),
        webhook: webhook::read(findings, &top),
        retention: top.duration(findings, &keys::RETENTION),
    }
}

fn read_grid(findings: &mut Findings, grid: &Section<'_>) -> GridSection {
    let example = "a URL such as https://api.lightspark.com/grid/2025-10-13";
    let timeout = grid.duration(findings, &keys::TIMEOUT);
    let max_duration = grid.duration(findings, &keys::MAX_DURATION);
    if timeout > max_duration {
        let line = grid.entry("max_duration").or_else(|| grid.entry("timeout")).map_or(1, Entry::line);
        findings.warn(line, "grid.max_duration", "is shorter than grid.timeout, which then never runs out");
    }
    GridSection {
        base_url: grid.parsed(findings, "base_url", example, urls::parse_base_url),
        client_id: read_credential(
            findings,
            grid,
            ["client_id", "client_id_file"],
            ["grid.client_id", "grid.client_id_file"],
        ),
        client_secret: read_credential(
            findings,
            grid,
            ["client_secret", "client_secret_file"],
            ["grid.client_secret", "grid.client_secret_file"],
        ),
        connect_timeout: grid.duration(findings, &keys::CONNECT_TIMEOUT),
        timeout,
        read_idle_timeout: grid.duration(findings, &keys::READ_IDLE_TIMEOUT),
        max_duration,
        max_response_bytes: grid.size(findings, &keys::MAX_RESPONSE_BYTES),
        tls: grid
            .section(findings, "grid.tls_config")
            .map(|tls| read_tls(findings, &tls, "grid.tls_config"))
            .unwrap_or_default(),
        proxy_url: grid
            .parsed(findings, "proxy_url", "a URL such as http://proxy:3128", urls::parse_proxy_url)
            .map(|(url, _)| url),
    }
}

/// A credential that stands in the file or in a file of its own, not in both.
fn read_credential(
    findings: &mut Findings,
    grid: &Section<'_>,
    [value_key, file_key]: [&str; 2],
    [value_path, file_path]: [&'static str; 2],
) -> Option<FileCredential> {
    if let (Some(_), Some(second)) = (grid.entry(value_key), grid.entry(file_key)) {
        findings.fault(second.key_line, file_path, format!("excludes {value_path}; keep one of them"));
    }
    let value = grid.parsed(findings, value_key, "the credential", |text| check_credential(value_path, text));
    let file = grid.parsed(findings, file_key, "a path", check_path);
    if let Some((value, line)) = value {
        let origin = format!("{value_path} of {}", findings.file);
        let source = CredentialSource::Value { value: Secret::new(value), origin };
        return Some(FileCredential { source, key: value_path, line });
    }
    let (path, line) = file?;
    Some(FileCredential { source: CredentialSource::File(findings.resolve(&path)), key: file_path, line })
}

/// What HTTP Basic can carry; the message never quotes it.
pub(super) fn check_credential(path: &str, text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty; write the credential, or leave the key out".to_owned());
    }
    if text.contains(char::is_control) {
        return Err("has a line break or control character; a credential is on one line".to_owned());
    }
    if !path.contains("secret") && !path.contains("SECRET") && text.contains(':') {
        return Err(
            "has a `:`, which HTTP Basic can't carry in an id; check for a mix-up with the secret".to_owned()
        );
    }
    Ok(text.to_owned())
}

pub(super) fn check_path(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("is empty; write a path, or leave the key out".to_owned());
    }
    Ok(text.to_owned())
}

/// A `tls_config`, whose name in messages is `shown`.
pub(super) fn read_tls(findings: &mut Findings, tls: &Section<'_>, shown: &str) -> TlsConfig {
    let ca_file = read_file(findings, tls, shown, "ca_file");
    let cert_file = read_file(findings, tls, shown, "cert_file");
    let key_file = read_file(findings, tls, shown, "key_file");
    for (present, missing) in [("cert_file", "key_file"), ("key_file", "cert_file")] {
        if let (Some(entry), None) = (tls.entry(present), tls.entry(missing)) {
            let message = format!("stands alone; give {missing} too, or neither");
            findings.fault(entry.line(), format!("{shown}.{present}"), message);
        }
    }
    let server_name = tls.parsed(findings, "server_name", "a host name", |text| {
        let host = url::Host::parse(text)
            .map_err(|_| format!("{} is not a host name", super::error::quoted(text)))?;
        Ok(host.to_string())
    });
    let skip = tls.boolean(findings, "insecure_skip_verify");
    if let Some((true, line)) = skip {
        let message =
            "accepts any certificate: whoever is in between can read the secret; use ca_file instead";
        findings.warn(line, format!("{shown}.insecure_skip_verify"), message);
    }
    TlsConfig {
        ca_file,
        client_certificate: cert_file
            .zip(key_file)
            .map(|(cert_file, key_file)| ClientCertificate { cert_file, key_file }),
        server_name: server_name.map(|(name, _)| name),
        insecure_skip_verify: skip.is_some_and(|(skip, _)| skip),
    }
}

/// A file that `tls_config` names; it must be there and readable.
fn read_file(findings: &mut Findings, tls: &Section<'_>, shown: &str, key: &str) -> Option<PathBuf> {
    let (text, line) = tls.parsed(findings, key, "a path", check_path)?;
    let path = findings.resolve(&text);
    if let Err(message) = source::check_readable(&path) {
        let message = format!("{} {message}", super::error::shown_path(&path));
        findings.fault(line, format!("{shown}.{key}"), message);
    }
    Some(path)
}
