//! Entries of a job's `errors`, counted by code in bounded memory.
//!
//! A bad import has hundreds of thousands of entries, and the codes in them are the API's text: so at most
//! `limit` codes are told apart, and each has a bounded length; the rest counts as `other`. Filled by
//! `grid::parse` while a body streams by; kept by `store`.

use std::sync::Arc;

/// A code as the API wrote it: 1 to 64 characters, printable ASCII without spaces; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(Arc<str>);

/// Codes that are longer, in bytes, count as `other`.
pub const MAX_CODE_LENGTH: usize = 64;

/// The label's value for codes beyond the limit, too long or odd.
pub const OTHER: &str = "other";

/// The label's value for entries without a code.
pub const UNSPECIFIED: &str = "unspecified";

impl ErrorCode {
    /// The code as a label's value, or nothing if it is empty, too long or odd.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=MAX_CODE_LENGTH).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(text.into()))
    }

    /// The code's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Numbers of error entries by code.
///
/// `unspecified` and `other` are codes like any other here: they take a place in the list once they occur, but do
/// not count towards the limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorTally {
    entries: Vec<(ErrorCode, u64)>,
    limit: usize,
}

/// Where [`ErrorTally::count_near`] found a code last: error entries come in runs of one code.
#[derive(Clone, Copy, Debug, Default)]
pub struct LastCode(usize);

impl ErrorTally {
    /// An empty tally that tells at most `limit` codes apart.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { entries: Vec::new(), limit }
    }

    /// The same codes, each at 0: what the next answer is counted into, so that a code once seen keeps its place.
    #[must_use]
    pub fn cleared(&self) -> Self {
        let entries = self.entries.iter().map(|(code, _)| (code.clone(), 0)).collect();
        Self { entries, limit: self.limit }
    }

    /// The same codes and numbers, with another limit for codes that are still to come.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Counts one entry. `code` is the API's text; nothing if the entry has none.
    pub fn count(&mut self, code: Option<&str>) {
        self.count_near(code, &mut LastCode::default());
    }

    /// As [`Self::count`], for many entries in a row: looks first where the last one was found.
    pub fn count_near(&mut self, code: Option<&str>, last: &mut LastCode) {
        let code = code.unwrap_or(UNSPECIFIED);
        if let Some((known, number)) = self.entries.get_mut(last.0)
            && known.as_str() == code
        {
            *number = number.saturating_add(1);
            return;
        }
        let place = self.place_of(code).unwrap_or_else(|| self.add(code));
        if let Some((_, number)) = self.entries.get_mut(place) {
            *number = number.saturating_add(1);
        }
        *last = LastCode(place);
    }

    fn place_of(&self, text: &str) -> Option<usize> {
        self.entries.iter().position(|(code, _)| code.as_str() == text)
    }

    /// The place of a code that is not there yet: a new one of its own, or that of `other`.
    fn add(&mut self, text: &str) -> usize {
        let told_apart = || self.entries.iter().filter(|(code, _)| !is_collective(code.as_str())).count();
        let has_room = is_collective(text) || told_apart() < self.limit;
        let code = if has_room { ErrorCode::new(text) } else { None };
        let code = match (code, self.place_of(OTHER)) {
            (Some(code), _) => code,
            (None, Some(place)) => return place,
            (None, None) => ErrorCode(OTHER.into()),
        };
        self.entries.push((code, 0));
        self.entries.len() - 1
    }

    /// A tally that was kept: codes and numbers in their order. What can't be a code is left out.
    #[must_use]
    pub fn from_kept<'a>(kept: impl Iterator<Item = (&'a str, u64)>, limit: usize) -> Self {
        Self {
            entries: kept.filter_map(|(code, number)| Some((ErrorCode::new(code)?, number))).collect(),
            limit,
        }
    }

    /// Adds the numbers of another tally, code by code.
    pub fn add_all(&mut self, other: &Self) {
        for (code, number) in other.iter() {
            let place = self.place_of(code).unwrap_or_else(|| self.add(code));
            if let Some((_, sum)) = self.entries.get_mut(place) {
                *sum = sum.saturating_add(number);
            }
        }
    }

    /// Codes and numbers, in the order in which the codes were first seen.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.entries.iter().map(|(code, number)| (code.as_str(), *number))
    }

    /// True if no code was ever seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// True for the two values that stand for many codes or none.
fn is_collective(code: &str) -> bool {
    code == OTHER || code == UNSPECIFIED
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(tally: &ErrorTally) -> Vec<(&str, u64)> {
        tally.iter().collect()
    }

    #[test]
    fn codes_beyond_the_limit_count_as_other() {
        let mut tally = ErrorTally::new(2);
        for code in ["A", "B", "C", "A", "D"] {
            tally.count(Some(code));
        }
        assert_eq!(shown(&tally), [("A", 2), ("B", 1), ("other", 2)]);
    }

    #[test]
    fn entries_without_a_code_are_unspecified_and_take_no_place() {
        let mut tally = ErrorTally::new(1);
        tally.count(None);
        tally.count(Some("A"));
        tally.count(None);
        assert_eq!(shown(&tally), [("unspecified", 2), ("A", 1)]);
    }

    #[test]
    fn odd_and_long_codes_count_as_other() {
        let mut tally = ErrorTally::new(20);
        for code in ["", "two words", "ünï", "x\ny", &"x".repeat(65)] {
            tally.count(Some(code));
        }
        assert_eq!(shown(&tally), [("other", 5)]);
    }

    #[test]
    fn sums_keep_the_known_codes_first_and_their_limit() {
        let mut known = ErrorTally::new(2);
        known.count(Some("A"));
        let mut told = ErrorTally::new(10);
        for code in [Some("B"), Some("A"), Some("C"), Some("C"), None] {
            told.count(code);
        }
        let mut sum = known.cleared();
        sum.add_all(&told);
        assert_eq!(shown(&sum), [("A", 1), ("B", 1), ("other", 2), ("unspecified", 1)]);
    }

    #[test]
    fn a_code_once_seen_keeps_its_place() {
        let mut tally = ErrorTally::new(1);
        tally.count(Some("A"));
        let mut next = tally.cleared();
        next.count(Some("B"));
        assert_eq!(shown(&next), [("A", 0), ("other", 1)]);
    }
}
