//! Changing a running simulator, and asking what was asked of it: for tests and the demo.

use crate::secret::Secret;
use crate::sim::course::JobState;
use crate::sim::credentials::Credentials;
use crate::sim::fault::Fault;
use crate::sim::fleet::SimJobSpec;
use crate::sim::requests::Requests;
use crate::sim::service::Shared;
use crate::sim::throttle::RateLimit;
use crate::sim::webhook::{WebhookRecord, WebhookTarget};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::broadcast;

/// Changes a running simulator; cheap to clone.
#[derive(Clone)]
pub struct SimHandle {
    pub(crate) shared: Arc<Shared>,
}

impl SimHandle {
    /// The base URL for clients of a listener at this address.
    #[must_use]
    pub fn base_url(&self, address: SocketAddr) -> String {
        format!("http://{address}{}", self.shared.base_path)
    }

    /// Simulated seconds since the start.
    #[must_use]
    pub fn now(&self) -> f64 {
        self.shared.now()
    }

    /// Adds a job, or puts it in another's place.
    pub fn add_job(&self, spec: SimJobSpec) {
        self.shared.fleet.add(spec);
    }

    /// Takes a job away, so that the API answers 404; false if there was none.
    #[must_use = "false says that the job did not exist"]
    pub fn remove_job(&self, id: &str) -> bool {
        self.shared.fleet.remove(id)
    }

    /// Ids of all jobs that the API knows, sorted.
    #[must_use]
    pub fn job_ids(&self) -> Vec<String> {
        self.shared.fleet.ids()
    }

    /// The true state of a job now, whatever its faults say; nothing if there is no such job.
    #[must_use]
    pub fn state(&self, id: &str) -> Option<JobState> {
        let now = self.now();
        self.shared.fleet.find(id, now).map(|job| job.plan.state_at(now))
    }

    /// Gives a job these faults in place of all it had; false if there is no such job.
    #[must_use = "false says that the job does not exist"]
    pub fn set_faults(&self, id: &str, faults: Vec<Fault>) -> bool {
        let Some(job) = self.shared.fleet.find(id, self.now()) else { return false };
        job.faults.store(Arc::new(faults));
        true
    }

    /// Gives a job this one fault, or heals it; false if there is no such job.
    #[must_use = "false says that the job does not exist"]
    pub fn set_fault(&self, id: &str, fault: Option<Fault>) -> bool {
        self.set_faults(id, fault.into_iter().collect())
    }

    /// Gives every request these faults, in place of those of before.
    pub fn set_api_faults(&self, faults: Vec<Fault>) {
        self.shared.api_faults.store(Arc::new(faults));
    }

    /// Takes other credentials from now on, and no longer those of before.
    pub fn set_credentials(&self, client_id: &str, client_secret: &Secret) {
        self.shared.credentials.store(Arc::new(Credentials::new(client_id, client_secret)));
    }

    /// Sends webhooks there from now on, at the end of each job that has not sent one.
    pub fn set_webhook(&self, target: WebhookTarget) {
        self.shared.webhook.store(Some(Arc::new(target)));
    }

    /// Every attempt to send a webhook from now on. The oldest are dropped if they are not read.
    #[must_use]
    pub fn webhook_records(&self) -> broadcast::Receiver<WebhookRecord> {
        self.shared.webhook_records.subscribe()
    }

    /// Sets or lifts the limit of requests a second.
    pub fn set_rate_limit(&self, limit: Option<RateLimit>) {
        self.shared.throttle.set(limit);
    }

    /// What was asked so far.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.shared.log.snapshot()
    }

    /// How many requests there were for one job (credentials accepted, not throttled); 0 if there is no such job.
    #[must_use]
    pub fn requests_of(&self, id: &str) -> u64 {
        self.shared.fleet.find(id, self.now()).map_or(0, |job| job.requests.load(Ordering::Relaxed))
    }

    /// Forgets what was asked: [`SimHandle::requests`] begins anew.
    pub fn clear_requests(&self) {
        self.shared.log.clear();
    }
}
