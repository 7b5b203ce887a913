//! `job_files`: lists of jobs in files, in Prometheus's `file_sd` format, seen as soon as they change.
//!
//! `app` runs [`watch`] as a task of its own. The file system's notice says that something changed in a folder, and
//! then everything is looked at again: what notices say in detail differs between editors, `mv` and Kubernetes's
//! swaps of `..data`, and a missed one must not matter. Files whose bytes are as before are not parsed again. Once a
//! minute everything is looked at without notice, as some file systems give none. Everything that blocks (reading,
//! parsing, the watches) is done on a thread that may.
//!
//! A file that can't be read or is not whole keeps its last good list; one that is gone takes its jobs along.

use crate::catalog::{ListUpdate, NamedJob, SourceId, glob, job_list};
use crate::clock::SharedClock;
use crate::config::error::shown_path;
use crate::config::source;
use crate::telemetry::own::DiscoveryMetrics;
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

/// The name of this source in metrics.
pub const METRIC_SOURCE: &str = "file";

/// Everything is looked at at least so often.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// After a notice, so long is waited for the next: a change is often several.
const SETTLE: Duration = Duration::from_millis(100);

/// While somebody writes a file, so long is waited for the next piece or the end.
const WRITING: Duration = Duration::from_millis(400);

/// Changes that go on and on are looked at after this.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The largest file, in bytes; 100,000 jobs with labels have about 20 MiB.
const MOST_BYTES: u64 = 64 << 20;

/// All files of the patterns as they were last read.
#[derive(Debug)]
pub struct FileLists {
    patterns: Vec<PathBuf>,
    files: BTreeMap<PathBuf, KnownFile>,
    /// Patterns whose folder can't be read, and why.
    faults: BTreeMap<PathBuf, String>,
    /// Whether it was ever read.
    is_read: bool,
}

#[derive(Debug, Default)]
struct KnownFile {
    /// Of the bytes last parsed, good or not.
    hash: Option<u64>,
    /// The last good list.
    jobs: Vec<NamedJob>,
    /// Why the file can't be used now.
    fault: Option<String>,
}

/// What one look found.
#[derive(Debug, PartialEq, Eq)]
pub struct Look {
    /// All jobs, each once; nothing if they are as they were.
    pub jobs: Option<Vec<NamedJob>>,
    /// Files and folders that can't be read.
    pub failures: u64,
}

impl FileLists {
    /// The files of these patterns, not read yet.
    #[must_use]
    pub fn new(patterns: Vec<PathBuf>) -> Self {
        Self { patterns, files: BTreeMap::new(), faults: BTreeMap::new(), is_read: false }
    }

    /// Looks at all files, and logs what is newly wrong or well again. Blocks.
    pub fn look(&mut self) -> Look {
        let mut failures = 0;
        let mut present = BTreeSet::new();
        let mut all_found = true;
        for pattern in &self.patterns {
            match glob::find(pattern) {
                Ok(mut found) => {
                    self.faults.remove(pattern);
                    present.append(&mut found);
                }
                Err(error) => {
                    failures += 1;
                    all_found = false;
                    let fault = error.to_string();
                    if self.faults.insert(pattern.clone(), fault.clone()).as_ref() != Some(&fault) {
                        let pattern = shown_path(pattern);
                        warn!(pattern, error = %fault, "files of jobs can't be looked for; those known stay");
                    }
                }
            }
        }
        let mut changed = !std::mem::replace(&mut self.is_read, true);
        if all_found {
            changed |= self.forget_absent(&present);
        }
        for path in present {
            let file = self.files.entry(path.clone()).or_default();
            match file.read(&path) {
                Read::Same if file.fault.is_none() => {}
                Read::Same | Read::Fault => failures += 1,
                Read::Good => changed = true,
                Read::Absent => {
                    changed |= self.files.remove(&path).is_some_and(|file| !file.jobs.is_empty());
                }
            }
        }
        Look { jobs: changed.then(|| self.all_jobs()), failures }
    }

