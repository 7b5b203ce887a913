//! The inside of a JSON string that has escapes or comes in several pieces.
//!
//! Called by `tokens` for the few strings that are not whole and plain in one piece. A string that is kept is
//! decoded up to a bound; of one that is skipped the escapes are checked in form only, as `serde_json` does.

use super::error::Fault;
use super::scan::plain_length;
use super::tokens::MAX_KEPT;

/// How far a string was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextReader {
    is_kept: bool,
    escape: Escape,
    /// The first half of a surrogate pair, whose second must follow.
    lead: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    /// Not in an escape.
    None,
    /// After `\`.
    Begun,
    /// After `\u` and so many digits.
    Digits { number: u8, value: u16 },
}

/// Whether a string is at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextProgress {
    /// After its closing quote.
    Ended,
    /// The piece ended first.
    Unfinished,
}

impl TextReader {
    /// Stands after the opening quote. `is_kept`: the text is decoded.
    pub(super) const fn new(is_kept: bool) -> Self {
        Self { is_kept, escape: Escape::None, lead: None }
    }

    pub(super) const fn is_kept(self) -> bool {
        self.is_kept
    }

    /// Reads on, cutting `rest`, and appends what is kept to `kept`.
    pub(super) fn read(&mut self, rest: &mut &str, kept: &mut String) -> Result<TextProgress, Fault> {
        loop {
            if self.escape == Escape::None {
                let plain = plain_length(rest.as_bytes());
                if plain > 0 && self.lead.is_some() {
                    return Err(Fault::LoneSurrogate);
                }
                if self.is_kept {
                    keep(kept, rest.get(..plain).unwrap_or_default());
                }
                *rest = rest.get(plain..).unwrap_or_default();
            }
            let Some(&byte) = rest.as_bytes().first() else { return Ok(TextProgress::Unfinished) };
            match self.escape {
                Escape::None => match byte {
                    b'"' if self.lead.is_some() => return Err(Fault::LoneSurrogate),
                    b'"' => {
                        *rest = rest.get(1..).unwrap_or_default();
                        return Ok(TextProgress::Ended);
                    }
                    b'\\' => self.escape = Escape::Begun,
                    _ => return Err(Fault::ControlCharacter),
                },
                Escape::Begun => self.after_backslash(byte, kept)?,
                Escape::Digits { number, value } => self.digit(byte, number, value, kept)?,
            }
            *rest = rest.get(1..).unwrap_or_default();
        }
    }

    fn after_backslash(&mut self, byte: u8, kept: &mut String) -> Result<(), Fault> {
        let character = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.escape = Escape::Digits { number: 0, value: 0 };
                return Ok(());
            }
            _ => return Err(Fault::Escape),
        };
        if self.lead.is_some() {
            return Err(Fault::LoneSurrogate);
        }
        self.escape = Escape::None;
        if self.is_kept {
            keep(kept, character.encode_utf8(&mut [0; 4]));
        }
        Ok(())
    }

    fn digit(&mut self, byte: u8, number: u8, value: u16, kept: &mut String) -> Result<(), Fault> {
        let digit = char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok());
        let value = (value << 4) | digit.ok_or(Fault::Escape)?;
        if number < 3 {
            self.escape = Escape::Digits { number: number + 1, value };
            return Ok(());
        }
        self.escape = Escape::None;
        if !self.is_kept {
            return Ok(());
        }
        let units = match (self.lead.take(), value) {
            (None, 0xd800..=0xdbff) => {
                self.lead = Some(value);
                return Ok(());
            }
            (None, _) => [Some(value), None],
            (Some(lead), 0xdc00..=0xdfff) => [Some(lead), Some(value)],
            (Some(_), _) => return Err(Fault::LoneSurrogate),
        };
        for character in char::decode_utf16(units.into_iter().flatten()) {
            let character = character.map_err(|_| Fault::LoneSurrogate)?;
            keep(kept, character.encode_utf8(&mut [0; 4]));
        }
        Ok(())
    }
}

/// Appends what still fits. What exceeds `MAX_KEPT` is lost, which no reader sees: an id or code of that length is
/// none, and of other texts only the beginning is shown.
fn keep(kept: &mut String, text: &str) {
    let room = MAX_KEPT.saturating_sub(kept.len());
    if text.len() <= room {
        kept.push_str(text);
    } else {
        kept.push_str(text.get(..text.floor_char_boundary(room)).unwrap_or_default());
    }
}
