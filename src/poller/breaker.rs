//! Stops asking for hundreds of jobs when the API as a whole does not answer, or refuses our credentials.
//!
//! Then one job is asked from time to time; all others that are due fail at once with the same reason, without a
//! request: they are as unread as if they had been asked, and the alerts must see it. One good answer ends it.
//! Accounts get locked by repeated refusals, so these are asked about less often than an outage.
//!
//! Only what speaks of the API as a whole is evidence: no answer, a server error, a refusal; and only from a job whose
//! poll before did not fail, or that was never polled. A job that fails again and again while others are read says
//! nothing new, so many broken jobs do not blind the healthy ones; but where nothing was read for two intervals, every
//! failure counts.
//!
//! Pure: told the time. Called by `poller` alone.

use crate::job::{JobId, PollFailure};
use std::time::Duration;
use tokio::time::Instant;

/// So many failures in a row, with no good answer between, are an outage.
const OUTAGE_AFTER: u32 = 10;

/// So many answers of 401 in a row are no single job's trouble.
const UNAUTHORIZED_AFTER: u32 = 3;

/// So many refusals in a row, of any kind, are none either. 403 may mean that one job alone, so it takes more.
const REFUSED_AFTER: u32 = 8;

/// After a refusal one job is asked, not sixteen, until it is answered; but no longer than this: it may hang.
const TRIAL_LIMIT: Duration = Duration::from_secs(10);

/// The first question during an outage comes after this, each further one after twice the time, up to the interval
/// or this, whichever is longer.
const FIRST_PROBE: Duration = Duration::from_secs(5);

/// Longest time between two questions after a refusal; alert rules look back five minutes.
const LONGEST_REFUSED: Duration = Duration::from_secs(240);

/// What is known of the API as a whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Breaker {
    /// Evidence in a row: failures, answers of 401, refusals of any kind.
    failures: u32,
    unauthorized: u32,
    refusals: u32,
    /// All failures since the last good answer, evidence or not, and when the first of them came.
    unread: u32,
    unread_since: Option<Instant>,
    /// When the one job was asked that shows whether a refusal was the job's trouble or ours.
    trial: Option<Instant>,
    /// What was sent before this, was sent with other credentials or to another API.
    changed_at: Option<Instant>,
    open: Option<Open>,
    /// Whether anything was ever read: as long as not, each job is asked once in turn, and not more and more rarely.
    ever_answered: bool,
}

/// The API is down, or refuses us.
#[derive(Clone, Debug)]
struct Open {
    reason: PollFailure,
    message: String,
    wait: Duration,
    next_probe: Instant,
    /// The job that is being asked, and since when.
    probe: Option<(JobId, Instant)>,
}

/// What may be done with a job that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Ask for it, as for any other; then call [`Breaker::asking`].
    Ask,
    /// Ask for one as that which shows whether the API is back; then call [`Breaker::probing`].
    Probe,
    /// Don't ask; it is unread for this reason.
    Fail(PollFailure, String),
    /// Wait for an answer that is under way, no longer than until then: we were just refused.
    Wait(Instant),
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

/// A poll that failed in a way that does not show the API at work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed<'a> {
    /// Its job.
    pub(super) id: &'a JobId,
    /// Why.
    pub(super) reason: PollFailure,
    /// The same in words.
    pub(super) message: &'a str,
    /// When its request was sent.
    pub(super) sent: Instant,
    /// Whether the job's poll before failed as well.
    pub(super) was_failing: bool,
}

impl Breaker {
    /// What may be done with a job that is due at `now`.
    pub(super) fn judge(&self, now: Instant) -> Verdict {
        let Some(open) = &self.open else {
            let until = self.trial.map(|asked| asked + TRIAL_LIMIT).filter(|until| *until > now);
            return until.map_or(Verdict::Ask, Verdict::Wait);
        };
        if open.probe.is_none() && open.next_probe <= now {
            return Verdict::Probe;
        }
        Verdict::Fail(open.reason, open.message.clone())
    }

    /// A job is being asked.
    pub(super) fn asking(&mut self, now: Instant) {
        if self.refusals > 0 {
            self.trial = Some(now);
        }
    }

    /// The job that was judged [`Verdict::Probe`] is being asked.
    pub(super) fn probing(&mut self, id: JobId, now: Instant) {
        if let Some(open) = &mut self.open {
            open.probe = Some((id, now));
        }
    }

