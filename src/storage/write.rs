//! What is written to the file: changes of one moment in one transaction, or the whole in place of what was there.
//!
//! Each transaction is on disk when it returns. Runs on the storage's thread.

use crate::clock::UnixTime;
use crate::storage::claims::{Claim, ClaimChange, Delivery, code};
use crate::storage::error::StorageError;
use crate::storage::fault::Faults;
use crate::storage::file::OpenFile;
use crate::storage::format::{API, CLAIMS, DELIVERIES, DELIVERY_TIMES, DEPARTED, FACTS, JOBS, ROWS, TOKEN};
use crate::storage::identity::Identity;
use crate::storage::record;
use crate::store::{Departed, Kept, KeptJob, RowTotals, Unsaved};
use redb::{Database, Error, ReadableTable, Table, WriteTransaction};

/// Deliveries are remembered for so long: Grid repeats one for 7 days.
const REMEMBERED: i64 = 8 * 24 * 3_600_000;

/// Changes that belong together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) unsaved: Option<Unsaved>,
    pub(super) claims: Vec<ClaimChange>,
    pub(super) deliveries: Vec<Delivery>,
}

/// A transaction that is on disk once it is committed, in two phases: then redb never goes back to the one before.
pub(super) fn begin(database: &Database, faults: &Faults) -> Result<WriteTransaction, StorageError> {
    let mut transaction = database.begin_write().map_err(|error| faults.of("written", error))?;
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

/// Writes changes.
pub(super) fn batch(open: &OpenFile, batch: &Batch) -> Result<(), StorageError> {
    open.check_place()?;
    in_transaction(open, |transaction| {
        if let Some(unsaved) = &batch.unsaved {
            write_unsaved(transaction, unsaved)?;
        }
        let mut table = transaction.open_table(CLAIMS)?;
        for change in &batch.claims {
            match change {
                ClaimChange::Named(claim) => write_claim(&mut table, claim)?,
                ClaimChange::Withdrawn { id, source } => {
                    table.remove((id.as_str(), code(*source)))?;
                }
            }
        }
        write_deliveries(transaction, &batch.deliveries)
    })
}

fn write_unsaved(transaction: &WriteTransaction, unsaved: &Unsaved) -> Result<(), Error> {
    let Unsaved { jobs, gone, departed, departed_gone, totals } = unsaved;
    write_jobs(transaction, jobs)?;
    let mut table = transaction.open_table(JOBS)?;
    for number in gone {
        table.remove(number)?;
    }
    write_departed(transaction, departed)?;
    let mut table = transaction.open_table(DEPARTED)?;
    for number in departed_gone {
        table.remove(number)?;
    }
    write_totals(transaction, *totals)
}

/// Writes all that there is in place of what was there; of deliveries, it adds these.
pub(super) fn whole(
    open: &OpenFile,
    kept: &Kept,
    claims: &[Claim],
    deliveries: &[Delivery],
    identity: &Identity,
) -> Result<(), StorageError> {
    open.check_place()?;
    in_transaction(open, |transaction| {
        transaction.delete_table(JOBS)?;
        transaction.delete_table(DEPARTED)?;
        transaction.delete_table(CLAIMS)?;
        write_jobs(transaction, &kept.jobs)?;
        write_departed(transaction, &kept.departed)?;
        let mut table = transaction.open_table(CLAIMS)?;
        for claim in claims {
            write_claim(&mut table, claim)?;
        }
        write_deliveries(transaction, deliveries)?;
        write_identity(transaction, identity)?;
        write_totals(transaction, kept.totals)
    })
}

/// Writes whose numbers are counted from now on, and from where.
pub(super) fn begin_counting(
    open: &OpenFile,
    identity: &Identity,
    totals: RowTotals,
    now: UnixTime,
) -> Result<(), StorageError> {
    in_transaction(open, |transaction| {
        forget_old_deliveries(transaction, now)?;
        write_identity(transaction, identity)?;
        write_totals(transaction, totals)
    })
}

fn in_transaction(
    open: &OpenFile,
    write: impl FnOnce(&WriteTransaction) -> Result<(), Error>,
) -> Result<(), StorageError> {
    let transaction = begin(&open.database, &open.faults)?;
    write(&transaction).map_err(|error| open.faults.of("written", error))?;
    transaction.commit().map_err(|error| open.faults.of("written", error))
}

fn write_jobs(transaction: &WriteTransaction, jobs: &[KeptJob]) -> Result<(), Error> {
    let mut table = transaction.open_table(JOBS)?;
    for job in jobs {
        table.insert(job.number, record::of_job(job).as_slice())?;
    }
    Ok(())
}

fn write_departed(transaction: &WriteTransaction, departed: &[Departed]) -> Result<(), Error> {
    let mut table = transaction.open_table(DEPARTED)?;
    for departed in departed {
        table.insert(departed.number, record::of_departed(departed).as_slice())?;
    }
    Ok(())
}

fn write_claim(table: &mut Table<'_, (&str, &str), &[u8]>, claim: &Claim) -> Result<(), Error> {
    let Claim { id, source, labels } = claim;
    table.insert((id.as_str(), code(*source)), record::of_labels(labels).as_slice())?;
    Ok(())
}

fn write_totals(transaction: &WriteTransaction, totals: RowTotals) -> Result<(), Error> {
    let mut table = transaction.open_table(FACTS)?;
    table.insert(ROWS, record::of_totals(totals).as_slice())?;
    Ok(())
}

fn write_identity(transaction: &WriteTransaction, identity: &Identity) -> Result<(), Error> {
    let mut table = transaction.open_table(FACTS)?;
    table.insert(API, record::of_text(&identity.api).as_slice())?;
    table.insert(TOKEN, record::of_checksum(identity.token).as_slice())?;
    Ok(())
}

fn write_deliveries(transaction: &WriteTransaction, deliveries: &[Delivery]) -> Result<(), Error> {
    let Some(latest) = deliveries.iter().map(|delivery| delivery.at).max() else { return Ok(()) };
    {
        let mut ids = transaction.open_table(DELIVERIES)?;
        let mut times = transaction.open_table(DELIVERY_TIMES)?;
        for Delivery { id, at } in deliveries {
            if ids.get(id.as_str())?.is_none() {
                ids.insert(id.as_str(), at.as_millis())?;
                times.insert((at.as_millis(), id.as_str()), ())?;
            }
        }
    }
    forget_old_deliveries(transaction, latest)
}

fn forget_old_deliveries(transaction: &WriteTransaction, now: UnixTime) -> Result<(), Error> {
    let mut ids = transaction.open_table(DELIVERIES)?;
    let mut times = transaction.open_table(DELIVERY_TIMES)?;
    let oldest = now.as_millis().saturating_sub(REMEMBERED);
    let mut old = Vec::new();
    for entry in times.range(..(oldest, ""))? {
        let (key, _) = entry?;
        let (at, id) = key.value();
        old.push((at, id.to_owned()));
    }
    for (at, id) in old {
        times.remove((at, id.as_str()))?;
        ids.remove(id.as_str())?;
    }
    Ok(())
}
