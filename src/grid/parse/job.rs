//! What the tokens of a body say about a job.
//!
//! Called by `parse::Body`, which asks [`Job::want`] before each value, so that all that is not read here is
//! skipped where it is cheapest, and by `delivery` for the job within a webhook. Keys may come in any order, so what was read waits until the end.

use super::Meaning;
use super::error::ParseError;
use super::rfc3339::parse_rfc3339;
use super::tokens::{Token, Want};
use crate::job::{CompletedAt, ErrorTally, JobId, JobReading, LastCode, Progress, ReportedStatus};

/// Names of the four counts, in the order of [`Progress`].
const COUNTS: [&str; 4] = ["progress.total", "progress.processed", "progress.successful", "progress.failed"];

/// Characters kept of a `completedAt` that is no time.
const UNREADABLE_LENGTH: usize = 64;

/// Where in the body we stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the job.
    Start,
    /// Between two keys of the job.
    Job,
    /// Before the value of this key.
    JobValue(JobKey),
    /// Between two counts.
    Progress,
    /// Before this count.
    Count(usize),
    /// Between two entries of `errors`.
    Errors,
    /// Between two keys of an entry.
    Entry,
    /// Before an entry's value.
    EntryValue(EntryKey),
    /// Between two keys of an entry's `error`.
    Nested,
    /// Before its `code`.
    NestedCode,
    /// After the job.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JobKey {
    Id,
    JobId,
    Status,
    Progress,
    Errors,
    CompletedAt,
}

impl JobKey {
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "id" => Some(Self::Id),
            "jobId" => Some(Self::JobId),
            "status" => Some(Self::Status),
            "progress" => Some(Self::Progress),
            "errors" => Some(Self::Errors),
            "completedAt" => Some(Self::CompletedAt),
            _ => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::JobId => "jobId",
            Self::Status => "status",
            Self::Progress => "progress",
            Self::Errors => "errors",
            Self::CompletedAt => "completedAt",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryKey {
    Code,
    Error,
}

/// Whether a `code` was there in the entry that is being read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Code {
    /// Not yet.
    #[default]
    Absent,
    /// There, but perhaps no text.
    Given,
    /// A text.
    Text,
}

/// What is known of the entry that is being read.
#[derive(Debug, Default)]
struct Entry {
    /// Its own code, which is counted as soon as it is read.
    own: Code,
    has_error: bool,
    /// The code within `error`, which holds if the entry has none of its own.
    nested: Code,
    /// Its text; the memory is used again for the next entry.
    nested_text: String,
}

/// What was read so far.
#[derive(Debug)]
pub(super) struct Job {
    /// The job that was asked for; nothing in a webhook, which names its job itself.
    asked: Option<JobId>,
    place: Place,
    /// A bit for each [`JobKey`] that was there.
    seen: u8,
    /// The job that `id` or `jobId` named.
    named: Option<JobId>,
    status: Option<ReportedStatus>,
    counts: [Option<f64>; 4],
    progress: Option<Progress>,
    tally: ErrorTally,
    last_code: LastCode,
    /// True from the end of `errors` on.
    errors_are_whole: bool,
    entry: Entry,
    completed_at: CompletedAt,
}

impl Meaning for Job {
    #[inline]
    fn want(&self) -> Want {
        self.want()
    }

    #[inline]
    fn take(&mut self, token: Token, text: &str) -> Result<(), ParseError> {
        self.take(token, text)
    }
}

impl Job {
    pub(super) fn new(asked: Option<JobId>, tally: ErrorTally) -> Self {
        Self {
            asked,
            place: Place::Start,
            seen: 0,
            named: None,
            status: None,
            counts: [None; 4],
            progress: None,
            tally,
            last_code: LastCode::default(),
            errors_are_whole: false,
            entry: Entry::default(),
            completed_at: CompletedAt::Absent,
        }
    }

    /// What is wanted of a value, should one come next.
    pub(super) const fn want(&self) -> Want {
        match self.place {
            Place::JobValue(JobKey::Id | JobKey::JobId | JobKey::Status | JobKey::CompletedAt)
            | Place::EntryValue(EntryKey::Code)
            | Place::NestedCode => Want::Text,
            Place::Count(_) => Want::Number,
            Place::Start
            | Place::JobValue(JobKey::Progress)
            | Place::Errors
            | Place::EntryValue(EntryKey::Error) => Want::Object,
            Place::JobValue(JobKey::Errors) => Want::Array,
            // A value that comes here is that of a key which is not read: the place is still between two keys.
            Place::Job | Place::Progress | Place::Entry | Place::Nested | Place::End => Want::Nothing,
        }
    }

