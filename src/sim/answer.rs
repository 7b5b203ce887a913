//! The JSON of a job, true or odd, as one piece or as a stream.
//!
//! Written by hand rather than by serde: the odd answers (a count as a string, a key twice) have no type, and
//! 1,000,000 entries have no place in memory.

use crate::clock::UnixTime;
use crate::job::Status;
use crate::sim::course::{JobState, Plan};
use crate::sim::entry::{Entry, append_string};
use crate::sim::fault::{Fault, FaultKind, OddCounts, Oddity};
use bytes::Bytes;
use std::io::Write as _;
use std::sync::Arc;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Answers with up to so many entries are built at once: one buffer, a known length.
const ENTRIES_AT_ONCE: u64 = 256;

/// Streamed answers come in pieces of about this size.
const PIECE: usize = 32 * 1024;

/// What an answer says about a job.
pub(crate) struct Answer {
    plan: Arc<Plan>,
    state: JobState,
    before_entries: Vec<u8>,
    /// Number of entries; nothing: no `errors` array.
    entries: Option<u64>,
    nested: bool,
    after_entries: Vec<u8>,
}

/// How the answer departs from the truth.
#[derive(Default)]
struct Departures<'a> {
    id_key: IdKey,
    id: Option<&'a str>,
    status: Said<&'a str>,
    progress: Said<&'a OddCounts>,
    errors: Errors,
    nested: bool,
    completed_at: Option<&'a Option<Arc<str>>>,
    duplicate_keys: bool,
}

/// Under which key the id stands.
#[derive(Clone, Copy, Default)]
enum IdKey {
    #[default]
    Id,
    JobId,
    Absent,
}

/// What is said in place of the truth.
#[derive(Clone, Copy, Default)]
enum Said<T> {
    #[default]
    True,
    Absent,
    Otherwise(T),
}

#[derive(Clone, Copy, Default)]
enum Errors {
    #[default]
    True,
    Null,
    Absent,
    Number(u64),
}

impl<'a> Departures<'a> {
    fn of(faults: impl Iterator<Item = &'a Fault>) -> Self {
        let mut departures = Self::default();
        for fault in faults {
            match &fault.kind {
                FaultKind::Oddity(oddity) => departures.add(oddity),
                FaultKind::DuplicateKeys => departures.duplicate_keys = true,
                _ => {}
            }
        }
        departures
    }

    fn add(&mut self, oddity: &'a Oddity) {
        match oddity {
            Oddity::OldJobId => self.id_key = IdKey::JobId,
            Oddity::WrongId(id) => self.id = Some(id),
            Oddity::NoId => self.id_key = IdKey::Absent,
            Oddity::NoStatus => self.status = Said::Absent,
            Oddity::StatusWord(word) => self.status = Said::Otherwise(word),
            Oddity::NoProgress => self.progress = Said::Absent,
            Oddity::Counts(counts) => self.progress = Said::Otherwise(counts),
            Oddity::NullErrors => self.errors = Errors::Null,
            Oddity::NoErrors => self.errors = Errors::Absent,
            Oddity::NestedEntries => self.nested = true,
            Oddity::ErrorEntries(number) => self.errors = Errors::Number(*number),
            Oddity::CompletedAt(text) => self.completed_at = Some(text),
        }
    }
}

