//! What a bulk import job is: its id, status, counts, errors by code, labels, why reading it can fail,
//! and which exporter of a fleet watches it.
//!
//! Used by everyone; uses nothing. No I/O, no clock: whoever needs the time passes it.

pub mod counts;
pub mod errors;
pub mod failure;
pub mod id;
pub mod inconsistency;
pub mod labels;
pub mod map;
pub mod reading;
pub mod shard;
pub mod status;

pub use counts::Progress;
pub use errors::{ErrorCode, ErrorTally, LastCode};
pub use failure::PollFailure;
pub use id::JobId;
pub use inconsistency::Inconsistency;
pub use labels::{LabelName, Labels};
pub use map::JobMap;
pub use reading::{CompletedAt, JobReading};
pub use shard::Shard;
pub use status::{ReportedStatus, Status};
