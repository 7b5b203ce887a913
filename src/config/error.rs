//! Faults of the configuration: file, line, key, and what would be right, one line each.
//!
//! All that can be found are told at once, so that nobody mends a file one start at a time. Values of secrets are
//! never part of a message; other values are quoted in short, with control characters escaped.

use std::fmt;
use std::sync::Arc;

/// The most faults kept; what comes after is counted only. A file of 32 MiB can hold millions.
pub const MOST_FAULTS: usize = 1000;

/// One thing that is wrong, or (as a warning) unwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file as the user named it; none for flags and environment.
    pub file: Option<Arc<str>>,
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// The key (`poll.interval`), flag or variable.
    pub key: Option<String>,
    /// What is wrong, and what would be right. Begins in the middle of a sentence: the key is its subject.
    pub message: String,
}

impl Fault {
    /// A fault that no file has: of a flag, of a variable, or of all sources together.
    #[must_use]
    pub fn outside(key: &str, message: impl Into<String>) -> Self {
        Self { file: None, line: None, key: Some(key.to_owned()), message: message.into() }
    }

    /// A fault of a file as a whole.
    #[must_use]
    pub fn of_file(file: &Arc<str>, message: impl Into<String>) -> Self {
        Self { file: Some(Arc::clone(file)), line: None, key: None, message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(formatter, "{file}")?;
            if let Some(line) = self.line {
                write!(formatter, ":{line}")?;
            }
            formatter.write_str(": ")?;
        }
        if let Some(key) = &self.key {
            write!(formatter, "{key}: ")?;
        }
        formatter.write_str(&self.message)
    }
}

/// Everything that is wrong with a configuration; as an error it has at least one fault. Shown one a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    list: Vec<Fault>,
    omitted: usize,
}

impl Faults {
    /// Keeps one more, or counts it if there are [`MOST_FAULTS`] already.
    pub fn push(&mut self, fault: Fault) {
        if self.list.len() < MOST_FAULTS {
            self.list.push(fault);
        } else {
            self.omitted += 1;
        }
    }

    /// Takes over all of `other`.
    pub fn append(&mut self, other: Self) {
        self.omitted += other.omitted;
        for fault in other.list {
            self.push(fault);
        }
    }

    /// True if nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The faults kept, those of a file in the order of its lines.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.list.iter()
    }

    /// `value` if nothing is wrong, else the faults.
    pub(super) fn unless_empty<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self.sorted()) }
    }

    /// Those outside files first (they are nearest to whoever typed the command), then by line.
    pub(super) fn sorted(mut self) -> Self {
        self.list.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        self
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self { list: vec![fault], omitted: 0 }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.list.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            write!(formatter, "{fault}")?;
        }
        if self.omitted > 0 {
            write!(formatter, "\nand {} more faults", self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// The most characters of a value that a message quotes.
const QUOTED: usize = 80;

/// `text` in backticks, cut if it is long, on one line whatever it holds. Not for secrets.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut shown = one_line(text, QUOTED);
    shown.insert(0, '`');
    shown.push('`');
    shown
}

/// A file's name as messages show it: as the user gave it, on one line.
#[must_use]
pub fn shown_path(path: &std::path::Path) -> String {
    one_line(&path.to_string_lossy(), usize::MAX)
}

/// `text` with control characters escaped, cut after `most` characters.
fn one_line(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == most {
            shown.push('…');
            break;
        }
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_one_line_with_file_line_and_key() {
        let fault = Fault {
            file: Some("grid.yml".into()),
            line: Some(12),
            key: Some("poll.interval".to_owned()),
            message: "is wrong".to_owned(),
        };
        assert_eq!(fault.to_string(), "grid.yml:12: poll.interval: is wrong");
        assert_eq!(Fault::outside("--job", "is wrong").to_string(), "--job: is wrong");
    }

    #[test]
    fn a_quoted_value_is_short_and_on_one_line() {
        assert_eq!(quoted("a\nb\u{1b}"), "`a\\nb\\u{1b}`");
        assert_eq!(quoted(&"x".repeat(500)), format!("`{}…`", "x".repeat(80)));
    }

    #[test]
    fn faults_beyond_the_bound_are_counted() {
        let mut faults = Faults::default();
        for _ in 0..1500 {
            faults.push(Fault::outside("--job", "is wrong"));
        }
        assert_eq!(faults.iter().count(), MOST_FAULTS);
        assert!(faults.to_string().ends_with("\nand 500 more faults"));
    }
}
