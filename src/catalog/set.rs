//! The set of jobs that all sources together name.
//!
//! Pure: told what a source names, it answers with the difference. A job that several sources name is one job; its
//! labels are those of the first source in the order of [`JobSource`] that can give any (`--job` and `GRID_JOBS`
//! can't, nor a webhook). Beyond the limit, jobs wait: they are named but not watched, and join when room is made. A job that is
//! watched never makes room for another, and one that the configuration names is always watched, since the
//! configuration was checked against the limit as a whole.

#[cfg(test)]
mod tests;

use crate::catalog::{NamedJob, SourceId};
use crate::config::{JobSource, JobSpec, MOST_LABEL_NAMES};
use crate::job::{JobId, LabelName, Labels, Shard};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The set of named jobs.
#[derive(Debug, Default)]
pub struct Catalog {
    /// What a list names of other shards is left out.
    shard: Shard,
    jobs: HashMap<JobId, Entry>,
    limit: usize,
    watched: usize,
    /// Named, but beyond the limit.
    waiting: BTreeSet<JobId>,
    /// How many watched jobs have each label name.
    label_names: BTreeMap<LabelName, usize>,
}

#[derive(Debug)]
struct Entry {
    /// Who names the job, in the order of rank.
    claims: Vec<Claim>,
    /// The labels that it is watched with; nothing if it waits.
    labels: Option<Labels>,
}

#[derive(Clone, Debug)]
struct Claim {
    source: SourceId,
    /// Nothing if the source can't give labels.
    labels: Option<Labels>,
}

/// How the set changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogChange {
    /// Jobs that are new, in the order in which they are named.
    pub joined: Vec<JobSpec>,
    /// Jobs that stay, but with other labels or sources.
    pub relabelled: Vec<JobSpec>,
    /// Jobs that are no longer named.
    pub left: Vec<JobId>,
    /// Jobs that are newly named but not watched, as the limit is reached, by who names them.
    pub rejected: BTreeMap<JobSource, u64>,
    /// Label names that were left out, as there are too many.
    pub dropped_labels: BTreeSet<LabelName>,
    /// True if the jobs that joined were in the set before the process began, as far as we can know: their rows
    /// were counted then.
    pub known_before: bool,
}

impl CatalogChange {
    /// True if the set is as it was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.joined.is_empty() && self.relabelled.is_empty() && self.left.is_empty()
    }

    /// The same in pieces of at most `size` jobs, so that whoever takes them in can do something else in between.
    #[must_use]
    pub fn into_pieces(self, size: usize) -> Vec<Self> {
        let Self { joined, relabelled, left, known_before, .. } = self;
        let mut pieces = Vec::new();
        // Those that leave go first: should one of them come back, it must not be taken for the one that stays.
        let piece = Self { known_before, ..Self::default() };
        pieces.extend(left.chunks(size).map(|left| Self { left: left.to_vec(), ..piece.clone() }));
        pieces.extend(joined.chunks(size).map(|joined| Self { joined: joined.to_vec(), ..piece.clone() }));
        let relabelled = relabelled.chunks(size);
        pieces.extend(relabelled.map(|relabelled| Self { relabelled: relabelled.to_vec(), ..piece.clone() }));
        pieces
    }
}

/// Why the admin API, or a webhook, can't add a job: the limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitReached {
    /// The limit.
    pub limit: usize,
}

/// Why the admin API can't remove a job: it does not name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotNamed {
    /// Who names it instead.
    pub sources: Vec<JobSource>,
}

const ADMIN: SourceId = SourceId { kind: JobSource::Admin, number: 0 };

const WEBHOOK: SourceId = SourceId { kind: JobSource::Webhook, number: 0 };

impl Catalog {
    /// An empty set of at most `limit` jobs, all of this shard.
    #[must_use]
    pub fn new(limit: usize, shard: Shard) -> Self {
        Self { shard, limit, ..Self::default() }
    }

    /// Takes the whole list of the configured jobs, each named once, and the limit; tells what is different.
    #[must_use]
    pub fn configure(&mut self, jobs: &[JobSpec], limit: usize) -> CatalogChange {
        self.limit = limit;
        let named = jobs.iter().map(|job| {
            let claim = |kind: &JobSource| Claim {
                source: SourceId { kind: *kind, number: 0 },
                labels: (*kind == JobSource::File).then(|| job.labels.clone()),
            };
            (job.id.clone(), job.sources.iter().map(claim).collect())
        });
        self.take_list(is_configuration, named.collect())
    }

    /// Takes the whole list of a source that is read again and again, and tells what is different. Jobs of other shards
    /// may be in it.
    #[must_use]
    pub fn replace(&mut self, source: SourceId, jobs: Vec<NamedJob>) -> CatalogChange {
        let ours = jobs.into_iter().filter(|job| self.shard.owns(&job.id));
        let named = ours.map(|job| (job.id, vec![Claim { source, labels: Some(job.labels) }]));
        let named = named.collect();
        self.take_list(move |claim| claim == source, named)
    }

