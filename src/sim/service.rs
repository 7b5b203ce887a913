//! One request: route, credentials, limit, job, answer.

use crate::clock::{SharedClock, UnixTime};
use crate::sim::answer::Answer;
use crate::sim::body::{Pace, SimBody};
use crate::sim::course::JobState;
use crate::sim::credentials::Credentials;
use crate::sim::fault::Fault;
use crate::sim::fleet::{Fleet, SimJob};
use crate::sim::options::SimOptions;
use crate::sim::problem::{Reply, json_reply, problem, problem_with};
use crate::sim::requests::{RequestLog, RequestRecord};
use crate::sim::spoil::{Asked, Outcome, spoil};
use crate::sim::throttle::{Throttle, Verdict};
use crate::sim::upload::{self, UploadPlan, accepted, read_csv};
use crate::sim::webhook::{WebhookPlan, WebhookRecord, WebhookTarget};
use crate::sim::wire::Breaker;
use arc_swap::{ArcSwap, ArcSwapOption};
use http::header::{
    ACCEPT_ENCODING, ALLOW, AUTHORIZATION, CONTENT_ENCODING, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH,
    VARY, WWW_AUTHENTICATE,
};
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::broadcast;
use tokio::time::Instant;

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) base_path: String,
    pub(crate) fleet: Fleet,
    pub(crate) throttle: Throttle,
    pub(crate) credentials: ArcSwap<Credentials>,
    /// Faults of every request.
    pub(crate) api_faults: ArcSwap<Vec<Fault>>,
    pub(crate) log: RequestLog,
    /// Where webhooks go.
    pub(crate) webhook: ArcSwapOption<WebhookTarget>,
    pub(crate) webhooks: WebhookPlan,
    pub(crate) webhook_records: broadcast::Sender<WebhookRecord>,
    requests: AtomicU64,
    uploads: UploadPlan,
    etag: bool,
    gzip: bool,
    speed: f64,
    started: Instant,
    started_at: UnixTime,
    clock: SharedClock,
}

impl Shared {
    pub(crate) fn new(options: SimOptions) -> Self {
        let scenario = options.scenario;
        Self {
            fleet: Fleet::new(options.seed, options.jobs, options.demo, &scenario.jobs),
            throttle: Throttle::new(scenario.api.rate_limit),
            credentials: ArcSwap::from_pointee(Credentials::new(&options.client_id, &options.client_secret)),
            api_faults: ArcSwap::from_pointee(scenario.api.faults),
            log: RequestLog::default(),
            webhook: ArcSwapOption::from_pointee(options.webhook),
            webhooks: scenario.webhooks,
            webhook_records: broadcast::Sender::new(4096),
            requests: AtomicU64::new(0),
            uploads: scenario.uploads,
            etag: scenario.api.etag,
            gzip: scenario.api.gzip,
            speed: options.speed,
            started: Instant::now(),
            started_at: options.clock.now(),
            clock: options.clock,
            base_path: options.base_path,
        }
    }

    /// Simulated seconds since the start.
    pub(crate) fn now(&self) -> f64 {
        self.started.elapsed().as_secs_f64() * self.speed
    }

    /// Simulated seconds a real second.
    pub(crate) const fn speed(&self) -> f64 {
        self.speed
    }

    /// The wall-clock time of a simulated moment: what a watcher who compares `completedAt` with its own clock
    /// expects, also where the simulation runs faster.
    pub(crate) fn wall_time(&self, simulated: f64) -> UnixTime {
        #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, which is meant")]
        let millis = (simulated / self.speed * 1000.0) as i64;
        UnixTime::from_millis(self.started_at.as_millis().saturating_add(millis))
    }
}

/// Where a request goes.
enum Route {
    Upload,
    Job(String),
    Nowhere,
}

impl Route {
    fn of(path: &str, base_path: &str) -> Self {
        let Some(rest) = path.strip_prefix(base_path) else { return Self::Nowhere };
        if rest == "/customers/bulk/csv" {
            return Self::Upload;
        }
        match rest.strip_prefix("/customers/bulk/jobs/") {
            Some(id) if !id.is_empty() && !id.contains('/') => {
                Self::Job(percent_decode_str(id).decode_utf8_lossy().into_owned())
            }
            Some(_) | None => Self::Nowhere,
        }
    }
}