impl Answer {
    /// What is said about the job at this moment, with the oddities among `faults`. `completed_at` is the
    /// wall-clock time of its end.
    pub(crate) fn new<'a>(
        id: &str,
        plan: &Arc<Plan>,
        state: JobState,
        completed_at: Option<UnixTime>,
        faults: impl Iterator<Item = &'a Fault>,
    ) -> Self {
        let departures = Departures::of(faults);
        let mut head = Vec::with_capacity(256);
        head.push(b'{');
        let id_key: &[u8] = match departures.id_key {
            IdKey::Id => br#""id":"#,
            IdKey::JobId => br#""jobId":"#,
            IdKey::Absent => b"",
        };
        if !id_key.is_empty() {
            head.extend_from_slice(id_key);
            append_string(departures.id.unwrap_or(id), &mut head);
            head.push(b',');
        }
        let word = match departures.status {
            Said::True => Some(state.status.as_str()),
            Said::Absent => None,
            Said::Otherwise(word) => Some(word),
        };
        if let Some(word) = word {
            head.extend_from_slice(br#""status":"#);
            append_string(word, &mut head);
            head.push(b',');
        }
        match departures.progress {
            Said::True => append_progress(&state, None, &mut head),
            Said::Absent => {}
            Said::Otherwise(counts) => append_progress(&state, Some(counts), &mut head),
        }
        if departures.duplicate_keys {
            head.extend_from_slice(
                br#""status":"PENDING","progress":{"total":1,"processed":0,"successful":0,"failed":0},"#,
            );
        }
        let entries = match departures.errors {
            Errors::True if state.status == Status::Pending => None,
            Errors::True => Some(state.failed),
            Errors::Null => {
                head.extend_from_slice(br#""errors":null,"#);
                None
            }
            Errors::Absent => None,
            Errors::Number(number) => Some(number),
        };
        let mut tail = Vec::new();
        match (departures.completed_at, completed_at) {
            (Some(None), _) | (None, None) => {}
            (Some(Some(text)), _) => {
                let _ = write!(tail, "\"completedAt\":{text},");
            }
            (None, Some(at)) => {
                let _ = write!(tail, "\"completedAt\":\"{}\",", rfc3339(at));
            }
        }
        if entries.is_some() {
            head.extend_from_slice(br#""errors":["#);
            tail.splice(0..0, *b"],");
        }
        // The last comma becomes the end, in whichever part it stands.
        let last = if tail.is_empty() { &mut head } else { &mut tail };
        if last.last() == Some(&b',') {
            last.pop();
        }
        last.push(b'}');
        let nested = departures.nested || plan.course().nested_entries;
        Self { plan: Arc::clone(plan), state, before_entries: head, entries, nested, after_entries: tail }
    }

    /// True if it is short enough to be built at once.
    pub(crate) fn is_short(&self) -> bool {
        self.entries.is_none_or(|number| number <= ENTRIES_AT_ONCE)
    }

    /// All of it at once.
    pub(crate) fn into_bytes(mut self) -> Bytes {
        let mut out = std::mem::take(&mut self.before_entries);
        let number = self.entries.unwrap_or(0);
        out.reserve(usize::try_from(number).unwrap_or(0).saturating_mul(160) + self.after_entries.len());
        for index in 0..number {
            self.append_entry(index, &mut out);
        }
        out.extend_from_slice(&self.after_entries);
        out.into()
    }

    /// The same in pieces, made when asked for.
    pub(crate) fn into_pieces(self) -> impl Iterator<Item = Bytes> + Send {
        AnswerPieces { answer: self, next: 0, ended: false }
    }

    fn append_entry(&self, index: u64, out: &mut Vec<u8>) {
        if index > 0 {
            out.push(b',');
        }
        // Beyond the rows that failed (`error_entries`) any row will do.
        let (row, code) = if index < self.state.failed { self.plan.failed_row(index) } else { None }
            .unwrap_or((index + 1, None));
        let course = self.plan.course();
        let entry = Entry {
            job_seed: self.plan.job_seed(),
            row,
            code: code.or(course.code.as_ref()).map(AsRef::as_ref),
            column: course.column.as_deref(),
            nested: self.nested,
        };
        entry.append(out);
    }
}

struct AnswerPieces {
    answer: Answer,
    next: u64,
    ended: bool,
}

impl Iterator for AnswerPieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let mut out = std::mem::take(&mut self.answer.before_entries);
        out.reserve(PIECE + 512);
        let number = self.answer.entries.unwrap_or(0);
        while self.next < number && out.len() < PIECE {
            self.answer.append_entry(self.next, &mut out);
            self.next += 1;
        }
        if self.next >= number {
            out.extend_from_slice(&self.answer.after_entries);
            self.ended = true;
        }
        Some(out.into())
    }
}

fn append_progress(state: &JobState, odd: Option<&OddCounts>, out: &mut Vec<u8>) {
    let truth = [state.total, state.processed, state.successful(), state.failed];
    let names = ["\"progress\":{\"total\":", ",\"processed\":", ",\"successful\":", ",\"failed\":"];
    let odd = odd.map(|odd| [&odd.total, &odd.processed, &odd.successful, &odd.failed]);
    for (at, (name, count)) in names.into_iter().zip(truth).enumerate() {
        out.extend_from_slice(name.as_bytes());
        let text = odd.and_then(|odd| odd.get(at).copied()).and_then(Option::as_ref);
        // Writing into a Vec cannot fail.
        let _ = match text {
            Some(text) => out.write_all(text.as_bytes()),
            None => write!(out, "{count}"),
        };
    }
    out.extend_from_slice(b"},");
}

