//! Where the keys of the file stand, for faults that show only when what they name is used: certificates, secrets.
//!
//! Made by `file`, carried by `Config`, asked by `app` and `check-config`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The lines of the file's single values under `grid`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Places {
    file: Arc<str>,
    lines: BTreeMap<String, usize>,
}

impl Places {
    /// No places yet, in this file.
    pub(super) fn new(file: Arc<str>) -> Self {
        Self { file, lines: BTreeMap::new() }
    }

    /// Notes where a key stands.
    pub(super) fn note(&mut self, key: String, line: usize) {
        self.lines.insert(key, line);
    }

    /// A message that begins with a key of the file and a colon, with file and line before it; others as they are.
    #[must_use]
    pub fn locate(&self, message: &str) -> String {
        let line = message.split_once(": ").and_then(|(key, _)| self.lines.get(key));
        line.map_or_else(|| message.to_owned(), |line| format!("{}:{line}: {message}", self.file))
    }
}

/// Short: where keys stand says nothing about what is configured.
impl fmt::Debug for Places {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Places")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_about_a_key_of_the_file_gets_its_place() {
        let mut places = Places::new("grid.yml".into());
        places.note("grid.tls_config.ca_file".to_owned(), 4);
        let message = "grid.tls_config.ca_file: file ca.pem has no PEM certificate";
        assert_eq!(places.locate(message), format!("grid.yml:4: {message}"));
        assert_eq!(places.locate("GRID_CLIENT_ID is empty"), "GRID_CLIENT_ID is empty");
    }
}