    /// Takes the next token and its text, if it has one.
    pub(super) fn take(&mut self, token: Token, text: &str) -> Result<(), ParseError> {
        self.place = match (self.place, token) {
            (Place::Start, Token::Begin) => Place::Job,
            (Place::Start, _) => return Err(ParseError::NotAnObject),
            (Place::Job, Token::Key) => self.job_key(text)?,
            (Place::Job, Token::End) => Place::End,
            (Place::JobValue(key), _) => self.job_value(key, token, text)?,
            (Place::Progress, Token::Key) => self.count_key(text)?,
            (Place::Progress, Token::End) => self.end_progress()?,
            (Place::Count(index), _) => self.count(index, token, text)?,
            (Place::Errors, Token::Begin) => self.begin_entry(),
            (Place::Errors, Token::End) => {
                self.errors_are_whole = true;
                Place::Job
            }
            (Place::Errors, _) => {
                self.tally.count_near(None, &mut self.last_code);
                Place::Errors
            }
            (Place::Entry, Token::Key) => self.entry_key(text)?,
            (Place::Entry, Token::End) => self.end_entry(),
            (Place::EntryValue(EntryKey::Code), Token::Text) => {
                self.tally.count_near(Some(text), &mut self.last_code);
                self.entry.own = Code::Text;
                Place::Entry
            }
            (Place::EntryValue(EntryKey::Error), Token::Begin) => Place::Nested,
            (Place::EntryValue(_), _) | (Place::Nested, Token::End) => Place::Entry,
            (Place::Nested, Token::Key) if text == "code" => {
                if std::mem::replace(&mut self.entry.nested, Code::Given) != Code::Absent {
                    return Err(ParseError::Twice("errors[].error.code"));
                }
                Place::NestedCode
            }
            (Place::NestedCode, Token::Text) => {
                self.entry.nested_text.push_str(text);
                self.entry.nested = Code::Text;
                Place::Nested
            }
            (Place::NestedCode, _) => Place::Nested,
            // A key that is not read. The tokens come in the grammar's order, so nothing else is possible.
            (place @ (Place::Job | Place::Progress | Place::Entry | Place::Nested | Place::End), _) => place,
        };
        Ok(())
    }

    fn job_key(&mut self, text: &str) -> Result<Place, ParseError> {
        let Some(key) = JobKey::from_text(text) else { return Ok(Place::Job) };
        let bit = 1_u8 << (key as u8);
        if self.seen & bit != 0 {
            return Err(ParseError::Twice(key.as_str()));
        }
        self.seen |= bit;
        Ok(Place::JobValue(key))
    }

    fn job_value(&mut self, key: JobKey, token: Token, text: &str) -> Result<Place, ParseError> {
        match (key, token) {
            (JobKey::Id | JobKey::JobId, Token::Text) => self.named = Some(self.name(key, text)?),
            (JobKey::Status, Token::Text) => self.status = Some(ReportedStatus::from_word(text)),
            (JobKey::CompletedAt, Token::Text) => {
                self.completed_at = match parse_rfc3339(text) {
                    Some(time) => CompletedAt::At(time),
                    None => CompletedAt::Unreadable(
                        text.chars().take(UNREADABLE_LENGTH).collect::<String>().into(),
                    ),
                }
            }
            (JobKey::CompletedAt, Token::Other) => self.completed_at = CompletedAt::Unreadable("".into()),
            (JobKey::Progress, Token::Begin) => return Ok(Place::Progress),
            (JobKey::Errors, Token::Begin) => return Ok(Place::Errors),
            (JobKey::Errors, Token::Null) => self.errors_are_whole = true,
            (_, Token::Null) => {}
            (JobKey::Progress, _) => {
                return Err(ParseError::WrongType { key: key.as_str(), expected: "an object" });
            }
            (JobKey::Errors, _) => {
                return Err(ParseError::WrongType { key: key.as_str(), expected: "an array" });
            }
            (JobKey::Id | JobKey::JobId | JobKey::Status | JobKey::CompletedAt, _) => {
                return Err(ParseError::WrongType { key: key.as_str(), expected: "a string" });
            }
        }
        Ok(Place::Job)
    }

