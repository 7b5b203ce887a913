//! The storage as the rest of the exporter sees it: asks the keeper, and waits until what was asked is on disk.

use crate::storage::claims::{ClaimChange, Delivery};
use tokio::sync::{mpsc, oneshot};

/// Why something is not on disk, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotKept(pub String);

/// What the keeper is asked.
#[derive(Debug)]
pub(super) enum Request {
    /// Keep these, and all that the store has.
    Keep { claims: Vec<ClaimChange>, deliveries: Vec<Delivery>, done: oneshot::Sender<Result<(), NotKept>> },
    /// Tell which deliveries were taken before.
    Seen { ids: Vec<String>, done: oneshot::Sender<Vec<bool>> },
}

/// Has things written.
#[derive(Clone, Debug)]
pub struct Storage {
    pub(super) requests: mpsc::Sender<Request>,
}

impl Storage {
    /// Keeps these, and all that the store has until now, in one transaction. It is on disk when this returns.
    ///
    /// With `--storage.on-error=memory` a storage that fails is no error: then it is in memory alone.
    pub async fn keep(&self, claims: Vec<ClaimChange>, deliveries: Vec<Delivery>) -> Result<(), NotKept> {
        let stopping = || NotKept("the exporter is stopping".to_owned());
        let (done, result) = oneshot::channel();
        self.requests.send(Request::Keep { claims, deliveries, done }).await.map_err(|_| stopping())?;
        result.await.map_err(|_| stopping())?
    }

    /// For each of these deliveries whether it was taken within the last 8 days.
    pub async fn deliveries_seen(&self, ids: Vec<String>) -> Vec<bool> {
        let unknown = vec![false; ids.len()];
        let (done, result) = oneshot::channel();
        if self.requests.send(Request::Seen { ids, done }).await.is_err() {
            return unknown;
        }
        result.await.unwrap_or(unknown)
    }
}
