//! A job's JSON, read as a stream: pieces of the body in, one [`JobReading`] out, in bounded memory.
//!
//! Called by `client`. Our own parser because `serde_json` needs the whole body at once or a blocking reader, and a
//! body has up to a gigabyte. It takes what `serde_json` takes, with four differences: the whole body must be UTF-8;
//! of 64 levels of nesting at most; a number that is read has at most 1024 characters; and a key that is read may
//! not stand twice. Nothing is kept of an error entry but its code.
//!
//! `utf8` checks characters, `tokens` the grammar (with `text`, `number` and `scan`), `job` gives it meaning,
//! `rfc3339` reads `completedAt`.

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

pub use error::{Expected, Fault, ParseError};
pub use rfc3339::parse_rfc3339;
pub use tokens::{MAX_DEPTH, MAX_KEPT};

use crate::job::{ErrorTally, JobId, JobReading};
use job::Job;
use tokens::Tokens;
use utf8::Utf8Pieces;

/// Reads one body.
#[derive(Debug)]
pub struct JobParser {
    pieces: Utf8Pieces,
    tokens: Tokens,
    job: Job,
    length: u64,
}

impl JobParser {
    /// A parser for the answer about the job `id`, whose error entries are counted into `tally`.
    #[must_use]
    pub fn new(id: JobId, tally: ErrorTally) -> Self {
        Self { pieces: Utf8Pieces::default(), tokens: Tokens::new(), job: Job::new(id, tally), length: 0 }
    }

    /// Reads the next piece, of any length. After an error the parser is of no more use.
    ///
    /// # Errors
    /// As soon as it is clear that the body is not this job's.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), ParseError> {
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
            match self.tokens.next(&mut rest, self.job.want(), &mut text) {
                Ok(None) => return Ok(()),
                Ok(Some(token)) => self.job.take(token, text.unwrap_or(self.tokens.kept()))?,
                Err(fault) => {
                    let at = self.length.saturating_sub(rest.len() as u64);
                    return Err(ParseError::NotJson { at, fault });
                }
            }
        }
    }

    /// The job, once the body is at its end.
    ///
    /// # Errors
    /// If the body is not whole or lacks something.
    pub fn finish(self) -> Result<JobReading, ParseError> {
        if self.tokens.is_untouched() {
            return Err(ParseError::Empty);
        }
        if !self.pieces.is_whole() || !self.tokens.is_whole() {
            return Err(ParseError::Incomplete { length: self.length });
        }
        self.job.finish()
    }

    /// The job, if the body was broken off by a limit on size or time after its id, status and counts had come:
    /// what was counted of `errors` is a part of it. Nothing if one of them is missing.
    #[must_use]
    pub fn finish_truncated(self) -> Option<JobReading> {
        self.job.finish_truncated()
    }
}
