//! Looks at the files of `job_files` as soon as they change.
//!
//! The file system's notice says that something changed in a folder, and then everything is looked at again: what
//! notices say in detail differs between editors, `mv` and Kubernetes's swaps of `..data`, and a missed one must not
//! matter. Once a minute everything is looked at without notice, as some file systems give none. Everything that
//! blocks (reading, parsing, the watches) is done on a thread that may.

use crate::catalog::file_sd::{FileLists, Look, METRIC_SOURCE};
use crate::catalog::{ListUpdate, SourceId};
use crate::clock::SharedClock;
use crate::config::error::shown_path;
use crate::telemetry::own::DiscoveryMetrics;
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

/// Everything is looked at at least so often.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// After a notice, so long is waited for the next: a change is often several.
const SETTLE: Duration = Duration::from_millis(100);

/// While somebody writes a file, so long is waited for the next piece or the end.
const WRITING: Duration = Duration::from_millis(400);

/// Changes that go on and on are looked at after this.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What a notice of the file system means for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notice {
    /// Somebody is writing.
    Writing,
    /// Something is as it will stay.
    Settled,
}

fn meaning(kind: EventKind) -> Option<Notice> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Notice::Settled),
        // Our own reading is noticed too.
        EventKind::Access(_) => None,
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => Some(Notice::Writing),
        EventKind::Modify(_)
        | EventKind::Create(_)
        | EventKind::Remove(_)
        | EventKind::Any
        | EventKind::Other => Some(Notice::Settled),
    }
}

/// What this means for us, of these paths. Of a file that is no list, its end alone matters, as a link may lead there:
/// whoever writes a log into the folder of lists must not delay them.
fn meaning_of(event: &notify::Event) -> Option<Notice> {
    let is_list = |path: &PathBuf| {
        let ending = path.extension().unwrap_or_default();
        ["json", "yml", "yaml"].iter().any(|known| ending.eq_ignore_ascii_case(known))
    };
    meaning(event.kind).filter(|notice| *notice == Notice::Settled || event.paths.iter().any(is_list))
}

/// The lists and the watches on their folders, which go to a thread that may block and come back.
struct Eyes {
    lists: FileLists,
    watcher: Option<RecommendedWatcher>,
    /// Folders that could not be watched, told once.
    blind: HashSet<PathBuf>,
}

impl Eyes {
    fn new(lists: FileLists, notices: mpsc::Sender<Notice>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // An error may stand for lost notices, so something changed. A full channel has some already.
            let notice = event.map_or(Some(Notice::Settled), |event| meaning_of(&event));
            if let Some(notice) = notice {
                let _full = notices.try_send(notice);
            }
        });
        let watcher = watcher
            .inspect_err(|error| {
                let seconds = LOOK_EVERY.as_secs();
                warn!(%error, "changes of job_files are not noticed; they are looked at every {seconds} s only");
            })
            .ok();
        Self { lists, watcher, blind: HashSet::new() }
    }

    /// Watches, then looks; again if what was found has to be watched too.
    fn look(&mut self) -> Look {
        let mut folders = self.lists.folders();
        self.watch(&folders);
        let mut look = self.lists.look();
        for _ in 0..3 {
            let now = self.lists.folders();
            if now.is_subset(&folders) {
                break;
            }
            self.watch(&now);
            folders.extend(now);
            let next = self.lists.look();
            look = Look { jobs: next.jobs.or(look.jobs), failures: next.failures };
        }
        look
    }

    /// Watches folders, also those that are watched already: another folder may have taken the name.
    fn watch(&mut self, folders: &BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        for folder in folders {
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.blind.remove(folder)),
                Err(error) if self.blind.insert(folder.clone()) => {
                    let (path, seconds) = (shown_path(folder), LOOK_EVERY.as_secs());
                    warn!(path, %error, "a folder of job_files can't be watched; it is looked at every {seconds} s");
                }
                Err(_) => {}
            }
        }
    }
}

