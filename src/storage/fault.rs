//! redb's errors as ours: each with the file, and sorted by what the user can do.

use crate::storage::error::StorageError;
use redb::Error;
use std::io;
use std::path::{Path, PathBuf};

/// Makes errors of one file.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    file: PathBuf,
}

impl Faults {
    pub(super) const fn new(file: PathBuf) -> Self {
        Self { file }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// An error of the disk.
    pub(super) fn io(&self, what: &'static str, source: io::Error) -> StorageError {
        StorageError::Io { what, file: self.file.clone(), source }
    }

    /// The file holds something else.
    pub(super) fn not_ours(&self, detail: &str) -> StorageError {
        StorageError::NotOurs { file: self.file.clone(), detail: detail.to_owned() }
    }

    /// The file is not as it was written.
    pub(super) fn damaged(&self, detail: impl Into<String>) -> StorageError {
        StorageError::Damaged { file: self.file.clone(), detail: detail.into() }
    }

    /// An error of redb, while the file was to be read or written.
    pub(super) fn of(&self, what: &'static str, error: impl Into<Error>) -> StorageError {
        match error.into() {
            Error::Io(source) => match source.kind() {
                io::ErrorKind::InvalidData => self.not_ours(&one_line(&source.to_string())),
                io::ErrorKind::UnexpectedEof => self.damaged("it ends too early"),
                _ => self.io(what, source),
            },
            Error::DatabaseAlreadyOpen => {
                let folder = self.file.parent().unwrap_or(&self.file);
                StorageError::InUse { path: folder.to_owned() }
            }
            Error::UpgradeRequired(_) => self.not_ours("it was written by another version of redb"),
            other => self.damaged(one_line(&other.to_string())),
        }
    }
}

fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(200).collect()
}