    /// A question was broken off; if it was the probe, another job is asked instead.
    pub(super) fn broken_off(&mut self, id: &JobId) {
        self.trial = None;
        if let Some(open) = &mut self.open {
            open.probe.take_if(|(probe, _)| probe == id);
        }
    }

    /// True if only one job is asked at present.
    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// A poll ended well, or in a way that shows the API at work.
    pub(super) fn answered(&mut self) -> Change {
        self.forget();
        self.ever_answered = true;
        if self.open.take().is_some() { Change::Closed } else { Change::None }
    }

    fn forget(&mut self) {
        (self.failures, self.unauthorized, self.refusals, self.unread) = (0, 0, 0, 0);
        self.unread_since = None;
        self.trial = None;
    }

    /// A poll failed.
    pub(super) fn failed(&mut self, failed: Failed<'_>, interval: Duration, now: Instant) -> Change {
        self.trial = None;
        if self.changed_at.is_some_and(|changed| failed.sent < changed) {
            // It says nothing about the credentials or the API of now.
            self.broken_off(failed.id);
            return Change::None;
        }
        let is_refusal = matches!(failed.reason, PollFailure::Unauthorized | PollFailure::Forbidden);
        if let Some(open) = &mut self.open {
            let Some((_, asked)) = open.probe.take_if(|(probe, _)| probe == failed.id) else {
                // It was under way before; the probe's time stays.
                return Change::None;
            };
            let (first, longest) = waits(is_refusal, interval);
            let doubled = if self.ever_answered || is_refusal { open.wait * 2 } else { open.wait };
            open.wait = doubled.max(first).min(longest);
            // Counted from the question: a job's place in the interval comes round in the same rhythm.
            open.next_probe = (asked + open.wait).max(now);
            open.reason = failed.reason;
            open.message = told(failed.message);
            return Change::None;
        }
        let since = *self.unread_since.get_or_insert(now);
        self.unread = self.unread.saturating_add(1);
        let nothing_is_read = now.saturating_duration_since(since) >= interval * 2;
        if speaks_of_the_api(failed.reason) && (nothing_is_read || !failed.was_failing) {
            self.failures = self.failures.saturating_add(1);
            self.refusals += u32::from(is_refusal);
            self.unauthorized += u32::from(failed.reason == PollFailure::Unauthorized);
        }
        let is_outage = self.failures >= OUTAGE_AFTER
            || (nothing_is_read && self.unread >= OUTAGE_AFTER && speaks_of_the_api(failed.reason));
        let is_refused = self.unauthorized >= UNAUTHORIZED_AFTER || self.refusals >= REFUSED_AFTER;
        if !is_outage && !is_refused {
            return Change::None;
        }
        let (first, longest) = waits(is_refusal, interval);
        let wait = first.min(longest);
        let next_probe = now + wait;
        self.open = Some(Open {
            reason: failed.reason,
            message: told(failed.message),
            wait,
            next_probe,
            probe: None,
        });
        Change::Opened
    }

    /// The credentials are others now, or the address: the next question shows whether that helps.
    pub(super) fn probe_now(&mut self, now: Instant) {
        self.forget();
        self.changed_at = Some(now);
        if let Some(open) = &mut self.open {
            open.next_probe = now;
            open.wait = Duration::ZERO;
            open.probe = None;
        }
    }
}

/// The first and the longest time between two questions.
fn waits(is_refusal: bool, interval: Duration) -> (Duration, Duration) {
    if is_refusal { (interval, LONGEST_REFUSED) } else { (FIRST_PROBE, interval.max(FIRST_PROBE)) }
}

fn told(message: &str) -> String {
    format!("not asked, since the last polls of other jobs failed: {message}")
}

