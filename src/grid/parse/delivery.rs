//! What the tokens of a webhook's body say: an envelope of id, type and time, and in its `data` perhaps a job.
//!
//! Called by `parse::Body`. Keys may come in any order, so `data` is read as a job as long as the type is not known to
//! be another one; whatever is wrong in it matters only if it turns out to be a job's.

use super::Meaning;
use super::error::ParseError;
use super::job::Job;
use super::rfc3339::parse_rfc3339;
use super::tokens::{Token, Want};
use crate::clock::UnixTime;
use crate::job::{ErrorTally, JobId, JobReading, ReportedStatus};

/// The longest id of a delivery that is taken, in bytes.
pub const MAX_DELIVERY_ID: usize = 256;

/// What a webhook tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivery {
    /// A job ended.
    Ended(EndedJob),
    /// Nothing that concerns us: another type, or a test.
    Other,
}

/// A job that ended, as a webhook tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedJob {
    /// The delivery's id: the same each time that it is sent. 1 to 256 bytes.
    pub delivery: Box<str>,
    /// The job.
    pub job: JobId,
    /// Its state.
    pub reading: JobReading,
    /// When the webhook was sent, if it says so: the job had ended by then.
    pub sent: Option<UnixTime>,
}

/// Where in the body we stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the envelope.
    Start,
    /// Between two of its keys.
    Envelope,
    /// Before the value of this key.
    Value(Key),
    /// Within `data`.
    Data,
    /// After the envelope.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Id,
    Type,
    Timestamp,
    Data,
}

impl Key {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Type => "type",
            Self::Timestamp => "timestamp",
            Self::Data => "data",
        }
    }
}

/// The types that we tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Completed,
    Failed,
    Other,
}

impl Kind {
    fn from_text(text: &str) -> Self {
        match text {
            "BULK_UPLOAD.COMPLETED" => Self::Completed,
            "BULK_UPLOAD.FAILED" => Self::Failed,
            _ => Self::Other,
        }
    }
}

/// What was read so far.
#[derive(Debug)]
pub(super) struct Envelope {
    place: Place,
    /// A bit for each [`Key`] that was there.
    seen: u8,
    id: Option<Box<str>>,
    kind: Option<Kind>,
    sent: Option<UnixTime>,
    job: Job,
    /// Objects and arrays of `data` that we are in.
    depth: u32,
    /// Why `data` is no job; nothing as long as it may be one.
    fault: Option<ParseError>,
}

impl Meaning for Envelope {
    fn want(&self) -> Want {
        match self.place {
            Place::Start | Place::Value(Key::Data) => Want::Object,
            Place::Value(Key::Id | Key::Type | Key::Timestamp) => Want::Text,
            Place::Data if self.fault.is_none() => self.job.want(),
            Place::Data | Place::Envelope | Place::End => Want::Nothing,
        }
    }

    fn take(&mut self, token: Token, text: &str) -> Result<(), ParseError> {
        self.place = match (self.place, token) {
            (Place::Start, Token::Begin) => Place::Envelope,
            (Place::Start, _) => return Err(ParseError::NotAnObject),
            (Place::Envelope, Token::Key) => self.key(text)?,
            (Place::Envelope, Token::End) => Place::End,
            (Place::Value(Key::Data), Token::Begin) => self.data(Token::Begin, ""),
            (Place::Value(Key::Data), _) => {
                self.fault = Some(ParseError::WrongType { key: "data", expected: "an object" });
                Place::Envelope
            }
            (Place::Value(key), Token::Text) => self.value(key, text)?,
            // A time is of no use to whoever sends none; id and type are missed at the end.
            (Place::Value(_), Token::Null) => Place::Envelope,
            (Place::Value(key), _) => {
                return Err(ParseError::WrongType { key: key.as_str(), expected: "a string" });
            }
            (Place::Data, token) => self.data(token, text),
            (place @ (Place::Envelope | Place::End), _) => place,
        };
        Ok(())
    }
}

impl Envelope {
    pub(super) fn new(codes: usize) -> Self {
        Self {
            place: Place::Start,
            seen: 0,
            id: None,
            kind: None,
            sent: None,
            job: Job::new(None, ErrorTally::new(codes)),
            depth: 0,
            fault: None,
        }
    }

