//! The keys of faults in a scenario file: `{fault: NAME, …}`, with `from`, `until` and `share` for each.

use crate::sim::fault::{
    Fault, FaultKind, HttpStatusFault, OddCounts, Oddity, RedirectTarget, ResetPoint, StringPlace, Window,
};
use crate::sim::scenario::keys::share;
use crate::sim::scenario::read::{Mapping, Node, Reading};
use std::sync::Arc;
use std::time::Duration;

/// How a kind of fault is read: its name, its own keys, and what makes it.
struct Reader {
    name: &'static str,
    keys: &'static [&'static str],
    read: fn(&Mapping<'_>) -> Reading<FaultKind>,
}

/// Every fault by its name, in the order of the documentation.
const READERS: [Reader; 35] = [
    Reader {
        name: "http_status",
        keys: &["status", "code", "retry_after", "retry_after_ms", "should_retry"],
        read: http_status,
    },
    Reader { name: "delay", keys: &["seconds"], read: delay },
    Reader { name: "hang_head", keys: &[], read: |_| Ok(FaultKind::HangHead) },
    Reader { name: "hang_body", keys: &["after_bytes"], read: hang_body },
    Reader { name: "trickle", keys: &["bytes_per_second"], read: trickle },
    Reader { name: "cut_body", keys: &["after_bytes"], read: cut_body },
    Reader { name: "wrong_length", keys: &["difference"], read: wrong_length },
    Reader { name: "reset", keys: &["where"], read: reset },
    Reader { name: "goaway", keys: &[], read: |_| Ok(FaultKind::GoAway) },
    Reader { name: "early_hints", keys: &[], read: |_| Ok(FaultKind::EarlyHints) },
    Reader { name: "html", keys: &[], read: |_| Ok(FaultKind::Html) },
    Reader { name: "empty_body", keys: &[], read: |_| Ok(FaultKind::EmptyBody) },
    Reader { name: "not_json", keys: &[], read: |_| Ok(FaultKind::NotJson) },
    Reader { name: "bom", keys: &[], read: |_| Ok(FaultKind::Bom) },
    Reader { name: "invalid_utf8", keys: &[], read: |_| Ok(FaultKind::InvalidUtf8) },
    Reader { name: "lone_surrogate", keys: &[], read: |_| Ok(FaultKind::LoneSurrogate) },
    Reader { name: "deep_nesting", keys: &["depth"], read: deep_nesting },
    Reader { name: "huge_string", keys: &["bytes", "in"], read: huge_string },
    Reader { name: "gzip_bomb", keys: &["bytes"], read: gzip_bomb },
    Reader { name: "false_gzip", keys: &[], read: |_| Ok(FaultKind::FalseGzip) },
    Reader { name: "duplicate_keys", keys: &[], read: |_| Ok(FaultKind::DuplicateKeys) },
    Reader { name: "redirect", keys: &["to"], read: redirect },
    Reader { name: "old_job_id", keys: &[], read: |_| Ok(FaultKind::Oddity(Oddity::OldJobId)) },
    Reader { name: "wrong_id", keys: &["id"], read: wrong_id },
    Reader { name: "no_id", keys: &[], read: |_| Ok(FaultKind::Oddity(Oddity::NoId)) },
    Reader { name: "no_status", keys: &[], read: |_| Ok(FaultKind::Oddity(Oddity::NoStatus)) },
    Reader { name: "status_word", keys: &["word"], read: status_word },
    Reader { name: "no_progress", keys: &[], read: |_| Ok(FaultKind::Oddity(Oddity::NoProgress)) },
    Reader { name: "counts", keys: &["total", "processed", "successful", "failed"], read: counts },
    Reader { name: "null_errors", keys: &[], read: |_| Ok(FaultKind::Oddity(Oddity::NullErrors)) },
    Reader { name: "no_errors", keys: &[], read: |_| Ok(FaultKind::Oddity(Oddity::NoErrors)) },
    Reader { name: "nested_errors", keys: &[], read: |_| Ok(FaultKind::Oddity(Oddity::NestedEntries)) },
    Reader { name: "error_entries", keys: &["entries"], read: error_entries },
    Reader { name: "completed_at", keys: &["value"], read: completed_at },
    Reader { name: "no_completed_at", keys: &[], read: |_| Ok(FaultKind::Oddity(Oddity::CompletedAt(None))) },
];

/// Names of all faults, for the test of the documentation.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    READERS.iter().map(|reader| reader.name)
}

/// Reads a list of faults.
pub(super) fn faults(node: &Node<'_>) -> Reading<Vec<Fault>> {
    node.list()?.iter().map(fault).collect()
}

fn fault(node: &Node<'_>) -> Reading<Fault> {
    let keys = node.mapping()?;
    let name = keys.required("fault")?;
    let given = name.text()?;
    let Some(reader) = READERS.iter().find(|reader| reader.name == given) else {
        let nearest = READERS
            .iter()
            .max_by(|one, other| {
                let likeness = |reader: &Reader| strsim::jaro_winkler(reader.name, &given);
                likeness(one).total_cmp(&likeness(other))
            })
            .map_or("", |reader| reader.name);
        return Err(name.wrong(&format!(
            "is `{given}`, which is no fault; did you mean `{nearest}`? (docs/simulator.md lists all)"
        )));
    };
    let kind = (reader.read)(&keys)?;
    let fault = Fault { kind, window: window(&keys)?, share: keys.read("share", share)?.unwrap_or(1.0) };
    let mut known = vec!["fault", "from", "until", "share"];
    known.extend(reader.keys);
    keys.finish(&known)?;
    Ok(fault)
}

