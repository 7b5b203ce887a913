//! JSON as tokens, from text that comes in pieces; checks all of the grammar and keeps almost nothing.
//!
//! Called by `parse::JobParser`, which says before each value what it wants of it. What it does not want is checked
//! and skipped here, containers whole, so that the reader sees no token of it. Memory: one bit a level, and one
//! token of at most [`MAX_KEPT`] bytes.

use super::error::{Expected, Fault};
use super::number::NumberPart;
use super::scan::{plain_length, skip_space};
use super::text::{TextProgress, TextReader};

/// Levels of nesting that are followed; a job has five.
pub const MAX_DEPTH: u32 = 64;

/// Bytes kept of one token: the longest text that matters is a job id of 256.
pub const MAX_KEPT: usize = 1024;

/// What the reader wants of the value that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// Nothing: it is skipped, and no token tells of it.
    Nothing,
    /// Its text, if it is a string.
    Text,
    /// Its digits, if it is a number.
    Number,
    /// To go into it, if it is an object.
    Object,
    /// To go into it, if it is an array.
    Array,
}

/// What was read. Its text is handed out beside it, because a token of one byte is returned in a register: through
/// memory it costs a third of the speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// An object or array that was wanted begins.
    Begin,
    /// The object or array ends that was begun last.
    End,
    /// A key of an object that was wanted.
    Key,
    /// A string that was wanted.
    Text,
    /// A number that was wanted.
    Number,
    /// `null`.
    Null,
    /// A value of another kind than was wanted, whole.
    Other,
}

/// The text of the last token as it stands in the piece; nothing if it had to be put together: see [`Tokens::kept`].
pub(super) type TextHere<'p> = Option<&'p str>;

/// What the grammar permits next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Start,
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

/// A token that the piece before left unfinished.
#[derive(Clone, Copy, Debug)]
enum Unfinished {
    Nothing,
    Text { reader: TextReader, is_key: bool },
    Number { part: NumberPart, is_wanted: bool },
    Word { rest: &'static str, is_null: bool },
}

/// The tokens of one body.
#[derive(Debug)]
pub(super) struct Tokens {
    expect: Expect,
    unfinished: Unfinished,
    /// Levels that we are in; bit 0 of `objects` is the innermost, 1 for an object.
    depth: u32,
    objects: u64,
    /// The depth at which a value ends that is being skipped.
    skipping_to: Option<u32>,
    /// What the reader wants of the value that comes, or that is being skipped.
    want: Want,
    kept: String,
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self {
            expect: Expect::Start,
            unfinished: Unfinished::Nothing,
            depth: 0,
            objects: 0,
            skipping_to: None,
            want: Want::Nothing,
            kept: String::new(),
        }
    }

    /// The text of the last token, where it does not stand in one piece; at most [`MAX_KEPT`] bytes.
    pub(super) fn kept(&self) -> &str {
        &self.kept
    }

    /// True once the value at the top is whole.
    pub(super) fn is_whole(&self) -> bool {
        self.expect == Expect::Nothing
    }

    /// True until anything but white space was read.
    pub(super) fn is_untouched(&self) -> bool {
        self.expect == Expect::Start && matches!(self.unfinished, Unfinished::Nothing)
    }

    /// Reads on in `rest`, which is cut by what was read; nothing once it is empty. The caller wants the same when
    /// it comes back with the next piece. `text` is set with each token that has one.
    pub(super) fn next<'p>(
        &mut self,
        rest: &mut &'p str,
        want: Want,
        text: &mut TextHere<'p>,
    ) -> Result<Option<Token>, Fault> {
        self.want = want;
        if !matches!(self.unfinished, Unfinished::Nothing)
            && let Some(token) = self.resume(rest, text)?
        {
            return Ok(Some(token));
        }
        loop {
            *rest = skip_space(rest);
            let Some(&byte) = rest.as_bytes().first() else { return Ok(None) };
            let token = match (self.expect, byte) {
                (Expect::CommaOrEnd, b',') => {
                    advance(rest, 1);
                    self.expect = if self.objects & 1 == 1 { Expect::Key } else { Expect::Value };
                    continue;
                }
                (Expect::Key | Expect::KeyOrEnd, b'"') => self.read_text(rest, true, text)?,
                (Expect::Colon, b':') => {
                    advance(rest, 1);
                    self.expect = Expect::Value;
                    continue;
                }
                (Expect::CommaOrEnd | Expect::KeyOrEnd, b'}') if self.objects & 1 == 1 => {
                    advance(rest, 1);
                    self.close(rest)
                }
                (Expect::CommaOrEnd | Expect::ValueOrEnd, b']') if self.objects & 1 == 0 => {
                    advance(rest, 1);
                    self.close(rest)
                }
                (Expect::Start | Expect::Value | Expect::ValueOrEnd, _) => {
                    self.read_value(rest, byte, text)?
                }
                (expected, _) => return Err(unexpected(expected, self.objects & 1 == 1)),
            };
            if let Some(token) = token {
                return Ok(Some(token));
            }
        }
    }
}

