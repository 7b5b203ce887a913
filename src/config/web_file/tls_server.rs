//! `tls_server_config`: TLS as a server, with the keys of Prometheus's exporter-toolkit.
//!
//! Called by `web_file`, and by whatever section of the main configuration has a listener of its own: the keys are the
//! same everywhere, so [`read`] takes the section's name.

use super::go::parse_go_boolean;
use super::keys::WEB_KEYS;
use super::names::{CipherSuite, Curve, TlsVersion};
use crate::config::error::{quoted, shown_path};
use crate::config::section::{Findings, Section};
use crate::config::yaml::{Node, Value};
use crate::config::{file, source};
use crate::secret::Secret;
use std::path::PathBuf;

/// TLS as a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsServerConfig {
    /// The certificate and its chain.
    pub certificate: Pem,
    /// Its private key.
    pub key: Pem,
    /// Whether clients must show a certificate.
    pub client_auth: ClientAuth,
    /// Authorities of the clients' certificates, or such certificates; there if `client_auth` verifies.
    pub client_ca: Option<Pem>,
    /// The alternative names of which a client's certificate must have one, if there are any.
    pub client_allowed_sans: Vec<String>,
    /// The oldest version spoken.
    pub min_version: TlsVersion,
    /// The newest version spoken; not older than the oldest.
    pub max_version: TlsVersion,
    /// Suites of TLS 1.2, the preferred one first; nothing for all that there are. An empty list is none.
    pub cipher_suites: Option<Vec<CipherSuite>>,
    /// Curves, the preferred one first; nothing for all that there are.
    pub curves: Option<Vec<Curve>>,
    /// Whether our order of suites counts, and not the client's.
    pub prefer_server_order: bool,
}

/// Where something in PEM is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pem {
    /// In a file, which is read again when it changes.
    File(PathBuf),
    /// In the configuration itself.
    Inline(Secret),
}

/// Whether clients must show a certificate; the names are those of Go's `tls.ClientAuthType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked for one.
    NoClientCert,
    /// They are asked; none, and any, is well.
    RequestClientCert,
    /// They must show one; any is well.
    RequireAnyClientCert,
    /// They are asked; if they show one, an authority of ours must have signed it.
    VerifyClientCertIfGiven,
    /// They must show one that an authority of ours has signed.
    RequireAndVerifyClientCert,
}

impl ClientAuth {
    /// Whether a client without a certificate is refused.
    #[must_use]
    pub const fn is_mandatory(self) -> bool {
        matches!(self, Self::RequireAnyClientCert | Self::RequireAndVerifyClientCert)
    }

    /// Whether a certificate must come from an authority of ours.
    #[must_use]
    pub const fn verifies(self) -> bool {
        matches!(self, Self::VerifyClientCertIfGiven | Self::RequireAndVerifyClientCert)
    }

    /// Its name in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoClientCert => "NoClientCert",
            Self::RequestClientCert => "RequestClientCert",
            Self::RequireAnyClientCert => "RequireAnyClientCert",
            Self::VerifyClientCertIfGiven => "VerifyClientCertIfGiven",
            Self::RequireAndVerifyClientCert => "RequireAndVerifyClientCert",
        }
    }
}

/// The section's name in the table of keys.
const TABLE_PATH: &str = "tls_server_config";

/// Reads the mapping in `node`, whose name in messages is `shown`. Nothing if it is empty, or if something is wrong
/// with it (noted).
pub(in crate::config) fn read(
    findings: &mut Findings,
    node: &Node<'_>,
    shown: &str,
) -> Option<TlsServerConfig> {
    let section = Section::open_by(&WEB_KEYS, findings, node, TABLE_PATH, shown.to_owned())?;
    if section.entries.is_empty() {
        return None;
    }
    let reader = Reader { section, shown, line: node.line };
    let certificate = reader.pem(findings, "cert", "cert_file");
    let key = reader.pem(findings, "key", "key_file");
    for (value, file) in [("cert", "cert_file"), ("key", "key_file")] {
        if !reader.has(value) && !reader.has(file) {
            let message = format!(
                "has no {file}; write `{file}:` and the path, or leave the section out for plain HTTP"
            );
            findings.fault(reader.line, shown, message);
        }
    }
    let client_ca = reader.pem(findings, "client_ca", "client_ca_file");
    let client_auth = reader.client_auth(findings);
    let client_allowed_sans = reader.allowed_sans(findings, client_auth);
    let (min_version, max_version) = reader.versions(findings);
    let cipher_suites = reader.cipher_suites(findings, max_version);
    let curves = reader.curves(findings);
    let prefer =
        reader.section.parsed(findings, "prefer_server_cipher_suites", "true or false", parse_go_boolean);
    Some(TlsServerConfig {
        certificate: certificate?,
        key: key?,
        client_auth,
        client_ca,
        client_allowed_sans,
        min_version,
        max_version,
        cipher_suites,
        curves,
        prefer_server_order: prefer.is_none_or(|(prefer, _)| prefer),
    })
}

/// The section, and how messages name it.
pub(super) struct Reader<'d> {
    pub(super) section: Section<'d>,
    shown: &'d str,
    line: usize,
}

/// A text of a list, and its line.
pub(super) struct Item<'d> {
    pub(super) text: &'d str,
    pub(super) line: usize,
    pub(super) path: String,
}

impl<'d> Reader<'d> {
    fn has(&self, key: &str) -> bool {
        self.section.entry(key).is_some()
    }

