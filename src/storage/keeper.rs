//! The task that writes: what changed within half a second in one transaction, and at once what is to be acknowledged.
//!
//! The handle is [`Storage`]. While the storage fails, the exporter goes on in memory, and from time to time the file is
//! opened anew, checked, and the whole written in place of what was there: memory knows all that the file knew. The row
//! counters that are shown stand still meanwhile, since a restart could not bring them back.

use crate::job::JobId;
use crate::storage::claims::{Claim, ClaimChange, Delivery, code};
use crate::storage::error::StorageError;
use crate::storage::file::Folder;
use crate::storage::handle::{NotKept, Request, Storage};
use crate::storage::identity::Identity;
use crate::storage::thread::DatabaseThread;
use crate::storage::write::{self, Batch};
use crate::storage::{OnError, read};
use crate::store::Store;
use crate::telemetry::own::StorageMetrics;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// Changes are gathered for so long before they are written. With the writing itself a crash loses less than a second.
const GATHER: Duration = Duration::from_millis(500);

/// A storage that failed is tried again after this, then after twice as long each time, ...
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// ... but at least so often.
const TRY_AT_LEAST: Duration = Duration::from_secs(60);

/// Requests that are answered by one transaction.
const TOGETHER: usize = 1024;

/// Deliveries that are remembered in memory while the storage fails.
const REMEMBERED: usize = 10_000;

/// The task.
#[derive(Debug)]
pub struct Keeper {
    thread: DatabaseThread,
    folder: Arc<Folder>,
    store: Store,
    requests: mpsc::Receiver<Request>,
    /// All that are to be kept, by job and source.
    claims: BTreeMap<(JobId, &'static str), Claim>,
    /// Taken while the storage failed, oldest first.
    deliveries: VecDeque<Delivery>,
    identity: Identity,
    on_error: OnError,
    metrics: StorageMetrics,
    /// Nothing while it works.
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    why: NotKept,
    /// When it is tried again.
    at: Instant,
    /// How long that was waited for.
    waited: Duration,
}

impl Keeper {
    pub(super) fn new(
        thread: DatabaseThread,
        folder: Arc<Folder>,
        store: Store,
        claims: &[Claim],
        identity: Identity,
        on_error: OnError,
        metrics: StorageMetrics,
    ) -> (Storage, Self) {
        let (sender, requests) = mpsc::channel(TOGETHER);
        let claims = claims.iter().map(|claim| (key(claim), claim.clone())).collect();
        let deliveries = VecDeque::new();
        let keeper = Self {
            thread,
            folder,
            store,
            requests,
            claims,
            deliveries,
            identity,
            on_error,
            metrics,
            failing: None,
        };
        (Storage { requests: sender }, keeper)
    }