    /// The admin API names a job, or gives it other labels. True if it is new to the set.
    pub fn put(&mut self, id: &JobId, labels: Labels) -> Result<(CatalogChange, bool), LimitReached> {
        let is_watched = self.is_watched(id);
        if !is_watched && self.watched >= self.limit {
            return Err(LimitReached { limit: self.limit });
        }
        let mut change = CatalogChange::default();
        let claim = Claim { source: ADMIN, labels: Some(labels) };
        self.claim(id, |source| source == ADMIN, vec![claim], &mut change);
        Ok((change, !is_watched))
    }

    /// A webhook tells of a job. It names the job only if nobody else does, so that one which a list names goes with
    /// the list. Nothing changes if the job is watched.
    pub fn hear_of(&mut self, id: &JobId) -> Result<CatalogChange, LimitReached> {
        let mut change = CatalogChange::default();
        if self.is_watched(id) {
            return Ok(change);
        }
        if self.watched >= self.limit {
            return Err(LimitReached { limit: self.limit });
        }
        let claim = Claim { source: WEBHOOK, labels: None };
        self.claim(id, |source| source == WEBHOOK, vec![claim], &mut change);
        Ok(change)
    }

    /// The job is named no longer by the admin API, which also takes back what a webhook named.
    pub fn delete(&mut self, id: &JobId) -> Result<CatalogChange, NotNamed> {
        let sources = self.sources(id);
        if !sources.iter().any(|source| matches!(source, JobSource::Admin | JobSource::Webhook)) {
            return Err(NotNamed { sources });
        }
        let mut change = CatalogChange::default();
        self.claim(id, is_told, Vec::new(), &mut change);
        self.promote(&mut change);
        Ok(change)
    }

    /// Names jobs as the admin API and webhooks did before the process began. They were watched then, so that the limit
    /// does not refuse them now.
    #[must_use]
    pub fn restore(&mut self, jobs: Vec<(JobSource, NamedJob)>) -> CatalogChange {
        let mut change = CatalogChange { known_before: true, ..CatalogChange::default() };
        let limit = std::mem::replace(&mut self.limit, usize::MAX);
        for (kind, job) in jobs {
            let claim = match kind {
                JobSource::Webhook => Claim { source: WEBHOOK, labels: None },
                _ => Claim { source: ADMIN, labels: Some(job.labels) },
            };
            let source = claim.source;
            self.claim(&job.id, |known| known == source, vec![claim], &mut change);
        }
        self.limit = limit;
        change
    }

    /// The shard whose jobs these are.
    #[must_use]
    pub const fn shard(&self) -> Shard {
        self.shard
    }

    /// True if nobody but the admin API and webhooks names the job, so that it goes some time after its end.
    #[must_use]
    pub fn may_expire(&self, id: &JobId) -> bool {
        let entry = self.jobs.get(id);
        entry.is_some_and(|entry| entry.claims.iter().all(|claim| is_told(claim.source)))
    }

    /// Who names a job, in the order of rank; nobody if it is not known.
    #[must_use]
    pub fn sources(&self, id: &JobId) -> Vec<JobSource> {
        self.jobs.get(id).map(|entry| kinds(&entry.claims)).unwrap_or_default()
    }

    /// How many jobs are watched.
    #[must_use]
    pub fn len(&self) -> usize {
        self.watched
    }

