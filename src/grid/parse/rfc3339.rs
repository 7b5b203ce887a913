//! RFC 3339 times in every shape that the standard permits.
//!
//! Called by `job` for `completedAt`. Our own, because the `time` crate refuses a space between date and time and
//! most leap seconds, and ends with nine digits of a fraction.

use crate::clock::UnixTime;

/// The moment that `text` names, cut to milliseconds: `2025-08-15T14:32:00Z`, `2025-08-15 16:32:00.5+02:00`.
/// A leap second is the first second of the next minute. Nothing if it is no RFC 3339 time.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<UnixTime> {
    let mut reader = Reader { rest: text.as_bytes() };
    let year = reader.number(4)?;
    reader.one_of(b"-")?;
    let month = reader.number(2)?;
    reader.one_of(b"-")?;
    let day = reader.number(2)?;
    reader.one_of(b"Tt ")?;
    let hour = reader.number(2)?;
    reader.one_of(b":")?;
    let minute = reader.number(2)?;
    reader.one_of(b":")?;
    let second = reader.number(2)?;
    let millis = reader.fraction()?;
    let offset = reader.offset()?;
    let month = time::Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date =
        time::Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()?;
    if !reader.rest.is_empty() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days =
        i64::from(date.to_julian_day()) - i64::from(time::macros::date!(1970 - 01 - 01).to_julian_day());
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    Some(UnixTime::from_millis(seconds * 1_000 + millis))
}

struct Reader<'t> {
    rest: &'t [u8],
}

impl Reader<'_> {
    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        bytes.contains(first).then_some(*first)
    }

    fn digit(&mut self) -> Option<i64> {
        self.one_of(b"0123456789").map(|byte| i64::from(byte - b'0'))
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        (0..digits).try_fold(0, |number, _| Some(number * 10 + self.digit()?))
    }

    /// Milliseconds of a fraction, if one comes.
    fn fraction(&mut self) -> Option<i64> {
        if self.rest.first() != Some(&b'.') {
            return Some(0);
        }
        self.one_of(b".")?;
        let (mut millis, mut unit) = (self.digit()? * 100, 10);
        while self.rest.first().is_some_and(u8::is_ascii_digit) {
            millis += self.digit()? * unit;
            unit /= 10;
        }
        Some(millis)
    }

    /// Seconds east of UTC.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.one_of(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Some(0),
        };
        let hours = self.number(2)?;
        self.one_of(b":")?;
        let minutes = self.number(2)?;
        (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> Option<i64> {
        parse_rfc3339(text).map(UnixTime::as_millis)
    }

    #[test]
    fn every_shape_of_the_standard_is_read() {
        let moment = 1_755_268_320_000;
        for text in [
            "2025-08-15T14:32:00Z",
            "2025-08-15t14:32:00z",
            "2025-08-15 14:32:00Z",
            "2025-08-15T16:32:00+02:00",
            "2025-08-15T09:02:00-05:30",
            "2025-08-15T14:32:00-00:00",
            "2025-08-15T14:32:00.000000000000000000000Z",
            "2025-08-15T14:31:60Z",
        ] {
            assert_eq!(millis(text), Some(moment), "{text}");
        }
        assert_eq!(millis("2025-08-15T14:32:00.5Z"), Some(moment + 500));
        assert_eq!(millis("2025-08-15T14:32:00.123999999999999Z"), Some(moment + 123));
        assert_eq!(millis("1969-12-31T23:59:59.5Z"), Some(-500));
        assert_eq!(millis("2016-12-31T23:59:60Z"), Some(1_483_228_800_000));
        assert_eq!(millis("2024-02-29T00:00:00Z"), Some(1_709_164_800_000));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2025-08-15",
            "2025-08-15T14:32Z",
            "2025-08-15T14:32:00",
            "2025-13-15T14:32:00Z",
            "2025-02-29T14:32:00Z",
            "2025-08-00T14:32:00Z",
            "2025-08-15T24:00:00Z",
            "2025-08-15T14:60:00Z",
            "2025-08-15T14:32:61Z",
            "2025-08-15T14:32:00.Z",
            "2025-08-15T14:32:00+24:00",
            "2025-08-15T14:32:00+02",
            "2025-08-15T14:32:00Z ",
            " 2025-08-15T14:32:00Z",
            "-2025-08-15T14:32:00Z",
            "2025-8-15T14:32:00Z",
            "２025-08-15T14:32:00Z",
            "1755268320",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}
