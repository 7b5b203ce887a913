//! When a single job is polled again, by what came of its last polls. Pure; called by `poller` alone.
//!
//! As a rule at its place in the interval. A job that isn't there (404) or is refused to us (401, 403) is asked less
//! and less often, down to once in four minutes: just after an upload it may be lag, later it is a wrong id. A job
//! whose answer takes long is asked so rarely that no more than a tenth of its time goes into transfers. A job that
//! was throttled keeps its place, behind those that were due meanwhile; throttled again and again, it is asked more
//! and more rarely, or a single job that is always throttled would stop all others.

use crate::job::PollFailure;
use crate::poller::schedule::Next;
use std::time::Duration;
use tokio::time::Instant;

/// A job that isn't there is asked at least so often; alert rules look back five minutes.
const LONGEST_WAIT: Duration = Duration::from_secs(240);

/// A job's transfers may take one part in so many of its time.
const TRANSFER_SHARE: u32 = 10;

/// The trouble that a job's last polls had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Trouble {
    /// Polls in a row that found no such job, or were refused.
    missing: u32,
    /// Polls in a row that were throttled.
    throttled: u32,
}

impl Trouble {
    /// True if the job was throttled twice in a row: if other jobs were read meanwhile, the pace is not the reason.
    pub(super) const fn is_often_throttled(self) -> bool {
        self.throttled >= 2
    }
}

/// How a poll went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    /// Why it failed; nothing if it was good.
    pub(super) failure: Option<PollFailure>,
    /// Whether the job has ended.
    pub(super) ended: bool,
    /// When it was asked.
    pub(super) asked_at: Instant,
    /// How long the transfer of the answer's body took, the wait for its head not counted; zero if none came.
    pub(super) transfer: Duration,
}

/// When the job is polled again; notes the trouble. `chance`, from 0 to 1, is the jitter.
pub(super) fn next_poll(
    trouble: &mut Trouble,
    course: Course,
    interval: Duration,
    now: Instant,
    chance: f64,
) -> Next {
    let before = *trouble;
    *trouble = Trouble::default();
    if course.ended {
        return Next::Never;
    }
    match course.failure {
        Some(PollFailure::NotFound | PollFailure::Unauthorized | PollFailure::Forbidden) => {
            trouble.missing = before.missing.saturating_add(1);
            if before.missing == 0 || interval >= LONGEST_WAIT {
                return Next::Place(now);
            }
            Next::At(now + longer_each_time(interval, before.missing, chance))
        }
        Some(PollFailure::RateLimited) => {
            trouble.throttled = before.throttled.saturating_add(1);
            match before.throttled {
                0 | 1 => Next::Place(now),
                more => Next::At(now + longer_each_time(interval, more - 1, chance)),
            }
        }
        _ => Next::Place(course.asked_at + course.transfer * TRANSFER_SHARE),
    }
}

/// The interval, doubled so many times, to four minutes; up to a tenth sooner, so that jobs which went missing
/// together are not asked together for ever.
fn longer_each_time(interval: Duration, times: u32, chance: f64) -> Duration {
    let doubled = interval.saturating_mul(1 << times.min(16));
    doubled.min(LONGEST_WAIT.max(interval)).mul_f64(1.0 - 0.1 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    fn course(failure: Option<PollFailure>, now: Instant) -> Course {
        Course { failure, ended: false, asked_at: now, transfer: Duration::ZERO }
    }

    #[test]
    fn a_job_that_is_not_there_is_asked_less_and_less_often() {
        let now = Instant::now();
        let mut trouble = Trouble::default();
        let mut waits = Vec::new();
        for _ in 0..7 {
            waits.push(
                match next_poll(&mut trouble, course(Some(PollFailure::NotFound), now), INTERVAL, now, 0.0) {
                    Next::At(time) => (time - now).as_secs(),
                    Next::Place(_) => 0,
                    Next::Never => panic!("the job stays"),
                },
            );
        }
        assert_eq!(waits, [0, 60, 120, 240, 240, 240, 240]);
        let sooner = next_poll(&mut trouble, course(Some(PollFailure::NotFound), now), INTERVAL, now, 1.0);
        assert_eq!(sooner, Next::At(now + Duration::from_secs(216)));
        next_poll(&mut trouble, course(None, now), INTERVAL, now, 0.0);
        assert_eq!(trouble, Trouble::default(), "one good answer ends it");
    }

    #[test]
    fn an_interval_of_more_than_four_minutes_stays_as_it_is() {
        let now = Instant::now();
        let mut trouble = Trouble { missing: 5, throttled: 0 };
        let long = Duration::from_secs(600);
        let next = next_poll(&mut trouble, course(Some(PollFailure::NotFound), now), long, now, 0.0);
        assert_eq!(next, Next::Place(now));
    }

    #[test]
    fn a_slow_answer_costs_a_tenth_of_the_time_at_most() {
        let now = Instant::now();
        let slow = Course { transfer: Duration::from_secs(60), ..course(None, now) };
        let next = next_poll(&mut Trouble::default(), slow, INTERVAL, now, 0.0);
        assert_eq!(next, Next::Place(now + Duration::from_secs(600)));
    }

    #[test]
    fn a_job_that_is_throttled_again_and_again_is_asked_more_rarely() {
        let now = Instant::now();
        let mut trouble = Trouble::default();
        let throttled = course(Some(PollFailure::RateLimited), now);
        assert_eq!(next_poll(&mut trouble, throttled, INTERVAL, now, 0.0), Next::Place(now));
        assert_eq!(next_poll(&mut trouble, throttled, INTERVAL, now, 0.0), Next::Place(now));
        assert!(trouble.is_often_throttled());
        let next = next_poll(&mut trouble, throttled, INTERVAL, now, 0.0);
        assert_eq!(next, Next::At(now + Duration::from_secs(60)));
    }
}
