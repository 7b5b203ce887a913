//! Finished bytes: for each block of jobs and each family one strip, plain and, where asked for, deflated.
//!
//! The format wants all samples of a family together, and a change should cost its page alone; hence strips by
//! block *and* family, in which pages are replaced. A [`Rendered`] is the whole of one moment and never changes once
//! it is shared; a refresh builds the next one from it, taking over the strips that did not change. A page's samples
//! are compared with those before, family by family: a poll that only moves a timestamp costs the deflating of that
//! one family. Lengths and checksums of the whole are summed here too, so that a scrape sums nothing. Used by
//! `exposition` alone.

use crate::exposition::gzip::Checksum;
use crate::exposition::strip::{BLOCK_PAGES, Strip};
use crate::exposition::text;
use crate::job::LabelName;
use crate::store::{Changes, JobSnapshot, Summary};
use crate::telemetry::families::JOB_FAMILIES;
use std::sync::Arc;

/// Families of jobs.
const FAMILIES: usize = JOB_FAMILIES.len();

/// A strip for each of [`JOB_FAMILIES`].
type Block = [Strip; FAMILIES];

/// The job series of one moment.
#[derive(Clone, Debug)]
pub struct Rendered {
    blocks: Vec<Arc<Block>>,
    /// HELP and TYPE of each family.
    headers: Arc<Block>,
    /// The families over all jobs, of the same moment.
    summary: Strip,
    /// The sum of the plain bytes.
    plain_length: usize,
    /// The same of the deflated bytes; nothing unless each strip is deflated.
    deflated: Option<DeflatedWhole>,
}

/// Length and checksum of all deflated strips.
#[derive(Clone, Copy, Debug)]
pub struct DeflatedWhole {
    /// The sum of the deflated bytes.
    pub length: usize,
    /// Of the plain bytes.
    pub checksum: Checksum,
}

impl Default for Rendered {
    fn default() -> Self {
        let headers = JOB_FAMILIES.each_ref().map(|family| {
            let mut out = Vec::new();
            text::append_header(family, &mut out);
            Strip::whole(out)
        });
        let mut rendered = Self {
            blocks: Vec::new(),
            headers: Arc::new(headers),
            summary: Strip::whole(text::render_summary(&Summary::default())),
            plain_length: 0,
            deflated: None,
        };
        rendered.sum_plain();
        rendered
    }
}

impl Rendered {
    /// The next whole: with the pages that changed rendered anew, all others taken over. Strips that did not change
    /// stay deflated, so that [`Self::compress`] deflates the others alone.
    #[must_use]
    pub fn with(&self, changes: Changes) -> Self {
        let mut next = self.clone();
        next.blocks.resize_with(changes.page_count.div_ceil(BLOCK_PAGES), Arc::default);
        let mut pages = changes.pages.into_iter().peekable();
        while let Some((first, _)) = pages.peek() {
            let block_number = first / BLOCK_PAGES;
            let mut replaced: [Vec<(usize, Vec<u8>)>; FAMILIES] = Default::default();
            let block = next.blocks.get_mut(block_number);
            let strips = block.as_deref();
            while let Some((page, jobs)) = pages.next_if(|(page, _)| page / BLOCK_PAGES == block_number) {
                if let Some(strips) = strips {
                    render_page(page % BLOCK_PAGES, &jobs, &changes.label_names, strips, &mut replaced);
                }
            }
            if let Some(block) = block {
                *block = Arc::new(with_pages(block, &replaced));
            }
        }
        next.summary = Strip::whole(text::render_summary(&changes.summary));
        next.deflated = None;
        next.sum_plain();
        next
    }

    fn sum_plain(&mut self) {
        self.plain_length = self.segments().map(|strip| strip.plain.len()).sum();
    }

    /// Deflates what is not deflated yet.
    pub fn compress(&mut self) {
        for block in self.blocks.iter_mut().chain([&mut self.headers]) {
            if !block.iter().all(Strip::is_compressed) {
                Arc::make_mut(block).iter_mut().for_each(Strip::compress);
            }
        }
        self.summary.compress();
        let mut whole = DeflatedWhole { length: 0, checksum: Checksum::default() };
        for deflated in self.segments().filter_map(|strip| strip.deflated.as_ref()) {
            whole.length += deflated.bytes.len();
            whole.checksum.append(deflated.checksum);
        }
        self.deflated = Some(whole);
    }

    /// Lets go of all deflated bytes.
    pub fn drop_compressed(&mut self) {
        for block in self.blocks.iter_mut().chain([&mut self.headers]) {
            if block.iter().any(|strip| strip.deflated.is_some()) {
                for strip in Arc::make_mut(block).iter_mut() {
                    strip.deflated = None;
                }
            }
        }
        self.summary.deflated = None;
        self.deflated = None;
    }

    /// True if each strip is deflated.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.deflated.is_some()
    }

    /// The sum of the plain bytes.
    #[must_use]
    pub const fn plain_length(&self) -> usize {
        self.plain_length
    }

    /// Length and checksum of the deflated strips; nothing unless each is deflated.
    #[must_use]
    pub const fn deflated(&self) -> Option<DeflatedWhole> {
        self.deflated
    }

    /// How many strips there are.
    #[must_use]
    pub const fn segment_count(&self) -> usize {
        FAMILIES * (self.blocks.len() + 1) + 1
    }

    /// The strip at a position of the exposition's order: family by family its header and all blocks, and at last
    /// the sums. Nothing beyond the end.
    #[must_use]
    pub fn segment(&self, position: usize) -> Option<&Strip> {
        let per_family = self.blocks.len() + 1;
        let (family, part) = (position / per_family, position % per_family);
        if family == FAMILIES {
            return (part == 0).then_some(&self.summary);
        }
        match part.checked_sub(1) {
            None => self.headers.get(family),
            Some(block) => self.blocks.get(block)?.get(family),
        }
    }

    /// All strips, in the exposition's order.
    pub fn segments(&self) -> impl Iterator<Item = &Strip> {
        (0..self.segment_count()).filter_map(|position| self.segment(position))
    }
}

/// Renders a page and notes, for each family whose samples are others than in `before`, the new ones.
fn render_page(
    page: usize,
    jobs: &[Arc<JobSnapshot>],
    label_names: &[LabelName],
    before: &Block,
    replaced: &mut [Vec<(usize, Vec<u8>)>; FAMILIES],
) {
    // A little more than last time: growing a buffer would copy it.
    let mut out = before.each_ref().map(|strip| Vec::with_capacity(strip.page(page).len() + 64));
    for job in jobs {
        text::append_job(job, label_names, &mut out);
    }
    for ((text, strip), replaced) in out.into_iter().zip(before).zip(replaced) {
        if text != strip.page(page) {
            replaced.push((page, text));
        }
    }
}

/// The block with pages replaced.
fn with_pages(block: &Block, replaced: &[Vec<(usize, Vec<u8>)>; FAMILIES]) -> Block {
    let mut next = block.clone();
    for (strip, replaced) in next.iter_mut().zip(replaced) {
        if !replaced.is_empty() {
            *strip = strip.with(replaced);
        }
    }
    next
}
