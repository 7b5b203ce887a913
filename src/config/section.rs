//! Mappings of the document read key by key; every fault is noted and reading goes on.
//!
//! Called by `file`, `jobs` and `web_file`. A [`Section`] has checked its keys (unknown, written twice) when it is opened;
//! its getters check values against [`keys`](super::keys) and fall back to the default once a fault is noted, so
//! that one bad value does not hide the next.

use super::error::{Fault, Faults, quoted};
use super::keys::{self, Bounded, KEYS, Key};
use super::places::Places;
use super::values;
use super::yaml::{Entry, Node, Value};
use std::collections::HashMap;
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The sections whose values may show to be wrong only when they are used: where they stand is kept.
const WITH_PLACES: [&str; 4] = ["grid.", "job_http[", "webhook.", "tls_server_config."];

/// Where a document came from, and what was found wrong or unwise in it.
#[derive(Debug)]
pub(super) struct Findings {
    /// The file as the user named it.
    pub(super) file: Arc<str>,
    /// Its folder, from which the paths in it go out.
    pub(super) folder: PathBuf,
    pub(super) faults: Faults,
    pub(super) warnings: Vec<Fault>,
    /// Where single values stand that are looked at later.
    pub(super) places: Places,
}

impl Findings {
    pub(super) fn fault(&mut self, line: usize, key: impl Display, message: impl Into<String>) {
        let fault = self.at(line, key, message);
        self.faults.push(fault);
    }

    pub(super) fn warn(&mut self, line: usize, key: impl Display, message: impl Into<String>) {
        let warning = self.at(line, key, message);
        self.warnings.push(warning);
    }

    fn at(&self, line: usize, key: impl Display, message: impl Into<String>) -> Fault {
        let key = key.to_string();
        Fault {
            file: Some(Arc::clone(&self.file)),
            line: Some(line),
            key: (!key.is_empty()).then_some(key),
            message: message.into(),
        }
    }

    /// A path in the document, seen from the file's folder.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.folder.join(Path::new(path))
    }
}

/// A mapping of the document, its keys checked. The default is an empty one: each key has its default.
#[derive(Default)]
pub(super) struct Section<'d> {
    /// Its name in messages (`jobs[3]`; in the table of keys that is `jobs[]`).
    shown_path: String,
    pub(super) entries: &'d [Entry<'d>],
    /// The table of keys that it and its parts are checked against.
    table: &'static [Key],
}

impl<'d> Section<'d> {
    /// Opens the mapping in `node`. Nothing if it is none (noted), or empty (`poll:` and nothing under it).
    pub(super) fn open(
        findings: &mut Findings,
        node: &'d Node<'d>,
        table_path: &'static str,
        shown_path: String,
    ) -> Option<Self> {
        Self::open_by(&KEYS, findings, node, table_path, shown_path)
    }

    /// The same by another table of keys.
    pub(super) fn open_by(
        table: &'static [Key],
        findings: &mut Findings,
        node: &'d Node<'d>,
        table_path: &'static str,
        shown_path: String,
    ) -> Option<Self> {
        let entries = match &node.value {
            Value::Mapping(entries) => entries,
            Value::Null => return None,
            Value::Text(_) | Value::List(_) => {
                let example = keys::under(table, table_path).next().unwrap_or_default();
                let message = format!(
                    "is {}, not a mapping; write keys under it, such as `{example}: …`",
                    node.value.kind()
                );
                findings.fault(node.line, shown_path, message);
                return None;
            }
        };
        let section = Self { shown_path, entries, table };
        check_written_once(findings, entries, |key| section.path_of(key).to_string());
        for entry in entries {
            if !keys::under(table, table_path).any(|key| key == entry.key) {
                let path = section.path_of(&entry.key).to_string();
                findings.fault(entry.key_line, path, unknown_key(table, table_path, &entry.key));
            }
        }
        Some(section)
    }

    /// The name of one of its keys in messages.
    fn path_of<'a>(&'a self, key: &'a str) -> impl Display + 'a {
        KeyPath { section: &self.shown_path, key }
    }

    pub(super) fn entry(&self, key: &str) -> Option<&'d Entry<'d>> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The section under `key`, if it is there.
    pub(super) fn section(&self, findings: &mut Findings, path: &'static str) -> Option<Self> {
        let (_, key) = keys::split(path);
        let entry = self.entry(key)?;
        Section::open_by(self.table, findings, &entry.node, path, self.path_of(key).to_string())
    }

