//! Decides when the next request may leave: requests a second, and how long the API wants none.
//!
//! Called by `poller` alone. Pure: told the time; the caller does the waiting. One pacer for all jobs, since the
//! limit in the configuration, like the API's own, holds for the whole exporter.
//!
//! A 429 pauses everything, for as long as the API says or, if it doesn't, for a random part of a time that doubles.
//! After it the rate comes back from a tenth, doubling each second, to a target below the rate that brought the 429.
//! The target rises again while it is used and nothing is refused, but a rate that was refused before is only tried
//! after a time that doubles with each refusal: so the rate settles under what the API bears, without a saw of 429s.

use std::time::Duration;
use tokio::time::Instant;

/// Requests are spaced evenly; where they are closer than this together, so many leave at once instead, because
/// timers tick in milliseconds.
const TICK: Duration = Duration::from_millis(5);

/// Longest pause that is obeyed, whatever the API says.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Pauses without a word from the API: the first is up to this long, each further one up to twice as long, ...
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// ... but no longer than this.
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// The rate after a pause, as a share of the target.
const GENTLE_START: f64 = 0.1;
/// How often the rate doubles on its way to the target.
const RAMP_STEP: Duration = Duration::from_secs(1);

/// The target after a refusal, as a share of the rate that was refused.
const STEP_DOWN: f64 = 0.7;
/// How far the target may fall at once, as a share of the rate that was refused.
const DEEPEST_STEP: f64 = 0.1;
/// How much the target rises, ...
const STEP_UP: f64 = 1.1;
/// ... how often where nothing speaks against it, ...
const RISE_EVERY: Duration = Duration::from_secs(10);
/// ... and how long it rests below a rate that was refused before: at first, and at most.
const FIRST_REST: Duration = Duration::from_secs(120);
const LONGEST_REST: Duration = Duration::from_secs(1800);

/// The slowest rate, in requests a second: one a minute. Slower is what pauses are for.
const SLOWEST: f64 = 1.0 / 60.0;

/// The pace of all requests.
#[derive(Clone, Debug)]
pub(super) struct Pacer {
    /// The configured limit, in requests a second.
    limit: f64,
    /// The rate that is aimed at; at most the limit.
    target: f64,
    /// The rate at present; at most the target.
    rate: f64,
    /// When the rate last doubled on its way to the target.
    ramped: Instant,
    /// When the target last changed.
    target_since: Instant,
    /// Whether requests had to wait for the pace since then: only a rate that is used says anything.
    used: bool,
    /// The lowest rate that was refused.
    refused_rate: Option<f64>,
    rest: Duration,
    /// When a 429 last came, and the requests that were answered well since.
    refused_at: Option<Instant>,
    good_since: f64,
    /// 429s in a row without a word on how long to wait.
    silent_refusals: u32,
    /// When the next request is regularly due.
    next: Instant,
    /// No request before this.
    paused_until: Option<Instant>,
    /// The API's own quota, until its window ends.
    quota: Option<QuotaPace>,
}

/// The pace that an API's quota leaves.
#[derive(Clone, Copy, Debug)]
struct QuotaPace {
    rate: f64,
    until: Instant,
}

impl Pacer {
    /// A pacer that lets at most `limit` requests a second leave, beginning at `now`.
    pub(super) fn new(limit: f64, now: Instant) -> Self {
        Self {
            limit,
            target: limit,
            rate: limit,
            ramped: now,
            target_since: now,
            used: false,
            refused_rate: None,
            rest: FIRST_REST,
            refused_at: None,
            good_since: 0.0,
            silent_refusals: 0,
            next: now,
            paused_until: None,
            quota: None,
        }
    }

    /// Takes another limit. A higher one begins anew; what was learnt below a lower one stays.
    pub(super) fn set_limit(&mut self, limit: f64, now: Instant) {
        if limit > self.limit {
            self.refused_rate = None;
            self.target = limit;
        }
        self.limit = limit;
        self.target = self.target.min(limit);
        self.rate = self.rate.min(self.target);
        self.next = self.next.min(now + spacing(self.rate));
    }