/// A token to hand out; nothing if it was part of a value that is skipped, or the piece ended within it.
type Step = Option<Token>;

impl Tokens {
    /// True if the value that comes, which is not within one that is skipped, is wanted in this way.
    #[inline]
    fn wants(&self, want: Want) -> bool {
        self.skipping_to.is_none() && self.want == want
    }

    /// Reads a string of which the opening quote comes next.
    #[inline]
    fn read_text<'p>(
        &mut self,
        rest: &mut &'p str,
        is_key: bool,
        text: &mut TextHere<'p>,
    ) -> Result<Step, Fault> {
        let is_wanted = if is_key { self.skipping_to.is_none() } else { self.wants(Want::Text) };
        advance(rest, 1);
        let plain = plain_length(rest.as_bytes());
        if rest.as_bytes().get(plain) == Some(&b'"') {
            *text = rest.get(..plain);
            advance(rest, plain + 1);
            return Ok(self.end_text(is_wanted, is_key, rest));
        }
        self.kept.clear();
        self.unfinished = Unfinished::Text { reader: TextReader::new(is_wanted), is_key };
        self.resume(rest, text)
    }

    /// Notes that a string is whole.
    #[inline]
    fn end_text(&mut self, is_wanted: bool, is_key: bool, rest: &mut &str) -> Step {
        if is_key {
            self.expect = Expect::Colon;
            // Nearly always the colon follows at once: one turn of the loop less.
            if rest.as_bytes().first() == Some(&b':') {
                advance(rest, 1);
                self.expect = Expect::Value;
            }
            return is_wanted.then_some(Token::Key);
        }
        self.end_value(if is_wanted { Token::Text } else { Token::Other }, rest)
    }

    /// Reads a value that begins with `byte`.
    #[inline]
    fn read_value<'p>(
        &mut self,
        rest: &mut &'p str,
        byte: u8,
        text: &mut TextHere<'p>,
    ) -> Result<Step, Fault> {
        match byte {
            b'"' => self.read_text(rest, false, text),
            b'{' => self.open(rest, true),
            b'[' => self.open(rest, false),
            b't' => self.begin_word(rest, "true", text),
            b'f' => self.begin_word(rest, "false", text),
            b'n' => self.begin_word(rest, "null", text),
            _ => match NumberPart::first(byte) {
                Some(part) => {
                    self.kept.clear();
                    let is_wanted = self.wants(Want::Number);
                    self.read_number(rest, part, 1, is_wanted, text)
                }
                None if self.expect == Expect::Start && rest.starts_with('\u{feff}') => {
                    Err(Fault::ByteOrderMark)
                }
                None => Err(unexpected(self.expect, false)),
            },
        }
    }

    #[inline]
    fn open(&mut self, rest: &mut &str, is_object: bool) -> Result<Step, Fault> {
        advance(rest, 1);
        if self.depth == MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        let is_wanted = self.wants(if is_object { Want::Object } else { Want::Array });
        if !is_wanted && self.skipping_to.is_none() {
            self.skipping_to = Some(self.depth);
        }
        self.depth += 1;
        self.objects = (self.objects << 1) | u64::from(is_object);
        self.expect = if is_object { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
        Ok(is_wanted.then_some(Token::Begin))
    }

    #[inline]
    fn close(&mut self, rest: &mut &str) -> Step {
        self.depth = self.depth.saturating_sub(1);
        self.objects >>= 1;
        if self.skipping_to == Some(self.depth) {
            self.skipping_to = None;
            return self.end_value(Token::Other, rest);
        }
        self.expect_after_value(rest);
        self.skipping_to.is_none().then_some(Token::End)
    }

    /// Notes that a value is whole. Nothing is handed out of a value of which nothing is wanted.
    #[inline]
    fn end_value(&mut self, token: Token, rest: &mut &str) -> Step {
        self.expect_after_value(rest);
        (self.skipping_to.is_none() && self.want != Want::Nothing).then_some(token)
    }

    #[inline]
    fn expect_after_value(&mut self, rest: &mut &str) {
        self.expect = match (self.depth, rest.as_bytes().first()) {
            (0, _) => Expect::Nothing,
            // Nearly always a comma follows at once, or an end.
            (_, Some(b',')) => {
                advance(rest, 1);
                if self.objects & 1 == 1 { Expect::Key } else { Expect::Value }
            }
            (_, _) => Expect::CommaOrEnd,
        };
    }

    fn begin_word<'p>(
        &mut self,
        rest: &mut &'p str,
        word: &'static str,
        text: &mut TextHere<'p>,
    ) -> Result<Step, Fault> {
        self.unfinished = Unfinished::Word { rest: word, is_null: word == "null" };
        self.resume(rest, text)
    }

    /// Reads a number on; `length` bytes of `rest` are known to belong to it, the last of them as `part`.
    fn read_number<'p>(
        &mut self,
        rest: &mut &'p str,
        mut part: NumberPart,
        mut length: usize,
        is_wanted: bool,
        text: &mut TextHere<'p>,
    ) -> Result<Step, Fault> {
        let following = rest.as_bytes().get(length..).unwrap_or_default();
        let mut is_ended = false;
        for &byte in following {
            let Some(next) = part.then(byte) else {
                is_ended = true;
                break;
            };
            part = next;
            length += 1;
        }
        let digits = rest.get(..length).unwrap_or_default();
        advance(rest, length);
        if is_ended && !part.is_whole() {
            return Err(Fault::Number);
        }
        if is_wanted && self.kept.len() + length > MAX_KEPT {
            return Err(Fault::LongNumber);
        }
        if !is_ended {
            if is_wanted {
                self.kept.push_str(digits);
            }
            self.unfinished = Unfinished::Number { part, is_wanted };
            return Ok(None);
        }
        if !is_wanted {
            return Ok(self.end_value(Token::Other, rest));
        }
        if self.kept.is_empty() {
            *text = Some(digits);
            return Ok(self.end_value(Token::Number, rest));
        }
        self.kept.push_str(digits);
        *text = None;
        Ok(self.end_value(Token::Number, rest))
    }

    /// Goes on with the token that is unfinished.
    fn resume<'p>(&mut self, rest: &mut &'p str, text: &mut TextHere<'p>) -> Result<Step, Fault> {
        match std::mem::replace(&mut self.unfinished, Unfinished::Nothing) {
            Unfinished::Nothing => Ok(None),
            Unfinished::Text { mut reader, is_key } => match reader.read(rest, &mut self.kept)? {
                TextProgress::Ended => {
                    *text = None;
                    Ok(self.end_text(reader.is_kept(), is_key, rest))
                }
                TextProgress::Unfinished => {
                    self.unfinished = Unfinished::Text { reader, is_key };
                    Ok(None)
                }
            },
            Unfinished::Number { part, is_wanted } => {
                if rest.is_empty() {
                    self.unfinished = Unfinished::Number { part, is_wanted };
                    return Ok(None);
                }
                self.read_number(rest, part, 0, is_wanted, text)
            }
            Unfinished::Word { rest: word, is_null } => {
                let same = word.bytes().zip(rest.bytes()).take_while(|(one, other)| one == other).count();
                let later = word.get(same..).unwrap_or_default();
                advance(rest, same);
                match (later.is_empty(), rest.is_empty()) {
                    (true, _) => Ok(self.end_value(if is_null { Token::Null } else { Token::Other }, rest)),
                    (false, false) => Err(Fault::Expected(Expected::Value)),
                    (false, true) => {
                        self.unfinished = Unfinished::Word { rest: later, is_null };
                        Ok(None)
                    }
                }
            }
        }
    }
}

/// Cuts bytes off the beginning that are known to be whole characters.
#[inline]
fn advance(rest: &mut &str, length: usize) {
    *rest = rest.get(length..).unwrap_or_default();
}

fn unexpected(expected: Expect, in_object: bool) -> Fault {
    match expected {
        Expect::Start | Expect::Value => Fault::Expected(Expected::Value),
        Expect::ValueOrEnd => Fault::Expected(Expected::ValueOrEnd),
        Expect::Key => Fault::Expected(Expected::Key),
        Expect::KeyOrEnd => Fault::Expected(Expected::KeyOrEnd),
        Expect::Colon => Fault::Expected(Expected::Colon),
        Expect::CommaOrEnd if in_object => Fault::Expected(Expected::CommaOrBrace),
        Expect::CommaOrEnd => Fault::Expected(Expected::CommaOrBracket),
        Expect::Nothing => Fault::Trailing,
    }
}