    /// The text under `key` as `parse` understands it, with its line. What `parse` objects to is noted.
    pub(super) fn parsed<T>(
        &self,
        findings: &mut Findings,
        key: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<(T, usize)> {
        let entry = self.entry(key)?;
        let outcome = match &entry.node.value {
            Value::Text(text) => parse(text),
            Value::Null => Err(format!("has no value; write {expected}, or leave the key out")),
            Value::List(_) | Value::Mapping(_) => {
                Err(format!("is {}, not a single value; write {expected}", entry.node.value.kind()))
            }
        };
        match outcome {
            Ok(value) => {
                let path = self.path_of(key).to_string();
                if WITH_PLACES.iter().any(|section| path.starts_with(section)) {
                    findings.places.note(path, entry.line());
                }
                Some((value, entry.line()))
            }
            Err(message) => {
                findings.fault(entry.line(), self.path_of(key), message);
                None
            }
        }
    }

    pub(super) fn duration(&self, findings: &mut Findings, key: &Bounded<Duration>) -> Duration {
        let show = |duration: &Duration| values::show_duration(*duration);
        self.bounded(findings, key, "a duration", "such as 30s", values::parse_duration, show)
    }

    pub(super) fn size(&self, findings: &mut Findings, key: &Bounded<u64>) -> u64 {
        let show = |bytes: &u64| values::show_size(*bytes);
        self.bounded(findings, key, "a size", "such as 512MiB", values::parse_size, show)
    }

    pub(super) fn count(&self, findings: &mut Findings, key: &Bounded<u64>) -> usize {
        let count =
            self.bounded(findings, key, "a whole number", "such as 16", values::parse_count, u64::to_string);
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    pub(super) fn number(&self, findings: &mut Findings, key: &Bounded<f64>) -> f64 {
        self.bounded(findings, key, "a number", "such as 50", values::parse_number, f64::to_string)
    }

    pub(super) fn boolean(&self, findings: &mut Findings, key: &str) -> Option<(bool, usize)> {
        self.parsed(findings, key, "true or false", values::parse_boolean)
    }

    fn bounded<T: PartialOrd + Copy>(
        &self,
        findings: &mut Findings,
        key: &Bounded<T>,
        what: &str,
        example: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
        show: impl Fn(&T) -> String,
    ) -> T {
        let (_, name) = keys::split(key.path);
        let parsed = self.parsed(findings, name, &format!("{what} {example}"), |text| {
            let value = parse(text)?;
            if value < key.least || value > key.most {
                let (least, most) = (show(&key.least), show(&key.most));
                return Err(format!("{} is out of range; write {what} from {least} to {most}", quoted(text)));
            }
            Ok(value)
        });
        parsed.map_or(key.default, |(value, _)| value)
    }
}

/// Section and key with a dot between, written only when a fault needs it.
struct KeyPath<'a> {
    section: &'a str,
    key: &'a str,
}

impl fmt::Display for KeyPath<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.section.is_empty() {
            write!(formatter, "{}.", self.section)?;
        }
        let quoted = quoted(self.key);
        formatter.write_str(quoted.trim_matches('`'))
    }
}

/// Mappings of up to so many keys are searched one by one: 100,000 jobs have 200,000 small mappings.
const SMALL: usize = 16;

/// Notes keys that stand in a mapping twice.
pub(super) fn check_written_once(
    findings: &mut Findings,
    entries: &[Entry<'_>],
    path: impl Fn(&str) -> String,
) {
    let mut first_lines: HashMap<&str, usize> = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let first = if entries.len() <= SMALL {
            entries.iter().take(index).find(|before| before.key == entry.key).map(|before| before.key_line)
        } else {
            let first = *first_lines.entry(&entry.key).or_insert(entry.key_line);
            (first != entry.key_line).then_some(first)
        };
        if let Some(first) = first {
            let message = format!("is written twice, first on line {first}; remove one of them");
            findings.fault(entry.key_line, path(&entry.key), message);
        }
    }
}

/// The message for a key that the section does not have.
fn unknown_key(table: &'static [Key], section: &'static str, key: &str) -> String {
    let nearest = keys::under(table, section)
        .map(|known| (strsim::jaro_winkler(known, key), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((_, nearest)) = nearest {
        return format!("is not a key here; did you mean `{nearest}`?");
    }
    if let Some(elsewhere) = keys::sections_of(table, key).min_by_key(|section| section.len()) {
        return match elsewhere {
            "" => format!("is not a key here; `{key}` stands at the top level"),
            section => format!("is not a key here; `{key}` stands under `{section}`"),
        };
    }
    let known: Vec<_> = keys::under(table, section).collect();
    format!("is not a key here; there are {}", known.join(", "))
}
