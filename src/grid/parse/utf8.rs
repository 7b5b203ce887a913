//! Bytes in, text out: UTF-8 is checked once for a whole piece of the body, not string by string.
//!
//! Called by `parse::JobParser`. A piece may end within a character; its bytes wait for the next piece.

/// Checks a body piece by piece.
#[derive(Debug, Default)]
pub(super) struct Utf8Pieces {
    waiting: [u8; 4],
    waiting_length: usize,
}

/// The body is not UTF-8 from this byte of the piece on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotUtf8 {
    pub(super) at: usize,
    /// And so many bytes of the pieces before, where a character had begun.
    pub(super) begun: usize,
}

impl Utf8Pieces {
    /// The text that `piece` completes: a character that the piece before began, if any, and the text after it.
    pub(super) fn take<'p>(&mut self, piece: &'p [u8]) -> Result<(Option<char>, &'p str), NotUtf8> {
        let mut used = 0;
        let mut first = None;
        while self.waiting_length > 0 && first.is_none() {
            let (Some(&byte), Some(place)) = (piece.get(used), self.waiting.get_mut(self.waiting_length))
            else {
                return Ok((None, ""));
            };
            *place = byte;
            used += 1;
            self.waiting_length += 1;
            match std::str::from_utf8(self.waiting.get(..self.waiting_length).unwrap_or_default()) {
                Ok(text) => {
                    first = text.chars().next();
                    self.waiting_length = 0;
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(NotUtf8 { at: 0, begun: self.waiting_length.saturating_sub(used) }),
            }
        }
        let rest = piece.get(used..).unwrap_or_default();
        match std::str::from_utf8(rest) {
            Ok(text) => Ok((first, text)),
            Err(error) if error.error_len().is_none() => {
                let (whole, begun) = rest.split_at(error.valid_up_to());
                for (place, byte) in self.waiting.iter_mut().zip(begun) {
                    *place = *byte;
                }
                self.waiting_length = begun.len();
                // Checked a second time, once a piece: cheaper than any bookkeeping.
                std::str::from_utf8(whole)
                    .map(|text| (first, text))
                    .map_err(|error| NotUtf8 { at: used + error.valid_up_to(), begun: 0 })
            }
            Err(error) => Err(NotUtf8 { at: used + error.valid_up_to(), begun: 0 }),
        }
    }

    /// True if no character is left half read.
    pub(super) fn is_whole(&self) -> bool {
        self.waiting_length == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_cut_anywhere_is_put_together() {
        let text = "aé試😀z";
        for size in 1..text.len() {
            let mut pieces = Utf8Pieces::default();
            let mut read = String::new();
            for piece in text.as_bytes().chunks(size) {
                let (first, rest) = pieces.take(piece).unwrap();
                read.extend(first);
                read.push_str(rest);
            }
            assert!(pieces.is_whole());
            assert_eq!(read, text, "pieces of {size}");
        }
    }

    #[test]
    fn wrong_bytes_are_told_with_their_place() {
        assert_eq!(Utf8Pieces::default().take(b"ab\xffc"), Err(NotUtf8 { at: 2, begun: 0 }));
        let mut pieces = Utf8Pieces::default();
        assert_eq!(pieces.take(b"ab\xe2\x82"), Ok((None, "ab")));
        assert!(!pieces.is_whole());
        assert_eq!(pieces.take(b"x"), Err(NotUtf8 { at: 0, begun: 2 }), "where the character began");
    }
}
