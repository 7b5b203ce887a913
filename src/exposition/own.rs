//! The exporter's own metrics in a scrape: rendered anew for each, and compressed only where that pays.
//!
//! Deflating ten kilobytes costs more than all else in a scrape of a thousand jobs. Most of them are the same from
//! scrape to scrape (the texts of HELP above all), so each family that stays is compressed once and sent from memory;
//! one that moved is sent as it is. Called by `exposition` alone.

use crate::clock::UnixTime;
use crate::exposition::gzip::{self, Checksum};
use crate::exposition::negotiate::Encoding;
use crate::exposition::selection::Families;
use crate::exposition::shape::Shape;
use crate::exposition::text::{Dialect, OPEN_METRICS_END};
use crate::exposition::{protobuf, text, zstd};
use crate::telemetry::families::Kind;
use crate::telemetry::registry::OwnFamily;
use bytes::Bytes;
use prometheus::proto::{LabelPair, MetricFamily, MetricType};

/// The own metrics of one scrape, and what of them it shows in which shape.
#[derive(Debug)]
pub(super) struct OwnPart<'a> {
    pub(super) gathered: &'a [OwnFamily],
    pub(super) families: &'a Families,
    pub(super) shape: Shape,
    /// Since when counters count.
    pub(super) began: Option<UnixTime>,
}

/// Each family as the last compressed scrape in one shape and encoding had it, in the order in which they are
/// gathered.
#[derive(Debug, Default)]
pub(super) struct LastSent(Vec<Sent>);

#[derive(Debug, Default)]
struct Sent {
    plain: Vec<u8>,
    /// Made once the bytes were the same twice.
    compressed: Option<Bytes>,
}

impl OwnPart<'_> {
    /// The end of a plain body.
    pub(super) fn plain(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 * 1024);
        self.gathered.iter().for_each(|family| self.append(family, &mut out));
        out.extend_from_slice(self.end());
        out
    }

    /// The last parts of a gzip member, and its end; `before` is of the parts so far.
    pub(super) fn gzip(&self, last: &mut LastSent, before: Checksum) -> Vec<u8> {
        let mut whole = before;
        let mut out = self.compressed(last, Encoding::Gzip, &mut whole);
        gzip::append_end(&whole, &mut out);
        out
    }

    /// The last frames of a zstd body.
    pub(super) fn zstd(&self, last: &mut LastSent) -> Vec<u8> {
        let mut out = self.compressed(last, Encoding::Zstd, &mut Checksum::default());
        if out.is_empty() {
            // A body without any frame is not zstd.
            zstd::append_stored(&[], &mut out);
        }
        out
    }

    fn compressed(&self, last: &mut LastSent, encoding: Encoding, checksum: &mut Checksum) -> Vec<u8> {
        last.0.resize_with(self.gathered.len(), Sent::default);
        let mut plain = Vec::with_capacity(16 * 1024);
        let mut out = Vec::with_capacity(16 * 1024);
        for (family, last) in self.gathered.iter().zip(&mut last.0) {
            let start = plain.len();
            self.append(family, &mut plain);
            last.append(plain.get(start..).unwrap_or_default(), encoding, &mut out);
        }
        append_stored(self.end(), encoding, &mut out);
        plain.extend_from_slice(self.end());
        if encoding == Encoding::Gzip {
            checksum.append(Checksum::of(&plain));
        }
        out
    }

    fn append(&self, family: &OwnFamily, out: &mut Vec<u8>) {
        if !self.families.shows(family.name()) {
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
    fn append(&mut self, plain: &[u8], encoding: Encoding, out: &mut Vec<u8>) {
        if plain.is_empty() {
            return;
        }
        if self.plain != plain {
            plain.clone_into(&mut self.plain);
            self.compressed = None;
            append_stored(plain, encoding, out);
            return;
        }
        out.extend_from_slice(self.compressed.get_or_insert_with(|| match encoding {
            Encoding::Zstd => zstd::compress(plain),
            Encoding::Gzip | Encoding::Identity => gzip::deflate(plain).bytes,
        }));
    }
}

fn append_stored(plain: &[u8], encoding: Encoding, out: &mut Vec<u8>) {
    match encoding {
        _ if plain.is_empty() => {}
        Encoding::Zstd => zstd::append_stored(plain, out),
        Encoding::Gzip | Encoding::Identity => gzip::append_stored(plain, out),
    }
}

/// Labels and value of a sample.
type Sample<'a> = (&'a [LabelPair], f64);

/// A gathered family's kind and samples; nothing of a kind that the exporter does not keep in the prometheus crate,
/// as a test checks.
pub(super) fn counters_and_gauges(
    gathered: &MetricFamily,
) -> Option<(Kind, impl Iterator<Item = Sample<'_>>)> {
    let kind = match gathered.get_field_type() {
        MetricType::COUNTER => Kind::Counter,
        MetricType::GAUGE => Kind::Gauge,
        MetricType::HISTOGRAM | MetricType::SUMMARY | MetricType::UNTYPED => return None,
    };
    let samples = gathered.get_metric().iter().map(move |metric| {
        let value = match kind {
            Kind::Counter => metric.get_counter().get_value(),
            Kind::Gauge | Kind::Histogram => metric.get_gauge().get_value(),
        };
        (metric.get_label(), value)
    });
    Some((kind, samples))
}
