//! Which job last moved each row counter: the exemplars of `grid_bulk_rows_total`, by which a graph of all jobs leads
//! to one. Used by `store`; written by `exposition` in the formats that have exemplars.

use crate::clock::UnixTime;
use crate::job::JobId;
use crate::store::RowTotals;

/// The latest addition to one counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowExemplar {
    /// The job whose rows they are.
    pub job: JobId,
    /// How many rows were added.
    pub rows: u64,
    /// When.
    pub at: UnixTime,
}

/// The latest addition to each counter; nothing while none was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowExemplars {
    /// To the customers created.
    pub successful: Option<RowExemplar>,
    /// To the rows that failed.
    pub failed: Option<RowExemplar>,
}

impl RowExemplars {
    /// Notes what a job added.
    pub(super) fn note(&mut self, job: &JobId, added: RowTotals, at: UnixTime) {
        for (rows, exemplar) in [(added.successful, &mut self.successful), (added.failed, &mut self.failed)] {
            if rows > 0 {
                *exemplar = Some(RowExemplar { job: job.clone(), rows, at });
            }
        }
    }
}
