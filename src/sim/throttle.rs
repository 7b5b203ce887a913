//! The simulated API's limit of requests a second: a bucket of tokens, and the headers of a refusal.

use crate::clock::UnixTime;
use http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// A limit of requests. Real seconds, whatever the simulation's speed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// Requests a second that are answered in the long run; above 0.
    pub requests_per_second: f64,
    /// Requests that are answered at once after a rest; at least 1.
    pub burst: f64,
    /// How a 429 says when to come back.
    pub retry_after: RetryAfterForm,
    /// Send `RateLimit-Limit`, `-Remaining` and `-Reset` with every answer.
    pub quota_headers: bool,
}

impl RateLimit {
    /// So many requests a second, one second's worth at once, `Retry-After` in seconds.
    #[must_use]
    pub const fn new(requests_per_second: f64) -> Self {
        Self {
            requests_per_second,
            burst: requests_per_second.max(1.0),
            retry_after: RetryAfterForm::Seconds,
            quota_headers: false,
        }
    }
}

/// How a 429 says when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfterForm {
    /// `Retry-After: 1`.
    Seconds,
    /// `Retry-After: Fri, 15 Aug 2025 14:32:00 GMT`.
    Date,
    /// `retry-after-ms: 200`.
    Milliseconds,
    /// Not at all.
    Absent,
}

/// The bucket. One lock for a few lines, never over an `.await`.
#[derive(Debug)]
pub(crate) struct Throttle {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: Option<RateLimit>,
    tokens: f64,
    filled: Instant,
}

/// What the bucket says to one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    limit: RateLimit,
    remaining: f64,
    /// How long until the next token; nothing if the request may pass.
    pub(crate) wait: Option<Duration>,
}

impl Throttle {
    pub(crate) fn new(limit: Option<RateLimit>) -> Self {
        let tokens = limit.map_or(0.0, |limit| limit.burst);
        Self { state: Mutex::new(State { limit, tokens, filled: Instant::now() }) }
    }

    /// Changes the limit; the bucket is full again.
    pub(crate) fn set(&self, limit: Option<RateLimit>) {
        let mut state = self.lock();
        *state = State { limit, tokens: limit.map_or(0.0, |limit| limit.burst), filled: Instant::now() };
    }

    /// Takes one token if there is one; nothing if there is no limit.
    pub(crate) fn take(&self, now: Instant) -> Option<Verdict> {
        let mut state = self.lock();
        let limit = state.limit?;
        let gained = now.saturating_duration_since(state.filled).as_secs_f64() * limit.requests_per_second;
        state.tokens = (state.tokens + gained).min(limit.burst);
        state.filled = now;
        let wait = if state.tokens >= 1.0 {
            state.tokens -= 1.0;
            None
        } else {
            let seconds = (1.0 - state.tokens) / limit.requests_per_second;
            Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
        };
        Some(Verdict { limit, remaining: state.tokens, wait })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Verdict {
    /// Appends the headers that the limit asks for. `now` is the wall-clock time, for the date form.
    pub(crate) fn append_headers(&self, now: UnixTime, headers: &mut HeaderMap) {
        if let Some(wait) = self.wait {
            let seconds = wait.as_secs_f64().ceil().max(1.0);
            match self.limit.retry_after {
                RetryAfterForm::Seconds => insert(headers, RETRY_AFTER, &format!("{seconds}")),
                RetryAfterForm::Date => {
                    let at = now.as_seconds() + seconds;
                    if let Ok(since) = Duration::try_from_secs_f64(at) {
                        let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since);
                        insert(headers, RETRY_AFTER, &date);
                    }
                }
                RetryAfterForm::Milliseconds => {
                    let name = HeaderName::from_static("retry-after-ms");
                    insert(headers, name, &wait.as_millis().max(1).to_string());
                }
                RetryAfterForm::Absent => {}
            }
        }
        if self.limit.quota_headers {
            let reset = ((self.limit.burst - self.remaining) / self.limit.requests_per_second).ceil();
            for (name, value) in [
                ("ratelimit-limit", self.limit.burst.floor()),
                ("ratelimit-remaining", self.remaining.floor()),
                ("ratelimit-reset", reset),
            ] {
                insert(headers, HeaderName::from_static(name), &format!("{value}"));
            }
        }
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_bucket_lets_its_burst_through_then_its_rate() {
        let throttle = Throttle::new(Some(RateLimit::new(5.0)));
        let passed = |count: usize| {
            (0..count).filter(|_| throttle.take(Instant::now()).unwrap().wait.is_none()).count()
        };
        assert_eq!(passed(20), 5);
        tokio::time::advance(Duration::from_millis(400)).await;
        assert_eq!(passed(20), 2);
        assert!(Throttle::new(None).take(Instant::now()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_says_when_to_come_back_in_each_form() {
        for (form, name, value) in [
            (RetryAfterForm::Seconds, "retry-after", "2"),
            (RetryAfterForm::Date, "retry-after", "Fri, 15 Aug 2025 14:32:02 GMT"),
            (RetryAfterForm::Milliseconds, "retry-after-ms", "2000"),
        ] {
            let limit = RateLimit { burst: 1.0, retry_after: form, ..RateLimit::new(0.5) };
            let throttle = Throttle::new(Some(limit));
            throttle.take(Instant::now());
            let mut headers = HeaderMap::new();
            let verdict = throttle.take(Instant::now()).unwrap();
            verdict.append_headers(UnixTime::from_millis(1_755_268_320_000), &mut headers);
            assert_eq!(headers.get(name).unwrap(), value);
        }
    }
}
