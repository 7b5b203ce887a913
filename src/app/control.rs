//! The one task that changes what the exporter does while it runs: it obeys reloads, takes in the lists of the sources
//! of jobs, answers the admin API, and lets jobs go that are over.
//!
//! One task, so that nothing about the set of jobs is locked, and no two changes of it overlap. `reload` is how it
//! loads the configuration anew.

use crate::app::discovery::Sources;
use crate::app::reload::ConfigSource;
use crate::app::service_manager::AliveRequest;
use crate::app::watched::WatchedJobs;
use crate::clock::SharedClock;
use crate::config::GridConfig;
use crate::config::reload::ConfigFingerprint;
use crate::grid::ReadJob;
use crate::grid::client::GridClient;
use crate::telemetry::own::OwnMetrics;
use crate::web::admin::AdminRequest;
use crate::web::reload::ReloadRequest;
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

/// Requests of the admin API that are answered together: `/metrics` is rendered once for all of them.
const TOGETHER: usize = 256;

/// The task.
pub(super) struct Control {
    pub(super) source: Arc<dyn ConfigSource>,
    pub(super) requests: mpsc::Receiver<ReloadRequest>,
    pub(super) admin: mpsc::Receiver<AdminRequest>,
    /// Asks whether this task goes round.
    pub(super) alive: mpsc::Receiver<AliveRequest>,
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
        let mut asked = Vec::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
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
                _ = expire.tick() => {
                    if self.jobs.expire(self.clock.now(), self.retention).await {
                        self.jobs.show().await;
                    }
                }
            }
        }
    }
}

/// Does what the admin API asks, and answers once `/metrics` shows it.
pub(super) async fn answer<R: ReadJob>(jobs: &mut WatchedJobs<R>, asked: &mut Vec<AdminRequest>) {
    let mut answers: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
    for request in asked.drain(..) {
        match request {
            AdminRequest::Put { id, labels, done } => {
                let result = jobs.put(id, labels).await;
                answers.push(later(done, result));
            }
            AdminRequest::Delete { id, done } => {
                let result = jobs.delete(&id).await;
                answers.push(later(done, result));
            }
        }
    }
    jobs.show().await;
    for answer in answers {
        answer();
    }
}

/// Sends an answer when it is called. Whoever asked may have gone.
fn later<T: Send + 'static>(done: oneshot::Sender<T>, result: T) -> Box<dyn FnOnce() + Send> {
    Box::new(move || {
        let _unheard = done.send(result);
    })
}
