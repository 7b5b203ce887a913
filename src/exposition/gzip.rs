//! One gzip member put together from parts that were deflated apart.
//!
//! Each part ends in a full flush: it stands on a byte border and refers to nothing before it, so parts can be
//! joined in any order (RFC 1951, 1952). The member's checksum is combined from those of its parts. One member, and
//! not one for each part, because curl stops with an error after the first member and Chromium shows the first
//! alone. Called by `strip`, `own` and `exposition`.

use bytes::Bytes;
use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress};
use std::sync::{Mutex, PoisonError};

/// The header: deflate, no name, no time, unknown system.
pub const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Samples shrink to a twenty-fifth at this level. One lower costs half the time for a twentieth more bytes, two
/// higher a quarter more time for three hundredths less.
const LEVEL: u32 = 4;

/// A compressor at rest. Its tables have a quarter of a megabyte: made anew for each part, they would cost more than
/// what is done with them, and one for each thread is memory for nothing. Whoever finds it taken makes another.
static AT_REST: Mutex<Option<Box<Compress>>> = Mutex::new(None);

/// A deflated part.
#[derive(Clone, Debug)]
pub struct Deflated {
    /// Raw deflate blocks, ended by a full flush.
    pub bytes: Bytes,
    /// Of the plain bytes.
    pub checksum: Checksum,
}

/// Deflates a part.
#[must_use]
pub fn deflate(plain: &[u8]) -> Deflated {
    let at_rest = AT_REST.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut compress = at_rest.unwrap_or_else(|| Box::new(Compress::new(Compression::new(LEVEL), false)));
    let bytes = run(&mut compress, plain);
    *AT_REST.lock().unwrap_or_else(PoisonError::into_inner) = Some(compress);
    Deflated { bytes: bytes.into(), checksum: Checksum::of(plain) }
}

/// Appends a part as it is, in stored blocks: for what is small and sent once, deflating costs more than it saves.
pub fn append_stored(plain: &[u8], out: &mut Vec<u8>) {
    for piece in plain.chunks(usize::from(u16::MAX)) {
        // The piece is no longer than its length field holds.
        let length = u16::try_from(piece.len()).unwrap_or(u16::MAX);
        out.push(0);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(piece);
    }
}

/// Appends the end of the member, whose parts together have this checksum.
pub fn append_end(whole: &Checksum, out: &mut Vec<u8>) {
    // A last, empty stored block.
    out.extend_from_slice(&[1, 0, 0, 0xff, 0xff]);
    out.extend_from_slice(&whole.crc.to_le_bytes());
    // RFC 1952: the length modulo 2^32.
    out.extend_from_slice(&(whole.length & u64::from(u32::MAX)).to_le_bytes()[..4]);
}

/// Checksum and length of the plain bytes so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checksum {
    crc: u32,
    length: u64,
}

impl Checksum {
    /// Of some bytes.
    #[must_use]
    pub fn of(plain: &[u8]) -> Self {
        Self { crc: crc32fast::hash(plain), length: plain.len() as u64 }
    }

    /// Takes in what follows. Costs the same however long that is.
    pub fn append(&mut self, next: Self) {
        let mut hasher = Hasher::new_with_initial_len(self.crc, self.length);
        hasher.combine(&Hasher::new_with_initial_len(next.crc, next.length));
        *self = Self { crc: hasher.finalize(), length: self.length + next.length };
    }
}

fn run(compress: &mut Compress, plain: &[u8]) -> Vec<u8> {
    compress.reset();
    let mut out = Vec::with_capacity(plain.len() / 8 + 256);
    loop {
        let consumed = usize::try_from(compress.total_in()).unwrap_or(usize::MAX);
        let rest = plain.get(consumed..).unwrap_or_default();
        let room = out.capacity() - out.len();
        let written = out.len();
        // Deflating valid parameters has no error; were there one, the part would end here and the tests fail.
        if compress.compress_vec(rest, &mut out, FlushCompress::Full).is_err() {
            break;
        }
        let all_read = compress.total_in() == plain.len() as u64;
        // The flush is whole when everything was read and the output did not end for lack of room.
        if all_read && out.len() - written < room {
            break;
        }
        out.reserve(out.capacity().max(1024));
    }
    out.shrink_to_fit();
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use proptest::prelude::*;
    use std::io::Read;

    fn joined(parts: &[&[u8]], last: &[u8]) -> Vec<u8> {
        let mut checksum = Checksum::default();
        let mut member = HEADER.to_vec();
        for part in parts {
            let deflated = deflate(part);
            member.extend_from_slice(&deflated.bytes);
            checksum.append(deflated.checksum);
        }
        append_stored(last, &mut member);
        checksum.append(Checksum::of(last));
        append_end(&checksum, &mut member);
        member
    }

    fn unpacked(member: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        let mut decoder = GzDecoder::new(member);
        decoder.read_to_end(&mut plain).unwrap();
        assert!(decoder.into_inner().is_empty(), "one member and nothing behind it");
        plain
    }

    #[test]
    fn a_member_without_parts_unpacks_to_its_last() {
        assert_eq!(unpacked(&joined(&[], b"own")), b"own");
        assert_eq!(unpacked(&joined(&[], b"")), b"");
    }

    proptest! {
        #[test]
        fn parts_deflated_apart_are_one_member(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5000), 0..6),
            repeat in 1_usize..40,
            last in prop::collection::vec(any::<u8>(), 0..500),
        ) {
            let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.repeat(repeat)).collect();
            let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let expected: Vec<u8> = slices.concat().into_iter().chain(last.iter().copied()).collect();
            prop_assert_eq!(unpacked(&joined(&slices, &last)), expected);
        }
    }
}
