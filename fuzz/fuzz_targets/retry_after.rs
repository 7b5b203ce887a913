//! The headers that say when to ask again: no value breaks them, and none makes us wait for more than an hour.
//!
//! Each line is the value of one header, in a fixed order.
#![no_main]

use grid_bulk_exporter::clock::UnixTime;
use grid_bulk_exporter::grid::Advice;
use grid_bulk_exporter::grid::advice::LONGEST_WAIT;
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 11] = [
    "retry-after",
    "retry-after-ms",
    "date",
    "x-should-retry",
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
];

fuzz_target!(|data: &[u8]| {
    let headers: HeaderMap = NAMES
        .iter()
        .zip(data.split(|byte| *byte == b'\n'))
        .filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_bytes(value).ok()?)))
        .collect();
    let advice = Advice::from_headers(&headers, UnixTime::from_millis(1_755_268_320_000));
    assert!(advice.retry_after.is_none_or(|wait| wait <= LONGEST_WAIT), "{advice:?}");
    if let Some(quota) = advice.quota {
        let numbers = [quota.limit, quota.remaining];
        assert!(numbers.into_iter().flatten().all(|number| number >= 0.0), "{quota:?}");
    }
});
