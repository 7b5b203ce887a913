//! The few parts of protobuf's encoding that the messages need: varints, doubles, bytes behind their length.
//!
//! Written by hand because the job series are: a library would want each message as a tree of values first. Tested
//! against one, which decodes what is written here. Used by `protobuf` alone.

/// A whole number, seven bits to a byte, the lowest first.
pub(super) fn varint(mut number: u64, out: &mut Vec<u8>) {
    loop {
        // The mask leaves seven bits.
        let low = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// The bytes that [`varint`] takes.
pub(super) const fn varint_length(number: u64) -> usize {
    // A number without bits has one byte too.
    ((70 - (number | 1).leading_zeros()) / 7) as usize
}

/// A signed number, small ones short whatever their sign.
pub(super) const fn zigzag(number: i64) -> u64 {
    (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned()
}

/// A field that is a whole number.
pub(super) fn number_field(field: u32, number: u64, out: &mut Vec<u8>) {
    varint(u64::from(field) << 3, out);
    varint(number, out);
}

/// A field that is a double.
pub(super) fn double_field(field: u32, number: f64, out: &mut Vec<u8>) {
    varint(u64::from(field) << 3 | 1, out);
    out.extend_from_slice(&number.to_le_bytes());
}

/// The start of a field that has so many bytes: text, a message, packed numbers.
pub(super) fn length_field(field: u32, length: usize, out: &mut Vec<u8>) {
    varint(u64::from(field) << 3 | 2, out);
    varint(length as u64, out);
}

/// A field that is text, a message, or packed numbers.
pub(super) fn bytes_field(field: u32, bytes: &[u8], out: &mut Vec<u8>) {
    length_field(field, bytes.len(), out);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_bytes_of_the_specification_and_the_length_that_is_said() {
        for (number, bytes) in [
            (0, vec![0]),
            (1, vec![1]),
            (127, vec![0x7f]),
            (128, vec![0x80, 1]),
            (150, vec![0x96, 1]),
            (16_383, vec![0xff, 0x7f]),
            (16_384, vec![0x80, 0x80, 1]),
            (u64::MAX, vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ] {
            let mut out = Vec::new();
            varint(number, &mut out);
            assert_eq!(out, bytes);
            assert_eq!(varint_length(number), bytes.len());
        }
        for (number, coded) in
            [(0, 0), (-1, 1), (1, 2), (-2, 3), (i64::MAX, u64::MAX - 1), (i64::MIN, u64::MAX)]
        {
            assert_eq!(zigzag(number), coded);
        }
    }
}
