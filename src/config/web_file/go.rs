//! Single values as Go programs take them: durations with fractions, booleans in several words.
//!
//! Called by `web_file`, whose format is that of Go's programs. Each error is the end of a sentence whose subject is the
//! key.

use crate::config::error::quoted;
use crate::config::values::parse_boolean;
use std::time::Duration;

/// Units of Go's durations, in nanoseconds; the longer of two that begin alike first.
const GO_UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1000),
    ("µs", 1000),
    ("μs", 1000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// A duration as Go writes it: `100ms`, `1.5s`, `1h30m`; `0` needs no unit. Not negative.
pub(super) fn parse_go_duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.starts_with('-') {
        return Err(format!("{} is negative; write a duration such as 100ms, or 0", quoted(text)));
    }
    let wrong = || format!("{} is not a duration; write one such as 100ms, 1.5s or 1m30s", quoted(text));
    let too_long = || format!("{} is too long for a duration", quoted(text));
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let length = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let (number, after) = rest.split_at(length);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(wrong());
        }
        let name_length = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (name, after) = after.split_at(name_length);
        let Some((_, nanos)) = GO_UNITS.iter().find(|(known, _)| *known == name) else { return Err(wrong()) };
        if whole.len() > 20 {
            return Err(too_long());
        }
        let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| wrong())? };
        total = total.saturating_add(whole * nanos);
        let mut unit = *nanos;
        for digit in fraction.bytes() {
            unit /= 10;
            total = total.saturating_add(u128::from(digit.saturating_sub(b'0')) * unit);
        }
        rest = after;
    }
    // As long as Go's own.
    match u64::try_from(total) {
        Ok(nanos) if i64::try_from(nanos).is_ok() => Ok(Duration::from_nanos(nanos)),
        _ => Err(too_long()),
    }
}

/// `true` or `false`, and `yes`, `no`, `on` and `off`, which files written for Go programs may have.
pub(super) fn parse_go_boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "on" | "y" => Ok(true),
        "no" | "off" | "n" => Ok(false),
        _ => parse_boolean(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_go_are_taken_with_their_fractions() {
        for (text, nanos) in [
            ("0", 0),
            ("0s", 0),
            ("100ms", 100_000_000),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1m1m", 120_000_000_000),
            ("300us", 300_000),
            ("1µs7ns", 1007),
            ("+2s", 2_000_000_000),
        ] {
            assert_eq!(parse_go_duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
        for text in [
            "",
            "+",
            "1",
            "s",
            "1d",
            "-1s",
            "1..s",
            ".s",
            "1s ",
            "1 s",
            "99999999h",
            "9999999999999999999999s",
        ] {
            assert!(parse_go_duration(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text: String) {
            let _ = (parse_go_duration(&text), parse_go_boolean(&text));
        }
    }
}
