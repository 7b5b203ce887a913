//! The scenario file: what the API and single jobs of it do. `docs/simulator.md` documents every key.

mod fault;
mod keys;
mod read;

use crate::sim::fault::Fault;
use crate::sim::fleet::SimJobSpec;
use crate::sim::throttle::RateLimit;
use crate::sim::upload::UploadPlan;
use crate::sim::webhook::WebhookPlan;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// What a scenario file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scenario {
    /// What the API as a whole does.
    pub api: ApiPlan,
    /// How uploaded jobs run.
    pub uploads: UploadPlan,
    /// How webhooks are sent.
    pub webhooks: WebhookPlan,
    /// Jobs with a course of their own.
    pub jobs: Vec<SimJobSpec>,
}

/// What the API as a whole does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiPlan {
    /// The limit of requests a second; nothing: none.
    pub rate_limit: Option<RateLimit>,
    /// Send `ETag`, and answer 304.
    pub etag: bool,
    /// Send gzip where it is asked for.
    pub gzip: bool,
    /// Faults of every request.
    pub faults: Vec<Fault>,
}

/// A larger file is surely not a scenario.
const MAX_FILE: u64 = 16 << 20;

/// Why a scenario can't be used: the file, the line, and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file can't be read.
    #[error("{file}: {source}; --scenario names a YAML file (docs/simulator.md has an example)")]
    Unreadable {
        /// The file's name.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is larger than 16 MiB.
    #[error("{file}: larger than 16 MiB, so surely not a scenario")]
    TooLarge {
        /// The file's name.
        file: String,
    },
    /// Something in it is wrong.
    #[error("{file}:{line}: {problem}")]
    Wrong {
        /// The file's name.
        file: String,
        /// The line, 1 for the first.
        line: usize,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

impl Scenario {
    /// Reads a scenario file. Blocks.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let file = path.display().to_string();
        let unreadable = |source| ScenarioError::Unreadable { file: file.clone(), source };
        let mut text = String::new();
        let opened = File::open(path).map_err(unreadable)?;
        opened.take(MAX_FILE + 1).read_to_string(&mut text).map_err(unreadable)?;
        if text.len() as u64 > MAX_FILE {
            return Err(ScenarioError::TooLarge { file });
        }
        Self::from_yaml(&text, &file)
    }

    /// Reads a scenario from its text; `file` is what errors call it.
    pub fn from_yaml(text: &str, file: &str) -> Result<Self, ScenarioError> {
        keys::scenario(text).map_err(|wrong| ScenarioError::Wrong {
            file: file.to_owned(),
            line: wrong.line,
            problem: wrong.problem,
        })
    }
}

#[cfg(test)]
mod tests;
