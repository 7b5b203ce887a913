//! One line of text: names, labels with their escapes, numbers that read back to the same number.
//!
//! The text formats and OpenMetrics agree on all of this. Used by `text` alone.

use crate::clock::UnixTime;
use crate::exposition::samples::Value;
use crate::job::counts::countable;
use std::io::Write;

/// Appends a sample, without the end of the line; `suffix` belongs to the name.
pub(super) fn append_sample<'a>(
    name: &str,
    suffix: &str,
    labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    value: f64,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(suffix.as_bytes());
    let mut has_labels = false;
    for (label, text) in labels {
        if !has_labels {
            out.push(b'{');
        }
        append_label(label, text, has_labels, out);
        has_labels = true;
    }
    if has_labels {
        out.push(b'}');
    }
    out.push(b' ');
    append_number(value, out);
}

/// Appends a sample's value.
pub(super) fn append_value(value: Value, out: &mut Vec<u8>) {
    match value {
        Value::Flag(flag) => out.push(if flag { b'1' } else { b'0' }),
        Value::Count(count) => append_count(count, out),
        Value::Number(number) => append_number(number, out),
        Value::Time(time) => append_timestamp(time, out),
    }
}

/// Appends a label; `comma` if one stands before it.
pub(super) fn append_label(label: &str, text: &str, comma: bool, out: &mut Vec<u8>) {
    if comma {
        out.push(b',');
    }
    out.extend_from_slice(label.as_bytes());
    out.extend_from_slice(b"=\"");
    append_escaped(text, out);
    out.push(b'"');
}

/// Appends a label's value: backslash, quote and line feed are escaped, all else stands as it is.
pub(super) fn append_escaped(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(br"\\"),
            b'"' => out.extend_from_slice(br#"\""#),
            b'\n' => out.extend_from_slice(br"\n"),
            other => out.push(other),
        }
    }
}

/// Appends a sample's value: whole numbers without a point, others in their shortest exact form.
pub(super) fn append_number(number: f64, out: &mut Vec<u8>) {
    // Most are counts, and whole numbers are written five times faster; -0 keeps its sign below.
    if let Some(count) = countable(number).filter(|_| number.is_sign_positive()) {
        append_count(count, out);
        return;
    }
    // Writing to a vector can't fail.
    let _infallible = if number.is_nan() {
        out.write_all(b"NaN")
    } else if number.is_infinite() {
        out.write_all(if number > 0.0 { b"+Inf" } else { b"-Inf" })
    } else if number != 0.0 && !(1e-5..1e21).contains(&number.abs()) {
        write!(out, "{number:e}")
    } else {
        write!(out, "{number}")
    };
}

/// Appends a whole number.
fn append_count(mut count: u64, out: &mut Vec<u8>) {
    // 20 digits are the most that 64 bits have.
    let mut digits = [b'0'; 20];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(count % 10).unwrap_or(0);
        count /= 10;
        used += 1;
        if count == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
}

/// Appends a bucket's bound: float-like, `1.0` and not `1`.
pub(super) fn append_bound(bound: f64, out: &mut Vec<u8>) {
    append_number(bound, out);
    if bound.is_finite() && bound.fract() == 0.0 && bound.abs() < 1e21 {
        out.extend_from_slice(b".0");
    }
}

/// Appends a moment in seconds, with milliseconds where it has any.
fn append_timestamp(time: UnixTime, out: &mut Vec<u8>) {
    let millis = time.as_millis();
    let sign = if millis < 0 { "-" } else { "" };
    let (seconds, rest) = (millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000);
    out.extend_from_slice(sign.as_bytes());
    append_count(seconds, out);
    if rest != 0 {
        // Three digits: the leading 1 of 1000 + rest becomes the point.
        let point = out.len();
        append_count(1000 + rest, out);
        if let Some(point) = out.get_mut(point) {
            *point = b'.';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_written_so_that_they_read_back() {
        for (number, text) in [
            (0.0, "0"),
            (5000.0, "5000"),
            (-3.0, "-3"),
            (0.25, "0.25"),
            (1e30, "1e30"),
            (1e-7, "1e-7"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
            (9_007_199_254_740_992.0, "9007199254740992"),
        ] {
            assert_eq!(written(|out| append_number(number, out)), text);
        }
    }

    #[test]
    fn bounds_are_float_like() {
        for (bound, text) in [(1.0, "1.0"), (0.005, "0.005"), (300.0, "300.0"), (f64::INFINITY, "+Inf")] {
            assert_eq!(written(|out| append_bound(bound, out)), text);
        }
    }

    #[test]
    fn timestamps_keep_their_milliseconds() {
        for (millis, text) in
            [(1_500, "1.500"), (2_000, "2"), (-1_005, "-1.005"), (i64::MIN, "-9223372036854775.808")]
        {
            assert_eq!(written(|out| append_timestamp(UnixTime::from_millis(millis), out)), text);
        }
    }

    #[test]
    fn label_values_are_escaped() {
        let line = written(|out| append_sample("m", "", [("a", "x\\y\"z\n"), ("b", "é")], 1.0, out));
        assert_eq!(line, "m{a=\"x\\\\y\\\"z\\n\",b=\"é\"} 1");
    }
}
