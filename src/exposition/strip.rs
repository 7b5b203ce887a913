//! A strip: one family's samples of a block of jobs, in one piece of memory, plain and, where asked for, compressed.
//!
//! Two sizes meet here. What is rendered is a page of [`PAGE_JOBS`](crate::store::PAGE_JOBS) jobs, small so that a
//! change is rendered for few; what is compressed and sent is a strip of [`BLOCK_PAGES`] pages, large so that a scrape
//! of 100,000 jobs has hundreds of parts and not ten thousands, and that compression finds repetition (pages deflated
//! apart take a quarter more bytes). A page that changed is spliced into its strip by copying, which costs a
//! hundredth of rendering. Used by `pages` alone.

use crate::exposition::gzip::{Checksum, Deflated, deflate};
use crate::exposition::negotiate::Encoding;
use crate::exposition::zstd;
use bytes::Bytes;
use std::ops::Range;

/// Pages in a block.
pub const BLOCK_PAGES: usize = 16;

/// One family's samples of one block; never changes once it is shared.
#[derive(Clone, Debug, Default)]
pub struct Strip {
    /// As lines or messages.
    pub plain: Bytes,
    /// Deflated; nothing while nobody asks for gzip, or if there is nothing to deflate.
    deflated: Option<Deflated>,
    /// As a frame of zstd; nothing likewise.
    zstd: Option<Bytes>,
    /// Where each page ends in `plain`.
    ends: Ends,
}

type Ends = [usize; BLOCK_PAGES];

impl Strip {
    /// A strip that is one piece.
    pub(super) fn whole(plain: Vec<u8>) -> Self {
        let ends = [plain.len(); BLOCK_PAGES];
        Self { plain: plain.into(), ends, ..Self::default() }
    }

    /// A page's samples.
    pub(super) fn page(&self, page: usize) -> &[u8] {
        self.plain.get(range(&self.ends, page)).unwrap_or_default()
    }

    /// The strip with other pages in place of its own, not compressed. `replaced` has pages in order.
    pub(super) fn with(&self, replaced: &[(usize, Vec<u8>)]) -> Self {
        let fresh: usize = replaced.iter().map(|(_, text)| text.len()).sum();
        let gone: usize = replaced.iter().map(|(page, _)| self.page(*page).len()).sum();
        let mut plain = Vec::with_capacity(self.plain.len() + fresh - gone);
        let mut ends = Ends::default();
        let mut next = replaced.iter().peekable();
        for (page, end) in ends.iter_mut().enumerate() {
            match next.next_if(|(replaced, _)| *replaced == page) {
                Some((_, text)) => plain.extend_from_slice(text),
                None => plain.extend_from_slice(self.page(page)),
            }
            *end = plain.len();
        }
        Self { plain: plain.into(), ends, ..Self::default() }
    }

    /// Its bytes in an encoding; nothing if it was not compressed so.
    #[must_use]
    pub fn bytes(&self, encoding: Encoding) -> &[u8] {
        match encoding {
            Encoding::Identity => &self.plain,
            Encoding::Gzip => {
                self.deflated.as_ref().map(|deflated| deflated.bytes.as_ref()).unwrap_or_default()
            }
            Encoding::Zstd => self.zstd.as_deref().unwrap_or_default(),
        }
    }

    /// Of the plain bytes, once they are deflated.
    pub(super) fn checksum(&self) -> Checksum {
        self.deflated.as_ref().map(|deflated| deflated.checksum).unwrap_or_default()
    }

    /// Compresses it, unless it is.
    pub(super) fn compress(&mut self, encoding: Encoding) {
        if self.is_ready(encoding) {
            return;
        }
        match encoding {
            Encoding::Identity => {}
            Encoding::Gzip => self.deflated = Some(deflate(&self.plain)),
            Encoding::Zstd => self.zstd = Some(zstd::compress(&self.plain)),
        }
    }

    /// Lets go of what compressing it made.
    pub(super) fn drop_compressed(&mut self, encoding: Encoding) {
        match encoding {
            Encoding::Identity => {}
            Encoding::Gzip => self.deflated = None,
            Encoding::Zstd => self.zstd = None,
        }
    }

    /// True if there is nothing to compress.
    pub(super) fn is_ready(&self, encoding: Encoding) -> bool {
        self.plain.is_empty() || !self.bytes(encoding).is_empty()
    }
}

/// Where a page lies.
fn range(ends: &Ends, page: usize) -> Range<usize> {
    let start = page.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    start..ends.get(page).copied().unwrap_or(start)
}