    /// When the next request may leave; in the past if it may at once.
    pub(super) fn ready_at(&self) -> Instant {
        let early =
            if self.spacing() < TICK { self.next.checked_sub(TICK).unwrap_or(self.next) } else { self.next };
        self.paused_until.map_or(early, |pause| pause.max(early))
    }

    /// A request leaves at `now`.
    pub(super) fn request(&mut self, now: Instant) {
        self.adapt(now);
        self.next = self.next.max(now) + self.spacing();
    }

    /// A job is due and has to wait for the pace.
    pub(super) fn note_waiting(&mut self) {
        self.used = true;
    }

    /// A request was answered, and not by 429.
    pub(super) fn answered(&mut self) {
        self.silent_refusals = 0;
        self.good_since += 1.0;
    }

    /// True if a request was answered well since the last 429.
    pub(super) fn is_borne(&self) -> bool {
        self.good_since > 0.0
    }

    /// The API wants a pause because of one job, while it bears all others: the pause is obeyed, the rate stays.
    pub(super) fn pause_for_one(&mut self, retry_after: Option<Duration>, now: Instant) {
        self.pause(retry_after.unwrap_or(FIRST_BACKOFF), now);
    }

    /// A request that left at `sent` was answered by 429 at `now`. `chance`, from 0 to 1, is the jitter.
    pub(super) fn refused(
        &mut self,
        retry_after: Option<Duration>,
        sent: Instant,
        now: Instant,
        chance: f64,
    ) {
        // Requests that were under way together tell the same thing together: it counts once.
        let is_news = self.refused_at.is_none_or(|refused| sent > refused) && !self.is_paused(now);
        let pause = retry_after.unwrap_or_else(|| {
            if is_news {
                self.silent_refusals = self.silent_refusals.saturating_add(1);
            }
            let doubled = FIRST_BACKOFF.saturating_mul(1 << self.silent_refusals.saturating_sub(1).min(16));
            doubled.min(LONGEST_BACKOFF).mul_f64(chance.clamp(0.0, 1.0))
        });
        self.pause(pause, now);
        if !is_news {
            return;
        }
        let bearable = self.refused_at.map(|refused| {
            // What was answered since the last 429, its pause included: all that the API bore.
            self.good_since / now.saturating_duration_since(refused).as_secs_f64().max(0.001)
        });
        let was = self.present_rate();
        let highest = was * STEP_DOWN;
        self.target = bearable.map_or(highest, |rate| rate.clamp(was * DEEPEST_STEP, highest)).max(SLOWEST);
        if self.refused_rate.is_some_and(|refused| was >= refused * STEP_DOWN) {
            self.rest = (self.rest * 2).min(LONGEST_REST);
        }
        self.refused_rate = Some(was);
        self.refused_at = Some(now);
        self.good_since = 0.0;
        self.begin_gently(now);
    }

    /// The API's quota: `remaining` requests are left until `until`.
    pub(super) fn obey_quota(&mut self, remaining: f64, until: Instant, now: Instant) {
        let left = until.saturating_duration_since(now).min(LONGEST_PAUSE);
        if left.is_zero() {
            self.quota = None;
        } else if remaining < 1.0 {
            self.pause(left, now);
            self.quota = None;
        } else {
            self.quota = Some(QuotaPace { rate: remaining / left.as_secs_f64(), until: now + left });
        }
    }

    /// Comes back from a tenth of the target, after a pause or an outage.
    pub(super) fn begin_gently(&mut self, now: Instant) {
        self.rate = (self.target * GENTLE_START).max(SLOWEST).min(self.target);
        self.ramped = self.paused_until.map_or(now, |pause| pause.max(now));
        self.target_since = self.ramped;
        self.used = false;
        self.next = self.next.max(now);
    }

    fn pause(&mut self, duration: Duration, now: Instant) {
        let until = now + duration.min(LONGEST_PAUSE);
        self.paused_until = Some(self.paused_until.map_or(until, |pause| pause.max(until)));
    }

    fn is_paused(&self, now: Instant) -> bool {
        self.paused_until.is_some_and(|pause| pause > now)
    }

