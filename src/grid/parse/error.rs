//! Why a body is not a job's JSON.

use super::tokens::{MAX_DEPTH, MAX_KEPT};
use thiserror::Error;

/// Why a body is not a job's JSON. Tells positions and names of keys, never what the body holds.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// A byte that is no UTF-8.
    #[error("the body is not UTF-8 at byte {at}")]
    NotUtf8 {
        /// Position in the body, from 0.
        at: u64,
    },
    /// Not JSON.
    #[error("the body is not JSON at byte {at}: {fault}")]
    NotJson {
        /// Position in the body, from 0.
        at: u64,
        /// What is wrong there.
        fault: Fault,
    },
    /// Nothing, or white space only.
    #[error("the body is empty")]
    Empty,
    /// The JSON does not end.
    #[error("the body ends within its JSON, after {length} bytes")]
    Incomplete {
        /// Bytes of the body.
        length: u64,
    },
    /// Another kind of value at the top.
    #[error("the body is JSON, but not an object")]
    NotAnObject,
    /// A key that is needed is not there.
    #[error("the body has no `{0}`")]
    Missing(&'static str),
    /// A key that is read stands there twice, so that it is not clear which one holds.
    #[error("the body has `{0}` twice")]
    Twice(&'static str),
    /// A value of another type than the API promises.
    #[error("`{key}` is not {expected}")]
    WrongType {
        /// The key.
        key: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A number that a 64-bit float does not hold.
    #[error("`{0}` is too large a number")]
    TooLarge(&'static str),
    /// The body names another job.
    #[error("the body names another job than the one that was asked for")]
    AnotherJob,
}

/// What is wrong with the JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// Something else stands where this must stand.
    #[error("{0} must stand here")]
    Expected(Expected),
    /// A mark that some editors put first; JSON forbids it.
    #[error("it begins with a byte order mark")]
    ByteOrderMark,
    /// More text after the value.
    #[error("more follows after its end")]
    Trailing,
    /// Nested too deeply.
    #[error("it is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A control character that is not escaped.
    #[error("a string holds a control character")]
    ControlCharacter,
    /// A `\` followed by something that it can't be followed by.
    #[error("a string holds an escape that JSON does not know")]
    Escape,
    /// `\ud800` to `\udfff` alone: half a character.
    #[error("a string holds half a surrogate pair")]
    LoneSurrogate,
    /// Not of the form of a number.
    #[error("a number is malformed")]
    Number,
    /// A number that is read has too many digits.
    #[error("a number has more than {MAX_KEPT} characters")]
    LongNumber,
}

/// What must stand where something else stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Expected {
    /// Any value.
    #[error("a value")]
    Value,
    /// After `[`.
    #[error("a value or `]`")]
    ValueOrEnd,
    /// After a comma in an object.
    #[error("a key")]
    Key,
    /// After `{`.
    #[error("a key or `}}`")]
    KeyOrEnd,
    /// After a key.
    #[error("`:`")]
    Colon,
    /// After a value in an object.
    #[error("`,` or `}}`")]
    CommaOrBrace,
    /// After a value in an array.
    #[error("`,` or `]`")]
    CommaOrBracket,
}