/// Looks at the files now and whenever they change, for ever, and tells when their jobs are others. They are one
/// source: a job that two of them name has the labels of the first by path. The task's owner stops it.
pub async fn watch(
    patterns: Vec<PathBuf>,
    id: SourceId,
    updates: mpsc::Sender<ListUpdate>,
    metrics: DiscoveryMetrics,
    clock: SharedClock,
) {
    let (sender, mut notices) = mpsc::channel(64);
    let mut eyes = Eyes::new(FileLists::new(patterns), sender);
    loop {
        let looking = tokio::task::spawn_blocking(move || {
            let look = eyes.look();
            (eyes, look)
        });
        // The look ends the task only if it panics, which the task's owner hears of.
        let Ok((eyes_back, look)) = looking.await else { return };
        eyes = eyes_back;
        metrics.count_failures(METRIC_SOURCE, look.failures);
        if look.failures == 0 {
            metrics.succeeded(METRIC_SOURCE, clock.now());
        }
        if let Some(jobs) = look.jobs {
            let update = ListUpdate { source: id, jobs: Some(jobs) };
            if updates.send(update).await.is_err() {
                return;
            }
        }
        wait_for_change(&mut notices).await;
    }
}

/// Waits for a change to settle, or for [`LOOK_EVERY`].
async fn wait_for_change(notices: &mut mpsc::Receiver<Notice>) {
    let mut wake = Instant::now() + LOOK_EVERY;
    let mut latest = wake;
    let mut is_noticed = false;
    loop {
        tokio::select! {
            () = sleep_until(wake) => return,
            Some(notice) = notices.recv() => {
                let now = Instant::now();
                if !std::mem::replace(&mut is_noticed, true) {
                    latest = now + LONGEST_WAIT;
                }
                let wait = match notice {
                    Notice::Writing => WRITING,
                    Notice::Settled => SETTLE,
                };
                wake = latest.min(now + wait);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_reading_is_no_change() {
        use notify::event::{CreateKind, DataChange, RenameMode};
        assert_eq!(meaning(EventKind::Access(AccessKind::Open(AccessMode::Any))), None);
        assert_eq!(meaning(EventKind::Access(AccessKind::Close(AccessMode::Read))), None);
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        assert_eq!(meaning(written), Some(Notice::Settled));
        assert_eq!(meaning(EventKind::Create(CreateKind::File)), Some(Notice::Settled));
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        assert_eq!(meaning(renamed), Some(Notice::Settled));
        let data = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        assert_eq!(meaning(data), Some(Notice::Writing));
    }

    #[test]
    fn a_log_that_is_written_beside_the_lists_delays_nothing() {
        use notify::event::DataChange;
        let of = |kind, path: &str| meaning_of(&notify::Event::new(kind).add_path(path.into()));
        let data = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        assert_eq!(of(data, "/x/exporter.log"), None);
        assert_eq!(of(data, "/x/list"), None);
        assert_eq!(of(data, "/x/list.yml"), Some(Notice::Writing));
        assert_eq!(of(data, "/x/list.JSON"), Some(Notice::Writing));
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        assert_eq!(of(written, "/x/where-a-link-leads"), Some(Notice::Settled));
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_looked_at_once_it_settles_and_at_last_even_if_it_does_not() {
        let (sender, mut notices) = mpsc::channel(64);
        let began = Instant::now();
        wait_for_change(&mut notices).await;
        assert_eq!(began.elapsed().as_secs(), LOOK_EVERY.as_secs(), "without any notice");
        let began = Instant::now();
        sender.send(Notice::Writing).await.unwrap();
        sender.send(Notice::Settled).await.unwrap();
        wait_for_change(&mut notices).await;
        assert!(began.elapsed() < Duration::from_millis(200), "{:?}", began.elapsed());
        let began = Instant::now();
        let writer = tokio::spawn(async move {
            while sender.send(Notice::Writing).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        });
        wait_for_change(&mut notices).await;
        assert_eq!(began.elapsed().as_secs(), LONGEST_WAIT.as_secs());
        writer.abort();
    }
}