    /// Lets the rate double towards the target, and the target rise, as time passes.
    fn adapt(&mut self, now: Instant) {
        if self.quota.is_some_and(|quota| quota.until <= now) {
            self.quota = None;
        }
        if self.rate < self.target {
            if now.saturating_duration_since(self.ramped) >= RAMP_STEP {
                self.rate = (self.rate * 2.0).min(self.target);
                self.ramped = now;
                self.target_since = now;
                self.used = false;
            }
            return;
        }
        if self.target >= self.limit {
            return;
        }
        let next = (self.target * STEP_UP).min(self.limit);
        let is_refused_before = self.refused_rate.is_some_and(|refused| next >= refused);
        let wait = if is_refused_before { self.rest } else { RISE_EVERY };
        if self.used && now.saturating_duration_since(self.target_since) >= wait {
            self.target = next;
            self.rate = next;
            self.target_since = now;
            self.used = false;
        }
    }

    fn present_rate(&self) -> f64 {
        self.quota.map_or(self.rate, |quota| self.rate.min(quota.rate))
    }

    fn spacing(&self) -> Duration {
        spacing(self.present_rate())
    }
}

fn spacing(rate: f64) -> Duration {
    // A rate near 0 must not overflow: then one request a day leaves.
    Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX).min(Duration::from_secs(24 * 3600))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many requests leave within `duration`, asking every millisecond.
    fn leave_within(pacer: &mut Pacer, start: Instant, duration: Duration) -> u32 {
        let mut requests = 0;
        for millis in 0..u64::try_from(duration.as_millis()).unwrap() {
            let now = start + Duration::from_millis(millis);
            while pacer.ready_at() <= now {
                pacer.request(now);
                requests += 1;
            }
        }
        requests
    }

    #[test]
    fn the_limit_is_kept() {
        let start = Instant::now();
        for (rate, allowed) in
            [(5.0, 5..=5), (50.0, 50..=50), (1000.0, 1000..=1006), (25_000.0, 25_000..=25_126)]
        {
            let requests = leave_within(&mut Pacer::new(rate, start), start, Duration::from_secs(1));
            assert!(allowed.contains(&requests), "{requests} at {rate}");
        }
    }

    #[test]
    fn a_quiet_time_does_not_save_up_requests() {
        let start = Instant::now();
        let mut pacer = Pacer::new(50.0, start);
        let later = start + Duration::from_secs(60);
        assert_eq!(leave_within(&mut pacer, later, Duration::from_secs(1)), 50);
    }

    #[test]
    fn a_pause_holds_and_the_longer_one_wins() {
        let start = Instant::now();
        let mut pacer = Pacer::new(50.0, start);
        pacer.refused(Some(Duration::from_secs(7)), start, start, 0.5);
        pacer.refused(Some(Duration::from_secs(1)), start, start, 0.5);
        assert_eq!(pacer.ready_at(), start + Duration::from_secs(7));
        let mut pacer = Pacer::new(50.0, start);
        pacer.refused(Some(Duration::MAX), start, start, 0.5);
        assert_eq!(
            pacer.ready_at(),
            start + Duration::from_secs(3600),
            "more than an hour counts as an hour"
        );
    }

    #[test]
    fn after_a_pause_the_rate_comes_back_from_a_tenth_doubling() {
        let start = Instant::now();
        let mut pacer = Pacer::new(100.0, start);
        pacer.refused(Some(Duration::from_secs(10)), start, start, 0.5);
        let mut at = start + Duration::from_secs(10);
        let mut seconds = Vec::new();
        for _ in 0..6 {
            seconds.push(leave_within(&mut pacer, at, Duration::from_secs(1)));
            at += Duration::from_secs(1);
        }
        assert_eq!(seconds[0], 7, "a tenth of the target: {seconds:?}");
        assert!(
            seconds.windows(2).all(|pair| pair[1] >= pair[0] && pair[1] <= pair[0] * 2 + 2),
            "{seconds:?}"
        );
        assert!((60..=71).contains(&seconds[5]), "below the rate that was refused: {seconds:?}");
    }

    #[test]
    fn without_a_word_the_pause_doubles_with_full_jitter_to_five_minutes() {
        let start = Instant::now();
        let mut now = start;
        let mut pauses = Vec::new();
        let mut pacer = Pacer::new(50.0, start);
        for _ in 0..12 {
            pacer.refused(None, now, now, 1.0);
            let ready = pacer.paused_until.unwrap();
            pauses.push(ready.saturating_duration_since(now).as_secs());
            now = ready + Duration::from_millis(1);
        }
        assert_eq!(pauses[..6], [1, 2, 4, 8, 16, 32]);
        assert_eq!(*pauses.last().unwrap(), 300);
        let mut lucky = Pacer::new(50.0, start);
        lucky.refused(None, start, start, 0.0);
        assert_eq!(lucky.paused_until, Some(start), "full jitter may also be no pause");
    }

    #[test]
    fn refusals_of_requests_under_way_together_count_once() {
        let start = Instant::now();
        let mut pacer = Pacer::new(50.0, start);
        for _ in 0..16 {
            pacer.refused(Some(Duration::from_millis(1)), start, start, 0.5);
        }
        assert!((pacer.target - 35.0).abs() < 1e-9, "{}", pacer.target);
    }

    /// Runs a pacer against an API that bears `bears` requests a second, for `seconds`, always with work to do.
    /// Returns all requests and those refused, in each minute.
    fn against_a_limit(bears: f64, seconds: u64) -> Vec<(u32, u32)> {
        let start = Instant::now();
        let mut pacer = Pacer::new(50.0, start);
        let (mut tokens, mut last) = (bears, start);
        let mut minutes = vec![(0, 0); usize::try_from(seconds / 60).unwrap()];
        for millis in 0..seconds * 1000 {
            let now = start + Duration::from_millis(millis);
            if pacer.ready_at() > now {
                pacer.note_waiting();
                continue;
            }
            pacer.request(now);
            tokens = (tokens + bears * (now - last).as_secs_f64()).min(bears);
            last = now;
            let minute = &mut minutes[usize::try_from(millis / 60_000).unwrap()];
            minute.0 += 1;
            if tokens >= 1.0 {
                tokens -= 1.0;
                pacer.answered();
            } else {
                minute.1 += 1;
                pacer.refused(Some(Duration::from_secs(1)), now, now, 0.5);
            }
        }
        minutes
    }

    #[test]
    fn the_rate_settles_under_what_the_api_bears() {
        for bears in [1.0, 5.0, 20.0] {
            let minutes = against_a_limit(bears, 1800);
            let after: (u32, u32) =
                minutes[1..].iter().fold((0, 0), |sum, minute| (sum.0 + minute.0, sum.1 + minute.1));
            assert!(f64::from(after.1) < f64::from(after.0) * 0.01, "{bears}: {minutes:?}");
            let used = f64::from(after.0) / (1740.0 * bears);
            assert!(used > 0.6, "{bears}: it uses only {used} of what the API bears: {minutes:?}");
        }
    }

    #[test]
    fn a_limit_that_is_gone_is_forgotten_in_time() {
        let start = Instant::now();
        let mut pacer = Pacer::new(50.0, start);
        pacer.refused(Some(Duration::from_secs(1)), start, start, 0.5);
        for millis in 0..1_200_000 {
            let now = start + Duration::from_millis(millis);
            if pacer.ready_at() <= now {
                pacer.request(now);
                pacer.answered();
            } else {
                pacer.note_waiting();
            }
        }
        assert!((pacer.rate - 50.0).abs() < 1e-9, "{}", pacer.rate);
    }

    #[test]
    fn a_quota_is_spread_over_its_window_and_an_empty_one_is_a_pause() {
        let start = Instant::now();
        let mut pacer = Pacer::new(50.0, start);
        pacer.obey_quota(20.0, start + Duration::from_secs(10), start);
        let requests = leave_within(&mut pacer, start, Duration::from_secs(10));
        assert!((19..=21).contains(&requests), "{requests}");
        let later = start + Duration::from_secs(10);
        assert!(leave_within(&mut pacer, later, Duration::from_secs(1)) >= 49, "the window is over");
        let later = start + Duration::from_secs(20);
        pacer.obey_quota(0.0, later + Duration::from_secs(30), later);
        assert_eq!(pacer.ready_at(), later + Duration::from_secs(30));
    }

    #[test]
    fn absurd_rates_do_not_overflow() {
        let start = Instant::now();
        let mut pacer = Pacer::new(1e-300, start);
        pacer.request(start);
        assert_eq!(pacer.ready_at(), start + Duration::from_secs(24 * 3600));
    }
}