    /// True if no job is watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.watched == 0
    }

    fn is_watched(&self, id: &JobId) -> bool {
        self.jobs.get(id).is_some_and(|entry| entry.labels.is_some())
    }

    /// Replaces all claims of the sources that `is_ours` knows by `named`.
    fn take_list(
        &mut self,
        is_ours: impl Fn(SourceId) -> bool + Copy,
        named: Vec<(JobId, Vec<Claim>)>,
    ) -> CatalogChange {
        let mut change = CatalogChange::default();
        let gone: Vec<JobId> = {
            let still: HashSet<&JobId> = named.iter().map(|(id, _)| id).collect();
            let is_gone = |(id, entry): &(&JobId, &Entry)| {
                entry.claims.iter().any(|claim| is_ours(claim.source)) && !still.contains(id)
            };
            self.jobs.iter().filter(is_gone).map(|(id, _)| id.clone()).collect()
        };
        // Those that leave make room for those that come.
        for id in gone {
            self.claim(&id, is_ours, Vec::new(), &mut change);
        }
        for (id, claims) in named {
            self.claim(&id, is_ours, claims, &mut change);
        }
        self.promote(&mut change);
        change.left.sort_unstable();
        change
    }

    /// Replaces one job's claims of the sources that `is_ours` knows, and notes what that changes.
    fn claim(
        &mut self,
        id: &JobId,
        is_ours: impl Fn(SourceId) -> bool,
        claims: Vec<Claim>,
        change: &mut CatalogChange,
    ) {
        let mut entry = self.jobs.remove(id).unwrap_or_else(|| Entry { claims: Vec::new(), labels: None });
        let sources_before = kinds(&entry.claims);
        let by = claims.first().map(|claim| claim.source.kind);
        entry.claims.retain(|claim| !is_ours(claim.source));
        // Hardly any job is named twice: room for more than there are would cost more than the claims themselves.
        entry.claims.reserve_exact(claims.len());
        entry.claims.extend(claims);
        entry.claims.sort_by_key(|claim| claim.source);
        if entry.claims.is_empty() {
            self.waiting.remove(id);
            if let Some(labels) = entry.labels {
                self.count_labels(&labels, false);
                self.watched -= 1;
                change.left.push(id.clone());
            }
            return;
        }
        let configured = entry.claims.iter().any(|claim| is_configuration(claim.source));
        if entry.labels.is_some() || configured || self.watched < self.limit {
            self.tell(id, &mut entry, &sources_before, change);
        } else if self.waiting.insert(id.clone())
            && let Some(by) = by
        {
            *change.rejected.entry(by).or_default() += 1;
        }
        self.jobs.insert(id.clone(), entry);
    }

    /// Notes a job that is watched from now on, or what is different in one that is watched already.
    fn tell(
        &mut self,
        id: &JobId,
        entry: &mut Entry,
        sources_before: &[JobSource],
        change: &mut CatalogChange,
    ) {
        let before = entry.labels.take();
        if let Some(before) = &before {
            self.count_labels(before, false);
        }
        let given = entry.claims.iter().find_map(|claim| Some((claim.source, claim.labels.as_ref()?)));
        let labels = match given {
            Some((source, labels)) if is_configuration(source) => labels.clone(),
            Some((_, labels)) => self.permitted(labels, change),
            None => Labels::default(),
        };
        self.count_labels(&labels, true);
        let now = JobSpec { id: id.clone(), labels, sources: kinds(&entry.claims) };
        entry.labels = Some(now.labels.clone());
        match before {
            None => {
                self.watched += 1;
                self.waiting.remove(id);
                change.joined.push(now);
            }
            Some(before) if before != now.labels || sources_before != now.sources => {
                change.relabelled.push(now);
            }
            Some(_) => {}
        }
    }

    /// Lets jobs that wait join as far as there is room.
    fn promote(&mut self, change: &mut CatalogChange) {
        while self.watched < self.limit {
            let Some(id) = self.waiting.pop_first() else { return };
            let Some(mut entry) = self.jobs.remove(&id) else { continue };
            self.tell(&id, &mut entry, &[], change);
            self.jobs.insert(id, entry);
        }
    }

    /// The labels without those whose names would be too many: each job's info series has the names of all.
    fn permitted(&self, labels: &Labels, change: &mut CatalogChange) -> Labels {
        let mut room = MOST_LABEL_NAMES.saturating_sub(self.label_names.len());
        let mut dropped = BTreeSet::new();
        for (name, _) in labels.iter() {
            if self.label_names.contains_key(name) {
                continue;
            }
            if room == 0 {
                dropped.insert(name.clone());
            } else {
                room -= 1;
            }
        }
        if dropped.is_empty() {
            return labels.clone();
        }
        let kept = labels.iter().filter(|(name, _)| !dropped.contains(*name));
        let kept = kept.map(|(name, value)| (name.clone(), value.to_owned())).collect();
        change.dropped_labels.append(&mut dropped);
        kept
    }

    fn count_labels(&mut self, labels: &Labels, joins: bool) {
        for (name, _) in labels.iter() {
            if joins {
                *self.label_names.entry(name.clone()).or_default() += 1;
            } else if let Some(uses) = self.label_names.get_mut(name) {
                *uses -= 1;
                if *uses == 0 {
                    self.label_names.remove(name);
                }
            }
        }
    }
}

fn is_configuration(source: SourceId) -> bool {
    match source.kind {
        JobSource::File | JobSource::Flag | JobSource::Environment => true,
        JobSource::Files | JobSource::Http | JobSource::Admin | JobSource::Webhook => false,
    }
}

/// True for sources that name one job at a time, and have no list that it could leave.
fn is_told(source: SourceId) -> bool {
    source == ADMIN || source == WEBHOOK
}

/// The kinds of the sources, each once.
fn kinds(claims: &[Claim]) -> Vec<JobSource> {
    let mut kinds: Vec<JobSource> = claims.iter().map(|claim| claim.source.kind).collect();
    kinds.dedup();
    kinds
}
