//! `check-config FILE`: what the file says, or everything that is wrong with it.
//!
//! It reads exactly as `serve` does, environment included, but only mentions missing credentials and jobs: where it
//! runs (a pipeline, say) the variables of the production machine are not set.

use crate::catalog::http_sd::HttpList;
use crate::clock::{SharedClock, SystemClock};
use crate::config::reload;
use crate::config::values::show_duration;
use crate::config::{CredentialSource, Draft, Inputs, JobSource, JobSpec};
use crate::grid::client::GridClient;
use crate::grid::webhook::PublicKeys;
use crate::telemetry::own::OwnMetrics;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

/// Prints the summary on standard output, or the faults on standard error with exit code 1.
pub(super) fn main(inputs: &Inputs) -> ExitCode {
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
