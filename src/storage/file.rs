//! The folder and the file in it: taken for this process alone, made, checked whole, opened.
//!
//! A file is checked whole each time it is opened, since redb would trust one that was closed well: all checksums, and
//! commits in two phases, so that what was acknowledged is never quietly given up for the state before. A new file is
//! made under another name and renamed once it is whole; so one that is empty or half made is never a new one, but one
//! that something cut. Runs on the storage's thread.

use crate::storage::error::StorageError;
use crate::storage::fault::Faults;
use crate::storage::format::{self, STEPS};
use crate::storage::write;
use redb::{Builder, Database};
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The file.
pub const FILE_NAME: &str = "grid-bulk-exporter.redb";

/// The file while it is made.
const NEW_FILE_NAME: &str = "grid-bulk-exporter.redb.new";

/// Pages that redb keeps in memory, in bytes.
const CACHE: usize = 4 << 20;

/// A file that is smaller than this is not worth making smaller, in bytes.
const SMALL: u64 = 4 << 20;

/// The folder, which is this process's alone as long as this lives.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes it if it is not there, and takes it.
    pub(super) fn take(path: &Path) -> Result<Self, StorageError> {
        let fault = |source| StorageError::Folder { path: path.to_owned(), source };
        match fs::metadata(path) {
            Ok(found) if !found.is_dir() => return Err(StorageError::NotAFolder { path: path.to_owned() }),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(path).map_err(fault)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(StorageError::NotAFolder { path: path.to_owned() });
            }
            Err(error) => return Err(fault(error)),
        }
        let lock = File::open(path).map_err(fault)?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(StorageError::InUse { path: path.to_owned() }),
            // A file system that locks no folders: redb locks the file.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The file's path.
    pub(super) fn file(&self) -> PathBuf {
        self.path.join(FILE_NAME)
    }

    /// Opens the file, or a new one.
    pub(super) fn open(&self) -> Result<OpenFile, StorageError> {
        let path = self.file();
        let faults = Faults::new(path.clone());
        match fs::metadata(&path) {
            Ok(found) if !found.is_file() => return Err(faults.not_ours("it is no file")),
            Ok(found) if found.len() == 0 => return Err(faults.damaged("it is empty")),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make(&faults)?;
            }
            Err(error) => return Err(faults.io("read", error)),
        }
        let mut database = builder().open(&path).map_err(|error| faults.of("read", error))?;
        let transaction = write::begin(&database, &faults)?;
        if format::migrate(&transaction, STEPS, &faults)? {
            transaction.commit().map_err(|error| faults.of("written", error))?;
        } else {
            transaction.abort().map_err(|error| faults.of("read", error))?;
        }
        make_smaller(&mut database, &path, &faults)?;
        let identity = identity(&path).map_err(|error| faults.io("read", error))?;
        Ok(OpenFile { database, faults, identity })
    }

    /// Makes a new file: it has its name once it is whole.
    fn make(&self, faults: &Faults) -> Result<(), StorageError> {
        let making = |error| faults.io("made", error);
        let new = self.path.join(NEW_FILE_NAME);
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(making(error)),
            Ok(()) | Err(_) => {}
        }
        let database = builder().create(&new).map_err(|error| faults.of("made", error))?;
        let transaction = write::begin(&database, faults)?;
        format::initialise(&transaction).map_err(|error| faults.of("made", error))?;
        transaction.commit().map_err(|error| faults.of("made", error))?;
        database.close().map_err(|error| faults.of("made", error))?;
        fs::rename(&new, self.file()).map_err(making)?;
        File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(making)
    }
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    builder
}

/// Gives back room that is not needed any more, if there is much of it.
fn make_smaller(database: &mut Database, path: &Path, faults: &Faults) -> Result<(), StorageError> {
    let length = fs::metadata(path).map_err(|error| faults.io("read", error))?.len();
    if length < SMALL {
        return Ok(());
    }
    let transaction = write::begin(database, faults)?;
    let stats = transaction.stats().map_err(|error| faults.of("read", error))?;
    transaction.abort().map_err(|error| faults.of("read", error))?;
    let used = stats.allocated_pages().saturating_mul(stats.page_size() as u64);
    if used < length / 2 {
        database.compact().map_err(|error| faults.of("written", error))?;
    }
    Ok(())
}

/// The file that a path leads to.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|found| (found.dev(), found.ino()))
}

/// The file while it is open.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) database: Database,
    pub(super) faults: Faults,
    identity: (u64, u64),
}

impl OpenFile {
    /// An error if the file is not there any more under its name: what is written would be lost.
    pub(super) fn check_place(&self) -> Result<(), StorageError> {
        match identity(self.faults.file()) {
            Ok(found) if found == self.identity => Ok(()),
            Ok(_) => Err(StorageError::Gone { file: self.faults.file().to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StorageError::Gone { file: self.faults.file().to_owned() })
            }
            Err(error) => Err(self.faults.io("read", error)),
        }
    }
}