/// Reads `from` and `until`.
pub(super) fn window(keys: &Mapping<'_>) -> Reading<Window> {
    let from = keys.read("from", Node::moment)?.unwrap_or(Window::ALWAYS.from);
    let until = keys.read("until", Node::moment)?.unwrap_or(Window::ALWAYS.until);
    if until <= from {
        return Err(
            keys.wrong(&format!("is over at {until} before it begins at {from}; write `from` < `until`"))
        );
    }
    Ok(Window { from, until })
}

fn http_status(keys: &Mapping<'_>) -> Reading<FaultKind> {
    let status = keys.required("status")?.whole(200, 599)?;
    Ok(FaultKind::HttpStatus(HttpStatusFault {
        status: status.try_into().unwrap_or(500),
        code: keys.read("code", text)?,
        retry_after: keys.read("retry_after", text)?,
        retry_after_ms: keys.read("retry_after_ms", Node::count)?,
        should_retry: keys.read("should_retry", Node::truth)?,
    }))
}

fn text(node: &Node<'_>) -> Reading<Arc<str>> {
    node.text().map(Into::into)
}

fn delay(keys: &Mapping<'_>) -> Reading<FaultKind> {
    let node = keys.required("seconds")?;
    let seconds = node.number(0.0, 86_400.0)?;
    Duration::try_from_secs_f64(seconds).map(FaultKind::Delay).map_err(|error| node.wrong(&error.to_string()))
}

fn hang_body(keys: &Mapping<'_>) -> Reading<FaultKind> {
    Ok(FaultKind::HangBody { after_bytes: keys.read("after_bytes", Node::count)?.unwrap_or(20) })
}

fn trickle(keys: &Mapping<'_>) -> Reading<FaultKind> {
    let rate = keys.read("bytes_per_second", Node::above_zero)?.unwrap_or(1.0);
    Ok(FaultKind::Trickle { bytes_per_second: rate })
}

fn cut_body(keys: &Mapping<'_>) -> Reading<FaultKind> {
    Ok(FaultKind::CutBody { after_bytes: keys.read("after_bytes", Node::count)?.unwrap_or(20) })
}

fn wrong_length(keys: &Mapping<'_>) -> Reading<FaultKind> {
    let node = keys.required("difference")?;
    match node.whole(-1_000_000, 1_000_000)? {
        0 => Err(node.wrong("is 0, which is right; write a number below or above")),
        difference => Ok(FaultKind::WrongLength(difference)),
    }
}

fn reset(keys: &Mapping<'_>) -> Reading<FaultKind> {
    const POINTS: [(&str, ResetPoint); 4] = [
        ("before_head", ResetPoint::BeforeHead),
        ("in_head", ResetPoint::InHead),
        ("in_body", ResetPoint::InBody),
        ("after_body", ResetPoint::AfterBody),
    ];
    let point = keys.read("where", |node| node.word(&POINTS))?;
    Ok(FaultKind::Reset(point.unwrap_or(ResetPoint::BeforeHead)))
}

fn deep_nesting(keys: &Mapping<'_>) -> Reading<FaultKind> {
    Ok(FaultKind::DeepNesting(keys.read("depth", Node::count)?.unwrap_or(100_000)))
}

fn huge_string(keys: &Mapping<'_>) -> Reading<FaultKind> {
    const PLACES: [(&str, StringPlace); 4] = [
        ("message", StringPlace::Message),
        ("code", StringPlace::Code),
        ("status", StringPlace::Status),
        ("unknown", StringPlace::Unknown),
    ];
    Ok(FaultKind::HugeString {
        bytes: keys.read("bytes", Node::count)?.unwrap_or(100_000_000),
        place: keys.read("in", |node| node.word(&PLACES))?.unwrap_or(StringPlace::Message),
    })
}

fn gzip_bomb(keys: &Mapping<'_>) -> Reading<FaultKind> {
    // 64 GiB: the packed part of it is still sent, and its blocks are counted beforehand.
    let bytes = keys.read("bytes", |node| node.whole(0, 1 << 36))?.unwrap_or(2 << 30);
    Ok(FaultKind::GzipBomb { bytes: bytes.unsigned_abs() })
}

fn redirect(keys: &Mapping<'_>) -> Reading<FaultKind> {
    let target = match keys.required("to")?.text()?.as_str() {
        "same_host" => RedirectTarget::SameHost,
        "loop" => RedirectTarget::Loop,
        url => RedirectTarget::Url(url.into()),
    };
    Ok(FaultKind::Redirect(target))
}

fn wrong_id(keys: &Mapping<'_>) -> Reading<FaultKind> {
    let id = keys.read("id", text)?.unwrap_or_else(|| "Job:another".into());
    Ok(FaultKind::Oddity(Oddity::WrongId(id)))
}

fn status_word(keys: &Mapping<'_>) -> Reading<FaultKind> {
    Ok(FaultKind::Oddity(Oddity::StatusWord(text(keys.required("word")?)?)))
}

fn counts(keys: &Mapping<'_>) -> Reading<FaultKind> {
    let count = |key: &str| keys.read(key, |node| node.json().map(Into::into));
    let counts = OddCounts {
        total: count("total")?,
        processed: count("processed")?,
        successful: count("successful")?,
        failed: count("failed")?,
    };
    if counts == OddCounts::default() {
        return Err(keys.wrong("changes no count; give `total`, `processed`, `successful` or `failed`"));
    }
    Ok(FaultKind::Oddity(Oddity::Counts(counts)))
}

fn error_entries(keys: &Mapping<'_>) -> Reading<FaultKind> {
    Ok(FaultKind::Oddity(Oddity::ErrorEntries(keys.required("entries")?.count()?)))
}

fn completed_at(keys: &Mapping<'_>) -> Reading<FaultKind> {
    let value = keys.required("value")?.json()?;
    Ok(FaultKind::Oddity(Oddity::CompletedAt(Some(value.into()))))
}
