//! The list `jobs:` of the configuration file: ids, or mappings of `id` and `labels`.
//!
//! Called by `file`. A file may hold 100,000 of them, so names for messages are made only where a fault needs them.

use super::error::quoted;
use super::section::{Findings, Section, check_written_once};
use super::yaml::{Node, Value};
use crate::job::{JobId, LabelName, Labels};
use std::collections::{BTreeSet, HashMap};

/// A job of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileJob {
    pub(super) id: JobId,
    pub(super) labels: Labels,
}

/// The longest value of a label, in bytes.
pub const MOST_VALUE_BYTES: usize = 1024;

/// The most label names over all jobs. Each job's info series has them all, used or not.
pub const MOST_LABEL_NAMES: usize = 64;

/// The jobs of the list in `node`; those with a fault are noted and left out.
pub(super) fn read(findings: &mut Findings, node: &Node<'_>) -> Vec<FileJob> {
    let items = match &node.value {
        Value::List(items) => items,
        Value::Null => return Vec::new(),
        Value::Text(_) | Value::Mapping(_) => {
            let message = format!(
                "is {}, not a list; write each job on a line of its own that begins with `- `",
                node.value.kind()
            );
            findings.fault(node.line, "jobs", message);
            return Vec::new();
        }
    };
    let mut jobs = Vec::with_capacity(items.len());
    let mut first_lines: HashMap<JobId, usize> = HashMap::with_capacity(items.len());
    let mut label_names = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let Some((job, line)) = read_job(findings, item, index) else { continue };
        if let Some(first) = first_lines.insert(job.id.clone(), line) {
            let message = format!("{} is there twice, first on line {first}; remove one of them", job.id);
            findings.fault(line, format!("jobs[{index}]"), message);
            first_lines.insert(job.id, first);
            continue;
        }
        for (name, _) in job.labels.iter() {
            if !label_names.contains(name.as_str()) {
                label_names.insert(name.as_str().to_owned());
                if label_names.len() == MOST_LABEL_NAMES + 1 {
                    let message = format!(
                        "brings label name {} of all jobs, {name}; at most {MOST_LABEL_NAMES} are taken, as each \
                         job's info series has them all",
                        label_names.len()
                    );
                    findings.fault(line, format!("jobs[{index}].labels"), message);
                }
            }
        }
        jobs.push(job);
    }
    jobs
}

/// One item of the list, with the line of its id.
fn read_job(findings: &mut Findings, item: &Node<'_>, index: usize) -> Option<(FileJob, usize)> {
    match &item.value {
        Value::Text(text) => match text.parse() {
            Ok(id) => Some((FileJob { id, labels: Labels::default() }, item.line)),
            Err(error) => {
                findings.fault(item.line, format!("jobs[{index}]"), job_id_message(text, &error.to_string()));
                None
            }
        },
        Value::Null => {
            let message = "is empty; write a job id, or remove the line".to_owned();
            findings.fault(item.line, format!("jobs[{index}]"), message);
            None
        }
        Value::List(_) => {
            let message = "is a list; write a job id, or `id:` and `labels:`".to_owned();
            findings.fault(item.line, format!("jobs[{index}]"), message);
            None
        }
        Value::Mapping(_) => {
            let section = Section::open(findings, item, "jobs[]", format!("jobs[{index}]"))?;
            let labels = match section.entry("labels") {
                Some(entry) => read_labels(findings, &entry.node, index),
                None => Labels::default(),
            };
            if section.entry("id").is_none_or(|entry| matches!(entry.node.value, Value::Null)) {
                // `- Job: 0195…` is a mapping to YAML.
                let message = if section.entry("Job").is_some() {
                    "has no id; if `Job:…` is meant as one, write it without a space after the colon"
                } else {
                    "has no id; write `id:` and the job's id"
                };
                findings.fault(item.line, format!("jobs[{index}]"), message);
                return None;
            }
            let (id, line) = section.parsed(findings, "id", "the job's id", |text| {
                text.parse::<JobId>().map_err(|error| job_id_message(text, &error.to_string()))
            })?;
            Some((FileJob { id, labels }, line))
        }
    }
}

/// What is wrong with an id; the text itself is cut if it is long.
fn job_id_message(text: &str, error: &str) -> String {
    if text.len() > 80 {
        format!("{} is no job id: too long or with a character that ids don't have", quoted(text))
    } else {
        error.to_owned()
    }
}

fn read_labels(findings: &mut Findings, node: &Node<'_>, index: usize) -> Labels {
    let entries = match &node.value {
        Value::Mapping(entries) => entries,
        Value::Null => return Labels::default(),
        Value::Text(_) | Value::List(_) => {
            let message = format!("is {}, not a mapping; write it as `team: onboarding`", node.value.kind());
            findings.fault(node.line, format!("jobs[{index}].labels"), message);
            return Labels::default();
        }
    };
    let path = |key: &str| format!("jobs[{index}].labels.{}", quoted(key).trim_matches('`'));
    check_written_once(findings, entries, path);
    let mut labels = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = match entry.key.parse::<LabelName>() {
            Ok(name) => name,
            Err(error) => {
                findings.fault(entry.key_line, format!("jobs[{index}].labels"), error.to_string());
                continue;
            }
        };
        match &entry.node.value {
            Value::Text(text) if text.len() > MOST_VALUE_BYTES => {
                let message =
                    format!("has a value of {} bytes; at most {MOST_VALUE_BYTES} are taken", text.len());
                findings.fault(entry.line(), path(&entry.key), message);
            }
            Value::Text(text) => labels.push((name, text.clone().into_owned())),
            Value::Null => {
                let message = "has no value; write a text, or leave the label out".to_owned();
                findings.fault(entry.line(), path(&entry.key), message);
            }
            Value::List(_) | Value::Mapping(_) => {
                let message = format!("is {}, not a text; a label has one value", entry.node.value.kind());
                findings.fault(entry.line(), path(&entry.key), message);
            }
        }
    }
    labels.into_iter().collect()
}
