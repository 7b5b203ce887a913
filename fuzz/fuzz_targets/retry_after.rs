//! Any text in the headers that advise when to ask again: no panic, no wait beyond an hour.
#![no_main]

use grid_bulk_exporter::clock::UnixTime;
use grid_bulk_exporter::grid::Advice;
use grid_bulk_exporter::grid::advice::LONGEST_WAIT;
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 8] = [
    "retry-after",
    "retry-after-ms",
    "date",
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-reset",
    "x-ratelimit-reset",
    "x-ratelimit-limit",
];

fuzz_target!(|text: &[u8]| {
    let mut headers = HeaderMap::new();
    for (name, value) in NAMES.iter().zip(text.split(|&byte| byte == b'\n').cycle().take(NAMES.len())) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let advice = Advice::from_headers(&headers, UnixTime::from_millis(1_755_268_320_000));
    assert!(advice.retry_after.is_none_or(|wait| wait <= LONGEST_WAIT));
});
