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
        let code = match code {
            None => UNSPECIFIED,
            Some(code) => code,
        };
        if self.increment(code) {
            return;
        }
        let told_apart = self.entries.iter().filter(|(code, _)| !is_collective(code.as_str())).count();
        match ErrorCode::new(code) {
            Some(new) if is_collective(code) || told_apart < self.limit => self.entries.push((new, 1)),
            Some(_) | None => {
                if !self.increment(OTHER) {
                    self.entries.push((ErrorCode(OTHER.into()), 1));
                }
            }
        }
    }

    /// Adds one to a code that is there already; false if it is not.
    fn increment(&mut self, text: &str) -> bool {
        let found = self.entries.iter_mut().find(|(code, _)| code.as_str() == text);
        found.map(|(_, number)| *number = number.saturating_add(1)).is_some()
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
    fn a_code_once_seen_keeps_its_place() {
        let mut tally = ErrorTally::new(1);
        tally.count(Some("A"));
        let mut next = tally.cleared();
        next.count(Some("B"));
        assert_eq!(shown(&next), [("A", 0), ("other", 1)]);
    }
}