    fn key(&mut self, text: &str) -> Result<Place, ParseError> {
        let key = match text {
            "id" => Key::Id,
            "type" => Key::Type,
            "timestamp" => Key::Timestamp,
            "data" => Key::Data,
            _ => return Ok(Place::Envelope),
        };
        let bit = 1_u8 << (key as u8);
        if self.seen & bit != 0 {
            return Err(ParseError::Twice(key.as_str()));
        }
        self.seen |= bit;
        // The data of another type says nothing to us: it is skipped whole.
        let is_skipped = key == Key::Data && self.kind == Some(Kind::Other);
        Ok(if is_skipped { Place::Envelope } else { Place::Value(key) })
    }

    fn value(&mut self, key: Key, text: &str) -> Result<Place, ParseError> {
        match key {
            Key::Id if text.is_empty() || text.len() > MAX_DELIVERY_ID => {
                return Err(ParseError::WrongType { key: "id", expected: "a string of 1 to 256 bytes" });
            }
            Key::Id => self.id = Some(text.into()),
            Key::Type => self.kind = Some(Kind::from_text(text)),
            Key::Timestamp => self.sent = parse_rfc3339(text),
            Key::Data => {}
        }
        Ok(Place::Envelope)
    }

    /// Takes a token of `data`.
    fn data(&mut self, token: Token, text: &str) -> Place {
        match token {
            Token::Begin => self.depth += 1,
            Token::End => self.depth = self.depth.saturating_sub(1),
            Token::Key | Token::Text | Token::Number | Token::Null | Token::Other => {}
        }
        if self.fault.is_none() {
            self.fault = self.job.take(token, text).err();
        }
        if self.depth == 0 { Place::Envelope } else { Place::Data }
    }

