//! The tables of the file, its format's version, and the way from older versions.
//!
//! The version stands in a table of its own, whose types never change. A change of what stands in the tables adds a
//! step to [`STEPS`], which makes the version before into the next one; all steps are done in one transaction, so that
//! a file is of one version or the other. A newer file is refused: what this version does not know it would lose.

use crate::storage::error::StorageError;
use crate::storage::fault::Faults;
use redb::{ReadableTable, TableDefinition, WriteTransaction};

/// `version` is the format's.
pub(super) const FORMAT: TableDefinition<'_, &str, u64> = TableDefinition::new("format");

/// Single facts by name: [`API`], [`TOKEN`], [`ROWS`].
pub(super) const FACTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("facts");

/// Jobs by number: records of `record::JobRecord`.
pub(super) const JOBS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("jobs");

/// Who names jobs besides configuration and lists: labels by job and source.
pub(super) const CLAIMS: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("claims");

/// Marks of jobs that left, by the number of their departure.
pub(super) const DEPARTED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("departed");

/// When a webhook's delivery was taken, in milliseconds since the epoch, by its id.
pub(super) const DELIVERIES: TableDefinition<'_, &str, i64> = TableDefinition::new("deliveries");

/// The same by time, so that old ones are found.
pub(super) const DELIVERY_TIMES: TableDefinition<'_, (i64, &str), ()> =
    TableDefinition::new("delivery_times");

/// The API that the facts were learnt from.
pub(super) const API: &str = "api";

/// A checksum of the id of the token with which the rows were counted.
pub(super) const TOKEN: &str = "token";

/// The row counters.
pub(super) const ROWS: &str = "rows";

const VERSION: &str = "version";

/// Makes a file of one version into one of the next.
pub(super) type Step = fn(&WriteTransaction) -> Result<(), redb::Error>;

/// The first makes version 1 into version 2.
pub(super) const STEPS: &[Step] = &[];

/// The version that is written, with these steps.
pub(super) const fn newest(steps: &[Step]) -> u64 {
    1 + steps.len() as u64
}

/// Makes all tables of a new file.
pub(super) fn initialise(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(FORMAT)?.insert(VERSION, newest(STEPS))?;
    transaction.open_table(FACTS)?;
    transaction.open_table(JOBS)?;
    transaction.open_table(CLAIMS)?;
    transaction.open_table(DEPARTED)?;
    transaction.open_table(DELIVERIES)?;
    transaction.open_table(DELIVERY_TIMES)?;
    Ok(())
}

/// Brings the file to the version that these steps lead to; true if that changed anything.
pub(super) fn migrate(
    transaction: &WriteTransaction,
    steps: &[Step],
    faults: &Faults,
) -> Result<bool, StorageError> {
    let found = version(transaction, faults)?;
    let newest = newest(steps);
    if found == newest {
        return Ok(false);
    }
    let first = found.checked_sub(1).and_then(|done| usize::try_from(done).ok());
    let Some(left) = first.and_then(|first| steps.get(first..)).filter(|left| !left.is_empty()) else {
        return Err(StorageError::Format { file: faults.file().to_owned(), found, newest });
    };
    for step in left {
        step(transaction).map_err(|error| faults.of("read", error))?;
    }
    let mut table = transaction.open_table(FORMAT).map_err(|error| faults.of("read", error))?;
    table.insert(VERSION, newest).map_err(|error| faults.of("written", error))?;
    Ok(true)
}

/// The file's version.
fn version(transaction: &WriteTransaction, faults: &Faults) -> Result<u64, StorageError> {
    let not_ours = |detail: &str| faults.not_ours(detail);
    // Opening a table in a write transaction would make it.
    let mut tables = transaction.list_tables().map_err(|error| faults.of("read", error))?;
    if !tables.any(|table| redb::TableHandle::name(&table) == redb::TableHandle::name(&FORMAT)) {
        return Err(not_ours("it has no format"));
    }
    let table = transaction.open_table(FORMAT).map_err(|_| not_ours("its format is of another type"))?;
    let version = table.get(VERSION).map_err(|error| faults.of("read", error))?;
    version.map(|version| version.value()).ok_or_else(|| not_ours("its format has no version"))
}
