//! Texts of the pages: escaped names, numbers with separators, durations and moments in words. Pure.
//!
//! `script.js` says ages in the same words, second by second.

use crate::clock::UnixTime;
use crate::job::counts::countable;
use std::fmt::Write;
use time::OffsetDateTime;
use time::macros::format_description;

/// Escapes a text for HTML, in attributes too. Marks that turn the direction of writing, or can't be seen, are shown
/// as what they are; `<bdi>` around the text isolates the direction of its letters.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}' => {
                let _infallible = write!(escaped, "\\u{{{:x}}}", u32::from(character));
            }
            other if other.is_control() => {
                let _infallible = write!(escaped, "\\u{{{:x}}}", u32::from(other));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// A count as people read it: `61,203`. What is no count is shown as it came.
pub(super) fn count(number: f64) -> String {
    countable(number).map_or_else(|| number.to_string(), whole)
}

/// A whole number with separators.
pub(super) fn whole(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate in rows a second, with as many digits as mean something.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, as meant")]
pub(super) fn rate(rows: f64) -> String {
    match rows {
        rows if rows < 0.05 => "0".to_owned(),
        rows if rows < 10.0 => format!("{rows:.1}"),
        rows => whole(rows.round() as u64),
    }
}

/// A share as a percentage, rounded down: 100 % is all, and 0 % none; one that is small, but there, is `<1`.
pub(super) fn percent(part: f64, all: f64) -> String {
    let share = if all > 0.0 { (part / all).clamp(0.0, 1.0) * 100.0 } else { 0.0 };
    if share > 0.0 && share < 1.0 { "&lt;1".to_owned() } else { format!("{:.0}", share.floor()) }
}

/// A time span in its largest whole unit: `12 s`, `4 min`.
pub(super) fn span(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// Seconds from one moment to another; none if the clock went back.
pub(super) fn seconds_between(from: UnixTime, to: UnixTime) -> i64 {
    to.as_millis().saturating_sub(from.as_millis()).max(0) / 1000
}

/// A moment as an element whose age the script keeps right: `<time …>12 s ago</time>`.
pub(super) fn age(time: UnixTime, now: UnixTime) -> String {
    let (moment, millis) = (moment(time), time.as_millis());
    let text = span(seconds_between(time, now));
    format!("<time datetime=\"{}\" data-t=\"{millis}\" title=\"{moment}\">{text} ago</time>", machine(time))
}

/// As [`age`], but says how long something lasts already: `<time …>12 s</time>`.
pub(super) fn lasting(since: UnixTime, now: UnixTime) -> String {
    let (moment, millis) = (moment(since), since.as_millis());
    let text = span(seconds_between(since, now));
    format!(
        "<time datetime=\"{}\" data-t=\"{millis}\" data-for title=\"since {moment}\">{text}</time>",
        machine(since)
    )
}

/// A moment as people read it, in UTC.
pub(super) fn moment(time: UnixTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    let formatted = date(time).and_then(|date| date.format(&format).ok());
    formatted.unwrap_or_else(|| format!("{} s after 1970", time.as_seconds()))
}

/// The time of day of a moment, in UTC.
pub(super) fn clock(time: UnixTime) -> String {
    let format = format_description!("[hour]:[minute]:[second] UTC");
    date(time).and_then(|date| date.format(&format).ok()).unwrap_or_else(|| moment(time))
}

fn machine(time: UnixTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    date(time).and_then(|date| date.format(&format).ok()).unwrap_or_default()
}

fn date(time: UnixTime) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(time.as_millis().div_euclid(1000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_can_not_become_markup_or_turn_the_row_around() {
        assert_eq!(escape("<script>\"'&"), "&lt;script&gt;&quot;&#39;&amp;");
        assert_eq!(escape("a\u{202e}b\n"), "a\\u{202e}b\\u{a}");
        assert_eq!(escape("ünïcode 试"), "ünïcode 试");
        for mark in ['\u{61c}', '\u{200f}', '\u{2028}', '\u{2069}', '\u{ad}', '\u{e0041}'] {
            assert_eq!(escape(&mark.to_string()), format!("\\u{{{:x}}}", u32::from(mark)));
        }
    }

    #[test]
    fn numbers_are_said_as_people_read_them() {
        assert_eq!([0.0, 999.0, 1000.0, 1_234_567.0].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([-1.0, 0.5].map(count), ["-1", "0.5"]);
        assert_eq!([0.01, 0.5, 9.94, 12.4, 12_345.6].map(rate), ["0", "0.5", "9.9", "12", "12,346"]);
        assert_eq!(percent(999.0, 1000.0), "99");
        assert_eq!(percent(1.0, 1000.0), "&lt;1");
        assert_eq!(percent(0.0, 0.0), "0");
        assert_eq!(percent(20.0, 10.0), "100");
    }

    #[test]
    fn ages_are_told_in_the_largest_unit() {
        let now = UnixTime::from_millis(1_755_268_320_250);
        let before = |seconds: i64| UnixTime::from_millis(now.as_millis() - seconds * 1000);
        for (seconds, text) in
            [(0, "0 s ago"), (59, "59 s ago"), (61, "1 min ago"), (7200, "2 h ago"), (200_000, "2 d ago")]
        {
            assert!(age(before(seconds), now).ends_with(&format!(">{text}</time>")), "{text}");
        }
        assert!(age(before(-5), now).contains(">0 s ago<"), "a clock that went back");
        assert!(age(now, now).contains("datetime=\"2025-08-15T14:32:00Z\""));
        assert_eq!(moment(now), "2025-08-15 14:32:00 UTC");
        assert_eq!(moment(UnixTime::from_millis(i64::MAX)), "9223372036854776 s after 1970");
    }
}
