//! `webhook:`: where Grid's webhooks are taken in, and whose signature is believed.
//!
//! Called by `file`. What is in the files of keys is looked at by `grid::webhook`, at the start, at each reload, and by
//! `check-config`.

use super::error::quoted;
use super::listen::{check_segments, parse_address};
use super::section::{Findings, Section};
use super::web_file::tls_server;
use super::yaml::Value;
use super::{WebhookConfig, file};
use std::path::PathBuf;

/// The most files of keys; there are one or two.
const MOST_FILES: usize = 16;

/// What stands for the path where the file has none.
pub(super) const DEFAULT_PATH: &str = "/webhooks/grid";

/// Reads the section, if it is there.
pub(super) fn read(findings: &mut Findings, top: &Section<'_>) -> Option<WebhookConfig> {
    let entry = top.entry("webhook")?;
    let Some(section) = top.section(findings, "webhook") else {
        if matches!(entry.node.value, Value::Null) {
            let message = "is empty; write `listen_address:` and `public_key_files:` under it, or remove it";
            findings.fault(entry.line(), "webhook", message);
        }
        return None;
    };
    let address = section.parsed(findings, "listen_address", "an address such as :10311", |text| {
        parse_address(text).map_err(|why| format!("{} is no address: {why}", quoted(text)))
    });
    if section.entry("listen_address").is_none() {
        let message =
            "has no listen_address; write one that is the webhook's own, such as `listen_address: :10311`";
        findings.fault(entry.key_line, "webhook", message);
    }
    let path = section.parsed(findings, "path", "a path such as /webhooks/grid", check_path);
    let tls = section
        .entry("tls_server_config")
        .and_then(|entry| tls_server::read(findings, &entry.node, WebhookConfig::TLS_SECTION));
    let files = read_files(findings, &section);
    if section.entry("public_key_files").is_none() {
        let message =
            "has no public_key_files; write the key of Grid's dashboard into a file, and name it there";
        findings.fault(entry.key_line, "webhook", message);
    }
    Some(WebhookConfig {
        listen_address: address?.0,
        path: path.map_or_else(|| DEFAULT_PATH.to_owned(), |(path, _)| path),
        public_key_files: files,
        tls,
    })
}

fn check_path(text: &str) -> Result<String, String> {
    let example = "write a path such as /webhooks/grid";
    if !text.starts_with('/') {
        return Err(format!("does not begin with `/`; {example}"));
    }
    if text.len() > 1 {
        check_segments(text, example).map_err(|why| format!("{} is no path: {why}", quoted(text)))?;
    }
    Ok(text.to_owned())
}

fn read_files(findings: &mut Findings, section: &Section<'_>) -> Vec<PathBuf> {
    let key = "webhook.public_key_files";
    let Some(entry) = section.entry("public_key_files") else { return Vec::new() };
    let items = match &entry.node.value {
        Value::List(items) if items.is_empty() => {
            findings.fault(
                entry.line(),
                key,
                "is empty; name a file with the public key of Grid's dashboard",
            );
            return Vec::new();
        }
        Value::List(items) if items.len() > MOST_FILES => {
            let message = format!("has {} entries; at most {MOST_FILES} are taken", items.len());
            findings.fault(entry.key_line, key, message);
            return Vec::new();
        }
        Value::List(items) => items,
        Value::Text(_) | Value::Mapping(_) | Value::Null => {
            let message =
                format!("is {}, not a list; write it as `[ grid-webhook.pem ]`", entry.node.value.kind());
            findings.fault(entry.line(), key, message);
            return Vec::new();
        }
    };
    let mut files = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let shown = format!("{key}[{index}]");
        let path = match &item.value {
            Value::Text(text) => file::check_path(text),
            other => Err(format!("is {}, not a path; write one such as grid-webhook.pem", other.kind())),
        };
        match path {
            Ok(path) => {
                findings.places.note(shown, item.line);
                files.push(findings.resolve(&path));
            }
            Err(message) => findings.fault(item.line, shown, message),
        }
    }
    findings.places.note(key.to_owned(), entry.line());
    files
}
