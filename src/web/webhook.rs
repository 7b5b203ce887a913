//! `POST` of the webhook's path: takes Grid's deliveries in, on a listener of its own that serves nothing else.
//!
//! Whoever reaches the port may send what he likes, so everything is bounded: deliveries at once, bytes, the time of
//! a body and between two pieces of it. A body is hashed and read as it comes (`grid::webhook`); only one that is signed
//! well reaches the app, and is answered once `/metrics` shows what it told. What can't be taken at the moment gets 503:
//! Grid sends it again. Content type is not looked at, as the signature says more; an encoding is refused, since the
//! signature is that of the body as it was sent.

use crate::catalog::LimitReached;
use crate::grid::webhook::{Delivery, EndedJob, Incoming as Webhook, KeyFiles, Refusal};
use crate::job::Shard;
use crate::telemetry::webhooks::{WebhookMetrics, WebhookOutcome};
use crate::tls::server::TlsServer;
use crate::web::Web;
use crate::web::admin::NotDone;
use crate::web::respond::{self, Response};
use crate::web::server::Service;
use arc_swap::ArcSwap;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use prometheus::IntGauge;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{debug, warn};

/// Deliveries under way at once; more are told to come again. Each costs some ten kilobytes.
const AT_ONCE: usize = 1024;

/// A delivery that is signed well waits so long for the app, which may be busy with a reload.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bad signatures are logged at most this often.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// A job's end that a webhook told, and where the answer goes once `/metrics` shows it.
#[derive(Debug)]
pub struct DeliveryRequest {
    /// What was told.
    pub ended: EndedJob,
    /// Takes the answer.
    pub done: oneshot::Sender<Result<Taken, NotDone<LimitReached>>>,
}

/// What the app did with a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was acted on, and is remembered.
    Now,
    /// It was acted on before.
    Before,
}

/// How deliveries are taken in; replaced by a reload.
#[derive(Debug)]
pub struct WebhookSettings {
    /// Where they are posted to.
    pub path: String,
    /// One of these must have signed them.
    pub keys: Arc<KeyFiles>,
    /// TLS, if it is spoken.
    pub tls: Option<Arc<TlsServer>>,
    /// The most bytes of a body.
    pub max_bytes: u64,
    /// Between two pieces of a body.
    pub read_idle_timeout: Duration,
    /// For a whole body.
    pub max_duration: Duration,
    /// Error codes told apart in a body.
    pub error_codes: usize,
}

/// What the webhook's server answers.
#[derive(Debug)]
pub struct Webhooks {
    settings: ArcSwap<WebhookSettings>,
    shard: Shard,
    deliveries: mpsc::Sender<DeliveryRequest>,
    metrics: WebhookMetrics,
    connections: IntGauge,
    places: Semaphore,
    refused: Mutex<Refused>,
}

/// Bad signatures that were not logged yet.
#[derive(Debug, Default)]
struct Refused {
    count: u64,
    logged: Option<Instant>,
}

/// An answer, and what is counted; nothing for what is to come again.
type Verdict = (Option<WebhookOutcome>, Response);

impl Webhooks {
    /// Hands what is signed well and about this shard's jobs to `deliveries`.
    #[must_use]
    pub fn new(
        settings: WebhookSettings,
        shard: Shard,
        deliveries: mpsc::Sender<DeliveryRequest>,
        metrics: WebhookMetrics,
        connections: IntGauge,
    ) -> Self {
        metrics.configured();
        Self {
            settings: ArcSwap::from_pointee(settings),
            shard,
            deliveries,
            metrics,
            connections,
            places: Semaphore::new(AT_ONCE),
            refused: Mutex::default(),
        }
    }

    /// TLS of the next connection.
    #[must_use]
    pub fn tls(&self) -> Option<Arc<TlsServer>> {
        self.settings.load().tls.clone()
    }

    /// Deliveries that come from now on are taken in by these settings.
    pub fn set_up(&self, settings: WebhookSettings) {
        self.settings.store(Arc::new(settings));
    }

    async fn take(&self, settings: &WebhookSettings, request: Request<Incoming>, peer: IpAddr) -> Verdict {
        let Ok(_place) = self.places.try_acquire() else {
            return again("Too many deliveries at once; send it again later.");
        };
        if is_encoded(request.headers()) {
            let line = "The body must come as it was signed, without Content-Encoding.";
            return (Some(WebhookOutcome::BadBody), respond::words(StatusCode::UNSUPPORTED_MEDIA_TYPE, line));
        }
        let mut webhook = Webhook::new(request.headers(), settings.error_codes);
        if let Err(response) = read_body(settings, request.into_body(), &mut webhook).await {
            return (Some(WebhookOutcome::BadBody), response);
        }
        match webhook.finish(&settings.keys.current()) {
            Ok(Delivery::Other) => (
                Some(WebhookOutcome::Ignored),
                respond::words(StatusCode::OK, "Nothing that is watched here."),
            ),
            // Anything but 2xx or 409 is sent again for 7 days. The job's own shard finds the end by polling. It is not
            // remembered: should it come again once the fleet has another size, it may be ours.
            Ok(Delivery::Ended(ended)) if !self.shard.owns(&ended.job) => {
                let line = "Another shard watches the job.";
                (Some(WebhookOutcome::OtherShard), respond::words(StatusCode::OK, line))
            }
            Ok(Delivery::Ended(ended)) => self.hand_on(ended).await,
            Err(Refusal::Signature) => {
                self.note_refused(peer);
                let line = "The signature is missing or not good.";
                (Some(WebhookOutcome::BadSignature), respond::words(StatusCode::UNAUTHORIZED, line))
            }
            Err(Refusal::Body(error)) => {
                warn!(%peer, %error, "a webhook is signed well, but not understood: {error}");
                let line = format!("Signed well, but not a webhook: {error}.");
                (Some(WebhookOutcome::BadBody), respond::words(StatusCode::BAD_REQUEST, &line))
            }
        }
    }

