//! A little history of running jobs since the start, for the drawing on a job's page.
//!
//! Bounded in both directions: [`JOBS`] jobs have one, of [`POINTS`] points each; half a megabyte in all, whatever
//! comes. Running jobs get a place as they are read; once all places are taken, a job whose page is opened takes that
//! of an ended one, or of the one that was looked at least recently. When a job's points are full, every second one
//! goes, and from then on they are twice as far apart. Whoever wants more has Prometheus. Used by `store` alone.

use crate::clock::UnixTime;
use crate::job::Progress;
use std::collections::HashMap;

/// Jobs that have a history at most.
const JOBS: usize = 512;

/// Points of one history at most.
const POINTS: usize = 64;

/// What a job showed at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When.
    pub at: UnixTime,
    /// Rows done.
    pub processed: f64,
    /// Rows that failed.
    pub failed: f64,
}

/// One job's course since it was first read, oldest point first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// When the first point was, in milliseconds.
    began: i64,
    points: Vec<Compact>,
    /// The last point but one and those before are this far apart at least, in seconds.
    spacing: u32,
    ended: bool,
    /// The number of the last look at it; 0 if there was none.
    looked_at: u64,
}

/// A point in twelve bytes: enough for a drawing.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Compact {
    /// Seconds since the first point.
    after: u32,
    processed: f32,
    failed: f32,
}

impl History {
    /// The points, oldest first.
    #[must_use]
    pub fn points(&self) -> impl ExactSizeIterator<Item = Point> {
        self.points.iter().map(|point| Point {
            at: UnixTime::from_millis(self.began.saturating_add(i64::from(point.after) * 1000)),
            processed: f64::from(point.processed),
            failed: f64::from(point.failed),
        })
    }

    #[expect(clippy::cast_possible_truncation, reason = "seven digits are more than a drawing shows")]
    fn note(&mut self, progress: &Progress, now: UnixTime) {
        if self.points.is_empty() {
            self.began = now.as_millis();
        }
        let after = now.as_millis().saturating_sub(self.began).max(0) / 1000;
        let after = u32::try_from(after).unwrap_or(u32::MAX);
        let point = Compact { after, processed: progress.processed as f32, failed: progress.failed as f32 };
        // The last point is provisional: the next one takes its place if it is too near to the one before.
        let before = self.points.len().checked_sub(2).and_then(|place| self.points.get(place));
        let is_near = before.is_some_and(|before| after.saturating_sub(before.after) < self.spacing);
        if is_near {
            self.points.pop();
        }
        if self.points.len() == POINTS {
            self.thin_out();
        }
        self.points.push(point);
    }

    fn thin_out(&mut self) {
        let mut place = 0;
        self.points.retain(|_| {
            place += 1;
            place % 2 == 1
        });
        let span = self.points.last().map_or(0, |last| last.after);
        let spaces = u32::try_from(self.points.len()).unwrap_or(u32::MAX).saturating_sub(1).max(1);
        self.spacing = self.spacing.saturating_mul(2).max(span / spaces);
    }
}

/// The histories, by the jobs' slots.
#[derive(Debug, Default)]
pub(super) struct Histories {
    by_slot: HashMap<usize, History>,
    /// How many of them are of ended jobs.
    ended: usize,
    looks: u64,
}

impl Histories {
    /// A job was read.
    pub(super) fn note(&mut self, slot: usize, progress: &Progress, ended: bool, now: UnixTime) {
        if !self.by_slot.contains_key(&slot) {
            if ended || (self.by_slot.len() >= JOBS && self.ended == 0) {
                return;
            }
            self.make_room();
        }
        let history = self.by_slot.entry(slot).or_default();
        history.note(progress, now);
        if ended && !history.ended {
            history.ended = true;
            self.ended += 1;
        }
    }

    /// A job left.
    pub(super) fn forget(&mut self, slot: usize) {
        if self.by_slot.remove(&slot).is_some_and(|history| history.ended) {
            self.ended -= 1;
        }
    }

    /// A look at a job's history; a running job has one from now on, if it had none.
    pub(super) fn look(&mut self, slot: usize, ended: bool) -> History {
        self.looks += 1;
        if !self.by_slot.contains_key(&slot) {
            if ended {
                return History::default();
            }
            self.make_room();
        }
        let history = self.by_slot.entry(slot).or_default();
        history.looked_at = self.looks;
        history.clone()
    }

    fn make_room(&mut self) {
        while self.by_slot.len() >= JOBS {
            let least = self.by_slot.iter().min_by_key(|(_, history)| (!history.ended, history.looked_at));
            let Some(slot) = least.map(|(slot, _)| *slot) else { return };
            self.forget(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> UnixTime {
        UnixTime::from_millis(1_000_000 + second * 1000)
    }

    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn progress(processed: i64) -> Progress {
        Progress { total: 1e6, processed: processed as f64, successful: processed as f64, failed: 0.0 }
    }

    #[test]
    fn a_long_history_keeps_its_ends_and_stays_even() {
        let mut history = History::default();
        for second in 0..10_000 {
            history.note(&progress(second), at(second));
            assert!(history.points.len() <= POINTS);
        }
        let points: Vec<_> = history.points().collect();
        assert_eq!((points[0].at, points[points.len() - 1].at), (at(0), at(9999)));
        assert!(points.len() > POINTS / 3, "{}", points.len());
        let gaps: Vec<_> =
            points.windows(2).map(|two| two[1].at.as_millis() - two[0].at.as_millis()).collect();
        let (widest, narrowest) = (gaps.iter().max().unwrap(), gaps[..gaps.len() - 1].iter().min().unwrap());
        assert!(*widest <= narrowest * 3, "{gaps:?}");
        let is_exact = |point: &Point| (point.at.as_seconds() - 1000.0 - point.processed).abs() < 0.5;
        assert!(points.iter().all(is_exact));
    }

    #[test]
    fn running_jobs_take_the_places_of_ended_ones_but_not_of_each_other() {
        let mut histories = Histories::default();
        for slot in 0..JOBS + 10 {
            histories.note(slot, &progress(1), false, at(0));
        }
        assert_eq!(histories.by_slot.len(), JOBS);
        assert!(!histories.by_slot.contains_key(&JOBS));
        histories.note(7, &progress(2), true, at(1));
        histories.note(JOBS, &progress(2), false, at(2));
        assert!(histories.by_slot.contains_key(&JOBS) && !histories.by_slot.contains_key(&7));
        histories.note(7, &progress(3), true, at(3));
        assert!(!histories.by_slot.contains_key(&7), "an ended one takes no place");
    }

    #[test]
    fn a_job_that_is_looked_at_gets_the_place_of_one_that_is_not() {
        let mut histories = Histories::default();
        for slot in 0..JOBS {
            histories.note(slot, &progress(1), false, at(0));
            histories.look(slot, false);
        }
        assert_eq!(histories.look(JOBS, false).points().len(), 0);
        assert!(!histories.by_slot.contains_key(&0), "looked at longest ago");
        histories.note(JOBS, &progress(5), false, at(1));
        assert_eq!(histories.look(JOBS, false).points().len(), 1);
        assert_eq!(histories.look(JOBS + 1, true), History::default(), "one that ended shows nothing new");
        assert_eq!(histories.by_slot.len(), JOBS);
    }
}
