//! Which job is due when.
//!
//! A job's first poll is due at once; from then on it has a fixed place in the interval, so that polls are spread
//! over it. It is due again one interval after it was due, not after it was done; a job that comes late by more than
//! that misses its turn rather than being asked twice. The queue is ordered by due time: who waited longest goes
//! first. It costs the same for any number of jobs, or its logarithm, and no scan.
//!
//! Pure: told the time. Called by `poller` alone.

use crate::job::{JobId, JobMap};
use crate::poller::backoff::Trouble;
use crate::poller::cycle::{CycleEnd, Cycles, multiple};
use crate::poller::queue::{Queue, Turn};
use std::time::Duration;
use tokio::time::Instant;

/// The golden ratio's fraction: multiples of it fill an interval evenly, however many there are.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// When a job is polled again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// At its place in the interval, but not before this.
    Place(Instant),
    /// Then, wherever its place is.
    At(Instant),
    /// Never: it has ended.
    Never,
}

/// The schedule of all watched jobs.
#[derive(Debug)]
pub(super) struct Schedule {
    epoch: Instant,
    interval: Duration,
    entries: JobMap<Entry>,
    /// Jobs by due time. May hold entries that were scheduled anew or left: their tickets don't match.
    queue: Queue,
    tickets: u64,
    groups: u64,
    untried: usize,
    cycles: Cycles,
}

#[derive(Debug)]
struct Entry {
    /// The job's place in the interval, as a fraction of it.
    place: f64,
    due: Instant,
    state: State,
    tried: bool,
    /// How many polls in a row ended in the present kind of trouble; what that is, `backoff` knows.
    trouble: Trouble,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the queue under this ticket.
    Waiting(u64),
    /// Asked, not answered.
    UnderWay,
    /// Not polled any more.
    Ended,
}

impl Schedule {
    pub(super) fn new(now: Instant, interval: Duration) -> Self {
        Self {
            epoch: now,
            interval,
            entries: JobMap::default(),
            queue: Queue::default(),
            tickets: 0,
            groups: 0,
            untried: 0,
            cycles: Cycles::new(now, interval),
        }
    }

    /// Jobs join together: their first polls are due now.
    ///
    /// They have neighbouring places, evenly over the whole interval, so that jobs of one page of the exposition are
    /// polled one after the other and a page is rendered for many polls at once. Where groups begin, the golden ratio
    /// spreads, so that jobs that join one by one are spread, too.
    pub(super) fn join(&mut self, ids: impl ExactSizeIterator<Item = JobId>, now: Instant) {
        let first = (self.groups as f64 * GOLDEN).fract();
        let jobs = ids.len().max(1) as f64;
        self.groups += 1;
        for (number, id) in ids.enumerate() {
            self.untried += 1;
            let place = (first + number as f64 / jobs).fract();
            let trouble = Trouble::default();
            let entry = Entry { place, due: now, state: State::Ended, tried: false, trouble };
            self.entries.insert(id.clone(), entry);
            self.enqueue(id, now);
        }
    }

    /// Jobs join that ended before: they are never polled.
    pub(super) fn join_ended(&mut self, ids: Vec<JobId>, now: Instant) {
        for id in ids {
            let trouble = Trouble::default();
            self.entries
                .insert(id, Entry { place: 0.0, due: now, state: State::Ended, tried: true, trouble });
        }
    }

    /// All jobs that wait, those that were never polled first.
    pub(super) fn waiting(&self) -> Vec<JobId> {
        let waits = |entry: &Entry| matches!(entry.state, State::Waiting(_));
        let ids = |tried: bool| {
            self.entries
                .iter()
                .filter(move |(_, entry)| waits(entry) && entry.tried == tried)
                .map(|(id, _)| id.clone())
        };
        ids(false).chain(ids(true)).collect()
    }

    /// Takes this job, if it waits, whether it is due or not; it is under way from here on.
    pub(super) fn take(&mut self, id: &JobId) -> Option<JobId> {
        let entry = self.entries.get_mut(id)?;
        if !matches!(entry.state, State::Waiting(_)) {
            return None;
        }
        entry.state = State::UnderWay;
        self.cycles.asked(entry.due);
        Some(id.clone())
    }

    /// A job leaves. A poll of it that is under way changes nothing any more.
    pub(super) fn leave(&mut self, id: &JobId, now: Instant) -> Option<Duration> {
        let entry = self.entries.remove(id)?;
        if !entry.tried {
            self.untried -= 1;
        }
        match entry.state {
            State::Waiting(_) => self.cycles.withdrawn(entry.due),
            State::UnderWay => self.cycles.answered(entry.due, now),
            State::Ended => None,
        }
    }

