//! A strip: one family's samples of a block of jobs, in one piece of memory, plain and, where asked for, deflated.
//!
//! Two sizes meet here. What changes is a page of [`PAGE_JOBS`](crate::store::PAGE_JOBS) jobs, small so that a
//! change is rendered and deflated for few; what is sent is a strip of [`BLOCK_PAGES`] pages, large so that a scrape
//! of 100,000 jobs has hundreds of parts and not ten thousands. A page that changed is spliced into its strip by
//! copying, which costs a hundredth of rendering. Used by `pages` alone.

use crate::exposition::gzip::{Checksum, deflate};
use bytes::Bytes;
use std::ops::Range;

/// Pages in a block.
pub const BLOCK_PAGES: usize = 16;

/// One family's samples of one block; never changes once it is shared.
#[derive(Clone, Debug, Default)]
pub struct Strip {
    /// As text.
    pub plain: Bytes,
    /// Deflated; nothing while nobody asks for gzip.
    pub deflated: Option<DeflatedStrip>,
    /// Where each page ends in `plain`.
    ends: Ends,
    /// Pages that are not in `deflated` as they are in `plain`, a bit each.
    stale: u16,
}

/// A strip's deflated bytes, page by page.
#[derive(Clone, Debug, Default)]
pub struct DeflatedStrip {
    /// Raw deflate blocks; each page ends in a full flush.
    pub bytes: Bytes,
    /// Of the plain bytes.
    pub checksum: Checksum,
    ends: Ends,
    checksums: [Checksum; BLOCK_PAGES],
}

type Ends = [usize; BLOCK_PAGES];

impl Strip {
    /// A strip that is one piece and never changes.
    pub(super) fn whole(plain: Vec<u8>) -> Self {
        let ends = [plain.len(); BLOCK_PAGES];
        Self { plain: plain.into(), deflated: None, ends, stale: u16::MAX }
    }

    /// A page's samples.
    pub(super) fn page(&self, page: usize) -> &[u8] {
        self.plain.get(range(&self.ends, page)).unwrap_or_default()
    }

    /// The strip with other pages in place of its own. `replaced` has pages in order.
    pub(super) fn with(&self, replaced: &[(usize, Vec<u8>)]) -> Self {
        let fresh: usize = replaced.iter().map(|(_, text)| text.len()).sum();
        let gone: usize = replaced.iter().map(|(page, _)| self.page(*page).len()).sum();
        let mut plain = Vec::with_capacity(self.plain.len() + fresh - gone);
        let mut ends = Ends::default();
        let mut stale = self.stale;
        let mut next = replaced.iter().peekable();
        for (page, end) in ends.iter_mut().enumerate() {
            if let Some((_, text)) = next.next_if(|(replaced, _)| *replaced == page) {
                plain.extend_from_slice(text);
                stale |= 1 << page;
            } else {
                plain.extend_from_slice(self.page(page));
            }
            *end = plain.len();
        }
        Self { plain: plain.into(), deflated: self.deflated.clone(), ends, stale }
    }

    /// Deflates the pages that are not deflated yet.
    pub(super) fn compress(&mut self) {
        if self.is_compressed() {
            return;
        }
        let before = self.deflated.take().unwrap_or_default();
        let mut bytes = Vec::with_capacity(before.bytes.len() + 256);
        let mut next = DeflatedStrip::default();
        let places = next.ends.iter_mut().zip(&mut next.checksums).zip(&before.checksums).enumerate();
        for (page, ((end, checksum), checksum_before)) in places {
            let plain = self.page(page);
            if self.stale & (1 << page) == 0 {
                bytes.extend_from_slice(before.bytes.get(range(&before.ends, page)).unwrap_or_default());
                *checksum = *checksum_before;
            } else if !plain.is_empty() {
                let deflated = deflate(plain);
                bytes.extend_from_slice(&deflated.bytes);
                *checksum = deflated.checksum;
            }
            *end = bytes.len();
            next.checksum.append(*checksum);
        }
        bytes.shrink_to_fit();
        next.bytes = bytes.into();
        self.deflated = Some(next);
        self.stale = 0;
    }

    /// Lets go of the deflated bytes.
    pub(super) fn drop_compressed(&mut self) {
        self.deflated = None;
        self.stale = u16::MAX;
    }

    /// True if each page is deflated as it is.
    pub(super) const fn is_compressed(&self) -> bool {
        self.deflated.is_some() && self.stale == 0
    }
}

/// Where a page lies.
fn range(ends: &Ends, page: usize) -> Range<usize> {
    let start = page.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    start..ends.get(page).copied().unwrap_or(start)
}
