//! `job_files`: lists of jobs in files, in Prometheus's `file_sd` format.
//!
//! [`FileLists`] is what the files say, read and compared on demand; `follow` looks as soon as something changes, as a
//! task that `app` owns. Files whose bytes are as before are not parsed again. A file that can't be read or is not whole
//! keeps its last good list; one that is gone takes its jobs along.

mod follow;
#[cfg(test)]
mod tests;

pub use follow::watch;

use crate::catalog::{NamedJob, glob, job_list};
use crate::config::error::shown_path;
use crate::config::source;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use tracing::{info, warn};

/// The name of this source in metrics.
pub const METRIC_SOURCE: &str = "file";

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
        let bytes = match source::read_plain(path, MOST_BYTES) {
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
