//! The exporter's own metrics in a scrape: as fresh as the scrape, but written and compressed only where they moved.
//!
//! Their numbers are read for each scrape. If none moved since the last one, its bytes serve again; else all are
//! written. Deflating ten kilobytes costs more than all else in a scrape of a thousand jobs, and most of them are the
//! same from scrape to scrape (the texts of HELP above all), so each family that stays is compressed once and sent from
//! memory; one that moved is sent as it is. Called by `exposition` alone.

use crate::clock::UnixTime;
use crate::exposition::gzip::{self, Checksum};
use crate::exposition::negotiate::Encoding;
use crate::exposition::selection::Families;
use crate::exposition::shape::Shape;
use crate::exposition::text::{Dialect, OPEN_METRICS_END};
use crate::exposition::{protobuf, text, zstd};
use crate::telemetry::registry::{OwnFamily, Reading};
use bytes::Bytes;

/// Room for all own metrics as text, in bytes.
const ROOM: usize = 16 * 1024;

/// The own metrics of one scrape, and what of them it shows in which form.
#[derive(Debug)]
pub(super) struct OwnPart<'a> {
    pub(super) reading: Reading,
    pub(super) families: &'a Families,
    pub(super) shape: Shape,
    pub(super) encoding: Encoding,
    /// Since when counters count.
    pub(super) began: Option<UnixTime>,
    /// Of the parts of the body before this one; only a gzip member needs it.
    pub(super) before: Checksum,
}

/// What the last scrape in one shape and encoding had.
#[derive(Debug, Default)]
pub(super) struct LastSent {
    whole: Option<Whole>,
    /// Each family, in the order in which they are read.
    families: Vec<Sent>,
}

/// The part of a scrape that showed all families, none of which can be sent any shorter.
#[derive(Debug)]
struct Whole {
    reading: Reading,
    before: Checksum,
    bytes: Bytes,
}

#[derive(Debug, Default)]
struct Sent {
    plain: Vec<u8>,
    /// Made once the bytes were the same twice.
    compressed: Option<Bytes>,
}

impl OwnPart<'_> {
    /// The end of the body.
    pub(super) fn bytes(self, last: &mut LastSent) -> Bytes {
        let same = last.whole.as_ref().filter(|_| self.families.is_all());
        if let Some(same) = same.filter(|last| last.before == self.before && last.reading == self.reading) {
            return same.bytes.clone();
        }
        let (bytes, is_shortest) = match self.encoding {
            Encoding::Identity => (self.plain(), true),
            Encoding::Gzip => self.gzip(&mut last.families),
            Encoding::Zstd => self.zstd(&mut last.families),
        };
        let bytes = Bytes::from(bytes);
        if is_shortest && self.families.is_all() {
            let Self { reading, before, .. } = self;
            last.whole = Some(Whole { reading, before, bytes: bytes.clone() });
        }
        bytes
    }

    fn plain(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(ROOM);
        self.reading.families().for_each(|family| self.append(&family, &mut out));
        out.extend_from_slice(self.end());
        out
    }

    /// The last parts of a gzip member, and its end.
    fn gzip(&self, last: &mut Vec<Sent>) -> (Vec<u8>, bool) {
        let mut whole = self.before;
        let (mut out, is_shortest) = self.compressed(last, &mut whole);
        gzip::append_end(&whole, &mut out);
        (out, is_shortest)
    }

    /// The last frames of a zstd body.
    fn zstd(&self, last: &mut Vec<Sent>) -> (Vec<u8>, bool) {
        let (mut out, is_shortest) = self.compressed(last, &mut Checksum::default());
        if out.is_empty() {
            // A body without any frame is not zstd.
            zstd::append_stored(&[], &mut out);
        }
        (out, is_shortest)
    }

    /// All families, and whether each is compressed.
    fn compressed(&self, last: &mut Vec<Sent>, checksum: &mut Checksum) -> (Vec<u8>, bool) {
        let encoding = self.encoding;
        let mut plain = Vec::with_capacity(ROOM);
        let mut out = Vec::with_capacity(ROOM);
        let mut is_shortest = true;
        for (place, family) in self.reading.families().enumerate() {
            let start = plain.len();
            self.append(&family, &mut plain);
            if last.len() <= place {
                last.push(Sent::default());
            }
            if let Some(last) = last.get_mut(place) {
                is_shortest &= last.append(plain.get(start..).unwrap_or_default(), encoding, &mut out);
            }
        }
        append_stored(self.end(), encoding, &mut out);
        plain.extend_from_slice(self.end());
        if encoding == Encoding::Gzip {
            checksum.append(Checksum::of(&plain));
        }
        (out, is_shortest)
    }

    fn append(&self, family: &OwnFamily<'_>, out: &mut Vec<u8>) {
        if !self.families.shows(family.family.name) {
            return;
        }
        match self.shape {
            Shape::Text(dialect) => text::append_own(family, dialect, out),
            Shape::Protobuf => protobuf::append_own(family, self.began, out),
        }
    }

    /// What stands at the very end of a body.
    const fn end(&self) -> &'static [u8] {
        match self.shape {
            Shape::Text(Dialect::OpenMetrics) => OPEN_METRICS_END,
            Shape::Text(Dialect::Prometheus) | Shape::Protobuf => &[],
        }
    }
}

