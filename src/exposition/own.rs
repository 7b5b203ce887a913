//! The exporter's own metrics in a scrape: rendered anew for each, and deflated only where that pays.
//!
//! Deflating ten kilobytes costs more than all else in a scrape of a thousand jobs. Most of them are the same from
//! scrape to scrape (the texts of HELP above all), so each family whose text stays is deflated once and sent from
//! memory; one that moved is sent as it is. Called by `exposition` alone.

use crate::exposition::gzip::{Checksum, append_end, append_stored, deflate};
use crate::exposition::text;
use bytes::Bytes;
use prometheus::proto::MetricFamily;

/// Each family as the last gzip scrape had it, in the order in which they are gathered.
#[derive(Debug, Default)]
pub(super) struct LastSent(Vec<Sent>);

#[derive(Debug, Default)]
struct Sent {
    plain: Vec<u8>,
    /// Made once the text was the same twice.
    deflated: Option<Bytes>,
}

/// The families as text.
pub(super) fn render(gathered: &[MetricFamily]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 * 1024);
    for family in gathered {
        text::append_own(family, &mut out);
    }
    out
}

impl LastSent {
    /// The families as the last parts of a gzip member, and its end; `before` is of the parts so far.
    pub(super) fn finish(&mut self, gathered: &[MetricFamily], before: Checksum) -> Vec<u8> {
        self.0.resize_with(gathered.len(), Sent::default);
        let mut plain = Vec::with_capacity(16 * 1024);
        let mut out = Vec::with_capacity(16 * 1024);
        for (family, last) in gathered.iter().zip(&mut self.0) {
            let start = plain.len();
            text::append_own(family, &mut plain);
            last.append(plain.get(start..).unwrap_or_default(), &mut out);
        }
        let mut whole = before;
        whole.append(Checksum::of(&plain));
        append_end(&whole, &mut out);
        out
    }
}

impl Sent {
    fn append(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        if self.plain != plain {
            plain.clone_into(&mut self.plain);
            self.deflated = None;
            append_stored(plain, out);
        } else if !plain.is_empty() {
            out.extend_from_slice(self.deflated.get_or_insert_with(|| deflate(plain).bytes));
        }
    }
}
