//! The two hot loops of the parser: to the end of a string, and over white space.
//!
//! Eight bytes at a time in a `u64`, as strings of a job's body are short (8 to 40 bytes): a vectorised search such
//! as memchr's costs more to start than such a string costs to read, and could not see control characters.

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const QUOTE: u64 = 0x22;
const BACKSLASH: u64 = 0x5c;
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// Number of bytes before the first `"`, `\` or control character; all of them if there is none.
#[inline]
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return index * 8 + (special.trailing_zeros() / 8) as usize;
        }
    }
    let whole = words.len() * 8;
    whole + tail.iter().position(|&byte| is_special(byte)).unwrap_or(tail.len())
}

/// The highest bit of each byte that is `"`, `\` or a control character. Bytes after the first such one may be
/// marked wrongly, because the subtraction borrows; only the first is asked for.
fn special_bytes(word: u64) -> u64 {
    let zero_in = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = zero_in(word ^ (ONES * QUOTE));
    let backslash = zero_in(word ^ (ONES * BACKSLASH));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & HIGH
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The text without the white space that JSON permits at its beginning.
#[inline]
pub(super) fn skip_space(text: &str) -> &str {
    match text.as_bytes().first() {
        Some(b' ' | b'\n' | b'\r' | b'\t') => text.trim_start_matches([' ', '\n', '\r', '\t']),
        Some(_) | None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_fast_search_finds_what_a_plain_one_finds(
            bytes in prop::collection::vec(prop_oneof![0_u8..=255, Just(b'a'), 0x1e_u8..0x24, 0x5a_u8..0x5e], 0..64),
        ) {
            let expected = bytes.iter().position(|&byte| is_special(byte)).unwrap_or(bytes.len());
            prop_assert_eq!(plain_length(&bytes), expected);
        }
    }

    #[test]
    fn only_the_four_kinds_of_json_white_space_are_skipped() {
        assert_eq!(skip_space(" \t\r\n{"), "{");
        assert_eq!(skip_space("\u{a0}{"), "\u{a0}{");
        assert_eq!(skip_space("\u{c}{"), "\u{c}{");
    }
}
