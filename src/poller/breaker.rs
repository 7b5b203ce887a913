//! Stops asking for hundreds of jobs when the API as a whole does not answer, or refuses our credentials.
//!
//! Then one job is asked from time to time; all others that are due fail at once with the same reason, without a
//! request: they are as unread as if they had been asked, and the alerts must see it. One good answer ends it.
//! Accounts get locked by repeated refusals, so these are asked about less often than an outage.
//!
//! Pure: told the time. Called by `poller` alone.

use crate::job::PollFailure;
use std::time::Duration;
use tokio::time::Instant;

/// So many failures in a row, with no good answer between, are an outage.
const OUTAGE_AFTER: u32 = 10;

/// So many refusals of our credentials in a row are no single job's trouble.
const REFUSED_AFTER: u32 = 3;

/// The first question during an outage comes after this, each further one after twice the time, up to the interval
/// or this, whichever is longer.
const FIRST_PROBE: Duration = Duration::from_secs(5);

/// Longest time between two questions after a refusal; alert rules look back five minutes.
const LONGEST_REFUSED: Duration = Duration::from_secs(240);

/// What is known of the API as a whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    refusals: u32,
    open: Option<Open>,
}

/// The API is down, or refuses us.
#[derive(Clone, Debug)]
struct Open {
    reason: PollFailure,
    message: String,
    wait: Duration,
    next_probe: Instant,
    is_probing: bool,
}

/// What may be done with a job that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Ask for it, as for any other.
    Ask,
    /// Ask for it as the one that shows whether the API is back; then call [`Breaker::probing`].
    Probe,
    /// Don't ask; it is unread for this reason.
    Fail(PollFailure, String),
    /// Wait for an answer that is under way: the credentials were just refused.
    Wait,
}

/// What an answer changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// From now on only one job is asked.
    Opened,
    /// All jobs are asked again.
    Closed,
}

impl Breaker {
    /// What may be done with a job that is due at `now` while `under_way` requests are out.
    pub(super) fn judge(&self, under_way: usize, now: Instant) -> Verdict {
        let Some(open) = &self.open else {
            // After a refusal the next job shows whether it was the job's trouble or ours: one, not sixteen.
            return if self.refusals > 0 && under_way > 0 { Verdict::Wait } else { Verdict::Ask };
        };
        if !open.is_probing && open.next_probe <= now {
            return Verdict::Probe;
        }
        Verdict::Fail(open.reason, open.message.clone())
    }

    /// The job that was judged [`Verdict::Probe`] is being asked.
    pub(super) fn probing(&mut self) {
        if let Some(open) = &mut self.open {
            open.is_probing = true;
        }
    }

    /// A question was broken off; if it was the one of [`Breaker::probing`], the next due job is asked instead.
    pub(super) fn probe_lost(&mut self) {
        if let Some(open) = &mut self.open {
            open.is_probing = false;
        }
    }

    /// True if only one job is asked at present.
    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// A poll ended well, or in a way that shows the API at work.
    pub(super) fn answered(&mut self) -> Change {
        self.failures = 0;
        self.refusals = 0;
        if self.open.take().is_some() { Change::Closed } else { Change::None }
    }

    /// A poll failed in a way that does not show the API at work.
    pub(super) fn failed(
        &mut self,
        reason: PollFailure,
        message: &str,
        interval: Duration,
        now: Instant,
    ) -> Change {
        self.failures = self.failures.saturating_add(1);
        let is_refusal = matches!(reason, PollFailure::Unauthorized | PollFailure::Forbidden);
        self.refusals = if is_refusal { self.refusals.saturating_add(1) } else { 0 };
        let was_open = self.open.take();
        if was_open.is_none() && self.failures < OUTAGE_AFTER && self.refusals < REFUSED_AFTER {
            return Change::None;
        }
        let (first, longest) =
            if is_refusal { (interval, LONGEST_REFUSED) } else { (FIRST_PROBE, interval.max(FIRST_PROBE)) };
        let wait = match &was_open {
            Some(open) if open.is_probing => (open.wait * 2).max(first).min(longest),
            Some(open) => open.wait,
            None => first.min(longest),
        };
        let keeps_time = was_open.as_ref().filter(|open| !open.is_probing).map(|open| open.next_probe);
        self.open = Some(Open {
            reason,
            message: format!("not asked, since the last polls of other jobs failed: {message}"),
            wait,
            next_probe: keeps_time.unwrap_or(now + wait),
            is_probing: false,
        });
        if was_open.is_none() { Change::Opened } else { Change::None }
    }

