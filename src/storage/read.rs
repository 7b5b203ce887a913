//! What the file holds, read whole at the start. Runs on the storage's thread.
//!
//! One record that is not as it was written refuses the whole: numbers without it would be wrong.

use crate::job::JobId;
use crate::storage::claims::{self, Claim};
use crate::storage::error::StorageError;
use crate::storage::fault::Faults;
use crate::storage::file::OpenFile;
use crate::storage::format::{API, CLAIMS, DELIVERIES, DEPARTED, FACTS, JOBS, ROWS, TOKEN};
use crate::storage::identity::Identity;
use crate::storage::record;
use crate::store::{Kept, KeptJob, RowTotals};
use redb::{Key, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition};
use std::collections::HashSet;

/// All that was stored.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) kept: Kept,
    pub(super) claims: Vec<Claim>,
    /// What the numbers are of; nothing in a new file.
    pub(super) identity: Option<Identity>,
}

/// Reads all; an error if anything of it is not as it was written.
pub(super) fn all(open: &OpenFile) -> Result<Stored, StorageError> {
    let reader = Reader::begin(open)?;
    let mut jobs = Vec::new();
    reader.each(JOBS, "a job", |number, bytes| record::job(number, bytes).map(|job| jobs.push(job)))?;
    let ids: HashSet<&JobId> = jobs.iter().map(|kept: &KeptJob| &kept.job.id).collect();
    if ids.len() < jobs.len() {
        return Err(reader.faults.damaged("a job stands in it twice"));
    }
    let mut departed = Vec::new();
    reader.each(DEPARTED, "a job that left", |number, bytes| {
        record::departed(number, bytes).map(|job| departed.push(job))
    })?;
    let mut named = Vec::new();
    reader.each(CLAIMS, "who names a job", |(id, source), bytes| {
        let claim =
            Claim { id: id.parse().ok()?, source: claims::source(source)?, labels: record::labels(bytes)? };
        named.push(claim);
        Some(())
    })?;
    let totals = reader.fact(ROWS, record::totals)?.unwrap_or_default();
    Ok(Stored { kept: Kept { jobs, departed, totals }, claims: named, identity: reader.identity(totals)? })
}

/// For each of these deliveries whether it was taken before.
pub(super) fn seen(open: &OpenFile, ids: &[String]) -> Result<Vec<bool>, StorageError> {
    let Reader { transaction, faults } = Reader::begin(open)?;
    let table = transaction.open_table(DELIVERIES).map_err(|error| faults.of("read", error))?;
    let is_there = |id: &String| table.get(id.as_str()).map(|at| at.is_some());
    ids.iter().map(|id| is_there(id).map_err(|error| faults.of("read", error))).collect()
}

struct Reader<'a> {
    transaction: ReadTransaction,
    faults: &'a Faults,
}

impl<'a> Reader<'a> {
    fn begin(open: &'a OpenFile) -> Result<Self, StorageError> {
        let faults = &open.faults;
        let transaction = open.database.begin_read().map_err(|error| faults.of("read", error))?;
        Ok(Self { transaction, faults })
    }

    fn broken(&self, what: &str) -> StorageError {
        self.faults.damaged(format!("{what} is not in it as it was written"))
    }

    /// Hands each entry of a table to `take`, which says whether it could be read.
    fn each<K: Key + 'static>(
        &self,
        table: TableDefinition<'_, K, &'static [u8]>,
        what: &str,
        mut take: impl for<'k> FnMut(K::SelfType<'k>, &[u8]) -> Option<()>,
    ) -> Result<(), StorageError> {
        let fault = |error: redb::Error| self.faults.of("read", error);
        let table = self.transaction.open_table(table).map_err(|error| fault(error.into()))?;
        for entry in table.iter().map_err(|error| fault(error.into()))? {
            let (key, bytes) = entry.map_err(|error| fault(error.into()))?;
            take(key.value(), bytes.value()).ok_or_else(|| self.broken(what))?;
        }
        Ok(())
    }

    fn fact<T>(&self, name: &str, read: impl Fn(&[u8]) -> Option<T>) -> Result<Option<T>, StorageError> {
        let table = self.transaction.open_table(FACTS).map_err(|error| self.faults.of("read", error))?;
        let bytes = table.get(name).map_err(|error| self.faults.of("read", error))?;
        bytes.map(|bytes| read(bytes.value()).ok_or_else(|| self.broken(name))).transpose()
    }

    /// Nothing in a file that was just made, which has no numbers either.
    fn identity(&self, totals: RowTotals) -> Result<Option<Identity>, StorageError> {
        match (self.fact(API, record::text)?, self.fact(TOKEN, record::checksum)?) {
            (Some(api), Some(token)) => Ok(Some(Identity { api, token })),
            (None, None) if totals == RowTotals::default() => Ok(None),
            _ => Err(self.broken("whose numbers they are")),
        }
    }
}
