//! The body of one scrape: the parts of one moment, sent without a copy.
//!
//! It holds the [`Rendered`] of the scrape's moment, so a slow reader sees that moment to the end while newer ones
//! are swapped in, and many readers share the bytes. It is one frame that offers all its parts to one `writev`, not
//! a frame a part: hyper would flush after 16 of those. Made by `exposition`, sent by `web`.

use crate::exposition::negotiate::Encoding;
use crate::exposition::pages::Rendered;
use crate::exposition::selection::Groups;
use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The body; its length is known beforehand.
#[derive(Debug)]
pub struct ScrapeBody {
    /// All that is to be sent, until it was taken.
    parts: Option<Parts>,
}

impl ScrapeBody {
    /// What stands before, these groups of `rendered`, which must have them in this encoding, and the rest.
    pub(super) fn of(
        rendered: Arc<Rendered>,
        encoding: Encoding,
        groups: Groups,
        first: Bytes,
        last: Bytes,
    ) -> Self {
        let remaining = first.len() + rendered.length(encoding, groups) + last.len();
        Self::new(Parts {
            rendered: Some(rendered),
            encoding,
            groups,
            first,
            last,
            remaining,
            ..Parts::default()
        })
    }

    fn new(mut parts: Parts) -> Self {
        parts.skip_empty();
        Self { parts: Some(parts).filter(Parts::has_remaining) }
    }

    /// The length of the whole body, in bytes, as long as nothing was read from it.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.parts.as_ref().map_or(0, |parts| parts.remaining as u64)
    }
}

impl Body for ScrapeBody {
    type Data = Parts;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Parts>, Infallible>>> {
        Poll::Ready(self.parts.take().map(|parts| Ok(Frame::data(parts))))
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length())
    }
}

/// What is still to be sent: one piece before, the strips of these groups, one piece after.
#[derive(Debug, Default)]
pub struct Parts {
    rendered: Option<Arc<Rendered>>,
    encoding: Encoding,
    groups: Groups,
    first: Bytes,
    last: Bytes,
    /// The present part: 0 is `first`, then come the strips.
    position: usize,
    /// What of the present part was sent.
    sent: usize,
    remaining: usize,
}

impl From<Bytes> for Parts {
    fn from(first: Bytes) -> Self {
        Self { remaining: first.len(), first, ..Self::default() }
    }
}

impl Parts {
    /// The part at a position, empty ones too; nothing beyond the end.
    fn part(&self, position: usize) -> Option<&[u8]> {
        let strips = self.rendered.as_ref().map_or(0, |rendered| rendered.segment_count());
        if position == 0 {
            return Some(&self.first);
        }
        if position > strips {
            return (position == strips + 1).then_some(&self.last);
        }
        let (group, strip) = self.rendered.as_ref()?.segment(position - 1)?;
        Some(if self.groups.has(group) { strip.bytes(self.encoding) } else { &[] })
    }

    fn rest_of_present(&self) -> &[u8] {
        self.part(self.position).and_then(|part| part.get(self.sent..)).unwrap_or_default()
    }

    /// Goes on to the next part that has bytes.
    fn skip_empty(&mut self) {
        while self.remaining > 0 && self.rest_of_present().is_empty() {
            self.position += 1;
            self.sent = 0;
        }
    }
}

impl Buf for Parts {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        if self.remaining == 0 { &[] } else { self.rest_of_present() }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut left = self.remaining;
        let mut position = self.position;
        let mut present = self.chunk();
        let mut filled = 0;
        for slice in slices {
            while left > 0 && present.is_empty() {
                position += 1;
                present = self.part(position).unwrap_or_default();
            }
            if left == 0 {
                break;
            }
            *slice = IoSlice::new(present);
            filled += 1;
            left = left.saturating_sub(present.len());
            present = &[];
        }
        filled
    }

    /// # Panics
    /// As the trait asks for, if `count` exceeds what is there.
    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining, "{count} bytes were sent of {}", self.remaining);
        self.remaining -= count;
        while count > 0 {
            let here = count.min(self.rest_of_present().len());
            self.sent += here;
            count -= here;
            if count > 0 {
                self.position += 1;
                self.sent = 0;
            }
        }
        self.skip_empty();
    }
}
