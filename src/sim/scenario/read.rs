//! Reads YAML nodes as what they should be, and says where they are not.

use saphyr::{MarkedYaml, Scalar, YamlData};
use std::cell::Cell;

/// What is wrong, and on which line.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) line: usize,
    pub(super) problem: String,
}

/// A result of reading.
pub(super) type Reading<T> = Result<T, Wrong>;

/// A value with its name (`jobs[2].rows`) and place.
#[derive(Clone)]
pub(super) struct Node<'a> {
    pub(super) name: String,
    yaml: &'a MarkedYaml<'a>,
    text: &'a str,
    line: usize,
}

impl<'a> Node<'a> {
    pub(super) fn root(yaml: &'a MarkedYaml<'a>, text: &'a str) -> Self {
        Self { name: String::new(), yaml, text, line: yaml.span.start.line() }
    }

    fn child(&self, name: String, yaml: &'a MarkedYaml<'a>, line: usize) -> Self {
        Node { name, yaml, text: self.text, line }
    }

    /// An error about this value.
    pub(super) fn wrong(&self, problem: &str) -> Wrong {
        let name = if self.name.is_empty() { "the file" } else { &self.name };
        Wrong { line: self.line, problem: format!("{name} {problem}") }
    }

    fn is_not(&self, expected: &str) -> Wrong {
        self.wrong(&format!("is {}; write {expected}", self.shown()))
    }

    /// The value as a reader of the file would name it.
    fn shown(&self) -> String {
        match &self.yaml.data {
            YamlData::Mapping(_) => "a mapping".to_owned(),
            YamlData::Sequence(_) => "a list".to_owned(),
            YamlData::Value(Scalar::Null) => "empty".to_owned(),
            _ => format!("`{}`", self.source()),
        }
    }

    /// The value's text in the file.
    fn source(&self) -> String {
        let span = &self.yaml.span;
        let text = self.text.chars().skip(span.start.index()).take(span.len().min(80)).collect::<String>();
        text.trim().to_owned()
    }

    /// The items of a list.
    pub(super) fn list(&self) -> Reading<Vec<Node<'a>>> {
        let YamlData::Sequence(items) = &self.yaml.data else { return Err(self.is_not("a list")) };
        let child = |(at, yaml): (usize, &'a MarkedYaml<'a>)| {
            self.child(format!("{}[{at}]", self.name), yaml, yaml.span.start.line())
        };
        Ok(items.iter().enumerate().map(child).collect())
    }

    /// The keys and values of a mapping.
    pub(super) fn mapping(&self) -> Reading<Mapping<'a>> {
        let YamlData::Mapping(pairs) = &self.yaml.data else {
            return Err(self.is_not("a mapping (`key: value`)"));
        };
        let mut entries = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let line = key.span.start.line();
            let YamlData::Value(Scalar::String(name)) = &key.data else {
                return Err(Wrong { line, problem: format!("a key of {} is not a text", self.place()) });
            };
            let path = if self.name.is_empty() { name.to_string() } else { format!("{}.{name}", self.name) };
            entries.push(Entry {
                key: name.to_string(),
                node: self.child(path, value, line),
                taken: Cell::new(false),
            });
        }
        Ok(Mapping { node: self.clone(), entries })
    }

    fn place(&self) -> &str {
        if self.name.is_empty() { "the file" } else { &self.name }
    }

    pub(super) fn text(&self) -> Reading<String> {
        match &self.yaml.data {
            YamlData::Value(Scalar::String(text)) => Ok(text.to_string()),
            // `retry_after: 5` and `word: 12` are texts as well.
            YamlData::Value(Scalar::Integer(_) | Scalar::FloatingPoint(_)) => Ok(self.source()),
            _ => Err(self.is_not("a text")),
        }
    }

    pub(super) fn truth(&self) -> Reading<bool> {
        match &self.yaml.data {
            YamlData::Value(Scalar::Boolean(truth)) => Ok(*truth),
            _ => Err(self.is_not("true or false")),
        }
    }

    /// A number of `low` to `high`, both included.
    pub(super) fn number(&self, low: f64, high: f64) -> Reading<f64> {
        let number = match &self.yaml.data {
            YamlData::Value(Scalar::Integer(number)) => Some(*number as f64),
            YamlData::Value(Scalar::FloatingPoint(number)) => Some(number.into_inner()),
            _ => None,
        };
        number.filter(|number| (low..=high).contains(number)).ok_or_else(|| {
            let range = if high >= f64::MAX {
                format!("a number from {low}")
            } else {
                format!("a number from {low} to {high}")
            };
            self.is_not(&range)
        })
    }

    /// A number above 0.
    pub(super) fn above_zero(&self) -> Reading<f64> {
        self.number(f64::MIN_POSITIVE, f64::MAX).map_err(|_| self.is_not("a number above 0"))
    }

    /// A time in simulated seconds, negative ones too.
    pub(super) fn moment(&self) -> Reading<f64> {
        self.number(f64::MIN, f64::MAX).map_err(|_| self.is_not("seconds, such as 30"))
    }

    /// A length of time in seconds; `forever` where `open` says so.
    pub(super) fn seconds(&self, open: bool) -> Reading<f64> {
        if open && self.text().is_ok_and(|text| text == "forever") {
            return Ok(f64::INFINITY);
        }
        let expected = if open { "seconds, such as 30, or forever" } else { "seconds, such as 30" };
        self.number(0.0, f64::MAX).map_err(|_| self.is_not(expected))
    }

    pub(super) fn whole(&self, low: i64, high: i64) -> Reading<i64> {
        match &self.yaml.data {
            YamlData::Value(Scalar::Integer(number)) if (low..=high).contains(number) => Ok(*number),
            _ if high == i64::MAX => Err(self.is_not(&format!("a whole number from {low}"))),
            _ => Err(self.is_not(&format!("a whole number from {low} to {high}"))),
        }
    }

    /// A count: a whole number from 0.
    pub(super) fn count(&self) -> Reading<u64> {
        self.whole(0, i64::MAX).map(i64::unsigned_abs)
    }

    /// One of these words.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Reading<T> {
        let text = self.text().unwrap_or_default();
        words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.is_not(&names.join(", ").replace(", ", " or "))
        })
    }

    /// The text of a JSON value: a number as it stands in the file, a text as a JSON string.
    pub(super) fn json(&self) -> Reading<String> {
        match &self.yaml.data {
            YamlData::Value(Scalar::String(text)) if is_json_number(&self.source()) => Ok(text.to_string()),
            YamlData::Value(Scalar::String(text)) => Ok(serde_json::Value::from(text.as_ref()).to_string()),
            YamlData::Value(Scalar::Integer(_) | Scalar::FloatingPoint(_))
                if is_json_number(&self.source()) =>
            {
                Ok(self.source())
            }
            YamlData::Value(Scalar::Boolean(truth)) => Ok(truth.to_string()),
            YamlData::Value(Scalar::Null) => Ok("null".to_owned()),
            _ => Err(self.is_not("a number or a text")),
        }
    }
}

