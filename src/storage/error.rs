//! Why nothing can be kept: one line each, with the place and what to do.

use crate::config::error::shown_path;
use std::io;
use std::path::PathBuf;

/// What the user can do about a file that can't be read.
const REMEDY: &str = "restore it from a backup, or move it away to begin without what it knew";

/// Why the storage can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The folder can't be made or looked at.
    #[error("--storage.path: the folder {path} can't be used ({source}); name one that this user may write", path = shown_path(path))]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something else than a folder.
    #[error("--storage.path: {path} is not a folder; name one, it is made if it is not there", path = shown_path(path))]
    NotAFolder {
        /// What was named.
        path: PathBuf,
    },
    /// Another process works in the folder.
    #[error("--storage.path: the folder {path} is in use by another process; give each exporter a folder of its own", path = shown_path(path))]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The file can't be read or written: permissions, a full disk.
    #[error("--storage.path: the file {file} can't be {what} ({source}){hint}", file = shown_path(file), hint = hint(source))]
    Io {
        /// `read`, `written`, `made`
        what: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("--storage.path: the file {file} is no database of this exporter ({detail}); move it away", file = shown_path(file))]
    NotOurs {
        /// The file.
        file: PathBuf,
        /// How that is seen.
        detail: String,
    },
    /// The file was changed by something else, or cut.
    #[error("--storage.path: the file {file} is damaged ({detail}); {REMEDY}", file = shown_path(file))]
    Damaged {
        /// The file.
        file: PathBuf,
        /// How that is seen.
        detail: String,
    },
    /// The file is of a version that is still to come, or of none.
    #[error("--storage.path: the file {file} has format {found}, but this version of grid-bulk-exporter reads 1 to {newest}; run the newer version again, or {REMEDY}", file = shown_path(file))]
    Format {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u64,
        /// The newest that we read.
        newest: u64,
    },
    /// What is stored was learnt from another API.
    #[error("--storage.path: the file {file} holds what was learnt from {stored}, but grid.base_url is {configured}; their numbers are not mixed: give each API a folder of its own", file = shown_path(file))]
    OtherApi {
        /// The file.
        file: PathBuf,
        /// The API of the file.
        stored: String,
        /// The API that is asked.
        configured: String,
    },
    /// The file was removed or replaced while it was in use.
    #[error("--storage.path: the file {file} was removed or replaced while it was in use", file = shown_path(file))]
    Gone {
        /// The file.
        file: PathBuf,
    },
    /// Our own thread is not there.
    #[error("--storage.path: its thread can't be had ({0})")]
    Thread(String),
}

/// What to do about a failure of the disk.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "; make room for it"
        }
        io::ErrorKind::PermissionDenied => "; it must belong to the user that the exporter runs as",
        io::ErrorKind::ReadOnlyFilesystem => "; name a folder on a disk that can be written",
        _ => "",
    }
}
