//! `job_files:` and `job_http:`: where lists of jobs are read again and again, in the formats of Prometheus's service
//! discovery.
//!
//! Called by `file`. Whether a list can be read is not looked at here: files may come later, and a server that is
//! away must not keep the exporter from starting.

use super::error::quoted;
use super::section::{Findings, Section};
use super::yaml::{Entry, Node, Value};
use super::{CredentialSource, Discovery, HttpAuthorization, HttpSource, file, keys, source, urls};
use crate::secret::Secret;
use std::path::PathBuf;

/// The most patterns, and the most servers: a slip of a template must not start a million tasks.
const MOST_ENTRIES: usize = 1000;

/// Reads both lists.
pub(super) fn read(findings: &mut Findings, top: &Section<'_>) -> Discovery {
    Discovery {
        files: top.entry("job_files").map(|entry| read_files(findings, entry)).unwrap_or_default(),
        http: top.entry("job_http").map(|entry| read_http(findings, entry)).unwrap_or_default(),
    }
}

/// The items of a list, or a note that it is none.
fn items<'d>(findings: &mut Findings, entry: &'d Entry<'d>, example: &str) -> &'d [Node<'d>] {
    let key = entry.key.as_ref();
    match &entry.node.value {
        Value::List(items) if items.len() > MOST_ENTRIES => {
            let message = format!("has {} entries; at most {MOST_ENTRIES} are taken", items.len());
            findings.fault(entry.key_line, key, message);
            &[]
        }
        Value::List(items) => items,
        Value::Null => &[],
        Value::Text(_) | Value::Mapping(_) => {
            let message = format!("is {}, not a list; write it as {example}", entry.node.value.kind());
            findings.fault(entry.line(), key, message);
            &[]
        }
    }
}

fn read_files(findings: &mut Findings, entry: &Entry<'_>) -> Vec<PathBuf> {
    let example = "`[ \"jobs/*.yml\" ]`";
    let mut patterns = Vec::new();
    for (index, item) in items(findings, entry, example).iter().enumerate() {
        let outcome = match &item.value {
            Value::Text(text) => check_pattern(text).map(|()| text),
            other => Err(format!("is {}, not a path; write one such as jobs/*.yml", other.kind())),
        };
        match outcome {
            Ok(text) => patterns.push(findings.resolve(text)),
            Err(message) => findings.fault(item.line, format!("job_files[{index}]"), message),
        }
    }
    patterns
}

/// As Prometheus takes it for `files` of `file_sd_configs`: an ending that tells the format, and `*` once, in the
/// file's name.
fn check_pattern(pattern: &str) -> Result<(), String> {
    if pattern.contains('\0') {
        return Err("has a character that no path has".to_owned());
    }
    let known = ["json", "yml", "yaml", "JSON", "YML", "YAML"];
    let stem = pattern.rsplit_once('.').filter(|(_, ending)| known.contains(ending)).map(|(stem, _)| stem);
    let Some(stem) = stem else {
        return Err(format!("{} does not end in .json, .yml or .yaml", quoted(pattern)));
    };
    match stem.split_once('*') {
        Some((_, after)) if after.contains(['*', '/']) => Err(format!(
            "{} has `*` in a folder's name or several times; it may stand once, in the file's name",
            quoted(pattern)
        )),
        _ => Ok(()),
    }
}

fn read_http(findings: &mut Findings, entry: &Entry<'_>) -> Vec<HttpSource> {
    let example = "`[ { url: https://imports.example.com/jobs } ]`";
    let mut sources: Vec<HttpSource> = Vec::new();
    for (index, item) in items(findings, entry, example).iter().enumerate() {
        let shown = format!("job_http[{index}]");
        let Some(section) = Section::open(findings, item, "job_http[]", shown.clone()) else {
            if matches!(item.value, Value::Null) {
                findings.fault(item.line, &shown, "is empty; write `url:` under it, or remove the line");
            }
            continue;
        };
        if let Some(source) = read_source(findings, item.line, &section, shown) {
            if sources.iter().any(|before| before.url == source.url) {
                let message = "has the url of an entry before it; remove one of them";
                findings.fault(item.line, &source.section, message);
            }
            sources.push(source);
        }
    }
    sources
}

