//! The lists of Prometheus's `file_sd` and `http_sd`, whose targets are job ids: `[{"targets": [...], "labels": {...}}]`.
//!
//! Used by `file_sd` and `http_sd`. Either a list is good as a whole, or it is refused in one line that says why: half
//! of a list would make jobs leave. Labels that begin with `__` are for Prometheus and dropped, as relabelling does.

use crate::catalog::NamedJob;
use crate::config::error::quoted;
use crate::config::yaml::{self, Node, Value};
use crate::config::{MOST_LABEL_NAMES, MOST_VALUE_BYTES};
use crate::job::{JobId, LabelName, Labels};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A target group. Prometheus refuses other keys too.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    targets: Option<Vec<String>>,
    labels: Option<BTreeMap<String, String>>,
}

/// A group that is written as an object: serde's derive would take a list of its values, too.
struct GroupObject(Group);

impl<'de> Deserialize<'de> for GroupObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = GroupObject;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object with targets and labels")
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
                Group::deserialize(MapAccessDeserializer::new(map)).map(GroupObject)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// The jobs of a list in JSON.
pub(super) fn parse_json(bytes: &[u8]) -> Result<Vec<NamedJob>, String> {
    let groups: Option<Vec<Option<GroupObject>>> = serde_json::from_slice(bytes).map_err(|error| {
        let shown: String = error.to_string().chars().filter(|c| !c.is_control()).take(300).collect();
        format!("is no list of target groups in JSON: {shown}")
    })?;
    let mut list = JobList::default();
    for (index, group) in groups.unwrap_or_default().into_iter().enumerate() {
        let Some(GroupObject(group)) = group else { return Err(format!("group {}: is null", index + 1)) };
        let at = |message| format!("group {}: {message}", index + 1);
        let labels = group.labels.unwrap_or_default();
        let labels = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let labels = list.labels(labels).map_err(at)?;
        for target in group.targets.unwrap_or_default() {
            list.add(&target, &labels).map_err(at)?;
        }
    }
    Ok(list.jobs)
}

/// The jobs of a list in YAML.
pub(super) fn parse_yaml(bytes: &[u8]) -> Result<Vec<NamedJob>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
    let root = yaml::parse(text).map_err(|fault| format!("line {}: {}", fault.line, fault.message))?;
    let mut list = JobList::default();
    let groups = match root {
        None => Vec::new(),
        Some(Node { value: Value::List(groups), .. }) => groups,
        Some(node) => {
            let message = "not a list; write target groups such as `- targets: [ … ]`";
            return Err(format!("line {}: is {}, {message}", node.line, node.value.kind()));
        }
    };
    for group in &groups {
        let (targets, labels) = read_group(group)?;
        let at = |line: usize| move |message| format!("line {line}: {message}");
        let labels = list.labels(labels).map_err(at(group.line))?;
        for target in targets {
            let Value::Text(text) = &target.value else {
                return Err(at(target.line)(format!("is {}, not a job id", target.value.kind())));
            };
            list.add(text, &labels).map_err(at(target.line))?;
        }
    }
    Ok(list.jobs)
}