    /// Forgets files that are gone; true if one of them named jobs.
    fn forget_absent(&mut self, present: &BTreeSet<PathBuf>) -> bool {
        let mut changed = false;
        self.files.retain(|path, file| {
            let stays = present.contains(path);
            if !stays && !file.jobs.is_empty() {
                let (path, jobs) = (shown_path(path), file.jobs.len());
                info!(path, jobs, "a file of jobs is gone, and its jobs with it");
                changed = true;
            }
            stays
        });
        changed
    }

    fn all_jobs(&self) -> Vec<NamedJob> {
        let mut named = HashSet::new();
        let all = self.files.values().flat_map(|file| &file.jobs);
        all.filter(|job| named.insert(&job.id)).cloned().collect()
    }

    /// The folders in which a change would matter: those of the patterns, and those in which files really lie that
    /// are symbolic links. One that is not there yet is watched for in the nearest that is.
    fn folders(&self) -> BTreeSet<PathBuf> {
        let mut folders = BTreeSet::new();
        for pattern in &self.patterns {
            let mut folder = glob::fixed_folder(pattern);
            while !folder.as_os_str().is_empty() && !folder.is_dir() {
                folder.pop();
            }
            folders.insert(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder });
        }
        for path in self.files.keys() {
            folders.extend(path.parent().filter(|parent| !parent.as_os_str().is_empty()).map(Path::to_owned));
            if path.is_symlink()
                && let Ok(real) = path.canonicalize()
            {
                folders.extend(real.parent().map(Path::to_owned));
            }
        }
        folders
    }
}

/// What came of reading one file.
enum Read {
    /// Its bytes are as before.
    Same,
    /// It has a new good list.
    Good,
    /// It can't be used; the list before stays.
    Fault,
    /// It went away meanwhile.
    Absent,
}

impl KnownFile {
    fn read(&mut self, path: &Path) -> Read {
        let bytes = match source::read_bounded(path, MOST_BYTES) {
            Ok(bytes) => bytes,
            Err(_) if !path.exists() && !path.is_symlink() => return Read::Absent,
            Err(fault) => {
                self.hash = None;
                return self.refuse(path, fault);
            }
        };
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let hash = Some(hasher.finish());
        if self.hash == hash {
            return Read::Same;
        }
        self.hash = hash;
        match self.parse(path, &bytes) {
            Ok(jobs) => {
                self.jobs = jobs;
                if self.fault.take().is_some() {
                    let (path, jobs) = (shown_path(path), self.jobs.len());
                    info!(path, jobs, "a file of jobs can be read again");
                }
                Read::Good
            }
            Err(fault) => self.refuse(path, fault),
        }
    }

    fn parse(&self, path: &Path, bytes: &[u8]) -> Result<Vec<NamedJob>, String> {
        if bytes.is_empty() && !self.jobs.is_empty() {
            // Whoever writes a file in place empties it first.
            return Err("is empty; write [] if it is to name no job, or remove it".to_owned());
        }
        let is_json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
        if is_json { job_list::parse_json(bytes) } else { job_list::parse_yaml(bytes) }
    }

