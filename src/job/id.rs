//! The id of a job, as the API gives it (`Job:019542f5-b3e7-1d02-0000-000000000006`).
//!
//! Checked once, where it comes in; inside nobody checks again.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A job's id: 1 to 256 bytes without white space, control characters or `/`; cheap to clone.
///
/// The API's description calls it a string and nothing more; all known ones are `Job:` and a UUID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(Arc<str>);

/// The longest id taken, in bytes.
pub const MAX_LENGTH: usize = 256;

/// Why a text is not a job id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJobId {
    /// Nothing is there.
    #[error("a job id is empty; write one such as Job:019542f5-b3e7-1d02-0000-000000000006")]
    Empty,
    /// Over [`MAX_LENGTH`] bytes.
    #[error("a job id of {0} bytes is too long; at most {MAX_LENGTH} are taken")]
    TooLong(usize),
    /// White space, a control character or `/`.
    #[error(
        "job id {id:?} has the character {character:?}; ids have no white space, control characters or `/`"
    )]
    Character {
        /// The id as given.
        id: String,
        /// The first character that may not be there.
        character: char,
    },
    /// `.` or `..`, which would change the path of the request.
    #[error("job id {0:?} is a relative path, not an id")]
    Dots(String),
}

impl JobId {
    /// The id as the API writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for JobId {
    type Err = InvalidJobId;

    fn from_str(text: &str) -> Result<Self, InvalidJobId> {
        if text.is_empty() {
            return Err(InvalidJobId::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(InvalidJobId::TooLong(text.len()));
        }
        if let Some(character) = text.chars().find(|c| c.is_whitespace() || c.is_control() || *c == '/') {
            return Err(InvalidJobId::Character { id: text.to_owned(), character });
        }
        if text == "." || text == ".." {
            return Err(InvalidJobId::Dots(text.to_owned()));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Borrow<str> for JobId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_the_api_is_taken_as_it_is() {
        let text = "Job:019542f5-b3e7-1d02-0000-000000000006";
        assert_eq!(text.parse::<JobId>().unwrap().as_str(), text);
    }

    #[test]
    fn what_could_change_the_path_is_refused() {
        assert_eq!("".parse::<JobId>(), Err(InvalidJobId::Empty));
        assert_eq!("..".parse::<JobId>(), Err(InvalidJobId::Dots("..".to_owned())));
        for (text, character) in [("a/b", '/'), ("a b", ' '), ("a\nb", '\n'), ("\u{7f}", '\u{7f}')] {
            let expected = InvalidJobId::Character { id: text.to_owned(), character };
            assert_eq!(text.parse::<JobId>(), Err(expected));
        }
        assert_eq!("x".repeat(257).parse::<JobId>(), Err(InvalidJobId::TooLong(257)));
    }

    #[test]
    fn letters_of_every_script_are_taken() {
        assert!("Job:ünïcödé-试".parse::<JobId>().is_ok());
    }
}