    /// What the webhook tells, at the end of a whole body.
    pub(super) fn finish(self) -> Result<Delivery, ParseError> {
        let word = match self.kind {
            None => return Err(ParseError::Missing("type")),
            Some(Kind::Other) => return Ok(Delivery::Other),
            Some(Kind::Completed) => "COMPLETED",
            Some(Kind::Failed) => "FAILED",
        };
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.seen & (1_u8 << (Key::Data as u8)) == 0 {
            return Err(ParseError::Missing("data"));
        }
        let Some(delivery) = self.id else { return Err(ParseError::Missing("id")) };
        let (job, reading) = self.job.finish_named(ReportedStatus::from_word(word))?;
        Ok(Delivery::Ended(EndedJob { delivery, job, reading, sent: self.sent }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::DeliveryParser;
    use super::*;
    use crate::job::Status;

    fn parse_in_pieces(body: &str, piece: usize) -> Result<Delivery, ParseError> {
        let mut parser = DeliveryParser::new(20);
        for piece in body.as_bytes().chunks(piece) {
            parser.feed(piece)?;
        }
        parser.finish()
    }

    fn parse(body: &str) -> Result<Delivery, ParseError> {
        let whole = parse_in_pieces(body, usize::MAX);
        assert_eq!(whole, parse_in_pieces(body, 1), "byte by byte: {body}");
        whole
    }

    fn ended(body: &str) -> EndedJob {
        match parse(body) {
            Ok(Delivery::Ended(ended)) => ended,
            other => panic!("{body}: {other:?}"),
        }
    }

    const DATA: &str = r#""data":{"id":"Job:a","status":"COMPLETED","progress":{"total":5,"processed":5,"successful":4,"failed":1},"errors":[{"code":"X"},{"correlationId":"1","error":{"code":"Y"}}]}"#;

    #[test]
    fn the_examples_of_the_api_are_read() {
        let example = |name: &str| {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/grid-api/examples");
            std::fs::read_to_string(format!("{folder}/webhook-{name}.json")).unwrap()
        };
        let completed = ended(&example("completed"));
        assert_eq!(&*completed.delivery, "Webhook:019542f5-b3e7-1d02-0000-000000000008");
        assert_eq!(completed.job.as_str(), "Job:019542f5-b3e7-1d02-0000-000000000006");
        assert_eq!(completed.reading.status.status(), Status::Completed);
        assert_eq!(completed.sent, parse_rfc3339("2025-08-15T14:32:00Z"));
        let failed = ended(&example("failed"));
        assert_eq!(failed.reading.progress.unwrap().failed.to_string(), "5000");
        assert_eq!(failed.reading.errors.iter().collect::<Vec<_>>(), [("invalid_csv_format", 1)]);
        assert_eq!(parse(&example("test")), Ok(Delivery::Other));
    }

    #[test]
    fn keys_come_in_any_order_and_both_nestings_of_entries_are_read() {
        for body in [
            format!(r#"{{"id":"W","type":"BULK_UPLOAD.COMPLETED",{DATA}}}"#),
            format!(
                r#"{{"more":[{{"id":1}}],{DATA},"type":"BULK_UPLOAD.COMPLETED","timestamp":null,"id":"W"}}"#
            ),
        ] {
            let ended = ended(&body);
            assert_eq!((&*ended.delivery, ended.job.as_str(), ended.sent), ("W", "Job:a", None));
            assert_eq!(ended.reading.errors.iter().collect::<Vec<_>>(), [("X", 1), ("Y", 1)]);
        }
    }

    #[test]
    fn a_job_without_a_status_has_that_of_the_type() {
        let status = |body: &str| ended(body).reading.status.status();
        assert_eq!(
            status(r#"{"id":"W","type":"BULK_UPLOAD.FAILED","data":{"jobId":"Job:a"}}"#),
            Status::Failed
        );
        let other = r#"{"id":"W","type":"BULK_UPLOAD.FAILED","data":{"id":"Job:a","status":"COMPLETED"}}"#;
        assert_eq!(status(other), Status::Completed);
    }

    #[test]
    fn the_data_of_other_types_may_be_anything() {
        for data in
            ["[]", "null", "1", r#"{"id":7,"status":[{"a":[[]]}]}"#, r#"{"errors":[{"code":1,"code":2}]}"#]
        {
            for body in [
                format!(r#"{{"type":"INCOMING_PAYMENT.COMPLETED","data":{data}}}"#),
                format!(r#"{{"data":{data},"id":"W","type":"BULK_UPLOAD.STARTED"}}"#),
            ] {
                assert_eq!(parse(&body), Ok(Delivery::Other), "{body}");
            }
        }
    }

    #[test]
    fn what_is_not_a_webhook_is_told_as_what_it_is() {
        let long = format!(r#"{{"id":"{}","type":"TEST"}}"#, "x".repeat(257));
        for (body, message) in [
            ("", "the body is empty"),
            ("[]", "the body is JSON, but not an object"),
            ("{}", "the body has no `type`"),
            (r#"{"type":1}"#, "`type` is not a string"),
            (r#"{"type":"TEST","type":"TEST"}"#, "the body has `type` twice"),
            (r#"{"type":"TEST""#, "the body ends within its JSON, after 14 bytes"),
            (r#"{"id":"W","type":"BULK_UPLOAD.FAILED"}"#, "the body has no `data`"),
            (r#"{"id":"W","type":"BULK_UPLOAD.FAILED","data":{}}"#, "the body has no `id`"),
            (r#"{"id":"W","type":"BULK_UPLOAD.FAILED","data":null}"#, "`data` is not an object"),
            (r#"{"type":"BULK_UPLOAD.FAILED","data":{"id":"Job:a"}}"#, "the body has no `id`"),
            (r#"{"id":"W","type":"BULK_UPLOAD.FAILED","data":{"id":"a b"}}"#, "`id` is not a job's id"),
            (
                r#"{"id":"W","type":"BULK_UPLOAD.FAILED","data":{"id":"a","jobId":"b"}}"#,
                "the body names another job than the one that was asked for",
            ),
            (long.as_str(), "`id` is not a string of 1 to 256 bytes"),
        ] {
            assert_eq!(parse(body).unwrap_err().to_string(), message, "{body}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, json in "[\\[\\]{}:,\"a-eitypd0-9 ]{0,60}") {
            for body in [bytes.as_slice(), json.as_bytes()] {
                let mut parser = DeliveryParser::new(2);
                let _ = parser.feed(body).and_then(|()| parser.finish());
            }
        }
    }
}
