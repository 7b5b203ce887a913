//! `job_http`: lists of jobs over HTTP, in Prometheus's `http_sd` format.
//!
//! `app` runs [`watch`] as a task of its own for each server. Each answer is the full list. Whatever is wrong with an
//! answer, the list before stays; as in Prometheus, an answer counts only with status 200 and a JSON content type.

#[cfg(test)]
mod tests;

use crate::catalog::{ListUpdate, NamedJob, SourceId, job_list};
use crate::clock::SharedClock;
use crate::config::{CredentialSource, HttpAuthorization, HttpSource, source};
use crate::secret::Secret;
use crate::telemetry::own::{DiscoveryMetrics, build};
use crate::tls;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use std::error::Error as _;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{info, warn};
use zeroize::Zeroizing;

/// The name of these sources in metrics.
pub const METRIC_SOURCE: &str = "http";

/// Redirects followed; reqwest takes the credentials off where they lead to another host.
const MOST_REDIRECTS: usize = 10;

/// The longest file with a password, in bytes.
const MOST_SECRET_BYTES: u64 = 64 << 10;

/// One server's list.
#[derive(Debug)]
pub struct HttpList {
    source: HttpSource,
    http: reqwest::Client,
}

impl HttpList {
    /// Reads the certificates that the configuration names; asks nothing yet. The error names the key.
    pub fn new(source: &HttpSource) -> Result<Self, String> {
        let tls = tls::client_config(&source.tls, &format!("{}.tls_config", source.section))
            .map_err(|error| error.to_string())?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::limited(MOST_REDIRECTS))
            .referer(false)
            .user_agent(format!("grid-bulk-exporter/{}", build::VERSION))
            .no_proxy()
            .build()
            .map_err(|_| format!("{}: the HTTP client can't be set up", source.section))?;
        Ok(Self { source: source.clone(), http })
    }

    /// Asks once, and reads the whole list.
    pub async fn fetch(&self) -> Result<Vec<NamedJob>, String> {
        let limit = self.source.timeout;
        let asked = timeout(limit, self.ask()).await;
        let body = asked.map_err(|_elapsed| format!("did not answer whole within {limit:?}"))??;
        // A list of 100,000 jobs takes a while to read.
        let parsed = tokio::task::spawn_blocking(move || job_list::parse_json(&body)).await;
        parsed.map_err(|_| "could not be read".to_owned())?
    }

    async fn ask(&self) -> Result<Vec<u8>, String> {
        let mut request = self
            .http
            .get(self.source.url.clone())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(
                "X-Prometheus-Refresh-Interval-Seconds",
                self.source.refresh_interval.as_secs_f64().to_string(),
            );
        match &self.source.authorization {
            None => {}
            Some(HttpAuthorization::Basic { username, password }) => {
                let password = match password {
                    Some(password) => Some(secret(password).await?),
                    None => None,
                };
                request = request.basic_auth(username, password.as_ref().map(Secret::expose));
            }
            Some(HttpAuthorization::Header { scheme, credentials }) => {
                let credentials = secret(credentials).await?;
                let text = Zeroizing::new(format!("{scheme} {}", credentials.expose()));
                let mut value = HeaderValue::from_str(&text)
                    .map_err(|_| "the credentials can't be put into a header".to_owned())?;
                value.set_sensitive(true);
                request = request.header(AUTHORIZATION, value);
            }
        }
        let mut response = request.send().await.map_err(|error| in_words(&error))?;
        if response.status() != StatusCode::OK {
            return Err(format!("answered {}; a list comes with 200", response.status().as_u16()));
        }
        check_content_type(response.headers())?;
        let most = self.source.max_response_bytes;
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| in_words(&error))? {
            if (body.len() + piece.len()) as u64 > most {
                let section = &self.source.section;
                return Err(format!(
                    "sent more than {most} bytes, the most that {section}.max_response_bytes takes"
                ));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}

/// What went wrong, down to its cause; without the URL, whose query may hold a token.
fn in_words(error: &reqwest::Error) -> String {
    let mut words = String::from("could not be asked");
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.ends_with(&text) {
            words = format!("{words}: {text}");
        }
        cause = error.source();
    }
    words.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// `application/json`, alone or with UTF-8 as its charset; the pattern is Prometheus's.
fn check_content_type(headers: &HeaderMap) -> Result<(), String> {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let lower = text.to_ascii_lowercase();
    let is_json = lower.strip_prefix("application/json").is_some_and(|rest| {
        let charset = rest.strip_prefix(';').map(str::trim_start);
        rest.is_empty() || matches!(charset, Some("charset=utf-8" | "charset=\"utf-8\""))
    });
    if is_json {
        return Ok(());
    }
    let shown: String = text.chars().take(80).collect();
    Err(format!("answered with content type {shown:?}; a list comes as application/json"))
}

/// The secret as it is now.
async fn secret(source: &CredentialSource) -> Result<Secret, String> {
    match source {
        CredentialSource::Value { value, .. } => Ok(value.clone()),
        CredentialSource::File(path) => {
            let path = path.clone();
            let read = tokio::task::spawn_blocking(move || {
                let shown = path.display();
                let bytes = source::read_bounded(&path, MOST_SECRET_BYTES)
                    .map_err(|fault| format!("can't be asked: file {shown} {fault}"))?;
                let bytes = Zeroizing::new(bytes);
                let text = std::str::from_utf8(&bytes)
                    .map_err(|_| format!("can't be asked: file {shown} is not UTF-8"))?;
                Ok(Secret::new(text.trim_end().to_owned()))
            });
            read.await.map_err(|_| "can't be asked: its credentials can't be read".to_owned())?
        }
    }
}

/// Asks now and at each interval, for ever, and tells what comes; of failures only the first before any list. The
/// task's owner stops it.
pub async fn watch(
    list: HttpList,
    id: SourceId,
    updates: mpsc::Sender<ListUpdate>,
    metrics: DiscoveryMetrics,
    clock: SharedClock,
) {
    let url = list.source.shown_url();
    let mut turns = interval(list.source.refresh_interval.max(Duration::from_millis(1)));
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_first = true;
    let mut last_fault: Option<String> = None;
    loop {
        turns.tick().await;
        let jobs = match list.fetch().await {
            Ok(jobs) => {
                metrics.server_succeeded(id.number, clock.now());
                if last_fault.take().is_some() {
                    info!(url, jobs = jobs.len(), "the list of jobs can be read again");
                }
                Some(jobs)
            }
            Err(fault) => {
                metrics.count_failures(METRIC_SOURCE, 1);
                if last_fault.as_ref() != Some(&fault) {
                    warn!(url, "the list of jobs at {url} {fault}; the list before stays");
                }
                last_fault = Some(fault);
                None
            }
        };
        if (is_first || jobs.is_some()) && updates.send(ListUpdate { source: id, jobs }).await.is_err() {
            return;
        }
        is_first = false;
    }
}
