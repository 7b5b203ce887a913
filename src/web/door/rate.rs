//! `rate_limit`: a bucket of tokens that fills at a steady pace, one for all requests. Used by `door`.

use crate::config::web_file::RateLimit;
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// The bucket; empty of any state until a limit is configured.
#[derive(Debug, Default)]
pub(super) struct RateLimiter(Mutex<Option<Bucket>>);

#[derive(Debug)]
struct Bucket {
    limit: RateLimit,
    tokens: f64,
    at: Instant,
}

impl RateLimiter {
    /// Takes a token; false if there is none. A limit other than the one before begins with a full bucket.
    pub(super) fn permits(&self, limit: RateLimit) -> bool {
        let now = Instant::now();
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = limit.burst as f64;
        let bucket = match bucket.as_mut() {
            Some(bucket) if bucket.limit == limit => bucket,
            _ => bucket.insert(Bucket { limit, tokens: full, at: now }),
        };
        let come = now.duration_since(bucket.at).as_secs_f64() / limit.interval.as_secs_f64();
        bucket.tokens = (bucket.tokens + come).min(full);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_then_one_each_interval() {
        let limiter = RateLimiter::default();
        let limit = RateLimit { interval: Duration::from_secs(2), burst: 3 };
        assert_eq!((0..5).filter(|_| limiter.permits(limit)).count(), 3);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!limiter.permits(limit));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(limiter.permits(limit) && !limiter.permits(limit));
        tokio::time::advance(Duration::from_secs(100)).await;
        assert_eq!((0..5).filter(|_| limiter.permits(limit)).count(), 3, "the bucket does not overflow");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_burst_nothing_passes() {
        let limiter = RateLimiter::default();
        let limit = RateLimit { interval: Duration::from_nanos(1), burst: 0 };
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(!limiter.permits(limit));
        assert!(limiter.permits(RateLimit { burst: 1, ..limit }), "another limit begins anew");
    }
}
