//! The web server: metrics, status page, JSON API, health.
//!
//! Called by `app`. It sends nothing to the Grid API and changes nothing: it reads the exposition and the store, asks
//! the app for a reload, or for jobs to join and leave, and the poller for a poll now. `listen` binds addresses,
//! `server` accepts connections, `connections` bounds them, `stall` breaks those that don't read, `wire` those whose
//! requests can be read in two ways, `door` asks for users and certificates, `scrapes` bounds scrapes and `held` what
//! answers under way hold, `routes` is the table of endpoints, `respond` makes responses; each endpoint has a file of
//! its own. `webhook` is what a second server answers, on a port of its own.

pub mod admin;
mod connections;
pub mod door;
mod filter;
pub mod health;
mod held;
pub mod jobs;
pub mod listen;
pub mod metrics;
pub mod page;
pub mod probe;
pub mod problem;
pub mod reload;
pub mod respond;
pub mod routes;
mod scrapes;
pub mod sd;
pub mod server;
mod stall;
#[cfg(test)]
mod tests;
pub mod webhook;
mod wire;

use crate::clock::SharedClock;
use crate::config::WebOptions;
use crate::exposition::Exposition;
use crate::job::{JobId, Shard};
use crate::poller::ProbeHandle;
use crate::store::Store;
use crate::web::admin::AdminRequest;
use crate::web::door::Door;
use crate::web::reload::ReloadRequest;
use prometheus::IntGauge;
use std::sync::Arc;
use tokio::sync::{Mutex, Semaphore, mpsc, watch};

/// What the endpoints read and whom they ask.
pub struct Web {
    /// Paths and limits.
    pub options: WebOptions,
    /// Whose jobs are watched, of a fleet.
    pub shard: Shard,
    /// The bytes of the metrics.
    pub exposition: Arc<Exposition>,
    /// The jobs' states.
    pub store: Store,
    /// True once the exporter is ready.
    pub readiness: watch::Receiver<bool>,
    /// Asks for a reload of the configuration.
    pub reload: mpsc::Sender<ReloadRequest>,
    /// Asks for jobs to join and leave.
    pub admin: mpsc::Sender<AdminRequest>,
    /// Asks the poller for a poll now.
    pub probe: ProbeHandle,
    /// Held by whoever makes a page: one at a time.
    pub pages: Mutex<()>,
    /// Open connections.
    pub connections: IntGauge,
    /// The web configuration file at work; nothing if there is none.
    pub door: Option<Arc<Door>>,
    /// For the ages on the page.
    pub clock: SharedClock,
    /// Places for scrapes; nothing if they are not limited.
    pub scrapes: Option<Arc<Semaphore>>,
}

impl Web {
    /// Where a job is watched, in words and as a number, if another shard does.
    #[must_use]
    pub fn elsewhere(&self, id: &JobId) -> Option<(String, u32)> {
        let owner = self.shard.other_owner(id)?;
        let (shard, total) = (self.shard, self.shard.total());
        Some((
            format!("{id} is watched by shard {owner} of {total}, and this is {shard}; ask that one."),
            owner,
        ))
    }

    /// A path of ours as a browser must ask for it: below the path of `--web.external-url`, since a proxy may serve
    /// us under another one than the route prefix; without that flag below the route prefix.
    #[must_use]
    pub fn link(&self, path: &str) -> String {
        let external = self.options.external_url.as_ref().map(|url| url.path().trim_end_matches('/'));
        format!("{}{path}", external.unwrap_or(&self.options.route_prefix))
    }
}
