//! What an answer's headers say about asking again.
//!
//! Called by `client` for every answer. Headers are the API's, or those of any proxy on the way: nonsense is left
//! aside without a word, and no number in them can overflow.

use crate::clock::UnixTime;
use crate::grid::{Advice, Quota};
use http::{HeaderMap, HeaderName};
use std::time::Duration;

/// A longer wait counts as this.
pub const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// Numbers from here on are not seconds from now but since 1970: 2001-09-09.
const LEAST_UNIX_SECONDS: f64 = 1e9;

/// And from here on milliseconds since 1970.
const LEAST_UNIX_MILLIS: f64 = 1e12;

impl Advice {
    /// Reads the headers of an answer that came at `now`.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap, now: UnixTime) -> Self {
        Self {
            retry_after: retry_after(headers, now),
            should_retry: match text(headers, "x-should-retry") {
                Some("true") => Some(true),
                Some("false") => Some(false),
                Some(_) | None => None,
            },
            quota: quota(headers, now),
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// A number as headers write it: digits and perhaps a fraction; no sign, no exponent, no `inf`.
fn number(text: &str) -> Option<f64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    plain.then(|| text.parse().ok()).flatten()
}

/// `retry-after-ms` is the finer of the two and wins, as in the official SDK.
fn retry_after(headers: &HeaderMap, now: UnixTime) -> Option<Duration> {
    let millis = text(headers, "retry-after-ms").and_then(number);
    if let Some(millis) = millis {
        return Some(wait(millis / 1_000.0));
    }
    let text = text(headers, "retry-after")?;
    if let Some(seconds) = number(text) {
        return Some(wait(seconds));
    }
    let until = UnixTime::from(httpdate::parse_http_date(text).ok()?);
    Some(wait(until.as_seconds() - its_clock(headers, now).as_seconds()))
}

/// The API's own clock where it tells it, since ours may be wrong; else ours.
fn its_clock(headers: &HeaderMap, now: UnixTime) -> UnixTime {
    let date = text(headers, "date").and_then(|date| httpdate::parse_http_date(date).ok());
    date.map_or(now, UnixTime::from)
}

fn wait(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, LONGEST_WAIT.as_secs_f64()))
}

fn quota(headers: &HeaderMap, now: UnixTime) -> Option<Quota> {
    // Most answers have no such header: then no name is put together and no time is read.
    let is_quota = |name: &HeaderName| {
        name.as_str().starts_with("ratelimit") || name.as_str().starts_with("x-ratelimit")
    };
    if !headers.keys().any(is_quota) {
        return None;
    }
    let either = |name: &str| {
        text(headers, &format!("ratelimit-{name}"))
            .and_then(first_number)
            .or_else(|| text(headers, &format!("x-ratelimit-{name}")).and_then(first_number))
    };
    // Times since 1970 are the API's; what is left until then is the same by our clock.
    let offset = its_clock(headers, now).as_millis().saturating_sub(now.as_millis());
    let reset = |number| reset(number, now, offset);
    let mut quota = Quota {
        limit: either("limit"),
        remaining: either("remaining"),
        reset: either("reset").and_then(reset),
    };
    if let Some(state) = text(headers, "ratelimit").and_then(|text| tightest(text, &["r", "remaining"])) {
        quota.remaining = parameter(state, &["r", "remaining"]).or(quota.remaining);
        quota.limit = parameter(state, &["limit"]).or(quota.limit);
        let seconds = parameter(state, &["t", "reset"]);
        quota.reset = seconds.and_then(reset).or(quota.reset);
        let policy = text(headers, "ratelimit-policy").and_then(|policies| {
            policies.split(',').find(|policy| policy_name(policy) == policy_name(state))
        });
        quota.limit = policy.and_then(|policy| parameter(policy, &["q"])).or(quota.limit);
    }
    (quota != Quota::default()).then_some(quota)
}

/// The number that a header begins with: some write `100, 100;w=60`.
fn first_number(text: &str) -> Option<f64> {
    number(text.split([',', ';']).next()?.trim())
}

/// Of several quotas in one `RateLimit` header, the one of which least is left.
fn tightest<'t>(text: &'t str, names: &[&str]) -> Option<&'t str> {
    let left = |state: &str| parameter(state, names).unwrap_or(f64::INFINITY);
    if text.contains(';') {
        text.split(',').min_by(|one, other| left(one).total_cmp(&left(other)))
    } else {
        // The older draft: `limit=100, remaining=50, reset=30` is one quota.
        Some(text)
    }
}

/// `"default"` of `"default";r=50;t=30`.
fn policy_name(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}

fn parameter(text: &str, names: &[&str]) -> Option<f64> {
    text.split([';', ',']).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        names.contains(&name.trim()).then(|| number(value.trim())).flatten()
    })
}

