//! Flag over environment over file, and the jobs of all three in one list.
//!
//! Called by `reload`. The outcome is a [`Draft`]: checked, but perhaps without credentials or jobs, which only
//! `serve` needs; [`Draft::complete`] insists on them.

use super::credential::{Variables, credential};
use super::environment::{self, Environment};
use super::error::{Fault, Faults};
use super::file::{FileConfig, GridSection};
use super::jobs::FileJob;
use super::places::Places;
use super::section::Findings;
use super::{
    Config, CredentialSource, Discovery, GridConfig, JobSource, JobSpec, PollConfig, WebhookConfig, urls,
};
use crate::job::{JobId, Labels, Shard};
use crate::secret::Secret;
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use url::Url;

/// The base URL where nothing names one.
pub const DEFAULT_BASE_URL: &str = "https://api.lightspark.com/grid/2025-10-13";

/// All that a configuration is made of; the same at the start and at each reload.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The file, as the user named it; none: there is none.
    pub config_file: Option<PathBuf>,
    /// `--job`, in its order.
    pub jobs: Vec<JobId>,
    /// The variables.
    pub environment: Environment,
    /// `--web.enable-admin-api`: jobs may come by it, so none need be named.
    pub admin_api: bool,
    /// `--shard`, `--total-shards`: the jobs of other shards are left out.
    pub shard: Shard,
}

/// A configuration in which everything present is good, but credentials and jobs may be missing.
pub struct Draft {
    /// What the file says, without the parts that are merged into the fields below.
    pub(super) file: FileConfig,
    /// The API's address.
    pub base_url: Url,
    /// Where that comes from.
    pub base_url_origin: String,
    /// The token's id, if anything names one.
    pub client_id: Option<CredentialSource>,
    /// The token's secret, if anything names one.
    pub client_secret: Option<CredentialSource>,
    /// The jobs of all sources that this shard watches, each once: those of the file, of `--job`, of `GRID_JOBS`.
    pub jobs: Vec<JobSpec>,
    /// Jobs are named here, by whichever shard they are watched.
    names_jobs: bool,
    /// Jobs may come by the admin API.
    admin_api: bool,
    /// What is allowed and unwise.
    pub warnings: Vec<Fault>,
    /// Where the keys under `grid` stand.
    pub places: Places,
}

/// Merges what the file says (or the defaults) with flags and environment; or gives all faults found so far.
pub(super) fn merge(mut findings: Findings, mut file: FileConfig, inputs: &Inputs) -> Result<Draft, Faults> {
    let environment = &inputs.environment;
    environment.faults.iter().cloned().for_each(|fault| findings.faults.push(fault));
    let client_id = credential(&mut findings, file.grid.client_id.take(), Variables::of_id(environment));
    let client_secret =
        credential(&mut findings, file.grid.client_secret.take(), Variables::of_secret(environment));
    let mut jobs = jobs(&mut findings, std::mem::take(&mut file.jobs), inputs);
    let names_jobs = !jobs.is_empty();
    jobs.retain(|job| inputs.shard.owns(&job.id));
    if jobs.len() > file.limits.jobs {
        let message = format!(
            "is {}, but {} jobs are configured; raise it or name fewer",
            file.limits.jobs,
            jobs.len()
        );
        findings.faults.push(Fault::outside("limits.jobs", message));
    }
    let (base_url, base_url_origin, line) = base_url(&findings, file.grid.base_url.take(), environment);
    match base_url {
        Ok(base_url) => {
            warn_if_plain(&mut findings, &base_url, &base_url_origin, line);
            let Findings { faults, warnings, places, .. } = findings;
            faults.unless_empty(Draft {
                file,
                base_url,
                base_url_origin,
                client_id,
                client_secret,
                jobs,
                names_jobs,
                admin_api: inputs.admin_api,
                warnings,
                places,
            })
        }
        Err(message) => {
            findings.faults.push(Fault::outside(&base_url_origin, message));
            Err(findings.faults.sorted())
        }
    }
}

/// The API's address, where it comes from, and the line if that is in the file.
fn base_url(
    findings: &Findings,
    file: Option<(Url, usize)>,
    environment: &Environment,
) -> (Result<Url, String>, String, Option<usize>) {
    match (&environment.base_url, file) {
        (Some(text), _) => (urls::parse_base_url(text), environment::BASE_URL.to_owned(), None),
        (None, Some((url, line))) => (Ok(url), format!("grid.base_url of {}", findings.file), Some(line)),
        (None, None) => (urls::parse_base_url(DEFAULT_BASE_URL), "the default".to_owned(), None),
    }
}

fn warn_if_plain(findings: &mut Findings, url: &Url, origin: &str, line: Option<usize>) {
    if !urls::is_plain_over_network(url) {
        return;
    }
    let message = "is plain http to another machine: whoever is in between can read the secret; use https";
    match line {
        Some(line) => findings.warn(line, "grid.base_url", message),
        None => findings.warnings.push(Fault::outside(origin, message)),
    }
}

