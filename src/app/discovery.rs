//! The tasks that read lists of jobs (`job_files`, `job_http`): started, replaced at a reload, and listened to.
//!
//! Used by `control`. A source that a reload leaves as it is runs on untouched, with what it knows; one whose settings
//! alone changed keeps its list until the new settings bring one. What is no longer configured is withdrawn only when
//! the new sources have had time to answer, so that a job which both name never leaves.

use crate::catalog::http_sd::HttpList;
use crate::catalog::{ListUpdate, SourceId, file_sd, http_sd};
use crate::clock::SharedClock;
use crate::config::{Config, Discovery, HttpSource, JobSource};
use crate::telemetry::own::DiscoveryMetrics;
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout_at};

/// A start or a reload waits so long for the first lists of new sources; what comes later is taken in then.
const FIRST_LIST_PATIENCE: Duration = Duration::from_secs(5);

/// Sources that can be started: their certificates were read.
pub(super) struct Prepared {
    discovery: Discovery,
    lists: Vec<HttpList>,
}

/// Reads the certificates of all servers, so that a bad one refuses the configuration before anything changes.
pub(super) fn prepare(config: &Config) -> Result<Prepared, String> {
    let discovery = config.discovery.clone();
    let lists = discovery.http.iter().map(HttpList::new).collect::<Result<_, _>>();
    let lists = lists.map_err(|error| config.places.locate(&error))?;
    Ok(Prepared { discovery, lists })
}

/// The sources that run.
pub(super) struct Sources {
    files: Option<Running<Vec<PathBuf>>>,
    http: Vec<Running<HttpSource>>,
    numbers: u64,
    sender: mpsc::Sender<ListUpdate>,
    updates: mpsc::Receiver<ListUpdate>,
    tasks: JoinSet<()>,
    metrics: DiscoveryMetrics,
    clock: SharedClock,
}

/// One source, and the settings by which it runs.
struct Running<S> {
    settings: S,
    id: SourceId,
    task: AbortHandle,
}

impl Sources {
    /// No sources yet.
    pub(super) fn new(metrics: DiscoveryMetrics, clock: SharedClock) -> Self {
        let (sender, updates) = mpsc::channel(16);
        let tasks = JoinSet::new();
        Self { files: None, http: Vec::new(), numbers: 0, sender, updates, tasks, metrics, clock }
    }

    /// Runs these sources from now on and no others. Returns the first lists of those that are new, as far as they
    /// come in time, and empty ones for those that are gone.
    pub(super) async fn change(&mut self, prepared: Prepared) -> Vec<ListUpdate> {
        let Prepared { discovery, lists } = prepared;
        let mut awaited = HashSet::new();
        let mut gone = Vec::new();
        self.change_files(discovery.files, &mut awaited, &mut gone);
        let mut before = std::mem::take(&mut self.http);
        for (settings, list) in discovery.http.into_iter().zip(lists) {
            let known = before.iter().position(|running| running.settings.url == settings.url);
            let known = known.map(|index| before.swap_remove(index));
            let running = match known {
                Some(running) if running.settings == settings => running,
                known => {
                    let running = self.start_server(settings, list, known);
                    awaited.insert(running.id);
                    running
                }
            };
            self.http.push(running);
        }
        for running in before {
            running.task.abort();
            self.metrics.server_removed(running.id.number);
            gone.push(running.id);
        }
        let mut updates = self.first_lists(awaited).await;
        updates.extend(gone.into_iter().map(|source| ListUpdate { source, jobs: Some(Vec::new()) }));
        updates
    }

    fn change_files(
        &mut self,
        patterns: Vec<PathBuf>,
        awaited: &mut HashSet<SourceId>,
        gone: &mut Vec<SourceId>,
    ) {
        if self.files.as_ref().is_some_and(|running| running.settings == patterns) {
            return;
        }
        if let Some(running) = self.files.take() {
            running.task.abort();
            gone.push(running.id);
        }
        if patterns.is_empty() {
            self.metrics.removed(file_sd::METRIC_SOURCE);
            return;
        }
        let id = self.new_id(JobSource::Files);
        self.metrics.configured(file_sd::METRIC_SOURCE, self.clock.now());
        let (metrics, clock) = (self.metrics.clone(), self.clock.clone());
        let task =
            self.tasks.spawn(file_sd::watch(patterns.clone(), id, self.sender.clone(), metrics, clock));
        awaited.insert(id);
        self.files = Some(Running { settings: patterns, id, task });
    }

    /// Starts to ask a server; in place of `known`, if that had other settings for the same list.
    fn start_server(
        &mut self,
        settings: HttpSource,
        list: HttpList,
        known: Option<Running<HttpSource>>,
    ) -> Running<HttpSource> {
        let id = if let Some(known) = known {
            known.task.abort();
            known.id
        } else {
            let id = self.new_id(JobSource::Http);
            self.metrics.configured(http_sd::METRIC_SOURCE, self.clock.now());
            self.metrics.server_succeeded(id.number, self.clock.now());
            id
        };
        let (metrics, clock) = (self.metrics.clone(), self.clock.clone());
        let task = self.tasks.spawn(http_sd::watch(list, id, self.sender.clone(), metrics, clock));
        Running { settings, id, task }
    }

    fn new_id(&mut self, kind: JobSource) -> SourceId {
        self.numbers += 1;
        SourceId { kind, number: self.numbers }
    }

    fn is_running(&self, id: SourceId) -> bool {
        self.files.as_ref().is_some_and(|running| running.id == id)
            || self.http.iter().any(|running| running.id == id)
    }

    /// Waits for the first word of each of these, for a moment; gives all that was said meanwhile.
    async fn first_lists(&mut self, mut awaited: HashSet<SourceId>) -> Vec<ListUpdate> {
        let until = Instant::now() + FIRST_LIST_PATIENCE;
        let mut updates = Vec::new();
        while !awaited.is_empty() {
            let Ok(Some(update)) = timeout_at(until, self.updates.recv()).await else { break };
            awaited.remove(&update.source);
            updates.push(update);
        }
        updates.retain(|update| self.is_running(update.source));
        updates
    }

    /// The next list that a source tells; nothing if a source ended by itself, which none should.
    pub(super) async fn next(&mut self) -> Option<ListUpdate> {
        loop {
            tokio::select! {
                Some(update) = self.updates.recv() => {
                    // What a source said just before it was stopped says nothing any more.
                    if self.is_running(update.source) {
                        return Some(update);
                    }
                }
                Some(ended) = self.tasks.join_next() => {
                    if !ended.is_err_and(|error| error.is_cancelled()) {
                        return None;
                    }
                }
            }
        }
    }

    /// The sources that run.
    pub(super) fn ids(&self) -> HashSet<SourceId> {
        self.files
            .iter()
            .map(|running| running.id)
            .chain(self.http.iter().map(|running| running.id))
            .collect()
    }
}
