//! Reads the whole configuration, at the start and anew: either all of it is good, or nothing changes.
//!
//! Called by `app` (start, `SIGHUP`, `/-/reload`, auto-reload) and by `check-config`. It keeps no state and swaps
//! nothing: `app` owns the configuration in use, its metrics and its log lines. The file is read without tokio's
//! help, as it is small or at least bounded; `app` calls it on a thread that may block.

use super::error::{Fault, Faults, shown_path};
use super::merge::{self, Draft, Inputs};
use super::places::Places;
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

pub(super) fn findings(path: &Path) -> Findings {
    let file: Arc<str> = shown_path(path).into();
    Findings {
        places: Places::new(Arc::clone(&file)),
        file,
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
/// Symbolic links are followed, so that it shows when Kubernetes swaps a mounted `ConfigMap`. The time of the last status
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, environment};
    use proptest::prelude::*;
    use std::fmt::Write as _;

    fn read(text: &str) -> Result<Draft, Faults> {
        let inputs = Inputs { config_file: Some("grid.yml".into()), ..Inputs::default() };
        read_text(text, findings(Path::new("grid.yml")), &inputs)
    }

    #[test]
    fn a_hundred_thousand_jobs_with_labels_are_read_whole() {
        let mut text = "jobs:\n".to_owned();
        for number in 0..100_000 {
            let _infallible = writeln!(
                text,
                "  - id: Job:019542f5-b3e7-1d02-0000-{number:012}\n    labels: {{ name: import-{number}, team: t }}"
            );
        }
        let draft = read(&text).unwrap();
        assert_eq!(draft.jobs.len(), 100_000);
        assert_eq!(draft.jobs[99_999].labels.get("name"), Some("import-99999"));
    }

    #[test]
    fn a_variable_that_is_no_text_is_told() {
        use std::os::unix::ffi::OsStringExt;
        let bad = std::ffi::OsString::from_vec(vec![0xff]);
        let environment = Environment::read(|name| (name == environment::JOBS).then(|| bad.clone()));
        let faults = draft(&Inputs { environment, ..Inputs::default() }).unwrap_err();
        assert_eq!(faults.to_string(), "GRID_JOBS: is not UTF-8; set it to plain text, or unset it");
    }

    #[test]
    fn a_changed_file_has_another_fingerprint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("grid.yml");
        let absent = ConfigFingerprint::of(&path);
        std::fs::write(&path, "poll: {}").unwrap();
        let first = ConfigFingerprint::of(&path);
        assert_ne!(absent, first);
        assert_eq!(first, ConfigFingerprint::of(&path));
        // As editors and Kubernetes do it: another file takes the name.
        let other = folder.path().join("new.yml");
        std::fs::write(&other, "poll: {}").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_ne!(first, ConfigFingerprint::of(&path));
    }

    /// Pieces of which YAML is made, good and bad, so that random rows of them get deep into parser and reader.
    fn yamlish() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "grid",
            "poll",
            "jobs",
            "limits",
            "interval",
            "id",
            "labels",
            "client_secret",
            "retention",
            ": ",
            ":",
            "\n",
            "\n  ",
            "\n    ",
            "- ",
            "\n- ",
            "{",
            "}",
            "[",
            "]",
            ", ",
            "\"",
            "'",
            "&a ",
            "*a",
            "!t ",
            "!!str ",
            "|\n",
            ">-\n",
            "? ",
            "---\n",
            "...\n",
            "\t",
            "#",
            " ",
            "%YAML 1.2\n",
            "%TAG ! x\n",
            "30s",
            "Job:a",
            "0",
            "null",
            "ü",
            "\\x",
            "\\u12",
            "<<",
            "@",
            "`",
            "\r",
            "\r\n",
            "\u{feff}",
            "\u{2028}",
            "\u{85}",
        ]);
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn no_text_makes_the_loader_panic(text in yamlish()) {
            if let Err(faults) = read(&text) {
                prop_assert!(faults.iter().all(|fault| fault.to_string().lines().count() == 1), "{faults}");
            }
        }

        #[test]
        fn no_characters_make_the_loader_panic(text: String) {
            let _outcome = read(&text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

        #[test]
        fn no_bytes_make_the_loader_panic(bytes: Vec<u8>) {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &bytes).unwrap();
            let _outcome = draft(&Inputs { config_file: Some(file.path().into()), ..Inputs::default() });
        }
    }
}