    /// Notes what is wrong, and logs it if it is another fault than before.
    fn refuse(&mut self, path: &Path, fault: String) -> Read {
        if self.fault.as_ref() != Some(&fault) {
            let (path, jobs) = (shown_path(path), self.jobs.len());
            warn!(path, jobs, "{path}: {fault}; of this file, the {jobs} jobs last read stay");
            self.fault = Some(fault);
        }
        Read::Fault
    }
}

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
            let notice = event.map_or(Some(Notice::Settled), |event| meaning(event.kind));
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
    use std::fs;
    use std::os::unix::fs::symlink;

    struct Folder {
        folder: tempfile::TempDir,
        lists: FileLists,
    }

    impl Folder {
        fn with_pattern(pattern: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let lists = FileLists::new(vec![folder.path().join(pattern)]);
            Self { folder, lists }
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.folder.path().join(name), text).unwrap();
        }

        /// The ids now, if they are others, and the number of failures.
        fn look(&mut self) -> (Option<Vec<String>>, u64) {
            let look = self.lists.look();
            let ids = |jobs: Vec<NamedJob>| jobs.iter().map(|job| job.id.to_string()).collect();
            (look.jobs.map(ids), look.failures)
        }
    }

    fn names(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn files_come_change_and_go() {
        let mut folder = Folder::with_pattern("*.yml");
        assert_eq!(folder.look(), (Some(names(&[])), 0), "the first look tells even of nothing");
        assert_eq!(folder.look(), (None, 0));
        folder.write("b.yml", "- targets: [ b, c ]\n");
        folder.write("a.yml", "- targets: [ a, b ]\n");
        folder.write("other.json", "[{\"targets\": [\"z\"]}]");
        assert_eq!(folder.look(), (Some(names(&["a", "b", "c"])), 0));
        folder.write("b.yml", "- targets: [ c, d ]\n");
        assert_eq!(folder.look(), (Some(names(&["a", "b", "c", "d"])), 0));
        fs::remove_file(folder.folder.path().join("a.yml")).unwrap();
        assert_eq!(folder.look(), (Some(names(&["c", "d"])), 0));
        assert_eq!(folder.look(), (None, 0));
    }

    #[test]
    fn a_file_that_is_not_whole_keeps_its_list_and_counts_each_time() {
        let mut folder = Folder::with_pattern("*.json");
        folder.write("a.json", "[{\"targets\": [\"a\"]}]");
        folder.write("b.json", "[{\"targets\": [\"b\"]}]");
        assert_eq!(folder.look(), (Some(names(&["a", "b"])), 0));
        folder.write("a.json", "[{\"targets\": [\"a\", \"x");
        assert_eq!(folder.look(), (None, 1));
        assert_eq!(folder.look(), (None, 1));
        folder.write("b.json", "[{\"targets\": [\"c\"]}]");
        assert_eq!(folder.look(), (Some(names(&["a", "c"])), 1), "another file is read meanwhile");
        folder.write("a.json", "[{\"targets\": [\"a\", \"x\"]}]");
        assert_eq!(folder.look(), (Some(names(&["a", "x", "c"])), 0));
    }

    #[test]
    fn an_emptied_file_keeps_its_list_until_it_says_that_there_is_none() {
        let mut folder = Folder::with_pattern("a.yml");
        folder.write("a.yml", "");
        assert_eq!(folder.look(), (Some(names(&[])), 0), "there was nothing to lose");
        folder.write("a.yml", "- targets: [ a ]\n");
        assert_eq!(folder.look(), (Some(names(&["a"])), 0));
        folder.write("a.yml", "");
        assert_eq!(folder.look(), (None, 1));
        folder.write("a.yml", "[]\n");
        assert_eq!(folder.look(), (Some(names(&[])), 0));
    }

    #[test]
    fn a_swap_of_kubernetes_is_seen_and_its_real_folder_watched() {
        let mut folder = Folder::with_pattern("*.yml");
        let path = folder.folder.path().to_owned();
        for (version, id) in [("..1", "a"), ("..2", "b")] {
            fs::create_dir(path.join(version)).unwrap();
            fs::write(path.join(version).join("jobs.yml"), format!("- targets: [ {id} ]\n")).unwrap();
        }
        symlink("..1", path.join("..data")).unwrap();
        symlink("..data/jobs.yml", path.join("jobs.yml")).unwrap();
        assert_eq!(folder.look(), (Some(names(&["a"])), 0));
        assert!(folder.lists.folders().contains(&path.canonicalize().unwrap().join("..1")));
        symlink("..2", path.join("..data_tmp")).unwrap();
        fs::rename(path.join("..data_tmp"), path.join("..data")).unwrap();
        fs::remove_dir_all(path.join("..1")).unwrap();
        assert_eq!(folder.look(), (Some(names(&["b"])), 0));
        fs::remove_file(path.join("..data")).unwrap();
        assert_eq!(folder.look(), (Some(names(&[])), 0), "a link that leads nowhere is no file");
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_watched_for_in_the_one_above() {
        let folder = Folder::with_pattern("later/still/*.yml");
        assert_eq!(folder.lists.folders(), BTreeSet::from([folder.folder.path().to_owned()]));
        fs::create_dir(folder.folder.path().join("later")).unwrap();
        assert_eq!(folder.lists.folders(), BTreeSet::from([folder.folder.path().join("later")]));
    }

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