/// All jobs, each once. A job in two sources has the file's labels and names both.
fn jobs(findings: &mut Findings, file: Vec<FileJob>, inputs: &Inputs) -> Vec<JobSpec> {
    let mut list = JobList::default();
    for job in file {
        list.add(job.id, job.labels, JobSource::File);
    }
    for id in &inputs.jobs {
        if !list.add(id.clone(), Labels::default(), JobSource::Flag) {
            findings.faults.push(Fault::outside("--job", format!("{id} is given twice; give it once")));
        }
    }
    let variable = inputs.environment.jobs.as_deref().map(|text| text.split(',')).into_iter().flatten();
    for (index, text) in variable.enumerate() {
        let position = index + 1;
        match text.trim().parse::<JobId>() {
            Ok(id) => {
                if !list.add(id.clone(), Labels::default(), JobSource::Environment) {
                    let message = format!("{id} is there twice, again as item {position}; name it once");
                    findings.faults.push(Fault::outside(environment::JOBS, message));
                }
            }
            Err(_) if text.trim().is_empty() => {
                let message =
                    format!("item {position} is empty; put one comma between two job ids, none at the end");
                findings.faults.push(Fault::outside(environment::JOBS, message));
            }
            Err(error) => {
                let message = format!("item {position}: {error}");
                findings.faults.push(Fault::outside(environment::JOBS, message));
            }
        }
    }
    list.jobs
}

#[derive(Default)]
struct JobList {
    jobs: Vec<JobSpec>,
    positions: HashMap<JobId, usize>,
}

impl JobList {
    /// Adds a job, or one more source of it. False if this source has named it before.
    fn add(&mut self, id: JobId, labels: Labels, source: JobSource) -> bool {
        let known = self.positions.get(&id).and_then(|position| self.jobs.get_mut(*position));
        if let Some(job) = known {
            let is_new = !job.sources.contains(&source);
            if is_new {
                job.sources.push(source);
            }
            return is_new;
        }
        self.positions.insert(id.clone(), self.jobs.len());
        self.jobs.push(JobSpec { id, labels, sources: vec![source] });
        true
    }
}

impl Draft {
    /// What `serve` needs and nothing names: credentials, jobs.
    #[must_use]
    pub fn missing(&self) -> Vec<Fault> {
        let mut missing = Vec::new();
        let credentials = [
            ("grid.client_id", &self.client_id, environment::CLIENT_ID),
            ("grid.client_secret", &self.client_secret, environment::CLIENT_SECRET),
        ];
        for (key, source, variable) in credentials {
            if source.is_none() {
                let message = format!(
                    "is not given; set the variable {variable}, or write {key} or {key}_file in the file"
                );
                missing.push(Fault::outside(key, message));
            }
        }
        let has_source = !self.file.discovery.is_empty() || self.file.webhook.is_some() || self.admin_api;
        if !self.names_jobs && !has_source {
            let message = "no job is named, nor a source of jobs; write `jobs:`, `job_files:` or `job_http:` in the \
                           file, give --job or --web.enable-admin-api, or set GRID_JOBS";
            missing.push(Fault::outside("jobs", message));
        }
        missing
    }

    /// When and how fast to poll.
    #[must_use]
    pub const fn poll(&self) -> &PollConfig {
        &self.file.poll
    }

    /// Lists of jobs that are read again and again.
    #[must_use]
    pub const fn discovery(&self) -> &Discovery {
        &self.file.discovery
    }

    /// Where webhooks are taken in.
    #[must_use]
    pub const fn webhook(&self) -> Option<&WebhookConfig> {
        self.file.webhook.as_ref()
    }

    /// The proxy, if there is one. It may hold a password.
    #[must_use]
    pub const fn proxy_url(&self) -> Option<&Url> {
        self.file.grid.proxy_url.as_ref()
    }

    /// The whole configuration, or what is missing in it.
    pub fn complete(self) -> Result<Config, Faults> {
        let mut faults = Faults::default();
        self.missing().into_iter().for_each(|fault| faults.push(fault));
        let (Some(client_id), Some(client_secret)) = (self.client_id, self.client_secret) else {
            return Err(faults);
        };
        let FileConfig { grid, poll, limits, discovery, webhook, retention, .. } = self.file;
        faults.unless_empty(Config {
            grid: grid_config(&grid, self.base_url, client_id, client_secret),
            poll,
            limits,
            jobs: self.jobs,
            discovery,
            webhook,
            retention,
            places: self.places,
        })
    }

    /// How to reach the API, with a stand-in for credentials that nothing names: for trying whether certificates
    /// and secret files can be used.
    #[must_use]
    pub fn grid_for_trial(&self) -> GridConfig {
        let or_stand_in = |source: &Option<CredentialSource>| {
            source.clone().unwrap_or_else(|| CredentialSource::Value {
                value: Secret::new("none".to_owned()),
                origin: "nothing".to_owned(),
            })
        };
        let (client_id, client_secret) = (or_stand_in(&self.client_id), or_stand_in(&self.client_secret));
        grid_config(&self.file.grid, self.base_url.clone(), client_id, client_secret)
    }
}

fn grid_config(
    grid: &GridSection,
    base_url: Url,
    client_id: CredentialSource,
    client_secret: CredentialSource,
) -> GridConfig {
    GridConfig {
        base_url,
        client_id,
        client_secret,
        connect_timeout: grid.connect_timeout,
        timeout: grid.timeout,
        read_idle_timeout: grid.read_idle_timeout,
        max_duration: grid.max_duration,
        max_response_bytes: grid.max_response_bytes,
        tls: grid.tls.clone(),
        proxy_url: grid.proxy_url.clone(),
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the file's part: the proxy's URL in it may hold a password.
        formatter
            .debug_struct("Draft")
            .field("base_url", &self.base_url.as_str())
            .field("client_id", &self.client_id)
            .field("client_secret", &self.client_secret)
            .field("jobs", &self.jobs)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}