/// When a window ends that the API tells in seconds from now, or since 1970 in seconds or milliseconds by a clock that
/// is `offset` milliseconds ahead of ours. By our clock.
#[expect(clippy::cast_possible_truncation, reason = "clamped just before; `as` saturates")]
fn reset(number: f64, now: UnixTime, offset: i64) -> Option<UnixTime> {
    let millis = if number >= LEAST_UNIX_MILLIS {
        number - offset as f64
    } else if number >= LEAST_UNIX_SECONDS {
        number * 1_000.0 - offset as f64
    } else {
        now.as_millis() as f64 + number * 1_000.0
    };
    // Past the year 9999 it is no time.
    (millis < 253_402_300_800_000.0).then(|| UnixTime::from_millis(millis as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    const NOW: UnixTime = UnixTime::from_millis(1_755_268_320_000);

    fn advice(headers: &[(&'static str, &str)]) -> Advice {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect();
        Advice::from_headers(&headers, NOW)
    }

    fn wait_of(headers: &[(&'static str, &str)]) -> Option<f64> {
        advice(headers).retry_after.map(|wait| wait.as_secs_f64())
    }

    #[test]
    fn seconds_and_milliseconds_are_read_and_milliseconds_win() {
        assert_eq!(wait_of(&[("retry-after", "7")]), Some(7.0));
        assert_eq!(wait_of(&[("retry-after", "0")]), Some(0.0));
        assert_eq!(wait_of(&[("retry-after", " 1.5 ")]), Some(1.5));
        assert_eq!(wait_of(&[("retry-after", "7"), ("retry-after-ms", "250")]), Some(0.25));
        assert_eq!(wait_of(&[("retry-after", "7"), ("retry-after-ms", "soon")]), Some(7.0));
    }

    #[test]
    fn a_date_is_taken_against_the_servers_clock_or_else_ours() {
        let until = "Fri, 15 Aug 2025 14:32:30 GMT";
        assert_eq!(wait_of(&[("retry-after", until)]), Some(30.0));
        let date = ("date", "Fri, 15 Aug 2025 14:32:20 GMT");
        assert_eq!(wait_of(&[("retry-after", until), date]), Some(10.0));
        assert_eq!(wait_of(&[("retry-after", "Fri, 15 Aug 2025 14:00:00 GMT")]), Some(0.0), "in the past");
        assert_eq!(wait_of(&[("retry-after", "Fri, 15 Aug 2098 14:00:00 GMT")]), Some(3_600.0));
    }

    #[test]
    fn absurd_waits_are_an_hour_and_nonsense_is_none() {
        for text in ["3601", "99999999999999999999999999", &"9".repeat(400)] {
            assert_eq!(wait_of(&[("retry-after", text)]), Some(3_600.0), "{text}");
        }
        for text in ["", "-1", "NaN", "inf", "1e9", "soon", "1.2.3", ".", "Fri, 32 Aug 2025 14:32:30 GMT"] {
            assert_eq!(wait_of(&[("retry-after", text)]), None, "{text}");
        }
    }

    #[test]
    fn whether_to_ask_again_is_read() {
        assert_eq!(advice(&[("x-should-retry", "false")]).should_retry, Some(false));
        assert_eq!(advice(&[("x-should-retry", "true")]).should_retry, Some(true));
        assert_eq!(advice(&[("x-should-retry", "perhaps")]).should_retry, None);
    }

    #[test]
    fn quotas_are_read_in_every_common_form() {
        let expected = Quota {
            limit: Some(100.0),
            remaining: Some(50.0),
            reset: Some(UnixTime::from_millis(NOW.as_millis() + 30_000)),
        };
        for headers in [
            &[("ratelimit-limit", "100"), ("ratelimit-remaining", "50"), ("ratelimit-reset", "30")][..],
            &[
                ("x-ratelimit-limit", "100, 100;w=60"),
                ("x-ratelimit-remaining", "50"),
                ("x-ratelimit-reset", "30"),
            ],
            &[
                ("x-ratelimit-limit", "100"),
                ("x-ratelimit-remaining", "50"),
                ("x-ratelimit-reset", "1755268350"),
            ],
            &[
                ("x-ratelimit-limit", "100"),
                ("x-ratelimit-remaining", "50"),
                ("x-ratelimit-reset", "1755268350000"),
            ],
            &[
                ("ratelimit", "\"default\";r=50;t=30"),
                ("ratelimit-policy", "\"burst\";q=5, \"default\";q=100;w=60"),
            ],
            &[
                ("ratelimit", "\"day\";r=900;t=9000, \"default\";r=50;t=30"),
                ("ratelimit-policy", "\"default\";q=100"),
            ],
            &[("ratelimit", "limit=100, remaining=50, reset=30")],
        ] {
            assert_eq!(advice(headers).quota, Some(expected), "{headers:?}");
        }
        assert_eq!(
            advice(&[("ratelimit-limit", "many"), ("x-ratelimit-reset", "99999999999999999")]).quota,
            None
        );
        assert_eq!(advice(&[]), Advice::default());
    }

    proptest! {
        #[test]
        fn no_header_breaks_it(value in "[ -~]{0,60}", name in 0_usize..6) {
            let names = ["retry-after", "retry-after-ms", "ratelimit", "ratelimit-policy", "x-ratelimit-reset", "date"];
            let advice = advice(&[(names[name], &value), ("retry-after", "Fri, 15 Aug 2025 14:32:30 GMT")]);
            prop_assert!(advice.retry_after.is_none_or(|wait| wait <= LONGEST_WAIT));
        }
    }
}
