//! The parser against a slow and plain one on `serde_json`, over generated bodies, good and broken, however cut.

use super::*;
use crate::job::ReportedStatus;
use proptest::prelude::*;
use serde_json::Value;
use std::fmt;

/// Nesting as our parser counts it, by bytes; strings are skipped.
fn depth(body: &str) -> u32 {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_u32, 0, false, false);
    for byte in body.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// An object as a list, so that keys that stand twice are seen; values are read by `serde_json` as usual.
struct Pairs(Vec<(String, Value)>);

impl<'de> serde::Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Pairs;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Node>()? {
                    pairs.push((key, value.into_value()));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// A value in which keys that stand twice are kept apart: an object becomes a list of pairs under one key.
enum Node {
    Scalar(Value),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

const OBJECT: &str = "\u{0}object";

impl Node {
    fn into_value(self) -> Value {
        match self {
            Self::Scalar(value) => value,
            Self::List(list) => Value::Array(list.into_iter().map(Self::into_value).collect()),
            Self::Object(pairs) => {
                let pairs =
                    pairs.into_iter().map(|(key, node)| Value::Array(vec![key.into(), node.into_value()]));
                Value::Object([(OBJECT.to_owned(), Value::Array(pairs.collect()))].into_iter().collect())
            }
        }
    }
}

impl<'de> serde::Deserialize<'de> for Node {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Node;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("JSON")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Scalar(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Scalar(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Scalar(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
                Ok(Node::Scalar(value.into()))
            }
            fn visit_str<E>(self, value: &str) -> Result<Node, E> {
                Ok(Node::Scalar(value.into()))
            }
            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Scalar(Value::Null))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
                let mut nodes = Vec::new();
                while let Some(node) = list.next_element()? {
                    nodes.push(node);
                }
                Ok(Node::List(nodes))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Node::Object(pairs))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// The pairs of an object, or nothing if it is none.
fn pairs(value: &Value) -> Option<Vec<(String, Value)>> {
    let pairs = value.as_object()?.get(OBJECT)?.as_array()?;
    Some(pairs.iter().map(|pair| (pair[0].as_str().unwrap().to_owned(), pair[1].clone())).collect())
}

/// The one value of a key; null if it is not there; an error if it stands twice.
fn one(pairs: &[(String, Value)], key: &str) -> Result<Value, ()> {
    let mut found = pairs.iter().filter(|(name, _)| name == key).map(|(_, value)| value);
    let value = found.next().cloned().unwrap_or(Value::Null);
    if found.next().is_some() { Err(()) } else { Ok(value) }
}

fn text(value: &Value) -> Result<Option<String>, ()> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(()),
    }
}

