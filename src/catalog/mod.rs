//! Which jobs are watched: the set that all sources together name, and how it changed.
//!
//! `set` is the pure heart: told what a source names, it answers with the difference, which `app` hands to the
//! poller. `file_sd` and `http_sd` are the sources that are read again and again; `job_list` reads their common
//! format, `glob` finds the files of a pattern. The configuration and the admin API are told by `app`.

pub mod file_sd;
mod glob;
pub mod http_sd;
mod job_list;
mod set;

pub use job_list::read_labels;
pub use set::{Catalog, CatalogChange, LimitReached, NotNamed};

use crate::config::JobSource;
use crate::job::{JobId, Labels};

/// One source of jobs; in the order of their labels' rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId {
    /// What kind of source.
    pub kind: JobSource,
    /// Which one of its kind: there may be several servers of `job_http`.
    pub number: u64,
}

/// A job as a source names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedJob {
    /// Its id.
    pub id: JobId,
    /// Its labels.
    pub labels: Labels,
}

/// What a source that is read again and again has to say.
#[derive(Debug)]
pub struct ListUpdate {
    /// Who says it.
    pub source: SourceId,
    /// All that it names now; nothing if its first reading failed (later failures are not told: the list before stays).
    pub jobs: Option<Vec<NamedJob>>,
}