    pub(super) fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.shown)
    }

    /// Something in PEM: in the configuration under `value_key`, or in the file under `file_key`, not both.
    fn pem(&self, findings: &mut Findings, value_key: &str, file_key: &str) -> Option<Pem> {
        if let (Some(_), Some(second)) = (self.section.entry(value_key), self.section.entry(file_key)) {
            let message = format!("excludes {value_key}; keep one of them");
            findings.fault(second.key_line, self.path(file_key), message);
        }
        let value = self.section.parsed(findings, value_key, "PEM", |text| {
            // Never quoted: it may be the key.
            if text.contains("-----BEGIN ") {
                Ok(Secret::new(text.to_owned()))
            } else {
                Err(format!("is not PEM; write `-----BEGIN …` blocks, or name a file by {file_key}"))
            }
        });
        let file = self.section.parsed(findings, file_key, "a path", file::check_path);
        if let Some((value, _)) = value {
            return Some(Pem::Inline(value));
        }
        let (text, line) = file?;
        let path = findings.resolve(&text);
        if let Err(message) = source::check_readable(&path) {
            findings.fault(line, self.path(file_key), format!("{} {message}", shown_path(&path)));
        }
        Some(Pem::File(path))
    }

    fn client_auth(&self, findings: &mut Findings) -> ClientAuth {
        let all = [
            ClientAuth::NoClientCert,
            ClientAuth::RequestClientCert,
            ClientAuth::RequireAnyClientCert,
            ClientAuth::VerifyClientCertIfGiven,
            ClientAuth::RequireAndVerifyClientCert,
        ];
        let names = all.map(ClientAuth::name).join(", ");
        let parsed =
            self.section.parsed(findings, "client_auth_type", "one of Go's names", |text| match text {
                "" => Ok(ClientAuth::NoClientCert),
                // As the toolkit once called it.
                "RequireClientCert" => Ok(ClientAuth::RequireAnyClientCert),
                _ => all
                    .into_iter()
                    .find(|auth| auth.name() == text)
                    .ok_or_else(|| format!("{} is none of {names}", quoted(text))),
            });
        if parsed.is_none() && self.has("client_auth_type") {
            return ClientAuth::NoClientCert;
        }
        let auth = parsed.map_or(ClientAuth::NoClientCert, |(auth, _)| auth);
        let authorities = self.section.entry("client_ca_file").or_else(|| self.section.entry("client_ca"));
        match (auth, authorities) {
            (ClientAuth::NoClientCert, Some(entry)) => {
                let message = "is of no use with client_auth_type NoClientCert, as no client is asked for a certificate; \
                               write client_auth_type: RequireAndVerifyClientCert, or remove it";
                findings.fault(entry.key_line, self.path(&entry.key), message);
            }
            (auth, None) if auth.verifies() => {
                let line = parsed.map_or(self.line, |(_, line)| line);
                let message = format!(
                    "is {}, but there is no client_ca_file that says whose certificates are let in; name one",
                    auth.name()
                );
                findings.fault(line, self.path("client_auth_type"), message);
            }
            (ClientAuth::RequestClientCert | ClientAuth::RequireAnyClientCert, Some(entry)) => {
                let message = format!(
                    "is not looked at with client_auth_type {}, which takes any certificate; \
                     write RequireAndVerifyClientCert to let in only those signed by it",
                    auth.name()
                );
                findings.warn(entry.key_line, self.path(&entry.key), message);
            }
            _ => {}
        }
        auth
    }

    fn allowed_sans(&self, findings: &mut Findings, auth: ClientAuth) -> Vec<String> {
        let Some(entry) = self.section.entry("client_allowed_sans") else { return Vec::new() };
        let path = self.path("client_allowed_sans");
        let items = self.items(findings, "client_allowed_sans", "`[ prometheus.example.com ]`");
        if let Value::List(list) = &entry.node.value
            && list.is_empty()
        {
            findings.fault(
                entry.key_line,
                &path,
                "is an empty list, so that no certificate would do; write names, or remove it",
            );
        }
        if !auth.is_mandatory() {
            let message = "needs client_auth_type RequireAndVerifyClientCert (or RequireAnyClientCert): else clients \
                           without a certificate are let in";
            findings.fault(entry.key_line, &path, message);
        }
        let mut names = Vec::new();
        for item in items {
            if item.text.is_empty() {
                findings.fault(item.line, &item.path, "is empty; write a name, or remove it");
            }
            names.push(item.text.to_owned());
        }
        names
    }

    /// The texts of the list under `key`.
    pub(super) fn items(&self, findings: &mut Findings, key: &str, example: &str) -> Vec<Item<'d>> {
        let path = self.path(key);
        let Some(entry) = self.section.entry(key) else { return Vec::new() };
        let nodes = match &entry.node.value {
            Value::List(nodes) => nodes.as_slice(),
            Value::Null => &[],
            Value::Text(_) | Value::Mapping(_) => {
                let message = format!("is {}, not a list; write it as {example}", entry.node.value.kind());
                findings.fault(entry.line(), &path, message);
                &[]
            }
        };
        let mut items = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let path = format!("{path}[{index}]");
            match &node.value {
                Value::Text(text) => items.push(Item { text, line: node.line, path }),
                other => {
                    let message = format!("is {}, not a name; write the list as {example}", other.kind());
                    findings.fault(node.line, path, message);
                }
            }
        }
        items
    }
}