/// True for what JSON takes as a number, 1e400 too.
fn is_json_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
        && (serde_json::from_str::<serde_json::Number>(text).is_ok() || text.contains(['e', 'E']))
        && text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
}

/// A mapping whose keys are taken one by one; what is left is a mistake.
pub(super) struct Mapping<'a> {
    node: Node<'a>,
    entries: Vec<Entry<'a>>,
}

struct Entry<'a> {
    key: String,
    node: Node<'a>,
    taken: Cell<bool>,
}

impl<'a> Mapping<'a> {
    /// The value of a key, if it is there.
    pub(super) fn get(&self, key: &str) -> Option<&Node<'a>> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        entry.taken.set(true);
        Some(&entry.node)
    }

    /// The value of a key that must be there.
    pub(super) fn required(&self, key: &str) -> Reading<&Node<'a>> {
        self.get(key).ok_or_else(|| self.node.wrong(&format!("has no `{key}`; add it")))
    }

    /// Reads the value of a key, if it is there.
    pub(super) fn read<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Node<'a>) -> Reading<T>,
    ) -> Reading<Option<T>> {
        self.get(key).map(read).transpose()
    }

    /// Complains about the first key that nobody took. `known` are all that could be there.
    pub(super) fn finish(&self, known: &[&str]) -> Reading<()> {
        let Some(entry) = self.entries.iter().find(|entry| !entry.taken.get()) else { return Ok(()) };
        let nearest = known
            .iter()
            .map(|key| (strsim::jaro_winkler(key, &entry.key), key))
            .filter(|(likeness, _)| *likeness > 0.75)
            .max_by(|one, other| one.0.total_cmp(&other.0));
        let remedy = match nearest {
            Some((_, key)) => format!("did you mean `{key}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        Err(entry.node.wrong(&format!("is not a key of the scenario; {remedy}")))
    }

    /// An error about the mapping as a whole.
    pub(super) fn wrong(&self, problem: &str) -> Wrong {
        self.node.wrong(problem)
    }
}
