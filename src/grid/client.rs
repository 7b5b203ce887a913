//! Asks the API for a job over HTTP.
//!
//! Called by `poller` through [`ReadJob`]; `app` makes one client for each configuration. One request is one
//! request here: retries, waiting and backoff are the poller's. Redirects are followed by hand, not by reqwest, so
//! that each request is counted and none leaves the host with our credentials.
//!
//! `body` reads answers, `failure` says what went wrong, `resolver` looks names up,
//! `upload` sends a file for `cli`.

mod body;
mod failure;
mod resolver;
pub mod upload;

#[cfg(test)]
mod tests;

use crate::clock::SharedClock;
use crate::config::GridConfig;
use crate::grid::credentials::{CredentialError, Credentials};
use crate::grid::error::ApiError;
use crate::grid::{Advice, Answer, JOB_PATH, JobQuery, ReadJob, Reading, Validators};
use crate::job::JobId;
use crate::telemetry::own::{ApiMetrics, build};
use crate::tls::{self, TlsError};
use body::BodyReader;
use failure::Failures;
use http::header::{self, HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Response;
use resolver::SystemResolver;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::Instant;
use url::Url;

/// What stands unescaped in a segment of a path (RFC 3986, `pchar`): the SDKs send `Job:0195…` so, too.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b'@');

/// Redirects within the host that are followed for one question.
const MAX_REDIRECTS: usize = 5;

/// A longer `ETag` or `Last-Modified` is not kept.
const MAX_VALIDATOR_LENGTH: usize = 256;

/// Idle connections are kept for so long: longer than most intervals, shorter than most load balancers' patience.
const POOL_IDLE: Duration = Duration::from_secs(55);

/// An HTTP/2 connection is tested so often, as a dead one would otherwise swallow every poll: a stream that runs
/// into a time limit does not close its connection.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(20);

/// Flow control of HTTP/2: as much can wait in memory for one answer, and for all of a connection.
const HTTP2_STREAM_WINDOW: u32 = 1_048_576;
const HTTP2_CONNECTION_WINDOW: u32 = 4 * 1_048_576;

/// Why there is no client for this configuration.
#[derive(Debug, Error)]
pub enum GridClientError {
    /// The credentials can't be had.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// TLS can't be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The proxy's URL can't be used. It is not shown, as it may hold a password.
    #[error("grid.proxy_url can't be used; write http://HOST:PORT or https://HOST:PORT")]
    Proxy,
    /// The base URL can't be extended by a path.
    #[error("grid.base_url can't be used; write http:// or https://, a host and a path")]
    BaseUrl,
    /// The HTTP library refuses its settings; not seen.
    #[error("the HTTP client can't be set up")]
    Setup,
}

/// The Grid API, as configured.
pub struct GridClient {
    http: reqwest::Client,
    /// The address of the jobs; a job's id goes below it.
    jobs: Url,
    credentials: Credentials,
    timeout: Duration,
    failures: Failures,
    body: BodyReader,
    metrics: ApiMetrics,
    clock: SharedClock,
}

impl fmt::Debug for GridClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GridClient").field("jobs", &self.jobs.as_str()).finish_non_exhaustive()
    }
}

/// What the head of an answer said, and what follows from it.
struct Outcome {
    result: Result<Reading, ApiError>,
    status_code: Option<u16>,
    advice: Advice,
    validators: Option<Validators>,
    transfer: Duration,
    requests: u32,
}

impl Outcome {
    /// No answer came.
    fn unanswered(error: ApiError) -> Self {
        Self {
            result: Err(error),
            status_code: None,
            advice: Advice::default(),
            validators: None,
            transfer: Duration::ZERO,
            requests: 1,
        }
    }
}