    /// Writes until `shutdown`; then what is left, and closes the file.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut due: Option<Instant> = None;
        let mut asked = Vec::new();
        loop {
            let save_at = due.unwrap_or_else(Instant::now);
            let try_at = self.failing.as_ref().map(|failing| failing.at);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                1.. = self.requests.recv_many(&mut asked, TOGETHER) => {
                    due = None;
                    self.answer(&mut asked).await;
                }
                () = sleep_until(save_at), if due.is_some() => {
                    due = None;
                    let _told = self.save(Vec::new(), Vec::new()).await;
                }
                () = sleep_until(try_at.unwrap_or(save_at)), if try_at.is_some() => self.try_again().await,
                () = self.store.has_unsaved(), if due.is_none() => due = Some(Instant::now() + GATHER),
            }
        }
        self.requests.close();
        while let Ok(request) = self.requests.try_recv() {
            asked.push(request);
        }
        self.answer(&mut asked).await;
        let _told = self.save(Vec::new(), Vec::new()).await;
        let closed = self.thread.run(|open| {
            open.take().map_or(Ok(()), |open| {
                let faults = open.faults.clone();
                open.database.close().map_err(|error| faults.of("written", error))
            })
        });
        if let Err(fault) = closed.await {
            error!("{fault}");
        }
    }

    /// Does what was asked, all of it by one transaction.
    async fn answer(&mut self, asked: &mut Vec<Request>) {
        let (mut claims, mut deliveries, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        for request in asked.drain(..) {
            match request {
                Request::Keep { claims: more, deliveries: taken, done } => {
                    claims.extend(more);
                    deliveries.extend(taken);
                    waiting.push(done);
                }
                Request::Seen { ids, done } => {
                    let seen = self.seen(ids).await;
                    let _unheard = done.send(seen);
                }
            }
        }
        if waiting.is_empty() {
            return;
        }
        let result = self.save(claims, deliveries).await;
        for done in waiting {
            // Whoever asked may have gone.
            let _unheard = done.send(result.clone());
        }
    }

    /// Writes what the store has, and these.
    async fn save(&mut self, claims: Vec<ClaimChange>, deliveries: Vec<Delivery>) -> Result<(), NotKept> {
        self.take_claims(&claims);
        // Taken even if it can't be written, so that it does not pile up: later the whole is written.
        let unsaved = self.store.take_unsaved();
        if let Some(failing) = &self.failing {
            let fault = failing.why.clone();
            return self.in_memory(fault, deliveries);
        }
        if unsaved.is_none() && claims.is_empty() && deliveries.is_empty() {
            return Ok(());
        }
        let totals = unsaved.as_ref().map(|unsaved| unsaved.totals);
        let batch = Arc::new(Batch { unsaved, claims, deliveries });
        let written = Arc::clone(&batch);
        let result = self.thread.run(move |open| {
            let open = open.as_ref().ok_or_else(|| StorageError::Thread("its file is closed".to_owned()))?;
            write::batch(open, &written)
        });
        match result.await {
            Ok(()) => {
                if let Some(totals) = totals {
                    self.store.saved(totals);
                }
                Ok(())
            }
            Err(fault) => {
                let fault = self.fails(&fault);
                let deliveries = Arc::into_inner(batch).map(|batch| batch.deliveries).unwrap_or_default();
                self.in_memory(fault, deliveries)
            }
        }
    }

    fn take_claims(&mut self, changes: &[ClaimChange]) {
        for change in changes {
            match change {
                ClaimChange::Named(claim) => {
                    self.claims.insert(key(claim), claim.clone());
                }
                ClaimChange::Withdrawn { id, source } => {
                    self.claims.remove(&(id.clone(), code(*source)));
                }
            }
        }
    }

    /// The storage fails from now on.
    fn fails(&mut self, fault: &StorageError) -> NotKept {
        self.metrics.show(false);
        error!(
            "{fault}; from now on what is learnt is in memory alone, until it can be written again, which is tried from time to time"
        );
        let why = NotKept(fault.to_string());
        self.failing = Some(Failing { why: why.clone(), at: Instant::now() + TRY_AGAIN, waited: TRY_AGAIN });
        why
    }

    /// What is asked for is in memory alone: is that good enough?
    fn in_memory(&mut self, fault: NotKept, deliveries: Vec<Delivery>) -> Result<(), NotKept> {
        match self.on_error {
            // A delivery that is not acknowledged comes again, and must not be taken for a repeated one then.
            OnError::Exit => Err(fault),
            OnError::Memory => {
                self.deliveries.extend(deliveries);
                let surplus = self.deliveries.len().saturating_sub(REMEMBERED);
                self.deliveries.drain(..surplus);
                Ok(())
            }
        }
    }

    /// Opens the file anew, or a new one, and writes the whole.
    async fn try_again(&mut self) {
        let folder = Arc::clone(&self.folder);
        let opened = self.thread.run(move |open| {
            drop(open.take());
            *open = Some(folder.open()?);
            Ok(())
        });
        let mut result = opened.await;
        if result.is_ok() {
            result = self.write_whole().await;
        }
        match result {
            Ok(()) => {
                self.failing = None;
                self.deliveries.clear();
                self.metrics.show(true);
                info!("the storage can be written again, and has all that was learnt meanwhile");
            }
            Err(fault) => {
                let before = self.failing.take().map_or(TRY_AGAIN, |failing| failing.waited);
                let waited = (before * 2).min(TRY_AT_LEAST);
                let at = Instant::now() + waited;
                self.failing = Some(Failing { why: NotKept(fault.to_string()), at, waited });
            }
        }
    }

    async fn write_whole(&self) -> Result<(), StorageError> {
        let kept = self.store.take_all();
        let totals = kept.totals;
        let claims: Vec<Claim> = self.claims.values().cloned().collect();
        let deliveries: Vec<Delivery> = self.deliveries.iter().cloned().collect();
        let identity = self.identity.clone();
        let written = self.thread.run(move |open| {
            let open = open.as_ref().ok_or_else(|| StorageError::Thread("its file is closed".to_owned()))?;
            write::whole(open, &kept, &claims, &deliveries, &identity)
        });
        written.await?;
        self.store.saved(totals);
        Ok(())
    }

    async fn seen(&mut self, ids: Vec<String>) -> Vec<bool> {
        let in_memory = |id: &String| self.deliveries.iter().any(|delivery| delivery.id == *id);
        let known: Vec<bool> = ids.iter().map(in_memory).collect();
        if self.failing.is_some() {
            return known;
        }
        let found = self.thread.run(move |open| {
            let open = open.as_ref().ok_or_else(|| StorageError::Thread("its file is closed".to_owned()))?;
            read::seen(open, &ids)
        });
        match found.await {
            Ok(found) => found,
            Err(fault) => {
                let _told = self.fails(&fault);
                known
            }
        }
    }
}

fn key(claim: &Claim) -> (JobId, &'static str) {
    (claim.id.clone(), code(claim.source))
}