/// What the parser must make of a body.
fn reference(body: &[u8]) -> Result<JobReading, ()> {
    let body = std::str::from_utf8(body).map_err(drop)?;
    if depth(body) > MAX_DEPTH {
        return Err(());
    }
    let job = serde_json::from_str::<Pairs>(body).map_err(drop)?.0;
    let (id, job_id) = (text(&one(&job, "id")?)?, text(&one(&job, "jobId")?)?);
    let named: Vec<_> = [id, job_id].into_iter().flatten().collect();
    if named.is_empty() || named.iter().any(|name| name != ID) {
        return Err(());
    }
    let status = text(&one(&job, "status")?)?.ok_or(())?;
    let progress = match one(&job, "progress")? {
        Value::Null => None,
        value => {
            let counts = pairs(&value).ok_or(())?;
            let count = |key| one(&counts, key)?.as_f64().ok_or(());
            Some(Progress {
                total: count("total")?,
                processed: count("processed")?,
                successful: count("successful")?,
                failed: count("failed")?,
            })
        }
    };
    let mut errors = ErrorTally::new(3);
    match one(&job, "errors")? {
        Value::Null => {}
        Value::Array(entries) => {
            for entry in entries {
                let entry = pairs(&entry).unwrap_or_default();
                let nested = pairs(&one(&entry, "error")?).unwrap_or_default();
                let (own, nested) = (one(&entry, "code")?, one(&nested, "code")?);
                errors.count(own.as_str().or(nested.as_str()));
            }
        }
        _ => return Err(()),
    }
    let completed_at = match one(&job, "completedAt")? {
        Value::Null => CompletedAt::Absent,
        Value::String(text) => match parse_rfc3339(&text) {
            Some(time) => CompletedAt::At(time),
            None => CompletedAt::Unreadable(text.chars().take(64).collect::<String>().into()),
        },
        _ => CompletedAt::Unreadable("".into()),
    };
    let status = ReportedStatus::from_word(&status);
    Ok(JobReading { status, progress, errors, errors_truncated: false, completed_at })
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "(id|jobId|status|progress|errors|completedAt|code|error|total|failed|Job:1|PENDING|FAILED|A|B)",
        1 => "[a-zA-Z0-9 :/é試😀]{0,20}",
        1 => r#"([a-c]|\\[nrtbf/"\\]|\\u00[0-9a-f]{2}|\\ud83d\\ude00){0,6}"#,
        1 => Just("2025-08-15T14:32:00Z".to_owned()),
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof!["-?(0|[1-9][0-9]{0,9})", r"-?(0|[1-9][0-9]{0,5})\.[0-9]{1,5}([eE][+-]?[0-9])?"]
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![8 => Just(""), 1 => Just(" "), 1 => Just("\r\n\t")]
}

/// Any JSON, as text.
fn json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        number(),
        word().prop_map(|word| format!("\"{word}\"")),
    ];
    scalar.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..5), space())
                .prop_map(|(list, space)| format!("[{space}{}{space}]", list.join(&format!("{space},")))),
            prop::collection::vec((word(), inner, space()), 0..5).prop_map(object),
        ]
    })
}

fn object(pairs: Vec<(String, String, &'static str)>) -> String {
    let pairs: Vec<_> = pairs
        .into_iter()
        .map(|(key, value, space)| format!("\"{key}\"{space}:{space}{value}{space}"))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

fn error_entry() -> impl Strategy<Value = String> {
    let text = word().prop_map(|word| format!("\"{word}\""));
    let code = prop_oneof![3 => text, 1 => json()];
    let nested = code.clone().prop_map(|code| format!("{{\"code\":{code},\"message\":\"m\"}}"));
    prop_oneof![
        3 => code.clone().prop_map(|code| format!("{{\"correlationId\":\"1\",\"code\":{code},\"details\":{{}}}}")),
        2 => nested.clone().prop_map(|nested| format!("{{\"error\":{nested}}}")),
        1 => (code, nested).prop_map(|(code, nested)| format!("{{\"error\":{nested},\"code\":{code}}}")),
        1 => json(),
    ]
}

/// Something that is a job, or nearly.
fn job() -> impl Strategy<Value = String> {
    let progress = prop::collection::vec(number(), 4).prop_map(|n| {
        format!("{{\"total\":{},\"processed\":{},\"successful\":{},\"failed\":{}}}", n[0], n[1], n[2], n[3])
    });
    let errors = prop::collection::vec(error_entry(), 0..6).prop_map(|list| format!("[{}]", list.join(",")));
    let usual = prop_oneof![
        progress.prop_map(|value| ("progress".to_owned(), value)),
        errors.prop_map(|value| ("errors".to_owned(), value)),
        Just(("jobId".to_owned(), "\"Job:1\"".to_owned())),
        json().prop_map(|value| ("completedAt".to_owned(), value)),
        Just(("completedAt".to_owned(), "\"2025-08-15T14:32:00Z\"".to_owned())),
        (word(), json()),
    ];
    (prop::collection::vec((usual, space()), 0..6), 0_usize..7, any::<bool>()).prop_map(
        |(pairs, place, named)| {
            let mut pairs: Vec<_> =
                pairs.into_iter().map(|((key, value), space)| (key, value, space)).collect();
            let place = place.min(pairs.len());
            pairs.insert(place, ("status".to_owned(), "\"PENDING\"".to_owned(), ""));
            let name = if named { "id" } else { "jobId" };
            pairs.insert(place, (name.to_owned(), "\"Job:1\"".to_owned(), " "));
            object(pairs)
        },
    )
}

/// One byte of the body is replaced, doubled or removed.
fn mutated(body: String, place: usize, byte: u8, kind: u8) -> Vec<u8> {
    let mut body = body.into_bytes();
    let place = place % body.len();
    match kind {
        0 => body[place] = byte,
        1 => body.insert(place, byte),
        2 => drop(body.remove(place)),
        _ => body.truncate(place),
    }
    body
}

/// Feeds a body cut at these places.
fn parse_cut(body: &[u8], cuts: &[usize]) -> Result<JobReading, ParseError> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut % (body.len() + 1)).collect();
    places.sort_unstable();
    let mut parser = JobParser::new(ID.parse().unwrap(), ErrorTally::new(3));
    let mut from = 0;
    for place in places.into_iter().chain([body.len()]) {
        parser.feed(&body[from..place])?;
        from = place;
    }
    parser.finish()
}

