//! Jobs by due time.
//!
//! Jobs that are well get their next turn in the order in which they had this one, so that the next turn is nearly
//! always the latest of all: those stand in a row, and take the same time however many there are. The rest is in a heap,
//! which takes the logarithm. Used by `schedule` alone.

use crate::job::JobId;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use tokio::time::Instant;

/// When which job is due. Of those due at the same time the one with the lower ticket goes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    pub(super) due: Instant,
    pub(super) ticket: u64,
    pub(super) id: JobId,
}

/// The turns.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Ascending.
    row: VecDeque<Turn>,
    rest: BinaryHeap<Reverse<Turn>>,
}

impl Queue {
    /// Adds a turn. `is_usual` if those that follow are likely to be later: one that is far off would keep them all out
    /// of the row.
    pub(super) fn push(&mut self, turn: Turn, is_usual: bool) {
        if is_usual && self.row.back().is_none_or(|last| *last <= turn) {
            self.row.push_back(turn);
        } else {
            self.rest.push(Reverse(turn));
        }
    }

    /// The first turn.
    pub(super) fn peek(&self) -> Option<&Turn> {
        match (self.row.front(), self.rest.peek()) {
            (Some(row), Some(Reverse(rest))) => Some(row.min(rest)),
            (row, rest) => row.or(rest.map(|Reverse(rest)| rest)),
        }
    }

    /// Takes the first turn.
    pub(super) fn pop(&mut self) -> Option<Turn> {
        match (self.row.front(), self.rest.peek()) {
            (Some(row), Some(Reverse(rest))) if row > rest => self.rest.pop().map(|Reverse(turn)| turn),
            (None, _) => self.rest.pop().map(|Reverse(turn)| turn),
            (Some(_), _) => self.row.pop_front(),
        }
    }

    /// Drops all turns.
    pub(super) fn clear(&mut self) {
        self.row.clear();
        self.rest.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        #[test]
        fn turns_come_by_due_time_and_ticket_whatever_was_pushed_when(
            steps in prop::collection::vec((0_u64..50, any::<bool>(), any::<bool>()), 0..200),
        ) {
            let start = Instant::now();
            let mut queue = Queue::default();
            let mut all = std::collections::BTreeSet::new();
            for (ticket, (seconds, is_usual, pops)) in (0_u64..).zip(steps) {
                let id: JobId = format!("Job:{ticket}").parse().unwrap();
                let turn = Turn { due: start + Duration::from_secs(seconds), ticket, id };
                all.insert(turn.clone());
                queue.push(turn, is_usual);
                prop_assert_eq!(queue.peek(), all.first());
                if pops {
                    prop_assert_eq!(queue.pop(), all.pop_first());
                }
            }
            while let Some(turn) = all.pop_first() {
                prop_assert_eq!(queue.pop(), Some(turn));
            }
            prop_assert_eq!(queue.pop(), None);
        }
    }

    #[test]
    fn usual_turns_stand_in_a_row_beside_one_that_is_far_off() {
        let start = Instant::now();
        let mut queue = Queue::default();
        let turn = |ticket, seconds| Turn {
            due: start + Duration::from_secs(seconds),
            ticket,
            id: format!("Job:{ticket}").parse().unwrap(),
        };
        queue.push(turn(0, 3600), false);
        for number in 1..100 {
            queue.push(turn(number, number), true);
        }
        assert_eq!((queue.row.len(), queue.rest.len()), (99, 1));
    }
}