/// Answers one request.
pub(crate) async fn answer(shared: &Shared, breaker: &Breaker, request: Request<Incoming>) -> Reply {
    let route = Route::of(request.uri().path(), &shared.base_path);
    let mut record = RequestRecord { at: shared.started.elapsed(), job: None, status: None };
    if let Route::Job(id) = &route {
        record.job = Some(id.as_str().into());
    }
    let verdict = match admit(shared, request.headers()) {
        Admission::Passed(verdict) => verdict,
        Admission::Refused(reply) => {
            record.status = Some(reply.status().as_u16());
            shared.log.record(record);
            return reply;
        }
    };
    let number = shared.requests.fetch_add(1, Ordering::Relaxed);
    let asked = Asked::of(&request, shared.gzip && accepts_gzip(request.headers()));
    let now = shared.now();
    let mut struck = struck(&shared.api_faults.load(), now, number);
    let outcome = match route {
        Route::Job(id) => answer_job(shared, &request, &id, now, &mut struck, &asked).await,
        Route::Upload | Route::Nowhere if !struck.is_empty() => {
            spoil(&struck, &asked, || problem(StatusCode::NOT_FOUND)).await
        }
        Route::Upload => Outcome::Answered(take_upload(shared, request).await),
        Route::Nowhere => {
            let message = "There is nothing at this path; see the OpenAPI description";
            Outcome::Answered(problem_with(StatusCode::NOT_FOUND, "REFERENCE_NOT_FOUND", message, None))
        }
    };
    finish(shared, breaker, verdict, record, outcome).await
}

/// Records the outcome and puts it on the wire.
async fn finish(
    shared: &Shared,
    breaker: &Breaker,
    verdict: Option<Verdict>,
    mut record: RequestRecord,
    outcome: Outcome,
) -> Reply {
    match outcome {
        Outcome::Answered(mut reply) => {
            record.status = Some(reply.status().as_u16());
            shared.log.record(record);
            if let Some(verdict) = verdict {
                verdict.append_headers(shared.clock.now(), reply.headers_mut());
            }
            reply
        }
        Outcome::Broken(breakage) => {
            shared.log.record(record);
            breaker.order(breakage);
            // Makes hyper write, and the socket break.
            json_reply(StatusCode::OK, SimBody::Whole("{}".into()))
        }
        Outcome::Hanging => {
            shared.log.record(record);
            // Until the client gives up or the simulator ends: either drops us.
            std::future::pending().await
        }
    }
}

/// Whether a request comes through credentials and limit.
enum Admission {
    Passed(Option<Verdict>),
    Refused(Reply),
}

/// Checks credentials and limit.
fn admit(shared: &Shared, headers: &HeaderMap) -> Admission {
    let authorization = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    if !shared.credentials.load().accept(authorization) {
        let mut reply = problem(StatusCode::UNAUTHORIZED);
        reply.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Grid\""));
        return Admission::Refused(reply);
    }
    let verdict = shared.throttle.take(Instant::now());
    match verdict {
        Some(verdict) if verdict.wait.is_some() => {
            let mut reply = problem(StatusCode::TOO_MANY_REQUESTS);
            verdict.append_headers(shared.clock.now(), reply.headers_mut());
            Admission::Refused(reply)
        }
        Some(_) | None => Admission::Passed(verdict),
    }
}

fn struck(faults: &[Fault], now: f64, request: u64) -> Vec<Fault> {
    faults.iter().filter(|fault| fault.strikes(now, request)).cloned().collect()
}

