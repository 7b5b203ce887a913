//! A job's JSON, read as a stream: pieces of the body in, one [`JobReading`] out, in bounded memory.
//!
//! Called by `client`, and by `webhook` for what Grid sends by itself. Our own parser because `serde_json` needs the whole body at once or a blocking reader, and a
//! body has up to a gigabyte. It takes what `serde_json` takes, with four differences: the whole body must be UTF-8;
//! of 64 levels of nesting at most; a number that is read has at most 1024 characters; and a key that is read may
//! not stand twice. Nothing is kept of an error entry but its code.
//!
//! `utf8` checks characters, `tokens` the grammar (with `text`, `number` and `scan`), `job` gives it meaning, and
//! `delivery` to the envelope of a webhook around a job; `rfc3339` reads `completedAt`.

mod delivery;
mod error;
mod job;
mod number;
mod rfc3339;
mod scan;
mod text;
mod tokens;
mod utf8;

#[cfg(test)]
mod tests;

pub use delivery::{Delivery, EndedJob, MAX_DELIVERY_ID};
pub use error::{Expected, Fault, ParseError};
pub use rfc3339::parse_rfc3339;
pub use tokens::{MAX_DEPTH, MAX_KEPT};

use crate::job::{ErrorTally, JobId, JobReading};
use delivery::Envelope;
use job::Job;
use tokens::{Token, Tokens, Want};
use utf8::Utf8Pieces;

/// What gives the tokens of a body a meaning.
trait Meaning {
    /// What is wanted of a value, should one come next.
    fn want(&self) -> Want;

    /// Takes the next token and its text, if it has one.
    fn take(&mut self, token: Token, text: &str) -> Result<(), ParseError>;
}

/// A body that is being read.
#[derive(Debug)]
struct Body<M> {
    pieces: Utf8Pieces,
    tokens: Tokens,
    meaning: M,
    length: u64,
}

impl<M: Meaning> Body<M> {
    fn new(meaning: M) -> Self {
        Self { pieces: Utf8Pieces::default(), tokens: Tokens::new(), meaning, length: 0 }
    }

    fn feed(&mut self, piece: &[u8]) -> Result<(), ParseError> {
        let start = self.length;
        self.length += piece.len() as u64;
        let (first, text) = self.pieces.take(piece).map_err(|error| ParseError::NotUtf8 {
            at: (start + error.at as u64).saturating_sub(error.begun as u64),
        })?;
        if let Some(first) = first {
            self.read(first.encode_utf8(&mut [0; 4]))?;
        }
        self.read(text)
    }

    /// Reads text that ends where the parser stands in the body, but for bytes of a character that is cut.
    fn read(&mut self, piece: &str) -> Result<(), ParseError> {
        let mut rest = piece;
        let mut text = None;
        loop {
            match self.tokens.next(&mut rest, self.meaning.want(), &mut text) {
                Ok(None) => return Ok(()),
                Ok(Some(token)) => self.meaning.take(token, text.unwrap_or(self.tokens.kept()))?,
                Err(fault) => {
                    let at = self.length.saturating_sub(rest.len() as u64);
                    return Err(ParseError::NotJson { at, fault });
                }
            }
        }
    }

    /// What was read, if the body is whole.
    fn finish(self) -> Result<M, ParseError> {
        if self.tokens.is_untouched() {
            return Err(ParseError::Empty);
        }
        if !self.pieces.is_whole() || !self.tokens.is_whole() {
            return Err(ParseError::Incomplete { length: self.length });
        }
        Ok(self.meaning)
    }
}

/// Reads one answer of the API.
#[derive(Debug)]
pub struct JobParser(Body<Job>);

impl JobParser {
    /// A parser for the answer about the job `id`, whose error entries are counted into `tally`.
    #[must_use]
    pub fn new(id: JobId, tally: ErrorTally) -> Self {
        Self(Body::new(Job::new(Some(id), tally)))
    }

    /// Reads the next piece, of any length. After an error the parser is of no more use.
    ///
    /// # Errors
    /// As soon as it is clear that the body is not this job's.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), ParseError> {
        self.0.feed(piece)
    }

    /// The job, once the body is at its end.
    ///
    /// # Errors
    /// If the body is not whole or lacks something.
    pub fn finish(self) -> Result<JobReading, ParseError> {
        self.0.finish()?.finish()
    }

    /// The job, if the body was broken off by a limit on size or time after its id, status and counts had come:
    /// what was counted of `errors` is a part of it. Nothing if one of them is missing.
    #[must_use]
    pub fn finish_truncated(self) -> Option<JobReading> {
        self.0.meaning.finish_truncated()
    }
}

/// Reads the body of one webhook.
#[derive(Debug)]
pub struct DeliveryParser(Body<Envelope>);

impl DeliveryParser {
    /// A parser that tells at most `codes` codes of error entries apart.
    #[must_use]
    pub fn new(codes: usize) -> Self {
        Self(Body::new(Envelope::new(codes)))
    }

    /// Reads the next piece, of any length. After an error the parser is of no more use.
    ///
    /// # Errors
    /// As soon as it is clear that the body is not a webhook's.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), ParseError> {
        self.0.feed(piece)
    }

    /// What the webhook tells, once the body is at its end.
    ///
    /// # Errors
    /// If the body is not whole or lacks something.
    pub fn finish(self) -> Result<Delivery, ParseError> {
        self.0.finish()?.finish()
    }
}
