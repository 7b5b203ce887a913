//! Bodies that no healthy API sends: huge, nested, packed, in the wrong bytes. All are made while they are sent.

use crate::sim::fault::StringPlace;
use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};

/// One block of filling, sent again and again.
const BLOCK: usize = 1 << 20;

/// What a proxy shows instead of the API's answer.
pub(crate) const HTML_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head>\
    <body><center><h1>502 Bad Gateway</h1></center><hr></body></html>\n";

/// `length` times one byte, in blocks.
fn filling(byte: u8, length: u64) -> impl Iterator<Item = Bytes> + Send {
    let block = Bytes::from(vec![byte; BLOCK]);
    let mut left = length;
    std::iter::from_fn(move || {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(BLOCK);
        left -= size as u64;
        (size > 0).then(|| block.slice(..size))
    })
}

/// The true answer with one string of `bytes` bytes in it. `truth` is the true answer's JSON object.
pub(crate) fn huge_string(
    truth: &Bytes,
    bytes: u64,
    place: StringPlace,
) -> impl Iterator<Item = Bytes> + Send + use<> {
    let (before, after) = match place {
        StringPlace::Message => {
            (r#","errors":[{"correlationId":"row_1","code":"INVALID_FIELD","message":""#, "\"}]}")
        }
        StringPlace::Code => (r#","errors":[{"correlationId":"row_1","code":""#, "\",\"message\":\"\"}]}"),
        StringPlace::Status => (r#","status":""#, "\"}"),
        StringPlace::Unknown => (r#","note":""#, "\"}"),
    };
    around(truth, before, filling(b'x', bytes), after)
}

/// The true answer with an unknown field of arrays nested `depth` deep.
pub(crate) fn deep_nesting(truth: &Bytes, depth: u64) -> impl Iterator<Item = Bytes> + Send + use<> {
    around(truth, r#","nested":"#, filling(b'[', depth).chain(filling(b']', depth)), "}")
}

/// The object with its end taken off, a field written instead.
fn around<I: Iterator<Item = Bytes> + Send>(
    truth: &Bytes,
    before: &'static str,
    middle: I,
    after: &'static str,
) -> impl Iterator<Item = Bytes> + Send + use<I> {
    let open = truth.slice(..truth.len().saturating_sub(1));
    [open, Bytes::from_static(before.as_bytes())]
        .into_iter()
        .chain(middle)
        .chain(std::iter::once(Bytes::from_static(after.as_bytes())))
}

/// A gzip member that unpacks to the true answer with an unknown field of at least `bytes` zeros.
///
/// The block of zeros is deflated once, ended by a full flush, and sent as often as needed: a bomb of many GiB
/// costs its packed bytes alone.
pub(crate) fn gzip_bomb(truth: &Bytes, bytes: u64) -> impl Iterator<Item = Bytes> + Send + use<> {
    let mut start = truth.slice(..truth.len().saturating_sub(1)).to_vec();
    start.extend_from_slice(br#","note":""#);
    let end: &[u8] = b"\"}";
    let block = vec![b'0'; BLOCK];
    let blocks = bytes.div_ceil(BLOCK as u64);

    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&start);
    let mut of_block = crc32fast::Hasher::new();
    of_block.update(&block);
    for _ in 0..blocks {
        checksum.combine(&of_block);
    }
    checksum.update(end);
    let length = start.len() as u64 + blocks * BLOCK as u64 + end.len() as u64;

    let mut head = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    head.extend(deflated(&start, FlushCompress::Full));
    let mut tail = deflated(end, FlushCompress::Finish);
    tail.extend(checksum.finalize().to_le_bytes());
    // gzip keeps the length modulo 2^32.
    tail.extend(length.to_le_bytes().into_iter().take(4));
    let packed = Bytes::from(deflated(&block, FlushCompress::Full));
    std::iter::once(Bytes::from(head))
        .chain((0..blocks).map(move |_| packed.clone()))
        .chain(std::iter::once(Bytes::from(tail)))
}

fn deflated(bytes: &[u8], flush: FlushCompress) -> Vec<u8> {
    let mut compress = Compress::new(Compression::best(), false);
    // Room for the worst case, so that one call does all.
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 100 + 1024);
    let _ = compress.compress_vec(bytes, &mut out, flush);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::io::Read as _;

    const TRUTH: Bytes = Bytes::from_static(br#"{"id":"a","status":"PENDING"}"#);

    #[test]
    fn a_gzip_bomb_is_a_whole_member_that_unpacks_to_json() {
        let packed: Vec<u8> = gzip_bomb(&TRUTH, 3 << 20).flatten().collect();
        assert!(packed.len() < 20_000, "{}", packed.len());
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut unpacked).unwrap();
        let value: Value = serde_json::from_str(&unpacked).unwrap();
        assert_eq!(value["id"], "a");
        assert_eq!(value["note"].as_str().unwrap().len(), 3 << 20);
    }

    #[test]
    fn huge_strings_stand_where_they_should() {
        for place in [StringPlace::Message, StringPlace::Code, StringPlace::Status, StringPlace::Unknown] {
            let bytes: Vec<u8> = huge_string(&TRUTH, 2_000_000, place).flatten().collect();
            let value: Value = serde_json::from_slice(&bytes).unwrap();
            let string = match place {
                StringPlace::Message => &value["errors"][0]["message"],
                StringPlace::Code => &value["errors"][0]["code"],
                StringPlace::Status => &value["status"],
                StringPlace::Unknown => &value["note"],
            };
            assert_eq!(string.as_str().unwrap().len(), 2_000_000, "{place:?}");
        }
    }

    #[test]
    fn nesting_closes_as_often_as_it_opens() {
        let bytes: Vec<u8> = deep_nesting(&TRUTH, 100).flatten().collect();
        assert!(serde_json::from_slice::<Value>(&bytes).is_ok());
    }
}
