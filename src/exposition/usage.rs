//! Which formats and compressions scrapers use: only those are kept. Used by `exposition` alone.

use crate::exposition::negotiate::Encoding;
use crate::exposition::shape::Layout;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What nobody asked for during this time is dropped.
pub(super) const KEEP_UNUSED: Duration = Duration::from_secs(600);

/// When each was last asked for.
#[derive(Debug, Default)]
pub(super) struct Usage(Mutex<[[Option<Instant>; Encoding::ALL.len()]; Layout::ALL.len()]>);

impl Usage {
    /// Notes that somebody asks for this now.
    pub(super) fn note(&self, layout: Layout, encoding: Encoding) {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = asked.get_mut(layout as usize).and_then(|asked| asked.get_mut(encoding as usize))
        {
            *place = Some(Instant::now());
        }
    }

    /// Whether somebody asked for this not long ago.
    pub(super) fn has(&self, layout: Layout, encoding: Encoding) -> bool {
        let asked = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let asked =
            asked.get(layout as usize).and_then(|asked| asked.get(encoding as usize)).copied().flatten();
        asked.is_some_and(|asked| asked.elapsed() < KEEP_UNUSED)
    }

    /// Whether somebody asked for a layout not long ago, in any encoding.
    pub(super) fn has_any(&self, layout: Layout) -> bool {
        Encoding::ALL.into_iter().any(|encoding| self.has(layout, encoding))
    }
}