async fn answer_job(
    shared: &Shared,
    request: &Request<Incoming>,
    id: &str,
    now: f64,
    struck_by: &mut Vec<Fault>,
    asked: &Asked,
) -> Outcome {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Outcome::Answered(wrong_method("GET, HEAD"));
    }
    let Some(job) = shared.fleet.find(id, now) else {
        return if struck_by.is_empty() {
            Outcome::Answered(problem(StatusCode::NOT_FOUND))
        } else {
            spoil(struck_by, asked, || problem(StatusCode::NOT_FOUND)).await
        };
    };
    let number = job.requests.fetch_add(1, Ordering::Relaxed);
    struck_by.extend(struck(&job.faults.load(), now, number));
    if struck_by.is_empty() {
        return Outcome::Answered(true_answer(shared, &job, now, request.headers(), asked.gzip));
    }
    spoil(struck_by, asked, || {
        // The state is that at the end of the delays, as it would be at a slow server.
        let state = job.plan.state_at(shared.now());
        job_reply(shared, &job, state, struck_by)
    })
    .await
}

fn true_answer(shared: &Shared, job: &SimJob, now: f64, headers: &HeaderMap, gzip: bool) -> Reply {
    let state = job.plan.state_at(now);
    if !shared.etag {
        let reply = job_reply(shared, job, state, &[]);
        return if gzip { compress(reply) } else { reply };
    }
    let tag = format!("\"{}-{}-{}\"", state.status.as_str(), state.processed, state.failed);
    let seen = headers.get(IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
    let mut reply = if seen {
        let mut reply = Reply::new(SimBody::Whole(bytes::Bytes::new()));
        *reply.status_mut() = StatusCode::NOT_MODIFIED;
        reply
    } else {
        job_reply(shared, job, state, &[])
    };
    if let Ok(value) = HeaderValue::from_str(&tag) {
        reply.headers_mut().insert(ETAG, value);
    }
    if gzip && !seen { compress(reply) } else { reply }
}

fn job_reply(shared: &Shared, job: &SimJob, state: JobState, faults: &[Fault]) -> Reply {
    let completed_at = state.ended_at.map(|at| shared.wall_time(at));
    let answer = Answer::new(&job.id, &job.plan, state, completed_at, faults.iter());
    let body = if answer.is_short() {
        SimBody::Whole(answer.into_bytes())
    } else {
        SimBody::streamed(Box::new(answer.into_pieces()), Pace::Full)
    };
    json_reply(StatusCode::OK, body)
}

/// The same answer in gzip.
pub(crate) fn compress(reply: Reply) -> Reply {
    let mut reply = reply.map(SimBody::gzipped);
    reply.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    reply.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    reply
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
            let refused = parts.any(|part| {
                part.strip_prefix("q=").and_then(|q| q.parse::<f64>().ok()).is_some_and(|q| q <= 0.0)
            });
            named && !refused
        })
    })
}

async fn take_upload(shared: &Shared, request: Request<Incoming>) -> Reply {
    if request.method() != Method::POST {
        return wrong_method("POST");
    }
    match read_csv(request).await {
        Ok(summary) => {
            let id =
                shared.fleet.add_upload(upload::CsvSummary::course(&summary, shared.uploads, shared.now()));
            json_reply(StatusCode::ACCEPTED, accepted(&id))
        }
        Err(refusal) => refusal,
    }
}

fn wrong_method(allowed: &'static str) -> Reply {
    let mut reply = problem_with(
        StatusCode::METHOD_NOT_ALLOWED,
        "METHOD_NOT_ALLOWED",
        "This path takes other methods",
        None,
    );
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_only_where_it_is_asked_for() {
        let asks = |value: &'static str| {
            accepts_gzip(&HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(value))]))
        };
        assert!(
            asks("gzip")
                && asks("br, GZIP;q=0.5")
                && !asks("gzip;q=0")
                && !asks("identity")
                && !asks("xgzip")
        );
    }

    #[test]
    fn an_id_in_a_path_is_decoded() {
        let id = |path: &str| match Route::of(path, "/grid") {
            Route::Job(id) => Some(id),
            Route::Upload | Route::Nowhere => None,
        };
        assert_eq!(id("/grid/customers/bulk/jobs/Job%3Aa").as_deref(), Some("Job:a"));
        assert_eq!(id("/grid/customers/bulk/jobs/"), None);
        assert_eq!(id("/grid/customers/bulk/jobs/a/b"), None);
        assert_eq!(id("/other/customers/bulk/jobs/a"), None);
    }
}
