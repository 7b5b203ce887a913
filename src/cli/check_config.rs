//! `check-config FILE`, `check-config --web.config.file=FILE`: what the file says, or everything that is wrong with it.
//!
//! It reads exactly as `serve` does, environment included, but only mentions missing credentials and jobs: where it
//! runs (a pipeline, say) the variables of the production machine are not set.

use crate::catalog::http_sd::HttpList;
use crate::clock::{SharedClock, SystemClock};
use crate::config::reload;
use crate::config::values::show_duration;
use crate::config::web_file::{TlsVersion, WebFile};
use crate::config::{CredentialSource, Draft, Inputs, JobSource, JobSpec, WebhookConfig};
use crate::grid::client::GridClient;
use crate::grid::webhook::PublicKeys;
use crate::telemetry::own::OwnMetrics;
use crate::tls::server::TlsServer;
use crate::web::door;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Checks the files that are named; prints summaries on standard output, or the faults on standard error with exit
/// code 1.
pub(super) fn main(inputs: Option<&Inputs>, web: Option<&Path>) -> ExitCode {
    let web = web.map_or(ExitCode::SUCCESS, check_web);
    match inputs.map(check) {
        None => web,
        Some(code) if code == ExitCode::SUCCESS => web,
        Some(code) => code,
    }
}

fn check_web(path: &Path) -> ExitCode {
    match door::check(path) {
        Ok(file) => {
            let _unread = std::io::stdout().lock().write_all(web_summary(&file).as_bytes());
            ExitCode::SUCCESS
        }
        Err(fault) => super::refuse(&fault.to_string()),
    }
}

/// What a web configuration file says, a line for each matter.
#[must_use]
pub fn web_summary(file: &WebFile) -> String {
    let mut lines = vec!["web configuration is good".to_owned()];
    match &file.tls {
        None => lines.push("TLS: off".to_owned()),
        Some(tls) => {
            let version = |version| if version == TlsVersion::Tls12 { "1.2" } else { "1.3" };
            lines.push(format!("TLS: {} to {}", version(tls.min_version), version(tls.max_version)));
            lines.push(format!("client certificates: {}", tls.client_auth.name()));
            if !tls.client_allowed_sans.is_empty() {
                lines.push(format!("clients' names: {}", tls.client_allowed_sans.join(", ")));
            }
        }
    }
    lines.push(format!("HTTP/2: {}", if file.http2 { "on" } else { "off" }));
    let users: Vec<_> = file.users.iter().map(|user| user.name.as_str()).collect();
    lines.push(format!("users: {}", if users.is_empty() { "none".to_owned() } else { users.join(", ") }));
    for (name, value) in &file.headers {
        lines.push(format!("header: {name}: {}", value.to_str().unwrap_or_default()));
    }
    if let Some(limit) = file.rate_limit {
        lines.push(format!("requests: one every {:?}, {} at once", limit.interval, limit.burst));
    }
    lines.extend(file.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.push(String::new());
    lines.join("\n")
}

fn check(inputs: &Inputs) -> ExitCode {
    match reload::draft(inputs) {
        Ok(draft) => {
            if let Err(fault) = try_client(&draft) {
                return super::refuse(&fault);
            }
            let _unread = std::io::stdout().lock().write_all(summary(&draft).as_bytes());
            ExitCode::SUCCESS
        }
        Err(faults) => super::refuse_faults(&faults),
    }
}

/// Builds the Grid client, and those of `job_http`, as `serve` would, and reads the webhook's keys: certificates and
/// secret files show only then whether they can be used.
/// Nothing is sent.
fn try_client(draft: &Draft) -> Result<(), String> {
    let clock: SharedClock = Arc::new(SystemClock);
    let own = OwnMetrics::new(&clock).map_err(|error| error.to_string())?;
    GridClient::new(&draft.grid_for_trial(), own.api, clock)
        .map_err(|error| draft.places.locate(&error.to_string()))?;
    for source in &draft.discovery().http {
        HttpList::new(source).map_err(|error| draft.places.locate(&error))?;
    }
    if let Some(webhook) = draft.webhook() {
        let keys = PublicKeys::load(&webhook.public_key_files);
        keys.map_err(|error| draft.places.locate(&error.to_string()))?;
        if let Some(tls) = &webhook.tls {
            TlsServer::new(tls.clone(), WebhookConfig::TLS_SECTION, draft.places.clone(), true)
                .map_err(|error| draft.places.locate(&error.to_string()))?;
        }
    }
    Ok(())
}

/// What was read, a line for each matter; where credentials come from and not what they are.
#[must_use]
pub fn summary(draft: &Draft) -> String {
    let mut lines = vec!["configuration is good".to_owned()];
    lines.push(format!("base URL: {} (from {})", draft.base_url, draft.base_url_origin));
    for (name, source) in [("client id", &draft.client_id), ("client secret", &draft.client_secret)] {
        lines.push(match source.as_ref().map(CredentialSource::origin) {
            Some(origin) => format!("{name}: from {origin}"),
            None => format!("{name}: none"),
        });
    }
    if let Some(host) = draft.proxy_url().and_then(url::Url::host_str) {
        lines.push(format!("proxy: {host}"));
    }
    let poll = draft.poll();
    lines.push(format!(
        "polls: each job every {}, {} at once, at most {} requests a second",
        show_duration(poll.interval),
        poll.concurrency,
        poll.max_requests_per_second
    ));
    lines.push(format!("jobs: {}", jobs(&draft.jobs)));
    let labels: BTreeSet<&str> =
        draft.jobs.iter().flat_map(|job| job.labels.iter()).map(|(name, _)| name.as_str()).collect();
    let labels: Vec<&str> = labels.into_iter().collect();
    let discovery = draft.discovery();
    for pattern in &discovery.files {
        lines.push(format!("job files: {}", pattern.display()));
    }
    for source in &discovery.http {
        let interval = show_duration(source.refresh_interval);
        lines.push(format!("job list: {} every {interval}", source.shown_url()));
    }
    if let Some(webhook) = draft.webhook() {
        let (address, path, files) = (&webhook.listen_address, &webhook.path, webhook.public_key_files.len());
        lines.push(format!("webhook: POST {path} on {address}, with the keys of {files} files"));
    }
    lines.push(format!("labels: {}", if labels.is_empty() { "none".to_owned() } else { labels.join(", ") }));
    for warning in &draft.warnings {
        lines.push(format!("warning: {warning}"));
    }
    for missing in draft.missing() {
        lines.push(format!("note, as serve would refuse: {missing}"));
    }
    let mut text = String::new();
    for line in lines {
        let _infallible = writeln!(text, "{line}");
    }
    text
}

/// `3 (2 from jobs, 2 from GRID_JOBS)`; a job of two sources counts in both.
fn jobs(jobs: &[JobSpec]) -> String {
    let sources: Vec<String> = [JobSource::File, JobSource::Flag, JobSource::Environment]
        .into_iter()
        .map(|source| (source, jobs.iter().filter(|job| job.sources.contains(&source)).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(source, count)| format!("{count} from {}", source.as_str()))
        .collect();
    if sources.is_empty() { "none".to_owned() } else { format!("{} ({})", jobs.len(), sources.join(", ")) }
}