    /// Gives a job's end to the app and waits until it shows.
    async fn hand_on(&self, ended: EndedJob) -> Verdict {
        let (done, result) = oneshot::channel();
        let acting = async {
            self.deliveries.send(DeliveryRequest { ended, done }).await.ok()?;
            result.await.ok()
        };
        match timeout(PATIENCE, acting).await {
            Ok(Some(Ok(Taken::Now))) => {
                (Some(WebhookOutcome::Accepted), respond::words(StatusCode::OK, "Taken in."))
            }
            Ok(Some(Ok(Taken::Before))) => {
                // Grid sends again until 2xx or 409, which tells it that we had this delivery before.
                let line = "This delivery was taken in before.";
                (Some(WebhookOutcome::Duplicate), respond::words(StatusCode::CONFLICT, line))
            }
            Ok(Some(Err(NotDone::NotKept(why)))) => again(&format!(
                "It could not be written to disk, so a restart would forget it: {why}. Send it again later."
            )),
            Ok(Some(Err(NotDone::Refused(LimitReached { limit })))) => again(&format!(
                "The job is not watched: {limit} jobs are, which is limits.jobs. Send it again later."
            )),
            Ok(None) => again("grid-bulk-exporter is stopping; send it again later."),
            Err(_elapsed) => again("grid-bulk-exporter is busy; send it again later."),
        }
    }

    /// Logs a bad signature, but not each one: whoever reaches the port could fill the disk.
    fn note_refused(&self, peer: IpAddr) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.count += 1;
        if refused.logged.is_none_or(|logged| logged.elapsed() >= LOG_EVERY) {
            let count = std::mem::take(&mut refused.count);
            refused.logged = Some(Instant::now());
            drop(refused);
            warn!(%peer, count, "a webhook has no good signature: {count} since this was logged last, this one from {peer}");
        }
    }
}

impl Service for Webhooks {
    fn tls(&self) -> (Option<Arc<TlsServer>>, bool) {
        (self.settings.load().tls.clone(), true)
    }

    fn web(&self) -> Option<&Web> {
        None
    }

    async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Response {
        let settings = self.settings.load_full();
        if request.uri().path() != settings.path {
            return respond::words(StatusCode::NOT_FOUND, "There is nothing here.");
        }
        if request.method() != Method::POST {
            return respond::method_not_allowed(request.method(), "POST");
        }
        let (outcome, response) = self.take(&settings, request, peer).await;
        if let Some(outcome) = outcome {
            self.metrics.count(outcome);
        }
        let (outcome, status) = (outcome.map(WebhookOutcome::as_str), response.status().as_u16());
        debug!(%peer, outcome, status, "a webhook was answered");
        response
    }

    fn connections(&self) -> &IntGauge {
        &self.connections
    }
}

/// 503: Grid sends it again, for up to 7 days.
fn again(line: &str) -> Verdict {
    (None, respond::words(StatusCode::SERVICE_UNAVAILABLE, line))
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Takes the body to its end, or tells what to answer instead.
async fn read_body(
    settings: &WebhookSettings,
    mut body: Incoming,
    webhook: &mut Webhook,
) -> Result<(), Response> {
    let deadline = Instant::now() + settings.max_duration;
    let mut length: u64 = 0;
    let too_large = || {
        let line = format!("The body is larger than {} bytes.", settings.max_bytes);
        respond::words(StatusCode::PAYLOAD_TOO_LARGE, &line)
    };
    if body.size_hint().lower() > settings.max_bytes {
        return Err(too_large());
    }
    loop {
        let idle_end = Instant::now() + settings.read_idle_timeout;
        let frame = match timeout_at(idle_end.min(deadline), body.frame()).await {
            Ok(None) => return Ok(()),
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_))) => {
                return Err(respond::words(StatusCode::BAD_REQUEST, "The body did not come whole."));
            }
            Err(_elapsed) => {
                return Err(respond::words(StatusCode::REQUEST_TIMEOUT, "The body did not come in time."));
            }
        };
        let Ok(piece) = frame.into_data() else { continue };
        length = length.saturating_add(piece.len() as u64);
        if length > settings.max_bytes {
            return Err(too_large());
        }
        webhook.feed(&piece);
        // A body that is always there at once must not keep others from running.
        tokio::task::consume_budget().await;
    }
}