    /// The job that the body names, which must be the one that was asked for, and the same in both keys.
    fn name(&self, key: JobKey, text: &str) -> Result<JobId, ParseError> {
        match self.asked.as_ref().or(self.named.as_ref()) {
            Some(id) if id.as_str() == text => Ok(id.clone()),
            Some(_) => Err(ParseError::AnotherJob),
            None => {
                let not_an_id = |_| ParseError::WrongType { key: key.as_str(), expected: "a job's id" };
                text.parse().map_err(not_an_id)
            }
        }
    }

    fn count_key(&self, text: &str) -> Result<Place, ParseError> {
        let index = match text {
            "total" => 0,
            "processed" => 1,
            "successful" => 2,
            "failed" => 3,
            _ => return Ok(Place::Progress),
        };
        match self.counts.get(index) {
            Some(Some(_)) => Err(ParseError::Twice(count_name(index))),
            Some(None) | None => Ok(Place::Count(index)),
        }
    }

    fn count(&mut self, index: usize, token: Token, text: &str) -> Result<Place, ParseError> {
        let Token::Number = token else {
            return Err(ParseError::WrongType { key: count_name(index), expected: "a number" });
        };
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        let Some(number) = number else { return Err(ParseError::TooLarge(count_name(index))) };
        if let Some(count) = self.counts.get_mut(index) {
            *count = Some(number);
        }
        Ok(Place::Progress)
    }

    fn end_progress(&mut self) -> Result<Place, ParseError> {
        for (index, count) in self.counts.iter().enumerate() {
            if count.is_none() {
                return Err(ParseError::Missing(count_name(index)));
            }
        }
        let [total, processed, successful, failed] = self.counts.map(Option::unwrap_or_default);
        self.progress = Some(Progress { total, processed, successful, failed });
        Ok(Place::Job)
    }

    fn begin_entry(&mut self) -> Place {
        self.entry.own = Code::Absent;
        self.entry.has_error = false;
        self.entry.nested = Code::Absent;
        self.entry.nested_text.clear();
        Place::Entry
    }

    fn entry_key(&mut self, text: &str) -> Result<Place, ParseError> {
        match text {
            "code" if std::mem::replace(&mut self.entry.own, Code::Given) == Code::Absent => {
                Ok(Place::EntryValue(EntryKey::Code))
            }
            "code" => Err(ParseError::Twice("errors[].code")),
            "error" if !std::mem::replace(&mut self.entry.has_error, true) => {
                Ok(Place::EntryValue(EntryKey::Error))
            }
            "error" => Err(ParseError::Twice("errors[].error")),
            _ => Ok(Place::Entry),
        }
    }

    fn end_entry(&mut self) -> Place {
        match (self.entry.own, self.entry.nested) {
            (Code::Text, _) => {}
            (Code::Absent | Code::Given, Code::Text) => {
                self.tally.count_near(Some(&self.entry.nested_text), &mut self.last_code);
            }
            (Code::Absent | Code::Given, Code::Absent | Code::Given) => {
                self.tally.count_near(None, &mut self.last_code);
            }
        }
        Place::Errors
    }

    /// The job, at the end of a whole body.
    pub(super) fn finish(self) -> Result<JobReading, ParseError> {
        let Some(status) = self.status.clone() else {
            let missing = if self.named.is_none() { "id" } else { "status" };
            return Err(ParseError::Missing(missing));
        };
        self.finish_named(status).map(|(_, reading)| reading)
    }

    /// The job that names itself, at the end of a whole body; `status` is what it has if it does not say.
    pub(super) fn finish_named(self, status: ReportedStatus) -> Result<(JobId, JobReading), ParseError> {
        let Some(id) = self.named else { return Err(ParseError::Missing("id")) };
        let reading = JobReading {
            status: self.status.unwrap_or(status),
            progress: self.progress,
            errors: self.tally,
            errors_truncated: false,
            completed_at: self.completed_at,
        };
        Ok((id, reading))
    }

    /// The job, if its id, status and counts were whole when the body broke off.
    pub(super) fn finish_truncated(self) -> Option<JobReading> {
        let whole = self.named.is_some() && self.progress.is_some();
        let status = self.status.filter(|_| whole)?;
        Some(JobReading {
            status,
            progress: self.progress,
            errors: self.tally,
            errors_truncated: !self.errors_are_whole,
            completed_at: self.completed_at,
        })
    }
}

fn count_name(index: usize) -> &'static str {
    COUNTS.get(index).copied().unwrap_or_default()
}