impl GridClient {
    /// Reads the credentials, certificates and keys that the configuration names. Connects to nothing yet.
    pub fn new(grid: &GridConfig, metrics: ApiMetrics, clock: SharedClock) -> Result<Self, GridClientError> {
        let credentials = Credentials::load(&grid.client_id, &grid.client_secret)?;
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client_config(&grid.tls, "grid.tls_config")?)
            .dns_resolver(Arc::new(SystemResolver))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            // The poller asks again itself, at its pace. That none is left spares each request a copy for the next.
            .retry(reqwest::retry::never().max_retries_per_request(0))
            .user_agent(format!("grid-bulk-exporter/{}", build::VERSION))
            .connect_timeout(grid.connect_timeout)
            .pool_idle_timeout(POOL_IDLE)
            .tcp_keepalive(HTTP2_PING_INTERVAL)
            .http2_keep_alive_interval(HTTP2_PING_INTERVAL)
            .http2_keep_alive_timeout(grid.connect_timeout)
            .http2_keep_alive_while_idle(true)
            .http2_initial_stream_window_size(HTTP2_STREAM_WINDOW)
            .http2_initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
            // Neither HTTP_PROXY nor ALL_PROXY: where the credentials go is the configuration's to say.
            .no_proxy();
        let builder = match &grid.proxy_url {
            None => builder,
            Some(url) => builder.proxy(reqwest::Proxy::all(url.clone()).map_err(|_| GridClientError::Proxy)?),
        };
        let http = builder.build().map_err(|_| GridClientError::Setup)?;
        if grid.base_url.cannot_be_a_base() {
            return Err(GridClientError::BaseUrl);
        }
        let mut jobs = grid.base_url.clone();
        jobs.set_path(&format!("{}{JOB_PATH}", grid.base_url.path().trim_end_matches('/')));
        Ok(Self {
            http,
            jobs,
            credentials,
            timeout: grid.timeout.min(body::FOREVER),
            failures: Failures::new(grid),
            body: BodyReader::new(grid, metrics.clone()),
            metrics,
            clock,
        })
    }

    /// A number that grows whenever a credential changed in its file: whoever holds back because the API refused
    /// the old one may ask again. It only moves while [`Self::watch_credentials`] runs or requests are sent.
    #[must_use]
    pub fn credentials_changed(&self) -> watch::Receiver<u64> {
        self.credentials.generation()
    }

    /// A checksum of the API token's id, by which `storage` sees that it is another.
    #[must_use]
    pub fn token_checksum(&self) -> u32 {
        self.credentials.id_checksum()
    }

    /// Looks at the credentials' files once a second, for ever; the caller owns the task.
    pub async fn watch_credentials(&self) {
        self.credentials.watch().await;
    }

    /// The URL of a job. Scheme and host were read once, for all polls.
    fn job_url(&self, id: &JobId) -> Url {
        let mut url = self.jobs.clone();
        match Cow::from(utf8_percent_encode(id.as_str(), SEGMENT)) {
            // Adding a segment is quicker than reading a whole path, but escapes less.
            Cow::Borrowed(id) => {
                // An error means that the URL has no path, which `new` refuses.
                if let Ok(mut path) = url.path_segments_mut() {
                    path.pop_if_empty().push(id);
                }
            }
            Cow::Owned(id) => url.set_path(&format!("{}{id}", self.jobs.path())),
        }
        url
    }

    /// Asks, and follows redirects within the host.
    async fn ask(&self, query: JobQuery, deadline: Instant) -> Outcome {
        let mut url = self.job_url(&query.id);
        let mut redirects = 0;
        loop {
            let started = Instant::now();
            let response = match self.send(url, query.validators.as_ref(), deadline).await {
                Ok(response) => response,
                Err(error) => {
                    self.note_request(None, started);
                    return Outcome::unanswered(error);
                }
            };
            let head_at = Instant::now();
            let status = response.status();
            let advice = Advice::from_headers(response.headers(), self.clock.now());
            let outcome = |result, validators| Outcome {
                result,
                status_code: Some(status.as_u16()),
                advice,
                validators,
                transfer: head_at.elapsed(),
                requests: u32::try_from(redirects + 1).unwrap_or(u32::MAX),
            };
            let ended = match status.as_u16() {
                200 => {
                    let offered = offered_validators(response.headers());
                    let result = self.body.read(response, query, deadline).await;
                    // A job that was read in part must be asked for whole again.
                    let is_whole = result.as_ref().is_ok_and(|job| !job.errors_truncated);
                    outcome(result.map(Reading::Job), offered.filter(|_| is_whole))
                }
                304 if query.validators.is_some() => {
                    let validators = offered_validators(response.headers()).or(query.validators.clone());
                    outcome(Ok(Reading::Unchanged), validators)
                }
                301 | 302 | 303 | 307 | 308 => {
                    let target = redirect_target(response.url(), response.headers());
                    self.body.discard(response).await;
                    match target {
                        Ok(target) if redirects < MAX_REDIRECTS => {
                            self.note_request(Some(status.as_u16()), started);
                            redirects += 1;
                            url = target;
                            continue;
                        }
                        Ok(_) => outcome(Err(failure::too_many_redirects(MAX_REDIRECTS)), None),
                        Err(error) => outcome(Err(error), None),
                    }
                }
                code => {
                    self.body.discard(response).await;
                    outcome(Err(failure::of_status(code)), None)
                }
            };
            self.note_request(Some(status.as_u16()), started);
            return ended;
        }
    }

    /// Sends one request and waits for the head of its answer.
    async fn send(
        &self,
        url: Url,
        validators: Option<&Validators>,
        deadline: Instant,
    ) -> Result<Response, ApiError> {
        let credentials = self.credentials.current().await;
        let mut request = self
            .http
            .get(url)
            .header(header::AUTHORIZATION, credentials.authorization())
            .header(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(validators) = validators {
            let headers = [
                (header::IF_NONE_MATCH, &validators.etag),
                (header::IF_MODIFIED_SINCE, &validators.last_modified),
            ];
            for (name, value) in headers {
                if let Some(value) = value.as_deref().and_then(|value| HeaderValue::from_str(value).ok()) {
                    request = request.header(name, value);
                }
            }
        }
        let until = deadline.min(Instant::now() + self.timeout);
        match tokio::time::timeout_at(until, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(self.failures.of_request(&error)),
            Err(_) => Err(self.failures.no_head()),
        }
    }

    fn note_request(&self, code: Option<u16>, started: Instant) {
        self.metrics.count_request(code);
        self.metrics.request_duration.observe(started.elapsed().as_secs_f64());
    }
}

