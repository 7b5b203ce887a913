//! Which exporter of several watches a job: one shard of a fleet.
//!
//! Pure. The configuration and the catalog leave other shards' jobs out, the web and webhooks tell where such a job is
//! instead. The hash is written down for users (`docs/scaling.md`), who may have to find a job's shard themselves, and
//! must never change: the first eight bytes of the id's SHA-256, as a big-endian number, into the jump hash of Lamping
//! and Veach (2014). When a fleet of `n` grows to `n + 1`, one job in `n + 1` moves, each of them to the new shard.

use crate::job::JobId;
use ring::digest;
use std::fmt;

/// The most shards of a fleet.
pub const MOST_SHARDS: u32 = 10_000;

/// One shard of a fleet; the default is the only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: u32,
    total: u32,
}

/// Why there is no such shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoShard {
    /// The fleet has no shard, or too many.
    #[error("--total-shards is {0}; write a number from 1 to {MOST_SHARDS}")]
    Total(u32),
    /// The fleet ends before it.
    #[error("--shard is {number}, but --total-shards is {total}: shards count from 0, so the last is {}", .total - 1)]
    Number {
        /// The number given.
        number: u32,
        /// The shards that there are.
        total: u32,
    },
}

impl Default for Shard {
    fn default() -> Self {
        Self { number: 0, total: 1 }
    }
}

impl Shard {
    /// Shard `number`, counted from 0, of `total`.
    pub const fn new(number: u32, total: u32) -> Result<Self, NoShard> {
        if total == 0 || total > MOST_SHARDS {
            return Err(NoShard::Total(total));
        }
        if number >= total {
            return Err(NoShard::Number { number, total });
        }
        Ok(Self { number, total })
    }

    /// Its number, counted from 0.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.number
    }

    /// How many there are.
    #[must_use]
    pub const fn total(self) -> u32 {
        self.total
    }

    /// True if this shard watches the job.
    #[must_use]
    pub fn owns(self, id: &JobId) -> bool {
        self.total == 1 || shard_of(id, self.total) == self.number
    }

    /// The number of the shard that watches the job, if that is another one.
    #[must_use]
    pub fn other_owner(self, id: &JobId) -> Option<u32> {
        let owner = if self.total == 1 { 0 } else { shard_of(id, self.total) };
        (owner != self.number).then_some(owner)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "shard {} of {}", self.number, self.total)
    }
}

/// The shard of `total` that watches the job.
fn shard_of(id: &JobId, total: u32) -> u32 {
    let digest = digest::digest(&digest::SHA256, id.as_str().as_bytes());
    let first = digest.as_ref().iter().take(8);
    jump(first.fold(0, |key, byte| key << 8 | u64::from(*byte)), total)
}

/// The jump hash: where `key` is after the last growth of the fleet that moved it.
fn jump(mut key: u64, total: u32) -> u32 {
    let (mut shard, mut next) = (0, 0_u64);
    while next < u64::from(total) {
        shard = next;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        // Whole numbers where the paper has floats, whose rounding would be part of the definition.
        next = ((shard + 1) << 31) / ((key >> 33) + 1);
    }
    u32::try_from(shard).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(number: u32) -> JobId {
        format!("Job:019542f5-b3e7-1d02-0000-{number:012}").parse().unwrap()
    }

    #[test]
    fn a_job_moves_only_to_the_new_shard_and_only_as_many_as_must() {
        const JOBS: u32 = 20_000;
        for total in [1, 2, 3, 7, 15, 16, 63] {
            let mut moved = 0;
            for job in (0..JOBS).map(id) {
                let (before, after) = (shard_of(&job, total), shard_of(&job, total + 1));
                if before != after {
                    assert_eq!(after, total, "{job} moved between shards that were there before");
                    moved += 1;
                }
            }
            let (share, fair) = (f64::from(moved) / f64::from(JOBS), 1.0 / f64::from(total + 1));
            assert!((share - fair).abs() < 0.15 * fair, "{share} of all moved to shard {total}, not {fair}");
        }
    }

    #[test]
    fn jobs_are_spread_evenly_though_their_ids_differ_in_a_digit() {
        let mut counts = [0_u32; 16];
        (0..160_000).map(id).for_each(|job| counts[shard_of(&job, 16) as usize] += 1);
        // Ten thousand each; five standard deviations of a fair throw are 485.
        assert!(counts.iter().all(|jobs| jobs.abs_diff(10_000) < 500), "{counts:?}");
    }

    /// Made by the program in `docs/scaling.md`; they must never change.
    #[test]
    fn where_a_job_is_never_changes() {
        let shards = [2, 3, 16, 1000].map(|total| [0, 1, 2, 3].map(|job| shard_of(&id(job), total)));
        assert_eq!(shards, EXPECTED);
    }

    const EXPECTED: [[u32; 4]; 4] = [[1, 0, 1, 0], [1, 2, 2, 2], [13, 9, 14, 12], [195, 399, 628, 917]];

    #[test]
    fn exactly_one_shard_owns_a_job_and_the_others_name_it() {
        for job in (0..500).map(id) {
            let owner = shard_of(&job, 5);
            for number in 0..5 {
                let shard = Shard::new(number, 5).unwrap();
                assert_eq!(shard.owns(&job), number == owner);
                assert_eq!(shard.other_owner(&job), (number != owner).then_some(owner));
            }
            assert!(Shard::default().owns(&job) && Shard::default().other_owner(&job).is_none());
        }
    }

    #[test]
    fn a_shard_that_is_not_there_is_refused_with_what_would_be_right() {
        let told = |number, total| Shard::new(number, total).unwrap_err().to_string();
        assert_eq!(
            told(16, 16),
            "--shard is 16, but --total-shards is 16: shards count from 0, so the last is 15"
        );
        assert_eq!(told(0, 0), "--total-shards is 0; write a number from 1 to 10000");
        assert_eq!(told(0, 10_001), "--total-shards is 10001; write a number from 1 to 10000");
        assert_eq!(Shard::new(15, 16).unwrap().to_string(), "shard 15 of 16");
    }

    proptest! {
        #[test]
        fn every_key_has_a_shard_that_is_there(key: u64, total in 1..=MOST_SHARDS) {
            prop_assert!(jump(key, total) < total);
        }
    }
}
