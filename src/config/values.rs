//! Single values: durations and sizes as they are written and shown, numbers within bounds, booleans.
//!
//! Called by `section` and `cli`. Each parser's error says what is wrong with the text and what would be right, as
//! the end of a sentence whose subject is the key.

use super::error::quoted;
use std::fmt::Write as _;
use std::time::Duration;

/// Units of a duration in the order in which Prometheus wants them, in milliseconds.
const DURATION_UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// A duration as Prometheus writes it: `30s`, `1m30s`, `500ms`, `1d`; `0` needs no unit.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let example = if text.len() < 6 { text } else { "30" };
        return Err(format!("{} has no unit; write a duration such as {example}s", quoted(text)));
    }
    let wrong = || format!("{} is not a duration; write one such as 30s, 1m30s or 500ms", quoted(text));
    if text.contains('.') && text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "{} has a fraction; write it with smaller units, such as 1s500ms for one and a half seconds",
            quoted(text)
        ));
    }
    if text.is_empty() {
        return Err(wrong());
    }
    let too_long = || format!("{} is too long for a duration", quoted(text));
    let mut rest = text;
    let mut units = DURATION_UNITS.iter();
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        if number.is_empty() || unit.is_empty() {
            return Err(wrong());
        }
        let Some((_, millis)) = units.find(|(name, _)| *name == unit) else {
            return Err(wrong());
        };
        let number: u64 = number.parse().map_err(|_| too_long())?;
        total = number.checked_mul(*millis).and_then(|part| total.checked_add(part)).ok_or_else(too_long)?;
        rest = after;
    }
    Ok(Duration::from_millis(total))
}

/// A duration as Prometheus shows it (`1m30s`); parts below a millisecond are left out.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut shown = String::new();
    for (unit, millis) in DURATION_UNITS {
        // Days and longer only where nothing is left over: 36h, not 1d12h.
        let is_exact = rest.is_multiple_of(millis);
        if rest >= millis && (is_exact || !matches!(unit, "y" | "w" | "d")) {
            let _infallible = write!(shown, "{}{unit}", rest / millis);
            rest %= millis;
        }
    }
    shown
}

/// Units of a size, in bytes; binary ones first, as they are the ones shown.
const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];

/// A size: `1GiB`, `512MiB` (powers of 1024), `10MB` (powers of 1000), or plain bytes.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let wrong = || format!("{} is not a size; write one such as 512MiB, 1GiB, 10MB or 65536", quoted(text));
    if number.is_empty() {
        return Err(wrong());
    }
    let bytes = match (unit, SIZE_UNITS.iter().find(|(name, _)| *name == unit)) {
        ("", _) => 1,
        (_, Some((_, bytes))) => *bytes,
        (_, None) => return Err(wrong()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(bytes))
        .ok_or_else(|| format!("{} is too large for a size", quoted(text)))
}

/// A size in the largest unit that divides it, a binary one if any does.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    let unit = SIZE_UNITS.iter().find(|(_, unit)| bytes != 0 && bytes.is_multiple_of(*unit));
    match unit {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes}B"),
    }
}

/// A whole number, in digits.
pub fn parse_count(text: &str) -> Result<u64, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err(format!("{} is not a whole number; write digits only", quoted(text)));
    }
    text.parse().map_err(|_| format!("{} is too large", quoted(text)))
}

/// A number with or without a fraction; never NaN or infinite.
pub fn parse_number(text: &str) -> Result<f64, String> {
    let is_plain =
        text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
    match text.parse::<f64>() {
        Ok(number) if is_plain && number.is_finite() => Ok(number),
        _ => Err(format!("{} is not a number; write one such as 50 or 0.5", quoted(text))),
    }
}

/// `true` or `false`.
pub fn parse_boolean(text: &str) -> Result<bool, String> {
    match text {
        "true" | "True" | "TRUE" => Ok(true),
        "false" | "False" | "FALSE" => Ok(false),
        _ => Err(format!("{} is not a boolean; write true or false", quoted(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_prometheus_are_taken() {
        for (text, millis) in [
            ("30s", 30_000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("1h", 3_600_000),
            ("1d", 86_400_000),
            ("1w", 604_800_000),
            ("1y", 31_536_000_000),
            ("1s500ms", 1500),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn other_durations_are_refused_with_what_would_be_right() {
        for (text, message) in [
            ("30", "`30` has no unit; write a duration such as 30s"),
            ("45", "`45` has no unit; write a duration such as 45s"),
            ("", "`` is not a duration; write one such as 30s, 1m30s or 500ms"),
            ("30 s", "`30 s` is not a duration; write one such as 30s, 1m30s or 500ms"),
            ("-5s", "`-5s` is not a duration; write one such as 30s, 1m30s or 500ms"),
            ("1s1m", "`1s1m` is not a duration; write one such as 30s, 1m30s or 500ms"),
            ("1s2s", "`1s2s` is not a duration; write one such as 30s, 1m30s or 500ms"),
            ("99999999999999999999s", "`99999999999999999999s` is too long for a duration"),
            ("999999999999y", "`999999999999y` is too long for a duration"),
        ] {
            assert_eq!(parse_duration(text), Err(message.to_owned()), "{text}");
        }
        assert!(parse_duration("1.5s").unwrap_err().contains("1s500ms"));
    }

    #[test]
    fn sizes_are_binary_or_decimal_as_their_unit_says() {
        for (text, bytes) in
            [("1GiB", 1 << 30), ("512MiB", 1 << 29), ("10MB", 10_000_000), ("7", 7), ("1kB", 1000), ("2B", 2)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "GiB", "1G", "1 GiB", "-1", "1.5GiB", "1gib", "99999999999999TiB", "ü"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        for text in ["nan", "inf", "", "1,5", "infinity", "1e999", "0x10"] {
            assert!(parse_number(text).is_err(), "{text}");
        }
        assert_eq!(parse_number("0.5"), Ok(0.5));
        for text in ["", "-1", "+1", "1.0", "99999999999999999999999"] {
            assert!(parse_count(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_duration_shown_is_read_as_itself(millis in 0_u64..100_000_000_000_000) {
            let duration = Duration::from_millis(millis);
            proptest::prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
        }

        #[test]
        fn a_size_shown_is_read_as_itself(bytes: u64) {
            proptest::prop_assert_eq!(parse_size(&show_size(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_makes_a_parser_panic(text: String) {
            let _ = (parse_duration(&text), parse_size(&text), parse_count(&text), parse_number(&text));
        }
    }
}