fn read_source(
    findings: &mut Findings,
    line: usize,
    section: &Section<'_>,
    shown: String,
) -> Option<HttpSource> {
    let url = section.parsed(findings, "url", "a URL", urls::parse_list_url);
    if section.entry("url").is_none() {
        findings.fault(line, &shown, "has no url; write `url:` and the address of the list");
    }
    let refresh_interval = section.duration(findings, &keys::HTTP_REFRESH_INTERVAL);
    let timeout = section.duration(findings, &keys::HTTP_TIMEOUT);
    let max_response_bytes = section.size(findings, &keys::HTTP_MAX_RESPONSE_BYTES);
    let basic = section.section(findings, "job_http[].basic_auth");
    let basic = basic.map(|basic| read_basic(findings, &basic, &format!("{shown}.basic_auth")));
    let header = section.section(findings, "job_http[].authorization");
    let header =
        header.map(|header| read_authorization(findings, &header, &format!("{shown}.authorization")));
    if let (Some(_), Some(second)) = (&basic, section.entry("authorization").filter(|_| header.is_some())) {
        let path = format!("{shown}.authorization");
        findings.fault(second.key_line, path, "excludes basic_auth; keep one of them");
    }
    let tls_path = format!("{shown}.tls_config");
    let tls = section
        .section(findings, "job_http[].tls_config")
        .map(|tls| file::read_tls(findings, &tls, &tls_path))
        .unwrap_or_default();
    let (url, url_line) = url?;
    let authorization = basic.or(header).flatten();
    if authorization.is_some() && urls::is_plain_over_network(&url) {
        let message =
            "is plain http to another machine: whoever is in between can read the password; use https";
        findings.warn(url_line, format!("{shown}.url"), message);
    }
    Some(HttpSource {
        section: shown,
        url,
        refresh_interval,
        timeout: timeout.min(refresh_interval),
        max_response_bytes,
        authorization,
        tls,
    })
}

fn read_basic(findings: &mut Findings, basic: &Section<'_>, shown: &str) -> Option<HttpAuthorization> {
    let username = basic.parsed(findings, "username", "the user's name", |text| {
        if text.is_empty() || text.contains(':') || text.contains(char::is_control) {
            return Err(
                "is empty, or has a `:` or a control character, which HTTP Basic can't carry".to_owned()
            );
        }
        Ok(text.to_owned())
    });
    if basic.entry("username").is_none() {
        let line = basic.entries.first().map_or(1, |entry| entry.key_line);
        findings.fault(line, shown, "has no username; write `username:` and the user's name");
    }
    let password = read_secret(findings, basic, ["password", "password_file"], shown);
    Some(HttpAuthorization::Basic { username: username?.0, password })
}

fn read_authorization(
    findings: &mut Findings,
    header: &Section<'_>,
    shown: &str,
) -> Option<HttpAuthorization> {
    let scheme = header.parsed(findings, "type", "the scheme, such as Bearer", |text| {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if text.is_empty() || !text.bytes().all(is_token) {
            return Err(format!("{} is not a scheme; write one such as Bearer", quoted(text)));
        }
        if text.eq_ignore_ascii_case("basic") {
            return Err("is Basic; write basic_auth instead, with username and password".to_owned());
        }
        Ok(text.to_owned())
    });
    let has_type = header.entry("type").is_some();
    let credentials = read_secret(findings, header, ["credentials", "credentials_file"], shown);
    if credentials.is_none()
        && ["credentials", "credentials_file"].iter().all(|key| header.entry(key).is_none())
    {
        let line = header.entries.first().map_or(1, |entry| entry.key_line);
        findings.fault(line, shown, "has no credentials; write `credentials:` or `credentials_file:`");
    }
    let scheme = if has_type { scheme?.0 } else { "Bearer".to_owned() };
    Some(HttpAuthorization::Header { scheme, credentials: credentials? })
}

/// A secret that stands in the file or in a file of its own, not in both.
fn read_secret(
    findings: &mut Findings,
    section: &Section<'_>,
    [value_key, file_key]: [&str; 2],
    shown: &str,
) -> Option<CredentialSource> {
    if let (Some(_), Some(second)) = (section.entry(value_key), section.entry(file_key)) {
        let message = format!("excludes {value_key}; keep one of them");
        findings.fault(second.key_line, format!("{shown}.{file_key}"), message);
    }
    // `secret` in the name: a colon is no matter here.
    let value =
        section.parsed(findings, value_key, "the secret", |text| file::check_credential("secret", text));
    if let Some((value, _)) = value {
        let origin = format!("{shown}.{value_key} of {}", findings.file);
        return Some(CredentialSource::Value { value: Secret::new(value), origin });
    }
    let (path, line) = section.parsed(findings, file_key, "a path", file::check_path)?;
    let path = findings.resolve(&path);
    if let Err(message) = source::check_credential(&path) {
        let message = format!("{} {message}", super::error::shown_path(&path));
        findings.fault(line, format!("{shown}.{file_key}"), message);
    }
    Some(CredentialSource::File(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_prometheus() {
        for good in ["a.yml", "jobs/*.yml", "/x/y/*-z.json", "a*.YAML", "jobs/[ab]?.yaml", "a.b.yml"] {
            assert_eq!(check_pattern(good), Ok(()), "{good}");
        }
        for bad in ["", "a", "a.txt", "*/a.yml", "a**.yml", "*x*.json", "jobs/*", "a.Yml"] {
            assert!(check_pattern(bad).is_err(), "{bad}");
        }
    }
}
