//! The set of watched jobs: what sources name goes into the catalog, and each difference on to the poller and to
//! `/metrics`.
//!
//! Owned by `control`, the one task that changes the set. Lists of 100,000 jobs are compared on a thread that may block
//! and go to the poller in pieces, so that scrapes and polls go on meanwhile.

#[cfg(test)]
mod tests;

use crate::catalog::{Catalog, CatalogChange, LimitReached, ListUpdate, NamedJob, NotNamed, SourceId};
use crate::clock::UnixTime;
use crate::config::{JobSource, JobSpec};
use crate::exposition::Exposition;
use crate::grid::ReadJob;
use crate::grid::webhook::EndedJob;
use crate::job::{JobId, Labels};
use crate::poller::{Handle, Poller, Told};
use crate::storage::{Claim, ClaimChange, Delivery, NotKept, Storage};
use crate::store::Store;
use crate::telemetry::own::DiscoveryMetrics;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// The poller takes in so many jobs at once: a few milliseconds of work.
const PIECE: usize = 2000;

/// The set, and whom it concerns.
pub(super) struct WatchedJobs<R> {
    pub(super) catalog: Catalog,
    pub(super) poller: Handle<R>,
    pub(super) exposition: Arc<Exposition>,
    pub(super) store: Store,
    pub(super) metrics: DiscoveryMetrics,
    /// Sources configured at the start that have not told a list yet: their jobs were watched before, too, and the
    /// rows that they show first were counted then.
    pub(super) unheard: HashSet<SourceId>,
    /// Where anything is kept over restarts.
    pub(super) storage: Option<Storage>,
    /// Who names jobs, as far as that is to be kept and was not handed on by [`Self::keep`] yet.
    pub(super) unsaved: Vec<ClaimChange>,
}

impl<R: ReadJob> WatchedJobs<R> {
    /// Takes in a list before the poller runs.
    pub(super) fn begin_with(&mut self, update: ListUpdate, poller: &mut Poller<R>) {
        let Some(jobs) = update.jobs else { return };
        self.unheard.remove(&update.source);
        let change = self.catalog.replace(update.source, jobs);
        self.report(&change);
        poller.begin_with(change);
    }

    /// Takes in who named jobs before the process began, before the poller runs.
    pub(super) fn restore(&mut self, claims: Vec<Claim>, poller: &mut Poller<R>) {
        let shard = self.catalog.shard();
        let (claims, others): (Vec<_>, Vec<_>) = claims.into_iter().partition(|claim| shard.owns(&claim.id));
        self.let_go(others);
        let named = claims.into_iter().map(|claim| {
            let Claim { id, source, labels } = claim;
            (source, NamedJob { id, labels })
        });
        let change = self.catalog.restore(named.collect());
        self.report(&change);
        poller.begin_with(change);
    }

    /// Lets go of jobs that other shards watch since the fleet has another size: their shards don't know that they were
    /// named here, so whoever named them has to hear of it.
    fn let_go(&mut self, others: Vec<Claim>) {
        if others.is_empty() {
            return;
        }
        let ids: Vec<_> = others.iter().map(|claim| claim.id.as_str()).take(10).collect();
        let (jobs, shard, ids) = (others.len(), self.catalog.shard(), ids.join(", "));
        warn!(
            jobs,
            ids,
            "{jobs} jobs that the admin API or webhooks named are those of other shards now, as this is {shard}; name \
             them there if they are to be watched: {ids}"
        );
        for Claim { id, source, .. } in others {
            self.note(ClaimChange::Withdrawn { id, source });
        }
    }

    /// Once each source told its list: lets go of what was kept of jobs that none of them names.
    pub(super) fn forget_unnamed(&self) {
        if self.unheard.is_empty() {
            let jobs = self.store.forget_unnamed();
            if jobs > 0 {
                info!(jobs, "{jobs} jobs that were watched before are no longer named");
            }
        }
    }

    /// For each of these deliveries whether it is stored that it was taken.
    pub(super) async fn deliveries_seen(&self, ids: impl ExactSizeIterator<Item = &str>) -> Vec<bool> {
        match &self.storage {
            Some(storage) => storage.deliveries_seen(ids.map(str::to_owned).collect()).await,
            None => vec![false; ids.len()],
        }
    }

    /// Returns once all that was changed is on disk, where anything is kept.
    pub(super) async fn keep(&mut self) -> Result<(), NotKept> {
        self.keep_with(Vec::new()).await
    }

    /// The same together with these deliveries.
    pub(super) async fn keep_with(&mut self, deliveries: Vec<Delivery>) -> Result<(), NotKept> {
        let claims = std::mem::take(&mut self.unsaved);
        match &self.storage {
            Some(storage) => storage.keep(claims, deliveries).await,
            None => Ok(()),
        }
    }

    /// Takes the configured jobs; tells how many jobs joined and left.
    pub(super) async fn configure(&mut self, jobs: Vec<JobSpec>, limit: usize) -> (usize, usize) {
        let change = self.compare(move |catalog| catalog.configure(&jobs, limit)).await;
        let counts = (change.joined.len(), change.left.len());
        self.announce(change).await;
        counts
    }

    /// Takes in what a source told.
    pub(super) async fn take(&mut self, update: ListUpdate) {
        let ListUpdate { source, jobs } = update;
        let Some(named) = jobs else { return };
        let known_before = self.unheard.remove(&source);
        let mut change = self.compare(move |catalog| catalog.replace(source, named)).await;
        change.known_before = known_before;
        if !change.is_empty() {
            let (joined, left, jobs) = (change.joined.len(), change.left.len(), self.catalog.len());
            let source = source.kind.as_str();
            info!(
                source,
                joined, left, jobs, "{source} brought {joined} jobs and took {left}; {jobs} are watched"
            );
        }
        self.announce(change).await;
        if known_before {
            self.forget_unnamed();
        }
    }