/// The moment as the API writes it, whole seconds in UTC.
pub(crate) fn rfc3339(time: UnixTime) -> String {
    OffsetDateTime::from_unix_timestamp(time.as_millis().div_euclid(1000))
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::course::Course;
    use serde_json::{Value, json};

    fn answer(at: f64, faults: &[Fault]) -> Answer {
        let course = Course { failing_share: 0.5, ..Course::default() };
        let plan = Arc::new(Plan::new(course, 3));
        let state = plan.state_at(at);
        let ended = state.ended_at.map(|_| UnixTime::from_millis(1_755_268_320_999));
        Answer::new("Job:a", &plan, state, ended, faults.iter())
    }

    fn value(at: f64, oddities: Vec<Oddity>) -> Value {
        let faults: Vec<_> =
            oddities.into_iter().map(|oddity| Fault::always(FaultKind::Oddity(oddity))).collect();
        serde_json::from_slice(&answer(at, &faults).into_bytes()).unwrap()
    }

    #[test]
    fn an_answer_says_what_the_api_would() {
        let pending = value(-1.0, vec![]);
        let zero = json!({"total": 0, "processed": 0, "successful": 0, "failed": 0});
        assert_eq!(pending, json!({"id": "Job:a", "status": "PENDING", "progress": zero}));
        let running = value(1.0, vec![]);
        assert_eq!(running["progress"]["processed"], 20);
        assert_eq!(running["errors"].as_array().unwrap().len(), 10);
        assert_eq!(running["completedAt"], Value::Null);
        assert_eq!(value(1e6, vec![])["completedAt"], "2025-08-15T14:32:00Z");
    }

    #[test]
    fn pieces_together_are_the_whole() {
        let whole = answer(1e6, &[]).into_bytes();
        let pieces: Vec<u8> = answer(1e6, &[]).into_pieces().flatten().collect();
        assert!(!answer(1e6, &[]).is_short());
        assert_eq!(whole, pieces);
    }

    #[test]
    fn pieces_are_made_only_when_they_are_asked_for() {
        // 10^15 entries would never end, nor fit.
        let endless = [Fault::always(FaultKind::Oddity(Oddity::ErrorEntries(1_000_000_000_000_000)))];
        let pieces: Vec<Bytes> = answer(1.0, &endless).into_pieces().take(3).collect();
        assert!(pieces.iter().all(|piece| (PIECE..PIECE + 1024).contains(&piece.len())));
    }

    #[test]
    fn oddities_do_what_they_say() {
        assert_eq!(value(1.0, vec![Oddity::OldJobId])["jobId"], "Job:a");
        assert_eq!(value(1.0, vec![Oddity::WrongId("x".into())])["id"], "x");
        assert_eq!(value(1.0, vec![Oddity::NullErrors])["errors"], Value::Null);
        assert_eq!(value(1.0, vec![Oddity::StatusWord("PAUSED".into())])["status"], "PAUSED");
        for (oddity, key) in [
            (Oddity::NoId, "id"),
            (Oddity::NoStatus, "status"),
            (Oddity::NoProgress, "progress"),
            (Oddity::NoErrors, "errors"),
        ] {
            assert!(value(1.0, vec![oddity]).get(key).is_none(), "{key}");
        }
        let everything_gone = vec![Oddity::NoId, Oddity::NoStatus, Oddity::NoProgress, Oddity::NoErrors];
        assert_eq!(value(1.0, everything_gone), json!({}));
        assert!(value(1.0, vec![Oddity::NestedEntries])["errors"][0]["error"]["code"].is_string());
        assert_eq!(value(1.0, vec![Oddity::ErrorEntries(3)])["errors"].as_array().unwrap().len(), 3);
        let counts =
            OddCounts { processed: Some("-1".into()), failed: Some("\"12\"".into()), ..OddCounts::default() };
        let odd = value(1.0, vec![Oddity::Counts(counts)]);
        assert_eq!((&odd["progress"]["processed"], &odd["progress"]["failed"]), (&json!(-1), &json!("12")));
        assert_eq!(value(1.0, vec![Oddity::CompletedAt(Some("\"soon\"".into()))])["completedAt"], "soon");
        assert!(value(1e6, vec![Oddity::CompletedAt(None)]).get("completedAt").is_none());
    }
}
