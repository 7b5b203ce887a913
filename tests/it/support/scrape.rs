//! Reads the text format, independently of the code that writes it.

use std::collections::BTreeMap;

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// All samples of a scrape, and the type of each family.
#[derive(Clone, Debug, Default)]
pub struct Scrape {
    pub samples: Vec<Sample>,
    pub types: BTreeMap<String, String>,
    pub helps: BTreeMap<String, String>,
}

impl Scrape {
    /// Reads the whole text; panics on a line that is none of the format.
    pub fn parse(text: &str) -> Self {
        let mut scrape = Self::default();
        assert!(text.is_empty() || text.ends_with('\n'), "the last line has no end");
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect(line);
                assert!(scrape.types.insert(name.to_owned(), kind.to_owned()).is_none(), "{line} twice");
            } else if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect(line);
                scrape.helps.insert(name.to_owned(), help.to_owned());
            } else {
                scrape.samples.push(parse_sample(line));
            }
        }
        scrape
    }

    /// The value of the one series with this name and these labels among its labels.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self.series(name, labels);
        let value = found.next().map(|sample| sample.value);
        assert!(found.next().is_none(), "several series of {name} have {labels:?}");
        value
    }

    /// The value of a job's series.
    pub fn of_job(&self, name: &str, job: &str) -> Option<f64> {
        self.value(name, &[("jobId", job)])
    }

    /// The status of a job that stands at 1; panics if two do.
    pub fn status(&self, job: &str) -> Option<String> {
        let of_this_job = [("jobId", job)];
        let mut held = self.series("grid_bulk_job_status", &of_this_job).filter(|sample| sample.value == 1.0);
        let status = held.next().map(|sample| sample.labels["status"].clone());
        assert!(held.next().is_none(), "{job} has two statuses at once");
        status
    }

    /// All series with this name and these labels among their labels.
    pub fn series<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(label, value)| sample.labels.get(*label).is_some_and(|has| has == value))
        })
    }

    /// Ids of all jobs that have an info series.
    pub fn job_ids(&self) -> Vec<String> {
        let mut ids: Vec<_> =
            self.series("grid_bulk_job_info", &[]).map(|sample| sample.labels["jobId"].clone()).collect();
        ids.sort();
        ids
    }
}

fn parse_sample(line: &str) -> Sample {
    let name_end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no sample: {line}"));
    let name = line[..name_end].to_owned();
    let mut labels = BTreeMap::new();
    let mut rest = &line[name_end..];
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
            let (value, after) = parse_value(after, line);
            assert!(labels.insert(label.to_owned(), value).is_none(), "a label twice: {line}");
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let number = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no value: {line}"));
    let value = match number {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        other => other.parse().unwrap_or_else(|_| panic!("no number, or a timestamp behind it: {line}")),
    };
    Sample { name, labels, value }
}

fn parse_value<'a>(text: &'a str, line: &str) -> (String, &'a str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '"' => return (value, &text[position + 1..]),
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped @ ('\\' | '"'))) => value.push(escaped),
                other => panic!("escape {other:?} in {line}"),
            },
            other => value.push(other),
        }
    }
    panic!("no end of a label's value: {line}")
}
