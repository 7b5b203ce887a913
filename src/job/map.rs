//! Maps by job id. Used by `store` and `poller`, which look a job up a dozen times for each poll.

use crate::job::JobId;
use std::collections::HashMap;

/// A map by job id. Its hash is seeded at random, as ids come from outside, and is several times faster than the
/// standard library's on the forty bytes of an id.
pub type JobMap<V> = HashMap<JobId, V, foldhash::fast::RandomState>;
