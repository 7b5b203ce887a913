//! Reads the whole configuration, at the start and anew: either all of it is good, or nothing changes.
//!
//! Called by `app` (start, `SIGHUP`, `/-/reload`, auto-reload) and by `check-config`. It keeps no state and swaps
//! nothing: `app` owns the configuration in use, its metrics and its log lines. The file is read without tokio's
//! help, as it is small or at least bounded; `app` calls it on a thread that may block.

use super::error::{Fault, Faults, shown_path};
use super::merge::{self, Draft, Inputs};
use super::section::Findings;
use super::{Config, file, source, yaml};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A whole configuration as it was read.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is allowed and unwise; to be logged.
    pub warnings: Vec<Fault>,
    /// The state of the file before it was read; `None` without a file.
    pub fingerprint: Option<ConfigFingerprint>,
}

/// A configuration with which `serve` can run, or everything that is wrong with it.
pub fn load(inputs: &Inputs) -> Result<Loaded, Faults> {
    // Taken first: a change while we read shows as a change afterwards, and is read again.
    let fingerprint = inputs.config_file.as_deref().map(ConfigFingerprint::of);
    let mut draft = draft(inputs)?;
    let warnings = std::mem::take(&mut draft.warnings);
    Ok(Loaded { config: draft.complete()?, warnings, fingerprint })
}

/// The same without insisting on credentials and jobs, for `check-config`.
pub fn draft(inputs: &Inputs) -> Result<Draft, Faults> {
    match &inputs.config_file {
        Some(path) => draft_of_file(path, inputs),
        None => read_text("", findings(Path::new("")), inputs),
    }
}

fn draft_of_file(path: &Path, inputs: &Inputs) -> Result<Draft, Faults> {
    let findings = findings(path);
    match source::read_text(path) {
        Ok(text) => read_text(&Zeroizing::new(text), findings, inputs),
        Err(fault) => {
            let of_file = Fault::of_file(&findings.file, fault.message);
            Err(Fault { line: fault.line, ..of_file }.into())
        }
    }
}

fn findings(path: &Path) -> Findings {
    Findings {
        file: shown_path(path).into(),
        folder: path.parent().unwrap_or(Path::new("")).to_owned(),
        faults: Faults::default(),
        warnings: Vec::new(),
    }
}

fn read_text(text: &str, mut findings: Findings, inputs: &Inputs) -> Result<Draft, Faults> {
    let root = yaml::parse(text)
        .map_err(|fault| Fault { line: Some(fault.line), ..Fault::of_file(&findings.file, fault.message) })?;
    if root.is_none() && inputs.config_file.is_some() {
        let message = "is empty: no key is set in it, so all have their defaults";
        findings.warnings.push(Fault::of_file(&Arc::clone(&findings.file), message));
    }
    let file = file::read(&mut findings, root.as_ref());
    merge::merge(findings, file, inputs)
}

/// What shows that a file may have changed: place on disk, size and times. Cheap enough for every few seconds.
///
/// Symbolic links are followed, so that Kubernetes swapping a mounted ConfigMap shows. The time of the last status
/// change is part of it: it moves even where a copy keeps the time of modification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFingerprint(Option<[i128; 6]>);

impl ConfigFingerprint {
    /// The present state of the file at `path`; one that is not there has a state too.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        Self(std::fs::metadata(path).ok().map(|metadata| {
            [
                metadata.dev().into(),
                metadata.ino().into(),
                metadata.len().into(),
                i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()),
                i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec()),
                metadata.mode().into(),
            ]
        }))
    }
}