    /// The credentials are others now, or the whole setup: the next job that is due shows whether that helps.
    pub(super) fn probe_now(&mut self, now: Instant) {
        if let Some(open) = &mut self.open {
            open.next_probe = now;
            open.wait = Duration::ZERO;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    fn fail(breaker: &mut Breaker, reason: PollFailure, now: Instant) -> Change {
        breaker.failed(reason, "because", INTERVAL, now)
    }

    #[test]
    fn ten_failures_in_a_row_are_an_outage_that_one_answer_ends() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..9 {
            assert_eq!(fail(&mut breaker, PollFailure::Connect, now), Change::None);
        }
        breaker.answered();
        for _ in 0..9 {
            assert_eq!(fail(&mut breaker, PollFailure::Connect, now), Change::None);
        }
        assert_eq!(fail(&mut breaker, PollFailure::Connect, now), Change::Opened);
        assert!(matches!(breaker.judge(0, now), Verdict::Fail(PollFailure::Connect, _)));
        assert_eq!(breaker.answered(), Change::Closed);
        assert_eq!(breaker.judge(0, now), Verdict::Ask);
    }

    /// When a breaker that is open asks, if each question fails.
    fn probes(breaker: &mut Breaker, reason: PollFailure, start: Instant, count: usize) -> Vec<u64> {
        let mut at = Vec::new();
        let mut now = start;
        while at.len() < count {
            if breaker.judge(0, now) == Verdict::Probe {
                breaker.probing();
                assert!(matches!(breaker.judge(1, now), Verdict::Fail(..)), "one at a time");
                at.push((now - start).as_secs());
                fail(breaker, reason, now);
            }
            now += Duration::from_secs(1);
        }
        at
    }

    #[test]
    fn an_outage_is_asked_about_by_one_job_more_and_more_rarely() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            fail(&mut breaker, PollFailure::ServerError, now);
        }
        assert_eq!(probes(&mut breaker, PollFailure::ServerError, now, 6), [5, 15, 35, 65, 95, 125]);
    }

    #[test]
    fn refused_credentials_are_asked_about_once_an_interval_doubling_to_four_minutes() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            fail(&mut breaker, PollFailure::Unauthorized, now);
        }
        assert_eq!(probes(&mut breaker, PollFailure::Unauthorized, now, 6), [30, 90, 210, 450, 690, 930]);
        breaker.probe_now(now + Duration::from_secs(931));
        assert_eq!(
            breaker.judge(0, now + Duration::from_secs(931)),
            Verdict::Probe,
            "new credentials are tried at once"
        );
    }

    #[test]
    fn one_job_that_is_refused_beside_others_stops_nothing() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..50 {
            assert_eq!(fail(&mut breaker, PollFailure::Forbidden, now), Change::None);
            assert_eq!(breaker.judge(1, now), Verdict::Wait, "one more question, not sixteen");
            assert_eq!(breaker.judge(0, now), Verdict::Ask);
            breaker.answered();
        }
    }

    #[test]
    fn late_failures_of_polls_under_way_do_not_put_the_probe_off() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..16 {
            fail(&mut breaker, PollFailure::Timeout, now);
        }
        assert_eq!(breaker.judge(0, now + FIRST_PROBE), Verdict::Probe);
    }
}
