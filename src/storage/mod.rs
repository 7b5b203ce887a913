//! What outlives a restart (`--storage.path`): one file, written by redb on a thread of its own.
//!
//! `app` starts it by [`start`], before anything listens: that takes the folder, checks and reads the file, and gives
//! the store as it was. [`Keeper`] is the task that writes: each change within a second, many in one transaction, and
//! on the word of a [`Storage`] handle at once, for what is to be on disk before it is acknowledged. The store says
//! what changed (`store::saving`) and shows of the row counters only what is on disk.
//!
//! Whatever happens to the disk while it runs, the exporter goes on in memory, and what it has is written when that can
//! be done again. A file that can't be read, is damaged, of a newer version, or of another API refuses the start with
//! one line, or with `--storage.on-error=memory` is left alone.
//!
//! `claims` and `identity` are what is kept beside the store's own state, `record` is what stands in the file, `format`
//! its tables and versions, `file` opens and checks it, `read` and `write` are its transactions, `thread` is where all
//! that happens, `error` and `fault` what can go wrong.

mod claims;
mod error;
mod fault;
mod file;
mod format;
mod handle;
mod identity;
mod keeper;
mod read;
mod record;
#[cfg(test)]
mod tests;
mod thread;
mod write;

pub use claims::{Claim, ClaimChange, Delivery};
pub use error::StorageError;
pub use file::FILE_NAME;
pub use handle::{NotKept, Storage};
pub use identity::{Identity, without_version};
pub use keeper::Keeper;

use crate::clock::SharedClock;
use crate::store::{RowTotals, Store};
use crate::telemetry::own::StorageMetrics;
use file::Folder;
use read::Stored;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thread::DatabaseThread;
use tracing::{error, info, warn};

/// `--storage.*`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageOptions {
    /// The folder; nothing: memory only.
    pub path: Option<PathBuf>,
    /// What a storage that can't be used means.
    pub on_error: OnError,
}

/// What a storage that can't be used means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// The exporter does not start; and acknowledges nothing that is not on disk.
    #[default]
    Exit,
    /// Memory is good enough: it starts without what was stored, and acknowledges what it has in memory.
    Memory,
}

/// What the exporter begins with.
#[derive(Debug)]
pub struct Started {
    /// With what was stored, where anything was.
    pub store: Store,
    /// Who named jobs that no configuration names.
    pub claims: Vec<Claim>,
    /// Writes, where anything is written: its handle, and the task.
    pub writing: Option<(Storage, Keeper)>,
}

/// Takes the folder and reads what is stored, or begins in memory.
pub async fn start(
    options: &StorageOptions,
    identity: Identity,
    clock: &SharedClock,
    metrics: StorageMetrics,
) -> Result<Started, StorageError> {
    let in_memory = || Started { store: Store::new(clock.now()), claims: Vec::new(), writing: None };
    let Some(path) = &options.path else { return Ok(in_memory()) };
    match open(path, identity, options.on_error, clock, metrics.clone()).await {
        Ok(started) => Ok(started),
        Err(fault) if options.on_error == OnError::Memory => {
            metrics.show(false);
            error!("{fault}");
            warn!(
                "nothing is stored (--storage.on-error=memory): a restart will forget what is learnt from now on"
            );
            Ok(in_memory())
        }
        Err(fault) => Err(fault),
    }
}

async fn open(
    path: &Path,
    identity: Identity,
    on_error: OnError,
    clock: &SharedClock,
    metrics: StorageMetrics,
) -> Result<Started, StorageError> {
    let thread = DatabaseThread::start(path.join(FILE_NAME))?;
    let (wanted, now, place) = (identity.clone(), clock.now(), path.to_owned());
    let (folder, stored) = thread
        .run(move |open| {
            let folder = Folder::take(&place)?;
            let file = open.insert(folder.open()?);
            let mut stored = read::all(file)?;
            begin_counting(&mut stored, &wanted, file)?;
            write::begin_counting(file, &wanted, stored.kept.totals, now)?;
            Ok((Arc::new(folder), stored))
        })
        .await?;
    let Stored { kept, claims, .. } = stored;
    let jobs = kept.jobs.len();
    info!(jobs, "the state of {jobs} jobs was read from --storage.path");
    let store = Store::restored(now, kept);
    metrics.show(true);
    let (storage, keeper) = Keeper::new(thread, folder, store.clone(), &claims, identity, on_error, metrics);
    Ok(Started { store, claims, writing: Some((storage, keeper)) })
}

/// Makes sure that what is stored was learnt from the API that is asked; under another token the row counters begin
/// anew.
fn begin_counting(stored: &mut Stored, wanted: &Identity, file: &file::OpenFile) -> Result<(), StorageError> {
    let Some(of) = &stored.identity else { return Ok(()) };
    if of.api != wanted.api {
        return Err(StorageError::OtherApi {
            file: file.faults.file().to_owned(),
            stored: of.api.clone(),
            configured: wanted.api.clone(),
        });
    }
    if of.token != wanted.token {
        warn!(
            "what is stored was learnt with another client id: grid_bulk_rows_total begins at 0, lest numbers of two \
             accounts be mixed; jobs and their states stay"
        );
        stored.kept.totals = RowTotals::default();
    }
    Ok(())
}