impl ReadJob for GridClient {
    async fn read(&self, query: JobQuery) -> Answer {
        let deadline = self.body.deadline(Instant::now());
        let outcome = self.ask(query, deadline).await;
        Answer {
            outcome: outcome.result,
            status_code: outcome.status_code,
            advice: outcome.advice,
            validators: outcome.validators,
            transfer: outcome.transfer,
            requests: outcome.requests,
        }
    }

    async fn credentials_changed(&self) {
        let mut generation = self.credentials.generation();
        tokio::select! {
            // An error can't be: the sender lives as long as the client.
            _changed = generation.changed() => {}
            () = self.credentials.watch() => {}
        }
    }
}

/// Where a redirect leads, if it stays on the same scheme, host and port.
fn redirect_target(from: &Url, headers: &HeaderMap) -> Result<Url, ApiError> {
    let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    let Some(target) = location.and_then(|location| from.join(location).ok()) else {
        return Err(failure::redirect_without_target());
    };
    // The origin of `file:` and the like equals no other.
    if target.origin() == from.origin() && target.username().is_empty() && target.password().is_none() {
        Ok(target)
    } else {
        Err(failure::redirect_elsewhere(&target))
    }
}

/// True if `Last-Modified` lies at least a second before `Date`.
fn modified_well_before(headers: &HeaderMap) -> bool {
    let time = |name| httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok();
    let (Some(date), Some(modified)) = (time(header::DATE), time(header::LAST_MODIFIED)) else {
        return false;
    };
    date.duration_since(modified).is_ok_and(|age| age >= Duration::from_secs(1))
}

/// What the answer says of its version.
fn offered_validators(headers: &HeaderMap) -> Option<Validators> {
    let text = |name| {
        let value = headers.get(name)?.to_str().ok()?;
        (value.len() <= MAX_VALIDATOR_LENGTH).then(|| value.into())
    };
    let etag = text(header::ETAG);
    // Whole seconds can't tell two states within one second apart: alone, a time of modification counts only if it
    // lies at least a second before the answer (RFC 9110, section 8.8.2.2).
    let is_strong = etag.is_some() || modified_well_before(headers);
    let offered = Validators { etag, last_modified: text(header::LAST_MODIFIED).filter(|_| is_strong) };
    (offered != Validators::default()).then_some(offered)
}
