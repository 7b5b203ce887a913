//! Webhooks as Grid sends them: one at each job's end, signed, and again until it is taken.
//!
//! Started by `server` beside the API. Jobs that ended before the simulator began send none. `signer` has the key pair,
//! `post` sends. A webhook is sent again at the simulated pace: after 1 s, then twice as long each time, 30 minutes at
//! most, for 7 days; 2xx and 409 end that.

mod post;
mod signer;

pub use signer::{SignatureForm, WebhookSigner};

use crate::job::Status;
use crate::sim::answer::{Answer, rfc3339};
use crate::sim::fault::{Fault, FaultKind, Oddity};
use crate::sim::fleet::SimJob;
use crate::sim::seed::{fraction, mix};
use crate::sim::service::Shared;
use bytes::Bytes;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

/// Ends of jobs are looked for so often, in real time.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Webhooks on their way at once.
const AT_ONCE: usize = 64;

/// The longest wait between two attempts, in simulated seconds.
const LONGEST_WAIT: f64 = 1800.0;

/// No more attempts after so many simulated seconds.
const GIVE_UP_AFTER: f64 = 7.0 * 86_400.0;

/// Where webhooks go, and who signs them.
#[derive(Clone, Debug)]
pub struct WebhookTarget {
    /// `http://`, host, port, path.
    pub url: Url,
    /// The key pair.
    pub signer: WebhookSigner,
}

/// How webhooks are sent (`webhooks:` of a scenario).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WebhookPlan {
    /// The form of the signature's header.
    pub form: SignatureForm,
    /// The share of webhooks whose first attempt another key signed.
    pub bad_signature: f64,
    /// The share whose first attempt's body was changed after it was signed.
    pub tampered: f64,
    /// The share that is sent once more although it was taken.
    pub duplicate: f64,
}

/// One attempt to send a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookRecord {
    /// The delivery's id, the same for each attempt.
    pub delivery: Arc<str>,
    /// The job that ended.
    pub job: Arc<str>,
    /// Which attempt, 1 for the first.
    pub attempt: u32,
    /// The answer's status, or why there was none.
    pub outcome: Result<u16, String>,
}

/// Sends a webhook at each job's end, until `shutdown`.
pub(crate) async fn send_all(shared: Arc<Shared>, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut sending = JoinSet::new();
    let mut known = None;
    let mut sent: HashSet<Arc<str>> = HashSet::new();
    // By the time of their end, the first one last.
    let mut to_come: Vec<(f64, Arc<SimJob>)> = Vec::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            Some(_) = sending.join_next(), if !sending.is_empty() => continue,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let Some(target) = shared.webhook.load_full() else { continue };
        let changes = shared.fleet.changes();
        if known != Some(changes) {
            known = Some(changes);
            let jobs = shared.fleet.ends();
            let present: HashSet<_> = jobs.iter().map(|(_, job)| Arc::clone(&job.id)).collect();
            sent.retain(|id| present.contains(id));
            to_come = jobs.into_iter().filter(|(end, job)| *end >= 0.0 && !sent.contains(&job.id)).collect();
            to_come.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        }
        while let Some((_, job)) = to_come.pop_if(|(end, _)| *end <= shared.now()) {
            sent.insert(Arc::clone(&job.id));
            sending.spawn(deliver(Arc::clone(&shared), Arc::clone(&target), job, Arc::clone(&places)));
        }
    }
}

/// Sends one webhook until it is taken.
async fn deliver(shared: Arc<Shared>, target: Arc<WebhookTarget>, job: Arc<SimJob>, places: Arc<Semaphore>) {
    let plan = shared.webhooks;
    let seed = job.plan.job_seed();
    let strikes = |what: u64, share: f64| fraction(&[seed, what]) < share;
    let delivery: Arc<str> = format!("Webhook:0195{:012x}", mix(&[seed, 0x3eb]) & 0xffff_ffff_ffff).into();
    let body = event(&shared, &job, &delivery);
    let began = shared.now();
    let mut wait: f64 = 1.0;
    let mut attempt = 1;
    let mut once_more = strikes(1, plan.duplicate);
    while shared.now() - began < GIVE_UP_AFTER {
        let is_first = attempt == 1;
        let other_key = is_first && strikes(2, plan.bad_signature);
        let tampered = is_first && !other_key && strikes(3, plan.tampered);
        let signature =
            if other_key { WebhookSigner::generate().sign(&body) } else { target.signer.sign(&body) };
        let header = plan.form.header(&signature, attempt);
        let sent = if tampered { tamper(&body) } else { body.clone() };
        let outcome = {
            // Never closed, so the permit always comes.
            let _place = places.acquire().await.ok();
            post::post(&target.url, &header, sent).await
        };
        let is_taken = matches!(outcome, Ok(200..=299 | 409));
        let record =
            WebhookRecord { delivery: Arc::clone(&delivery), job: Arc::clone(&job.id), attempt, outcome };
        // An error means that nobody listens.
        let _unheard = shared.webhook_records.send(record);
        attempt += 1;
        if is_taken {
            if !std::mem::take(&mut once_more) {
                return;
            }
            continue;
        }
        let pause = Duration::try_from_secs_f64(wait / shared.speed()).unwrap_or(Duration::MAX);
        tokio::time::sleep(pause).await;
        wait = (wait * 2.0).min(LONGEST_WAIT);
    }
}

/// The webhook's body. Built whole, however many rows failed: the signature is that of all of it.
fn event(shared: &Shared, job: &SimJob, delivery: &str) -> Bytes {
    let state = job.plan.state_at(shared.now());
    let completed_at = state.ended_at.map(|at| shared.wall_time(at));
    // As the API's own example of a webhook has them.
    let nested = Fault::always(FaultKind::Oddity(Oddity::NestedEntries));
    let data = Answer::new(&job.id, &job.plan, state, completed_at, std::iter::once(&nested)).into_bytes();
    let kind = if state.status == Status::Failed { "FAILED" } else { "COMPLETED" };
    let timestamp = rfc3339(shared.wall_time(shared.now()));
    let head =
        format!(r#"{{"id":"{delivery}","type":"BULK_UPLOAD.{kind}","timestamp":"{timestamp}","data":"#);
    [head.as_bytes(), &data, b"}"].concat().into()
}

/// The body with a digit that is another one.
fn tamper(body: &Bytes) -> Bytes {
    let mut changed = body.to_vec();
    if let Some(digit) = changed.iter_mut().rev().find(|byte| byte.is_ascii_digit()) {
        *digit = if *digit == b'9' { b'0' } else { *digit + 1 };
    }
    changed.into()
}