/// Numbers may differ in their last bit, as `serde_json` rounds less well without a feature.
fn agree(ours: &JobReading, theirs: &JobReading) -> bool {
    let near = |one: f64, other: f64| (one - other).abs() <= 1e-15 * one.abs().max(other.abs());
    let counts_agree = match (ours.progress, theirs.progress) {
        (None, None) => true,
        (Some(ours), Some(theirs)) => {
            near(ours.total, theirs.total)
                && near(ours.processed, theirs.processed)
                && near(ours.successful, theirs.successful)
                && near(ours.failed, theirs.failed)
        }
        _ => false,
    };
    counts_agree && JobReading { progress: theirs.progress, ..ours.clone() } == *theirs
}

/// The body with each `\ud800` to `\udfff` replaced by a letter.
fn without_surrogates(body: &str) -> String {
    let mut parts = body.split("\\u");
    let mut replaced = parts.next().unwrap().to_owned();
    for part in parts {
        let is_surrogate = part.starts_with(['d', 'D']) && part[1..].starts_with(|c: char| c >= '8');
        replaced.push_str("\\u");
        replaced.push_str(if is_surrogate { "0041" } else { part.get(..4).unwrap_or_default() });
        replaced.push_str(part.get(4..).unwrap_or_default());
    }
    replaced
}

fn check(body: &[u8], cuts: &[usize]) -> Result<(), TestCaseError> {
    let (ours, theirs) = (parse_cut(body, cuts), reference(body));
    let shown = String::from_utf8_lossy(body).into_owned();
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => prop_assert!(agree(ours, theirs), "{shown}\n{ours:?}\n{theirs:?}"),
        (Err(_), Err(())) => {}
        // Half a surrogate pair in a text that is not read is no fault to us; the reference reads every text.
        (Ok(ours), Err(())) => {
            let theirs = reference(without_surrogates(&shown).as_bytes());
            prop_assert!(theirs.is_ok_and(|theirs| agree(ours, &theirs)), "{shown}\n{ours:?}");
        }
        _ => prop_assert!(false, "{shown}\nours: {ours:?}\ntheirs: {theirs:?}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_reads_what_serde_json_reads(body in job(), cuts in prop::collection::vec(any::<usize>(), 0..12)) {
        check(body.as_bytes(), &cuts)?;
    }

    #[test]
    fn it_refuses_what_serde_json_refuses(
        body in job(),
        cuts in prop::collection::vec(any::<usize>(), 0..4),
        place in any::<usize>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(&b"\"\\{}[],:0-.eE u\n"[..])],
        kind in 0_u8..4,
    ) {
        check(&mutated(body, place, byte, kind), &cuts)?;
    }
}

#[test]
fn the_examples_generate_good_jobs_too() {
    // The two tests above would be empty if everything were refused.
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let good =
        (0..200).filter(|_| reference(job().new_tree(&mut runner).unwrap().current().as_bytes()).is_ok());
    assert!(good.count() > 40);
}