    /// The admin API names a job; true if it is new. Not on `/metrics` before [`Self::show`].
    pub(super) async fn put(&mut self, id: JobId, labels: Labels) -> Result<bool, LimitReached> {
        let claim = Claim { id: id.clone(), source: JobSource::Admin, labels: labels.clone() };
        let (change, is_new) = self.catalog.put(&id, labels).inspect_err(|reached| {
            self.metrics.count_rejected(metric_source(JobSource::Admin), 1);
            let limit = reached.limit;
            warn!(job_id = %id, limit, "job {id} of the admin API is not watched: limits.jobs is {limit}");
        })?;
        if is_new {
            info!(job_id = %id, "job {id} is watched: the admin API names it");
        }
        self.announce(change).await;
        self.note(ClaimChange::Named(claim));
        Ok(is_new)
    }

    /// The admin API names a job no longer. On `/metrics` until [`Self::show`].
    pub(super) async fn delete(&mut self, id: &JobId) -> Result<(), NotNamed> {
        let change = self.catalog.delete(id)?;
        if !change.left.is_empty() {
            info!(job_id = %id, "job {id} is no longer watched: it was deleted by the admin API");
        }
        self.announce(change).await;
        self.withdraw(id);
        Ok(())
    }

    /// A webhook told that a job ended; the job is watched from now on if it was not. Not on `/metrics` before
    /// [`Self::show`].
    pub(super) async fn hear(&mut self, ended: EndedJob) -> Result<(), LimitReached> {
        let EndedJob { job: id, reading, sent, .. } = ended;
        let mut change = self.catalog.hear_of(&id).inspect_err(|reached| {
            self.metrics.count_rejected(metric_source(JobSource::Webhook), 1);
            let limit = reached.limit;
            warn!(job_id = %id, limit, "job {id} of a webhook is not watched: limits.jobs is {limit}");
        })?;
        if !change.is_empty() {
            info!(job_id = %id, "job {id} is watched: a webhook told of it");
            // Sent before the process began: its rows were counted then.
            change.known_before = sent.is_some_and(|sent| sent < self.store.began());
            self.report(&change);
            let claim = Claim { id: id.clone(), source: JobSource::Webhook, labels: Labels::default() };
            self.note(ClaimChange::Named(claim));
        }
        self.poller.tell(Told { id, reading, change }).await;
        Ok(())
    }

    /// Lets jobs go that only the admin API or a webhook names and that were over for `retention`; true if there were any.
    pub(super) async fn expire(&mut self, now: UnixTime, retention: Duration) -> bool {
        let over = self.store.over_since(now, retention);
        let mut any = false;
        for id in over {
            if !self.catalog.may_expire(&id) {
                continue;
            }
            if let Ok(change) = self.catalog.delete(&id) {
                info!(job_id = %id, "job {id} is no longer watched: it was over for the configured retention");
                self.announce(change).await;
                self.withdraw(&id);
                any = true;
            }
        }
        any
    }

    fn withdraw(&mut self, id: &JobId) {
        for source in [JobSource::Admin, JobSource::Webhook] {
            self.note(ClaimChange::Withdrawn { id: id.clone(), source });
        }
    }

    fn note(&mut self, change: ClaimChange) {
        if self.storage.is_some() {
            self.unsaved.push(change);
        }
    }

    /// Makes `/metrics` show the set as it is now.
    pub(super) async fn show(&self) {
        let exposition = Arc::clone(&self.exposition);
        let _rendered = tokio::task::spawn_blocking(move || exposition.refresh()).await;
    }

    async fn compare(
        &mut self,
        compare: impl FnOnce(&mut Catalog) -> CatalogChange + Send + 'static,
    ) -> CatalogChange {
        let mut catalog = std::mem::take(&mut self.catalog);
        let compared = tokio::task::spawn_blocking(move || {
            let change = compare(&mut catalog);
            (catalog, change)
        });
        match compared.await {
            Ok((catalog, change)) => {
                self.catalog = catalog;
                change
            }
            // The set is lost with it: this task ends as well, and its owner hears of it.
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    async fn announce(&self, change: CatalogChange) {
        self.report(&change);
        for piece in change.into_pieces(PIECE) {
            self.poller.change_jobs(piece).await;
        }
    }

    fn report(&self, change: &CatalogChange) {
        for (source, jobs) in &change.rejected {
            self.metrics.count_rejected(metric_source(*source), *jobs);
            let (source, watched) = (source.as_str(), self.catalog.len());
            warn!(source, jobs, watched, "{jobs} jobs of {source} are not watched: limits.jobs is reached");
        }
        if !change.dropped_labels.is_empty() {
            let names: Vec<_> = change.dropped_labels.iter().map(ToString::to_string).take(10).collect();
            let labels = names.join(", ");
            warn!(labels, "labels are left out, as all jobs together have too many label names: {labels}");
        }
    }
}

/// The source in metrics.
fn metric_source(source: JobSource) -> &'static str {
    match source {
        JobSource::File | JobSource::Flag | JobSource::Environment => "config",
        JobSource::Files => "file",
        JobSource::Http => "http",
        JobSource::Admin => "admin",
        JobSource::Webhook => "webhook",
    }
}