impl Sent {
    /// Appends the family; true if it is compressed.
    fn append(&mut self, plain: &[u8], encoding: Encoding, out: &mut Vec<u8>) -> bool {
        if plain.is_empty() {
            return true;
        }
        if self.plain != plain {
            plain.clone_into(&mut self.plain);
            self.compressed = None;
            append_stored(plain, encoding, out);
            return false;
        }
        out.extend_from_slice(self.compressed.get_or_insert_with(|| match encoding {
            Encoding::Zstd => zstd::compress(plain),
            Encoding::Gzip | Encoding::Identity => gzip::deflate(plain).bytes,
        }));
        true
    }
}

fn append_stored(plain: &[u8], encoding: Encoding, out: &mut Vec<u8>) {
    match encoding {
        _ if plain.is_empty() => {}
        Encoding::Zstd => zstd::append_stored(plain, out),
        Encoding::Gzip | Encoding::Identity => gzip::append_stored(plain, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{SharedClock, SystemClock};
    use crate::telemetry::own::OwnMetrics;
    use flate2::read::GzDecoder;
    use std::io::Read;
    use std::sync::Arc;

    fn part<'a>(
        own: &OwnMetrics,
        families: &'a Families,
        encoding: Encoding,
        before: Checksum,
    ) -> OwnPart<'a> {
        let (reading, began) = (own.registry.read(), own.registry.began());
        OwnPart { reading, families, shape: Shape::Text(Dialect::OpenMetrics), encoding, began, before }
    }

    fn unpacked(bytes: &[u8], encoding: Encoding) -> String {
        let mut out = Vec::new();
        match encoding {
            Encoding::Identity => out.extend_from_slice(bytes),
            Encoding::Zstd => out = ::zstd::stream::decode_all(bytes).unwrap(),
            Encoding::Gzip => {
                let member = [gzip::HEADER.as_slice(), bytes].concat();
                GzDecoder::new(member.as_slice()).read_to_end(&mut out).map(drop).unwrap();
            }
        }
        String::from_utf8(out).unwrap()
    }

    /// The process's own numbers move by themselves: scrapes are repeated until three in a row had the same.
    fn at_rest(own: &OwnMetrics, families: &Families, encoding: Encoding, last: &mut LastSent) -> Bytes {
        loop {
            let reading = own.registry.read();
            let mut is_at_rest = true;
            let sent = [(); 3].map(|()| {
                let sent = part(own, families, encoding, Checksum::default()).bytes(last);
                is_at_rest &= own.registry.read() == reading;
                sent
            });
            if is_at_rest {
                let [_, before, after] = sent;
                assert_eq!(before.as_ptr(), after.as_ptr(), "{encoding:?}: nothing is written anew");
                return after;
            }
        }
    }

    #[test]
    fn what_did_not_move_is_sent_from_memory_and_what_moved_is_seen_at_once() {
        let own = OwnMetrics::new(&(Arc::new(SystemClock) as SharedClock)).unwrap();
        let all = Families::default();
        for encoding in Encoding::ALL {
            let last = &mut LastSent::default();
            let before = at_rest(&own, &all, encoding, last);
            if encoding != Encoding::Identity {
                let plain = at_rest(&own, &all, Encoding::Identity, &mut LastSent::default());
                assert!(before.len() < plain.len() / 2, "{encoding:?}: what stays is compressed");
            }
            own.poll.polls.inc();
            let polls = format!("\ngrid_bulk_polls_total {}\n", own.poll.polls.get());
            for _ in 0..3 {
                let sent = part(&own, &all, encoding, Checksum::default()).bytes(last);
                assert!(unpacked(&sent, encoding).contains(&polls), "{encoding:?}");
            }
        }
    }

    #[test]
    fn the_end_of_a_member_follows_what_stands_before_it() {
        let own = OwnMetrics::new(&(Arc::new(SystemClock) as SharedClock)).unwrap();
        let last = &mut LastSent::default();
        at_rest(&own, &Families::default(), Encoding::Gzip, last);
        let jobs = gzip::deflate(b"jobs\n");
        for _ in 0..3 {
            let own = part(&own, &Families::default(), Encoding::Gzip, jobs.checksum).bytes(last);
            let whole = unpacked(&[&jobs.bytes[..], &own].concat(), Encoding::Gzip);
            assert!(whole.starts_with("jobs\n# HELP"), "the checksum fits");
        }
    }

    #[test]
    fn a_choice_of_families_and_all_of_them_do_not_get_into_each_others_way() {
        let own = OwnMetrics::new(&(Arc::new(SystemClock) as SharedClock)).unwrap();
        let (all, one) = (Families::default(), Families::named(["grid_bulk_polls_total"]));
        for encoding in Encoding::ALL {
            let last = &mut LastSent::default();
            for _ in 0..2 {
                let whole = unpacked(&at_rest(&own, &all, encoding, last), encoding);
                assert!(whole.contains("process_cpu_seconds"), "{encoding:?}");
                let chosen = part(&own, &one, encoding, Checksum::default()).bytes(last);
                let chosen = unpacked(&chosen, encoding);
                assert!(chosen.contains("grid_bulk_polls_total 0\n"), "{encoding:?}: {chosen}");
                assert!(!chosen.contains("process_cpu_seconds"), "{encoding:?}: {chosen}");
            }
        }
    }
}
