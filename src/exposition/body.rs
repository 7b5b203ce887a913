//! The body of one scrape: the parts of one moment, sent one after the other without a copy.
//!
//! It holds the [`Rendered`] of the scrape's moment, so a slow reader sees that moment to the end while newer ones
//! are swapped in, and many readers share the bytes. Made by `exposition`, sent by `web`.

use crate::exposition::gzip::{self, Checksum};
use crate::exposition::pages::{Rendered, Segment};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The body; its length is known beforehand.
#[derive(Debug)]
pub struct ScrapeBody {
    rendered: Arc<Rendered>,
    gzip: bool,
    /// Sent before the segments.
    first: Option<Bytes>,
    /// The next segment's position.
    position: usize,
    /// Sent after the segments: the exporter's own metrics.
    last: Option<Bytes>,
    remaining: u64,
}

impl ScrapeBody {
    pub(super) fn plain(rendered: Arc<Rendered>, own: Vec<u8>) -> Self {
        let remaining = rendered.segments().map(|segment| segment.plain.len()).sum::<usize>() + own.len();
        Self {
            rendered,
            gzip: false,
            first: None,
            position: 0,
            last: Some(own.into()),
            remaining: remaining as u64,
        }
    }

    /// `rendered` must be compressed.
    pub(super) fn gzip(rendered: Arc<Rendered>, own: &[u8]) -> Self {
        let mut checksum = Checksum::default();
        let mut remaining = gzip::HEADER.len();
        for segment in rendered.segments() {
            if let Some(deflated) = &segment.deflated {
                checksum.add(deflated, segment.plain.len());
                remaining += deflated.bytes.len();
            }
        }
        let last = gzip::finish(own, &checksum);
        let remaining = (remaining + last.len()) as u64;
        let first = Some(Bytes::from_static(&gzip::HEADER));
        Self { rendered, gzip: true, first, position: 0, last: Some(last), remaining }
    }

    /// The length of the whole body, in bytes, as long as nothing was read from it.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.remaining
    }

    fn next_part(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        while let Some(segment) = self.rendered.segment(self.position) {
            self.position += 1;
            let bytes = if self.gzip { deflated(segment) } else { segment.plain.clone() };
            if !bytes.is_empty() {
                return Some(bytes);
            }
        }
        self.last.take().filter(|own| !own.is_empty())
    }
}

fn deflated(segment: &Segment) -> Bytes {
    segment.deflated.as_ref().map(|deflated| deflated.bytes.clone()).unwrap_or_default()
}

impl Body for ScrapeBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let part = self.next_part();
        self.remaining -= part.as_ref().map_or(0, |bytes| bytes.len() as u64);
        Poll::Ready(part.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}
