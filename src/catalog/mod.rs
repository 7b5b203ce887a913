//! Which jobs are watched: the set that all sources together name, and how it changed.
//!
//! Pure: it is told the jobs of a source and answers with the difference, which `app` hands to the poller. So far
//! there is one source, the configuration (its file, `--job` and `GRID_JOBS`, already merged).

use crate::config::JobSpec;
use crate::job::JobId;
use std::collections::HashMap;

/// The set of watched jobs.
#[derive(Debug, Default)]
pub struct Catalog {
    jobs: HashMap<JobId, JobSpec>,
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
}

impl CatalogChange {
    /// True if nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.joined.is_empty() && self.relabelled.is_empty() && self.left.is_empty()
    }
}

impl Catalog {
    /// Takes the whole list of the configured jobs, each named once, and tells what is different.
    #[must_use]
    pub fn replace(&mut self, jobs: &[JobSpec]) -> CatalogChange {
        let mut change = CatalogChange::default();
        let mut before = std::mem::take(&mut self.jobs);
        for job in jobs {
            match before.remove(&job.id) {
                None => change.joined.push(job.clone()),
                Some(old) if old != *job => change.relabelled.push(job.clone()),
                Some(_) => {}
            }
            self.jobs.insert(job.id.clone(), job.clone());
        }
        change.left = before.into_keys().collect();
        change.left.sort_unstable();
        change
    }

    /// How many jobs are watched.
    #[must_use]
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// True if no job is watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::JobSource;
    use crate::job::Labels;

    fn job(id: &str, team: &str) -> JobSpec {
        let labels: Labels = [("team".parse().unwrap(), team.to_owned())].into_iter().collect();
        JobSpec { id: id.parse().unwrap(), labels, sources: vec![JobSource::File] }
    }

    #[test]
    fn only_the_difference_is_told() {
        let mut catalog = Catalog::default();
        let first = catalog.replace(&[job("a", "red"), job("b", "red"), job("c", "red")]);
        assert_eq!(first.joined.len(), 3);
        let second = catalog.replace(&[job("b", "blue"), job("c", "red"), job("d", "red")]);
        assert_eq!(second.joined, [job("d", "red")]);
        assert_eq!(second.relabelled, [job("b", "blue")]);
        assert_eq!(second.left, ["a".parse().unwrap()]);
        assert!(catalog.replace(&[job("d", "red"), job("c", "red"), job("b", "blue")]).is_empty());
        assert_eq!(catalog.len(), 3);
    }
}
