//! The labels that a configuration gives to a job (`name`, `team`), shown on `grid_bulk_job_info`.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A label's name: as Prometheus permits (`[a-zA-Z_][a-zA-Z0-9_]*`), and none of those that Prometheus or this
/// exporter sets itself; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelName(Arc<str>);

/// Names that a configuration may not use: ours, and those that Prometheus or its histograms set.
pub const RESERVED: [&str; 7] = ["jobId", "job", "instance", "le", "quantile", "status", "code"];

/// Why a text can't be a label's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLabelName {
    /// Not of the form that Prometheus takes.
    #[error(
        "label name {0:?} is not one that Prometheus takes; use letters, digits and `_`, not a digit first"
    )]
    Form(String),
    /// One of [`RESERVED`].
    #[error(
        "label name {0:?} is set by Prometheus or the exporter itself; choose another, such as `import_{0}`"
    )]
    Reserved(String),
    /// Begins with `__`.
    #[error("label name {0:?} begins with `__`, which Prometheus keeps for itself; choose another")]
    Internal(String),
}

impl LabelName {
    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LabelName {
    type Err = InvalidLabelName;

    fn from_str(text: &str) -> Result<Self, InvalidLabelName> {
        let begins_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !begins_well || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(InvalidLabelName::Form(text.to_owned()));
        }
        if text.starts_with("__") {
            return Err(InvalidLabelName::Internal(text.to_owned()));
        }
        if RESERVED.contains(&text) {
            return Err(InvalidLabelName::Reserved(text.to_owned()));
        }
        Ok(Self(text.into()))
    }
}

impl Borrow<str> for LabelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LabelName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A job's labels, sorted by name. Values are any text; an empty one means that the label is not there, as in
/// Prometheus. Cheap to clone: a list of jobs may give the same labels to 100,000.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Arc<BTreeMap<LabelName, Arc<str>>>);

impl Labels {
    /// The value of a label, or nothing.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(AsRef::as_ref)
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&LabelName, &str)> {
        self.0.iter().map(|(name, value)| (name, value.as_ref()))
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(LabelName, String)> for Labels {
    fn from_iter<I: IntoIterator<Item = (LabelName, String)>>(labels: I) -> Self {
        Self(Arc::new(labels.into_iter().map(|(name, value)| (name, value.into())).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_prometheus_and_ours_are_refused() {
        for name in RESERVED {
            assert_eq!(name.parse::<LabelName>(), Err(InvalidLabelName::Reserved(name.to_owned())));
        }
        assert_eq!("__meta".parse::<LabelName>(), Err(InvalidLabelName::Internal("__meta".to_owned())));
        for name in ["", "1a", "a-b", "a b", "ä", "a\n"] {
            assert_eq!(name.parse::<LabelName>(), Err(InvalidLabelName::Form(name.to_owned())));
        }
    }

    #[test]
    fn usual_names_are_taken() {
        for name in ["team", "_x", "Name9"] {
            assert_eq!(name.parse::<LabelName>().unwrap().as_str(), name);
        }
    }
}