/// Targets and labels of a group in YAML.
type YamlGroup<'n> = (&'n [Node<'n>], Vec<(&'n str, &'n str)>);

fn read_group<'n>(group: &'n Node<'_>) -> Result<YamlGroup<'n>, String> {
    let Value::Mapping(entries) = &group.value else {
        let message = "not a target group; write `targets:` and `labels:`";
        return Err(format!("line {}: is {}, {message}", group.line, group.value.kind()));
    };
    let mut targets: &[Node<'_>] = &[];
    let mut labels = Vec::new();
    let mut seen = BTreeSet::new();
    for entry in entries {
        let line = entry.line();
        if !seen.insert(entry.key.as_ref()) {
            return Err(format!("line {line}: {} is there twice", quoted(&entry.key)));
        }
        match (entry.key.as_ref(), &entry.node.value) {
            ("targets", Value::List(items)) => targets = items,
            ("targets" | "labels", Value::Null) => {}
            ("targets", other) => {
                return Err(format!("line {line}: targets is {}, not a list", other.kind()));
            }
            ("labels", Value::Mapping(entries)) => {
                for entry in entries {
                    let Value::Text(value) = &entry.node.value else {
                        let kind = entry.node.value.kind();
                        let name = quoted(&entry.key);
                        return Err(format!("line {}: label {name} is {kind}, not a text", entry.line()));
                    };
                    labels.push((entry.key.as_ref(), value.as_ref()));
                }
            }
            ("labels", other) => {
                return Err(format!("line {line}: labels is {}, not a mapping", other.kind()));
            }
            (other, _) => {
                let other = quoted(other);
                return Err(format!("line {line}: {other} is not a key here; there are targets and labels"));
            }
        }
    }
    Ok((targets, labels))
}

/// The list under construction; a job that is there twice has the labels of the first.
#[derive(Default)]
struct JobList {
    jobs: Vec<NamedJob>,
    ids: HashSet<JobId>,
    names: BTreeSet<LabelName>,
}

impl JobList {
    fn add(&mut self, target: &str, labels: &Labels) -> Result<(), String> {
        let id: JobId = target.parse().map_err(|error| {
            if target.len() > 80 { format!("{} is no job id", quoted(target)) } else { format!("{error}") }
        })?;
        if self.ids.insert(id.clone()) {
            self.jobs.push(NamedJob { id, labels: labels.clone() });
        }
        Ok(())
    }

    fn labels<'l>(&mut self, labels: impl IntoIterator<Item = (&'l str, &'l str)>) -> Result<Labels, String> {
        let labels = read_labels(labels)?;
        for (name, _) in labels.iter() {
            if !self.names.contains(name) {
                self.names.insert(name.clone());
            }
        }
        if self.names.len() > MOST_LABEL_NAMES {
            return Err(format!("has more than {MOST_LABEL_NAMES} label names, which all jobs would get"));
        }
        Ok(labels)
    }
}

/// Labels as a list or the admin API gives them; those that begin with `__` are dropped.
pub fn read_labels<'l>(labels: impl IntoIterator<Item = (&'l str, &'l str)>) -> Result<Labels, String> {
    let mut read = Vec::new();
    for (name, value) in labels {
        if name.starts_with("__") {
            continue;
        }
        let name: LabelName = name.parse().map_err(|error| format!("{error}"))?;
        if value.len() > MOST_VALUE_BYTES {
            let bytes = value.len();
            return Err(format!(
                "label {name} has a value of {bytes} bytes; at most {MOST_VALUE_BYTES} are taken"
            ));
        }
        read.push((name, value.to_owned()));
    }
    Ok(read.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"[{"targets": ["Job:a", "Job:b"], "labels": {"team": "x", "__meta_file": "y"}},
        {"targets": ["Job:c"]}, {"targets": ["Job:a"], "labels": {"team": "later"}}, {"labels": {}}]"#;
    const YAML: &str = "- targets: [ 'Job:a', \"Job:b\" ]\n  labels:\n    team: x\n    __meta_file: y\n\
                        - targets:\n    - Job:c\n- targets: [ Job:a ]\n  labels: { team: later }\n- labels:\n";

    #[test]
    fn both_forms_of_prometheus_are_read_alike() {
        let json = parse_json(JSON.as_bytes()).unwrap();
        assert_eq!(json, parse_yaml(YAML.as_bytes()).unwrap());
        assert_eq!(json.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["Job:a", "Job:b", "Job:c"]);
        assert_eq!(
            json[1].labels.iter().map(|(name, value)| (name.as_str(), value)).collect::<Vec<_>>(),
            [("team", "x")]
        );
        assert!(json[2].labels.is_empty());
    }

    #[test]
    fn nothing_is_a_list_of_none() {
        for text in ["", "# a comment\n", "[]", "---\n"] {
            assert_eq!(parse_yaml(text.as_bytes()), Ok(Vec::new()), "{text:?}");
        }
        assert_eq!(parse_json(b"[]"), Ok(Vec::new()));
        assert_eq!(parse_json(b" null\n"), Ok(Vec::new()));
        assert!(parse_json(b"").is_err());
    }

    #[test]
    fn what_is_no_good_list_is_refused_as_a_whole() {
        for (text, part) in [
            ("[{\"targets\": [\"Job:a\", \"Job:b\"", "EOF"),
            ("[{\"targets\": [\"Job:a\"], \"lables\": {}}]", "lables"),
            ("{\"targets\": []}", "no list"),
            ("[[[\"Job:a\"], {}]]", "an object with targets and labels"),
            ("[null]", "group 1: is null"),
            ("[{\"targets\": [5]}]", "integer"),
            ("[{\"targets\": [\"a b\"]}]", "group 1: job id \"a b\""),
            ("[{\"targets\": [], \"labels\": {\"status\": \"x\"}}]", "\"status\" is set by Prometheus"),
            ("[{\"targets\": [], \"labels\": {\"a-b\": \"x\"}}]", "not one that Prometheus takes"),
            ("[{\"targets\": [], \"labels\": {\"a\": 1}}]", "integer"),
        ] {
            let message = parse_json(text.as_bytes()).unwrap_err();
            assert!(message.contains(part) && message.lines().count() == 1, "{text}: {message}");
        }
        for (text, part) in [
            ("- targets: [ Job:a, 'Job:b", "line 1"),
            ("targets: [ Job:a ]\n", "line 1: is a mapping, not a list"),
            ("- targets: [ Job:a ]\n  lables: {}\n", "line 2: `lables` is not a key here"),
            ("- targets: [ Job:a ]\n  labels: { job: x }\n", "\"job\" is set by Prometheus"),
            ("- Job:a\n", "not a target group"),
            ("- targets: Job:a\n", "not a list"),
            ("- targets:\n    - [ x ]\n", "line 2: is a list, not a job id"),
            ("- targets: [ a ]\n  targets: [ b ]\n", "twice"),
        ] {
            let message = parse_yaml(text.as_bytes()).unwrap_err();
            assert!(message.contains(part) && message.lines().count() == 1, "{text}: {message}");
        }
    }

    #[test]
    fn a_list_with_too_many_label_names_is_refused() {
        let labels: Vec<_> = (0..=MOST_LABEL_NAMES).map(|n| format!("\"l{n}\": \"x\"")).collect();
        let text = format!("[{{\"targets\": [], \"labels\": {{ {} }}}}]", labels.join(", "));
        assert!(parse_json(text.as_bytes()).unwrap_err().contains("label names"));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_a_reader_panic(bytes: Vec<u8>) {
            let _ = (parse_json(&bytes), parse_yaml(&bytes));
        }
    }
}