/// True if a failure can be the whole API's; others are about one job or one answer.
const fn speaks_of_the_api(reason: PollFailure) -> bool {
    match reason {
        PollFailure::Timeout
        | PollFailure::Dns
        | PollFailure::Connect
        | PollFailure::Tls
        | PollFailure::ServerError
        | PollFailure::Unauthorized
        | PollFailure::Forbidden => true,
        PollFailure::Redirect
        | PollFailure::NotFound
        | PollFailure::RateLimited
        | PollFailure::BadResponse
        | PollFailure::TooLarge
        | PollFailure::Other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    fn id(text: &str) -> JobId {
        text.parse().unwrap()
    }

    fn fail(breaker: &mut Breaker, reason: PollFailure, now: Instant) -> Change {
        fail_of(breaker, "Job:a", reason, now, false)
    }

    fn fail_of(
        breaker: &mut Breaker,
        job: &str,
        reason: PollFailure,
        sent: Instant,
        was_failing: bool,
    ) -> Change {
        let failed = Failed { id: &id(job), reason, message: "because", sent, was_failing };
        breaker.failed(failed, INTERVAL, sent)
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
        assert!(matches!(breaker.judge(now), Verdict::Fail(PollFailure::Connect, _)));
        assert_eq!(breaker.answered(), Change::Closed);
        assert_eq!(breaker.judge(now), Verdict::Ask);
    }

    /// When a breaker that is open asks, if each question fails.
    fn probes(breaker: &mut Breaker, reason: PollFailure, start: Instant, count: usize) -> Vec<u64> {
        let mut at = Vec::new();
        let mut now = start;
        while at.len() < count {
            if breaker.judge(now) == Verdict::Probe {
                breaker.probing(id("Job:a"), now);
                assert!(matches!(breaker.judge(now), Verdict::Fail(..)), "one at a time");
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
        breaker.answered();
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
            breaker.judge(now + Duration::from_secs(931)),
            Verdict::Probe,
            "new credentials are tried at once"
        );
    }

    #[test]
    fn one_job_that_is_refused_beside_others_stops_nothing() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for round in 0..50 {
            assert_eq!(fail_of(&mut breaker, "Job:a", PollFailure::Forbidden, now, round > 0), Change::None);
            assert_eq!(breaker.judge(now), Verdict::Ask);
            breaker.asking(now);
            breaker.answered();
        }
    }

    #[test]
    fn after_a_refusal_one_job_is_asked_at_a_time_but_a_hanging_one_holds_nobody_up() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        fail(&mut breaker, PollFailure::Forbidden, now);
        assert_eq!(breaker.judge(now), Verdict::Ask);
        breaker.asking(now);
        assert_eq!(breaker.judge(now), Verdict::Wait(now + TRIAL_LIMIT));
        assert_eq!(breaker.judge(now + TRIAL_LIMIT), Verdict::Ask);
    }

    #[test]
    fn jobs_that_fail_again_and_again_are_no_evidence() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..100 {
            assert_eq!(fail_of(&mut breaker, "Job:bad", PollFailure::ServerError, now, true), Change::None);
            assert_eq!(fail_of(&mut breaker, "Job:odd", PollFailure::BadResponse, now, false), Change::None);
        }
        assert_eq!(breaker.judge(now), Verdict::Ask);
    }

    #[test]
    fn where_nothing_is_read_for_two_intervals_every_failure_counts() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for round in 0..9 {
            let at = now + INTERVAL * round / 3;
            assert_eq!(fail_of(&mut breaker, "Job:a", PollFailure::Tls, at, round > 0), Change::None);
        }
        assert_eq!(
            fail_of(&mut breaker, "Job:a", PollFailure::Tls, now + INTERVAL * 3, true),
            Change::Opened
        );
    }

    #[test]
    fn what_was_sent_before_the_change_of_credentials_puts_nothing_off() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            fail(&mut breaker, PollFailure::Unauthorized, now);
        }
        let probed = now + INTERVAL;
        breaker.probing(id("Job:a"), probed);
        let changed = probed + Duration::from_secs(1);
        breaker.probe_now(changed);
        fail_of(&mut breaker, "Job:a", PollFailure::Unauthorized, probed, true);
        assert_eq!(breaker.judge(changed), Verdict::Probe, "at once");
    }

    #[test]
    fn a_probe_that_is_broken_off_is_replaced_and_no_other() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            fail(&mut breaker, PollFailure::Connect, now);
        }
        let due = now + FIRST_PROBE;
        breaker.probing(id("Job:a"), due);
        breaker.broken_off(&id("Job:b"));
        assert!(matches!(breaker.judge(due), Verdict::Fail(..)));
        breaker.broken_off(&id("Job:a"));
        assert_eq!(breaker.judge(due), Verdict::Probe);
    }

    #[test]
    fn late_failures_of_polls_under_way_do_not_put_the_probe_off() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..16 {
            fail(&mut breaker, PollFailure::Timeout, now);
        }
        assert_eq!(breaker.judge(now + FIRST_PROBE), Verdict::Probe);
    }
}