    /// When the next job is due; it may be in the past.
    pub(super) fn next_due(&mut self) -> Option<Instant> {
        while let Some(Turn { due, ticket, id }) = self.queue.peek() {
            if self.entries.get(id).is_some_and(|entry| entry.state == State::Waiting(*ticket)) {
                return Some(*due);
            }
            self.queue.pop();
        }
        None
    }

    /// The job that is due longest at `now`; it is under way from here on.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<JobId> {
        while self.queue.peek()?.due <= now {
            let Turn { due, ticket, id } = self.queue.pop()?;
            let entry = self.entries.get_mut(&id).filter(|entry| entry.state == State::Waiting(ticket));
            if let Some(entry) = entry {
                entry.state = State::UnderWay;
                self.cycles.asked(due);
                return Some(id);
            }
        }
        None
    }

    /// Whether the job is one of the set.
    pub(super) fn has(&self, id: &JobId) -> bool {
        self.entries.contains_key(id)
    }

    /// Whether a poll of the job is under way.
    pub(super) fn is_under_way(&self, id: &JobId) -> bool {
        self.entries.get(id).is_some_and(|entry| entry.state == State::UnderWay)
    }

    /// The trouble that the job's last polls had.
    pub(super) fn trouble(&mut self, id: &JobId) -> Option<&mut Trouble> {
        self.entries.get_mut(id).map(|entry| &mut entry.trouble)
    }

    /// A job is answered, well or not, and is due again as `next` says.
    ///
    /// Returns how long the cycle took in which it was due, if that has ended and this was its last job.
    pub(super) fn answered(&mut self, id: &JobId, next: Next, now: Instant) -> Option<Duration> {
        let (epoch, interval) = (self.epoch, self.interval);
        let entry = self.entries.get_mut(id)?;
        if entry.state != State::UnderWay {
            // The job left and joined again while this poll was under way: its first poll is still to come.
            return None;
        }
        let due = entry.due;
        let earliest = if entry.tried { due + interval } else { due + interval / 2 };
        if !entry.tried {
            entry.tried = true;
            self.untried -= 1;
        }
        entry.state = State::Ended;
        let again = match next {
            Next::Never => None,
            Next::At(time) => Some((time.max(now), false)),
            Next::Place(not_before) => {
                let earliest = earliest.max(not_before).max(now);
                Some((next_place(epoch, interval, entry.place, earliest), true))
            }
        };
        if let Some((due, is_usual)) = again {
            self.tickets += 1;
            let turn = Turn { due, ticket: self.tickets, id: id.clone() };
            enqueue(entry, &mut self.queue, &mut self.cycles, turn, is_usual);
        }
        self.cycles.answered(due, now)
    }

    /// A job has ended without a poll: it is not due any more, and a poll of it that is under way changes nothing.
    pub(super) fn end(&mut self, id: &JobId, now: Instant) -> Option<Duration> {
        let entry = self.entries.get_mut(id)?;
        if !entry.tried {
            entry.tried = true;
            self.untried -= 1;
        }
        match std::mem::replace(&mut entry.state, State::Ended) {
            State::Waiting(_) => self.cycles.withdrawn(entry.due),
            State::UnderWay => self.cycles.answered(entry.due, now),
            State::Ended => None,
        }
    }

    /// Takes another interval from `now` on. Jobs under way and first polls stay as they are.
    pub(super) fn set_interval(&mut self, interval: Duration, now: Instant) {
        if interval == self.interval {
            return;
        }
        self.epoch = now;
        self.interval = interval;
        self.cycles = Cycles::new(now, interval);
        let mut waiting: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry.state, State::Waiting(_)))
            .map(|(id, entry)| {
                let due = if entry.tried { next_place(now, interval, entry.place, now) } else { entry.due };
                (id.clone(), due)
            })
            .collect();
        waiting.sort_unstable_by_key(|(_, due)| *due);
        self.queue.clear();
        for (id, due) in waiting {
            self.enqueue(id, due);
        }
    }

    /// When the present cycle ends.
    pub(super) fn cycle_end(&self) -> Instant {
        self.cycles.end()
    }

    /// Ends the present cycle if its time is over.
    pub(super) fn end_cycle(&mut self, now: Instant) -> Option<CycleEnd> {
        self.cycles.end_at(now)
    }

    /// Jobs that were never polled.
    pub(super) const fn untried(&self) -> usize {
        self.untried
    }

    /// It is the job's turn then.
    fn enqueue(&mut self, id: JobId, due: Instant) {
        self.tickets += 1;
        if let Some(entry) = self.entries.get_mut(&id) {
            let turn = Turn { due, ticket: self.tickets, id };
            enqueue(entry, &mut self.queue, &mut self.cycles, turn, true);
        }
    }
}

