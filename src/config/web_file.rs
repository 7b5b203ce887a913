//! The web configuration file (`--web.config.file`), in the format of Prometheus's exporter-toolkit: TLS, users,
//! headers, a limit of requests.
//!
//! Read by `web::door` at the start and whenever it changes, by `healthcheck` for the scheme, and by `check-config`. The
//! format is theirs; strictness is ours: what the toolkit would ignore, or fail at with the first request, is refused
//! with line and key. `tls_server` reads TLS for every listener, `algorithms` versions and suites for it,
//! `http` the rest; `names` and `go` know how Go names and writes things.

mod algorithms;
mod go;
mod http;
pub mod keys;
mod names;
pub mod tls_server;

pub use http::{BasicUser, RateLimit};
pub use names::{CipherSuite, Curve, TlsVersion};
pub use tls_server::{ClientAuth, Pem, TlsServerConfig};

use super::error::{Fault, Faults};
use super::places::Places;
use super::section::{Findings, Section};
use super::{reload, source, yaml};
use ::http::{HeaderName, HeaderValue};
use keys::WEB_KEYS;
use std::path::Path;
use yaml::Node;
use zeroize::Zeroizing;

/// What the file says.
#[derive(Clone, Debug)]
pub struct WebFile {
    /// TLS; plain HTTP without it.
    pub tls: Option<TlsServerConfig>,
    /// Speak HTTP/2, too.
    pub http2: bool,
    /// Headers of every response.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Who may ask; everybody if it is empty.
    pub users: Vec<BasicUser>,
    /// How many requests are answered, if they are limited.
    pub rate_limit: Option<RateLimit>,
    /// Where the keys stand, for faults that show when certificates are read.
    pub places: Places,
    /// What is allowed and unwise; to be logged.
    pub warnings: Vec<Fault>,
}

/// Reads the file, or tells everything that is wrong with it. May block.
pub fn load(path: &Path) -> Result<WebFile, Faults> {
    let mut findings = reload::findings(path);
    let of_file = |message: String| Fault::of_file(&findings.file, message);
    let text = match source::read_text(path) {
        Ok(text) => Zeroizing::new(text),
        Err(fault) => return Err(Fault { line: fault.line, ..of_file(fault.message) }.into()),
    };
    let root =
        yaml::parse(&text).map_err(|fault| Fault { line: Some(fault.line), ..of_file(fault.message) })?;
    if root.is_none() {
        let message = "is empty: no TLS, no users, as without it".to_owned();
        let warning = of_file(message);
        findings.warnings.push(warning);
    }
    let mut file = read(&mut findings, root.as_ref());
    file.places = findings.places;
    file.warnings = findings.warnings;
    findings.faults.unless_empty(file)
}

fn read(findings: &mut Findings, root: Option<&Node<'_>>) -> WebFile {
    let top = root
        .and_then(|root| Section::open_by(&WEB_KEYS, findings, root, "", String::new()))
        .unwrap_or_default();
    let tls = top.entry("tls_server_config");
    let tls = tls.and_then(|entry| tls_server::read(findings, &entry.node, "tls_server_config"));
    let server = top.section(findings, "http_server_config").unwrap_or_default();
    let http2 = server.parsed(findings, "http2", "true or false", go::parse_go_boolean);
    let headers = server
        .section(findings, "http_server_config.headers")
        .map(|headers| http::headers(findings, &headers))
        .unwrap_or_default();
    let users =
        top.entry("basic_auth_users").map(|entry| http::users(findings, &entry.node)).unwrap_or_default();
    let rate_limit =
        top.section(findings, "rate_limit").and_then(|section| http::rate_limit(findings, &section));
    if let (false, None, Some(entry)) = (users.is_empty(), &tls, top.entry("basic_auth_users")) {
        let message = "asks for passwords, but without tls_server_config they cross the network in the clear";
        findings.warn(entry.key_line, "basic_auth_users", message);
    }
    WebFile {
        tls,
        http2: http2.is_none_or(|(http2, _)| http2),
        headers,
        users,
        rate_limit,
        places: Places::default(),
        warnings: Vec::new(),
    }
}
