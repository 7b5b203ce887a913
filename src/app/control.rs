//! The one task that changes what the exporter does while it runs: it obeys reloads, takes in the lists of the sources
//! of jobs, answers the admin API, hears what webhooks tell, and lets jobs go that are over.
//!
//! One task, so that nothing about the set of jobs is locked, and no two changes of it overlap. `reload` is how it
//! loads the configuration anew.

use crate::app::deliveries::Deliveries;
use crate::app::discovery::Sources;
use crate::app::reload::ConfigSource;
use crate::app::service_manager::AliveRequest;
use crate::app::watched::WatchedJobs;
use crate::app::webhook::WebhookListener;
use crate::clock::{SharedClock, UnixTime};
use crate::config::GridConfig;
use crate::config::reload::ConfigFingerprint;
use crate::grid::ReadJob;
use crate::grid::client::GridClient;
use crate::storage::{Delivery, NotKept};
use crate::telemetry::own::OwnMetrics;
use crate::web::admin::{AdminRequest, NotDone};
use crate::web::reload::ReloadRequest;
use crate::web::webhook::{DeliveryRequest, Taken};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::error;

/// How often the file is looked at, where `--config.enable-auto-reload` is given.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often jobs that are over are looked for: a job may stay published for so much longer than `retention`.
pub(super) const EXPIRE_EVERY: Duration = Duration::from_secs(5);

/// Requests of the admin API, or deliveries, that are answered together: `/metrics` is rendered once for all of them.
const TOGETHER: usize = 256;

/// The task.
pub(super) struct Control {
    pub(super) source: Arc<dyn ConfigSource>,
    pub(super) requests: mpsc::Receiver<ReloadRequest>,
    pub(super) admin: mpsc::Receiver<AdminRequest>,
    /// Asks whether this task goes round.
    pub(super) alive: mpsc::Receiver<AliveRequest>,
    pub(super) heard: mpsc::Receiver<DeliveryRequest>,
    pub(super) deliveries: Deliveries,
    pub(super) webhook: WebhookListener,
    pub(super) jobs: WatchedJobs<GridClient>,
    pub(super) sources: Sources,
    pub(super) retention: Duration,
    pub(super) own: OwnMetrics,
    pub(super) clock: SharedClock,
    /// The API that is asked.
    pub(super) grid: GridConfig,
    /// The file's state when it was last loaded; nothing if its changes are not followed.
    pub(super) fingerprint: Option<ConfigFingerprint>,
}

impl Control {
    /// Obeys until `shutdown`.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut expire = interval(EXPIRE_EVERY);
        expire.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut asked, mut heard) = (Vec::new(), Vec::new());
        if !self.jobs.unsaved.is_empty() {
            // What the start let go of. Nobody waits for it: it is logged by the storage.
            let _told = self.jobs.keep().await;
        }
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(request) = self.requests.recv() => {
                    let result = self.reload().await;
                    // Whoever asked may have gone.
                    let _unheard = request.done.send(result);
                }
                _ = look.tick(), if self.fingerprint.is_some() => {
                    if self.has_changed() {
                        let _logged = self.reload().await;
                    }
                }
                update = self.sources.next() => {
                    let Some(update) = update else {
                        error!("a task that reads lists of jobs ended by itself");
                        return;
                    };
                    self.jobs.take(update).await;
                    self.jobs.show().await;
                }
                1.. = self.admin.recv_many(&mut asked, TOGETHER) => answer(&mut self.jobs, &mut asked).await,
                Some(done) = self.alive.recv() => { let _unheard = done.send(()); }
                1.. = self.heard.recv_many(&mut heard, TOGETHER) => {
                    hear(&mut self.jobs, &mut self.deliveries, &mut heard, self.clock.now()).await;
                }
                () = self.webhook.ended() => {
                    error!("the webhook's server ended by itself");
                    return;
                }
                _ = expire.tick() => {
                    if self.jobs.expire(self.clock.now(), self.retention).await {
                        // Nobody waits for it: it is logged by the storage, and written later.
                        let _told = self.jobs.keep().await;
                        self.jobs.show().await;
                    }
                }
            }
        }
        // Those who wait are told that it stops, and send again.
        drop((self.heard, heard));
        self.webhook.finish().await;
    }
}

/// An answer that is ready but for whether all is on disk.
type Later = Box<dyn FnOnce(&Result<(), NotKept>) + Send>;

/// Does what the admin API asks, and answers once it is on disk, where anything is kept, and `/metrics` shows it.
pub(super) async fn answer<R: ReadJob>(jobs: &mut WatchedJobs<R>, asked: &mut Vec<AdminRequest>) {
    let mut answers: Vec<Later> = Vec::new();
    for request in asked.drain(..) {
        match request {
            AdminRequest::Put { id, labels, done } => {
                let result = jobs.put(id, labels).await;
                answers.push(later(done, result.map_err(NotDone::Refused)));
            }
            AdminRequest::Delete { id, done } => {
                let result = jobs.delete(&id).await;
                answers.push(later(done, result.map_err(NotDone::Refused)));
            }
        }
    }
    let kept = jobs.keep().await;
    jobs.show().await;
    for answer in answers {
        answer(&kept);
    }
}

/// Takes in what webhooks told, and answers once it is on disk, where anything is kept, and `/metrics` shows it. A
/// delivery counts as seen only once it was acted on: what is refused for now comes again.
pub(super) async fn hear<R: ReadJob>(
    jobs: &mut WatchedJobs<R>,
    deliveries: &mut Deliveries,
    heard: &mut Vec<DeliveryRequest>,
    now: UnixTime,
) {
    let stored = jobs.deliveries_seen(heard.iter().map(|request| &*request.ended.delivery)).await;
    let (mut answers, mut taken) = (Vec::new(), Vec::new());
    for (DeliveryRequest { ended, done }, is_stored) in heard.drain(..).zip(stored) {
        let result = if is_stored || deliveries.is_known(&ended.delivery) {
            Ok(Taken::Before)
        } else {
            let delivery = ended.delivery.clone();
            let heard = jobs.hear(ended).await;
            heard.map(|()| {
                deliveries.remember(&delivery);
                taken.push(Delivery { id: delivery.into(), at: now });
                Taken::Now
            })
        };
        answers.push(later(done, result.map_err(NotDone::Refused)));
    }
    let kept = jobs.keep_with(taken.clone()).await;
    if kept.is_err() {
        // They are told to come again, and must not be taken for repeated ones then.
        for delivery in &taken {
            deliveries.forget(&delivery.id);
        }
    }
    jobs.show().await;
    for answer in answers {
        answer(&kept);
    }
}

/// Sends an answer when it is called with whether all is on disk. Whoever asked may have gone.
fn later<T: Send + 'static, E: Send + 'static>(
    done: oneshot::Sender<Result<T, NotDone<E>>>,
    result: Result<T, NotDone<E>>,
) -> Later {
    Box::new(move |kept| {
        let result = match (result, kept) {
            (Ok(_), Err(why)) => Err(NotDone::NotKept(why.to_string())),
            (result, _) => result,
        };
        let _unheard = done.send(result);
    })
}
