//! The ids of webhooks that were acted on, so that one that comes again is told from a new one.
//!
//! Owned by `control`, which asks before it acts and notes the id once it has acted: a delivery that was refused for a
//! moment comes again as a new one.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// So many ids are remembered; the oldest is forgotten first. Grid sends a webhook again for 7 days, but only until it
/// hears that it was taken, so that few of them ever come twice.
pub(super) const REMEMBERED: usize = 10_000;

/// Ids of deliveries that were acted on.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    known: HashSet<Arc<str>>,
    in_order: VecDeque<Arc<str>>,
}

impl Deliveries {
    /// True if this delivery was acted on before.
    pub(super) fn is_known(&self, id: &str) -> bool {
        self.known.contains(id)
    }

    /// A delivery that was acted on is told to come again, and counts as new then.
    pub(super) fn forget(&mut self, id: &str) {
        if self.known.remove(id) {
            self.in_order.retain(|known| **known != *id);
        }
    }

    /// Notes that this delivery was acted on.
    pub(super) fn remember(&mut self, id: &str) {
        let id: Arc<str> = id.into();
        if !self.known.insert(Arc::clone(&id)) {
            return;
        }
        self.in_order.push_back(id);
        if self.in_order.len() > REMEMBERED
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_id_is_forgotten_first() {
        let mut deliveries = Deliveries::default();
        for number in 0..=REMEMBERED {
            deliveries.remember(&number.to_string());
            deliveries.remember(&number.to_string());
        }
        assert!(!deliveries.is_known("0"));
        assert!(deliveries.is_known("1") && deliveries.is_known(&REMEMBERED.to_string()));
        assert_eq!((deliveries.known.len(), deliveries.in_order.len()), (REMEMBERED, REMEMBERED));
    }
}