/// `is_usual` if it is the job's turn, and no other time of its own.
fn enqueue(entry: &mut Entry, queue: &mut Queue, cycles: &mut Cycles, turn: Turn, is_usual: bool) {
    entry.state = State::Waiting(turn.ticket);
    entry.due = turn.due;
    cycles.scheduled(turn.due);
    queue.push(turn, is_usual);
}

/// The first time at or after `earliest` at which the place comes round.
fn next_place(epoch: Instant, interval: Duration, place: f64, earliest: Instant) -> Instant {
    let first = epoch + interval.mul_f64(place);
    let late = earliest.saturating_duration_since(first).as_nanos();
    let rounds = late.div_ceil(interval.as_nanos().max(1));
    first + multiple(interval, u64::try_from(rounds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    fn id(number: usize) -> JobId {
        format!("Job:{number}").parse().unwrap()
    }

    fn number(id: &JobId) -> usize {
        id.as_str().trim_start_matches("Job:").parse().unwrap()
    }

    fn schedule(jobs: usize) -> (Schedule, Instant) {
        let now = Instant::now();
        let mut schedule = Schedule::new(now, INTERVAL);
        for number in 0..jobs {
            schedule.join([id(number)].into_iter(), now);
        }
        (schedule, now)
    }

    /// Polls everything that is due at `now`, each answered at once.
    fn poll_all(schedule: &mut Schedule, now: Instant) -> Vec<JobId> {
        let mut polled = Vec::new();
        while let Some(id) = schedule.take_due(now) {
            schedule.answered(&id, Next::Place(now), now);
            polled.push(id);
        }
        polled
    }

    #[test]
    fn the_first_poll_is_due_at_once_and_later_ones_are_spread() {
        let (mut schedule, start) = schedule(30);
        assert_eq!(poll_all(&mut schedule, start).len(), 30);
        let mut counts = [0_usize; 3];
        for second in 1..=60_u32 {
            let polled = poll_all(&mut schedule, start + Duration::from_secs(second.into())).len();
            assert!(polled <= 3, "{polled} in second {second}");
            counts[usize::from(second > 30) + usize::from(second > 45)] += polled;
        }
        // From half an interval after the first poll on, each has its place.
        assert!(counts.iter().all(|count| (14..=16).contains(count)), "{counts:?}");
    }

    #[test]
    fn jobs_that_join_together_are_spread_evenly_and_polled_in_their_order() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, INTERVAL);
        schedule.join((0..60).map(id), start);
        poll_all(&mut schedule, start);
        // Those with a place in the second half come round in the first interval already.
        poll_all(&mut schedule, start + INTERVAL);
        let mut order = Vec::new();
        for half_second in 61..=120_u32 {
            let polled = poll_all(&mut schedule, start + Duration::from_millis(500) * half_second);
            assert_eq!(polled.len(), 1);
            order.extend(polled);
        }
        let descents = order.windows(2).filter(|pair| number(&pair[1]) != number(&pair[0]) + 1).count();
        assert!(descents <= 1, "{order:?}");
    }

    #[test]
    fn a_job_is_due_one_interval_after_it_was_due_not_after_it_was_done() {
        let (mut schedule, start) = schedule(1);
        poll_all(&mut schedule, start);
        let due = schedule.next_due().unwrap();
        let id = schedule.take_due(due).unwrap();
        schedule.answered(&id, Next::Place(start), due + Duration::from_secs(7));
        assert_eq!(schedule.next_due(), Some(due + INTERVAL));
    }

    #[test]
    fn a_job_that_comes_late_misses_its_turn() {
        let (mut schedule, start) = schedule(1);
        poll_all(&mut schedule, start);
        let due = schedule.next_due().unwrap();
        let id = schedule.take_due(due).unwrap();
        schedule.answered(&id, Next::Place(start), due + INTERVAL * 3 + Duration::from_secs(1));
        assert_eq!(schedule.next_due(), Some(due + INTERVAL * 4));
    }

    #[test]
    fn who_waited_longest_goes_first() {
        let (mut schedule, start) = schedule(3);
        for number in [0, 1, 2] {
            assert_eq!(schedule.take_due(start), Some(id(number)));
        }
        assert_eq!(schedule.take_due(start), None);
    }

    #[test]
    fn an_ended_job_is_not_due_any_more() {
        let (mut schedule, start) = schedule(1);
        let id = schedule.take_due(start).unwrap();
        schedule.answered(&id, Next::Never, start);
        assert_eq!(schedule.next_due(), None);
        assert_eq!(schedule.untried(), 0);
    }

    #[test]
    fn a_job_that_leaves_and_comes_back_is_polled_at_once_and_its_old_poll_is_ignored() {
        let (mut schedule, start) = schedule(1);
        let job = schedule.take_due(start).unwrap();
        schedule.leave(&job, start);
        schedule.join([job.clone()].into_iter(), start);
        schedule.answered(&job, Next::Never, start);
        assert_eq!(schedule.untried(), 1);
        assert_eq!(schedule.take_due(start), Some(job));
    }

    #[test]
    fn a_job_that_ends_without_a_poll_is_not_due_and_its_poll_under_way_is_ignored() {
        let (mut schedule, start) = schedule(2);
        let job = schedule.take_due(start).unwrap();
        for number in [0, 1] {
            schedule.end(&id(number), start);
        }
        assert_eq!(schedule.untried(), 0);
        schedule.answered(&job, Next::Place(start), start);
        assert_eq!(schedule.next_due(), None);
        assert_eq!(schedule.end(&id(0), start), None, "it had ended");
        let end = schedule.end_cycle(start + INTERVAL).unwrap();
        assert_eq!(end, CycleEnd { overrun: false, duration: Some(Duration::ZERO) });
    }

    #[test]
    fn a_cycle_that_fits_tells_how_long_it_took() {
        let (mut schedule, start) = schedule(2);
        let later = start + Duration::from_secs(4);
        while let Some(id) = schedule.take_due(start) {
            schedule.answered(&id, Next::Never, later);
        }
        assert_eq!(schedule.end_cycle(later), None, "it lasts an interval");
        let end = schedule.end_cycle(start + INTERVAL).unwrap();
        assert_eq!(end, CycleEnd { overrun: false, duration: Some(Duration::from_secs(4)) });
        let empty = schedule.end_cycle(start + INTERVAL * 2).unwrap();
        assert_eq!(empty, CycleEnd { overrun: false, duration: Some(Duration::ZERO) });
    }

    #[test]
    fn a_cycle_whose_jobs_were_not_even_asked_is_an_overrun() {
        let (mut schedule, start) = schedule(2);
        let first = schedule.take_due(start).unwrap();
        schedule.answered(&first, Next::Never, start);
        let end = schedule.end_cycle(start + INTERVAL).unwrap();
        assert_eq!(end, CycleEnd { overrun: true, duration: None });
        let late = start + INTERVAL + Duration::from_secs(5);
        let second = schedule.take_due(late).unwrap();
        assert_eq!(schedule.answered(&second, Next::Never, late), Some(Duration::from_secs(35)));
    }

    #[test]
    fn a_slow_answer_is_no_overrun() {
        let (mut schedule, start) = schedule(1);
        let job = schedule.take_due(start).unwrap();
        let end = schedule.end_cycle(start + INTERVAL).unwrap();
        assert_eq!(end, CycleEnd { overrun: false, duration: None });
        let done = start + Duration::from_secs(40);
        assert_eq!(schedule.answered(&job, Next::Place(start), done), Some(Duration::from_secs(40)));
    }

    #[test]
    fn cycles_that_were_slept_through_are_one() {
        let (mut schedule, start) = schedule(0);
        assert!(schedule.end_cycle(start + INTERVAL * 10).is_some());
        assert_eq!(schedule.end_cycle(start + INTERVAL * 10), None);
        assert_eq!(schedule.cycle_end(), start + INTERVAL * 11);
    }

    #[test]
    fn another_interval_holds_from_now_on() {
        let (mut schedule, start) = schedule(10);
        poll_all(&mut schedule, start);
        let short = Duration::from_secs(2);
        schedule.set_interval(short, start);
        assert_eq!(poll_all(&mut schedule, start + short - Duration::from_millis(1)).len(), 10);
        assert_eq!(schedule.cycle_end(), start + short);
    }
}
