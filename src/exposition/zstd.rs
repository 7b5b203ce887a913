//! A zstd body put together from parts that were compressed apart: a frame each, one behind the other.
//!
//! A frame needs nothing from the others (RFC 8878), and every decoder reads them as one: unlike gzip's members, there
//! is nothing to combine. Called by `strip` and `own`.

use bytes::Bytes;
use std::sync::{Mutex, PoisonError};
use zstd::bulk::Compressor;

/// Samples are so much alike that higher levels take longer for hardly fewer bytes.
const LEVEL: i32 = 1;

/// The most that one block holds.
const BLOCK: usize = 128 * 1024;

/// A compressor at rest, as for gzip.
static AT_REST: Mutex<Option<Compressor<'static>>> = Mutex::new(None);

/// Compresses a part to a frame.
#[must_use]
pub fn compress(plain: &[u8]) -> Bytes {
    let at_rest = AT_REST.lock().unwrap_or_else(PoisonError::into_inner).take();
    let compressed = at_rest.map_or_else(|| Compressor::new(LEVEL), Ok).and_then(|mut compressor| {
        let mut compressed = compressor.compress(plain)?;
        *AT_REST.lock().unwrap_or_else(PoisonError::into_inner) = Some(compressor);
        compressed.shrink_to_fit();
        Ok(compressed)
    });
    // Compressing in memory fails only for lack of it; the part as it is, is right as well.
    let stored = |_| {
        let mut out = Vec::new();
        append_stored(plain, &mut out);
        out
    };
    compressed.unwrap_or_else(stored).into()
}

/// Appends a part as it is, as a frame: for what is small and sent once.
pub fn append_stored(plain: &[u8], out: &mut Vec<u8>) {
    // One segment, the content's length in eight bytes, no checksum, no dictionary.
    out.extend_from_slice(&[0x28, 0xb5, 0x2f, 0xfd, 0b1110_0000]);
    out.extend_from_slice(&(plain.len() as u64).to_le_bytes());
    let mut left = plain.len();
    for block in plain.chunks(BLOCK) {
        left -= block.len();
        append_block_header(block.len(), left == 0, out);
        out.extend_from_slice(block);
    }
    if plain.is_empty() {
        append_block_header(0, true, out);
    }
}

/// The header of a raw block, in three bytes: its length, its kind (0), and whether it is the last.
fn append_block_header(length: usize, is_last: bool, out: &mut Vec<u8>) {
    let header = (length as u64) << 3 | u64::from(is_last);
    out.extend_from_slice(&header.to_le_bytes()[..3]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_part_and_one_of_several_blocks_are_frames_too() {
        for plain in [vec![], vec![7; BLOCK], vec![7; BLOCK + 1], vec![7; 3 * BLOCK]] {
            let mut frame = Vec::new();
            append_stored(&plain, &mut frame);
            assert!(zstd::stream::decode_all(frame.as_slice()).unwrap() == plain);
        }
    }

    proptest! {
        #[test]
        fn frames_one_behind_the_other_unpack_to_all_parts(
            parts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..3000), 1_usize..40, any::<bool>()), 1..6),
        ) {
            let (mut body, mut expected) = (Vec::new(), Vec::new());
            for (part, repeat, is_stored) in parts {
                let plain = part.repeat(repeat);
                if is_stored {
                    append_stored(&plain, &mut body);
                } else {
                    body.extend_from_slice(&compress(&plain));
                }
                expected.extend_from_slice(&plain);
            }
            prop_assert!(zstd::stream::decode_all(body.as_slice()).unwrap() == expected);
        }
    }
}
