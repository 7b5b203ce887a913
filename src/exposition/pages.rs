//! Finished bytes: for each block of jobs and each family one strip, plain and, where asked for, compressed.
//!
//! Every format wants all samples of a family together, and a change should cost its page alone; hence strips by
//! block *and* family, in which pages are replaced. A [`Rendered`] is the whole of one moment in one layout and never
//! changes once it is shared; a refresh builds the next one from it, taking over the strips that did not change. A
//! page's samples are compared with those before, family by family: a poll that only moves a timestamp costs the
//! compressing of that one family. Lengths and checksums are summed here too, family by family, so that a scrape sums
//! nothing but the families that it shows. Used by `exposition` alone.

use crate::exposition::gzip::Checksum;
use crate::exposition::negotiate::Encoding;
use crate::exposition::selection::{FIRST_SUMMARY, GROUPS, Groups};
use crate::exposition::shape::Layout;
use crate::exposition::strip::{BLOCK_PAGES, Strip};
use crate::exposition::text::Dialect;
use crate::exposition::{protobuf, text};
use crate::job::LabelName;
use crate::store::{Changes, JobSnapshot};
use crate::telemetry::families::{Family, JOB_FAMILIES};
use std::sync::Arc;

/// Families of jobs.
const FAMILIES: usize = JOB_FAMILIES.len();

/// A strip for each of [`JOB_FAMILIES`].
type Block = [Strip; FAMILIES];

/// The job series of one moment in one layout.
#[derive(Clone, Debug)]
pub struct Rendered {
    layout: Layout,
    blocks: Vec<Arc<Block>>,
    /// What stands before each family's samples: HELP and TYPE.
    headers: Arc<Block>,
    /// The families over all jobs, of the same moment.
    summary: [Strip; GROUPS - FIRST_SUMMARY],
    /// By encoding; nothing unless each strip is compressed so.
    sums: [Option<Sums>; Encoding::ALL.len()],
    /// The checksum of all families of jobs, as nearly every scrape wants them all.
    all_families: Checksum,
}

/// By group.
type Sums = [Sum; GROUPS];

/// Length and, of deflated strips, checksum of the plain bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    length: usize,
    checksum: Checksum,
}

impl Layout {
    fn append_job(self, job: &JobSnapshot, label_names: &[LabelName], out: &mut [Vec<u8>; FAMILIES]) {
        match self {
            Self::Text => text::append_job(job, label_names, out),
            Self::Protobuf => protobuf::append_job(job, label_names, out),
        }
    }

    /// What stands before a family whose samples have so many bytes.
    fn header(self, family: &Family, samples: usize) -> Vec<u8> {
        match self {
            Self::Text => {
                let mut out = Vec::new();
                // Gauges all of them, so that OpenMetrics has the same.
                text::append_header(family, Dialect::Prometheus, &mut out);
                out
            }
            Self::Protobuf => protobuf::header(family, samples),
        }
    }

    fn summary(self, changes: &Changes) -> [Strip; GROUPS - FIRST_SUMMARY] {
        let (summary, exemplars) = (&changes.summary, &changes.exemplars);
        let parts = match self {
            Self::Text => [
                text::render_jobs(summary),
                text::render_rows(&summary.rows, exemplars, Dialect::Prometheus),
                text::render_rows(&summary.rows, exemplars, Dialect::OpenMetrics),
            ],
            Self::Protobuf => [
                protobuf::render_jobs(summary),
                protobuf::render_rows(&summary.rows, exemplars, changes.rows_since),
                Vec::new(),
            ],
        };
        parts.map(Strip::whole)
    }
}

impl Rendered {
    /// Nothing yet, for [`Self::with`] all jobs.
    #[must_use]
    pub fn empty(layout: Layout) -> Self {
        Self {
            layout,
            blocks: Vec::new(),
            headers: Arc::default(),
            summary: Default::default(),
            sums: Default::default(),
            all_families: Checksum::default(),
        }
    }

    /// The next whole: with the pages that changed rendered anew, all others taken over. Strips that did not change
    /// stay compressed, so that [`Self::compress`] compresses the others alone.
    #[must_use]
    pub fn with(&self, changes: &Changes) -> Self {
        let mut next = self.clone();
        next.blocks.resize_with(changes.page_count.div_ceil(BLOCK_PAGES), Arc::default);
        let mut pages = changes.pages.iter().peekable();
        while let Some((first, _)) = pages.peek() {
            let block_number = *first / BLOCK_PAGES;
            let mut replaced: [Vec<(usize, Vec<u8>)>; FAMILIES] = Default::default();
            let block = next.blocks.get_mut(block_number);
            let strips = block.as_deref();
            while let Some((page, jobs)) = pages.next_if(|(page, _)| *page / BLOCK_PAGES == block_number) {
                if let Some(strips) = strips {
                    let page = page % BLOCK_PAGES;
                    render_page(self.layout, page, jobs, &changes.label_names, strips, &mut replaced);
                }
            }
            if let Some(block) = block {
                *block = Arc::new(with_pages(block, &replaced));
            }
            give_way();
        }
        next.renew_headers();
        next.summary = self.layout.summary(changes);
        next.sums = [Some(next.sum(Encoding::Identity)), None, None];
        next
    }

    /// In protobuf a header has the length of what it stands before.
    fn renew_headers(&mut self) {
        for (number, family) in JOB_FAMILIES.iter().enumerate() {
            let samples =
                self.blocks.iter().filter_map(|block| block.get(number)).map(|strip| strip.plain.len());
            let header = self.layout.header(family, samples.sum());
            if self.headers.get(number).is_some_and(|before| before.plain != header)
                && let Some(place) = Arc::make_mut(&mut self.headers).get_mut(number)
            {
                *place = Strip::whole(header);
            }
        }
    }

    /// Compresses what is not compressed yet.
    pub fn compress(&mut self, encoding: Encoding) {
        if encoding == Encoding::Identity {
            return;
        }
        for block in self.blocks.iter_mut().chain([&mut self.headers]) {
            if !block.iter().all(|strip| strip.is_ready(encoding)) {
                for strip in Arc::make_mut(block) {
                    strip.compress(encoding);
                    give_way();
                }
            }
        }
        for strip in &mut self.summary {
            strip.compress(encoding);
        }
        let sums = self.sum(encoding);
        if encoding == Encoding::Gzip {
            self.all_families = combined(sums.iter().take(FIRST_SUMMARY));
        }
        if let Some(place) = self.sums.get_mut(encoding as usize) {
            *place = Some(sums);
        }
    }

    /// Lets go of all bytes of a compression.
    pub fn drop_compressed(&mut self, encoding: Encoding) {
        if encoding == Encoding::Identity {
            return;
        }
        for block in self.blocks.iter_mut().chain([&mut self.headers]) {
            if block.iter().any(|strip| !strip.bytes(encoding).is_empty()) {
                for strip in Arc::make_mut(block) {
                    strip.drop_compressed(encoding);
                }
            }
        }
        for strip in &mut self.summary {
            strip.drop_compressed(encoding);
        }
        if let Some(place) = self.sums.get_mut(encoding as usize) {
            *place = None;
        }
    }

    fn sum(&self, encoding: Encoding) -> Sums {
        let mut sums = Sums::default();
        for position in 0..self.segment_count() {
            let Some((group, strip)) = self.segment(position) else { continue };
            if let Some(sum) = sums.get_mut(group) {
                sum.length += strip.bytes(encoding).len();
                if encoding == Encoding::Gzip {
                    sum.checksum.append(strip.checksum());
                }
            }
        }
        sums
    }

    /// True if each strip is there in an encoding.
    #[must_use]
    pub fn is_ready(&self, encoding: Encoding) -> bool {
        self.sums(encoding).is_some()
    }

    fn sums(&self, encoding: Encoding) -> Option<&Sums> {
        self.sums.get(encoding as usize)?.as_ref()
    }

    fn shown(&self, encoding: Encoding, groups: Groups) -> impl Iterator<Item = &Sum> {
        let sums = self.sums(encoding).into_iter().flatten();
        sums.enumerate().filter(move |(group, _)| groups.has(*group)).map(|(_, sum)| sum)
    }

    /// How many bytes these groups have in an encoding.
    pub(super) fn length(&self, encoding: Encoding, groups: Groups) -> usize {
        self.shown(encoding, groups).map(|sum| sum.length).sum()
    }

    /// Checksum of the plain bytes of these groups, once they are deflated.
    pub(super) fn checksum(&self, groups: Groups) -> Checksum {
        if !(0..FIRST_SUMMARY).all(|group| groups.has(group)) {
            return combined(self.shown(Encoding::Gzip, groups));
        }
        let mut whole = self.all_families;
        for sum in self.shown(Encoding::Gzip, groups).skip(FIRST_SUMMARY) {
            whole.append(sum.checksum);
        }
        whole
    }

    /// How many strips there are.
    pub(super) const fn segment_count(&self) -> usize {
        FAMILIES * (self.blocks.len() + 1) + GROUPS - FIRST_SUMMARY
    }

    /// The strip at a position of the exposition's order, and its group: family by family its header and all blocks,
    /// and at last the sums. Nothing beyond the end.
    pub(super) fn segment(&self, position: usize) -> Option<(usize, &Strip)> {
        let per_family = self.blocks.len() + 1;
        let (family, part) = (position / per_family, position % per_family);
        if let Some(summary) = position.checked_sub(FAMILIES * per_family) {
            return Some((FIRST_SUMMARY + summary, self.summary.get(summary)?));
        }
        let strip = match part.checked_sub(1) {
            None => self.headers.get(family),
            Some(block) => self.blocks.get(block)?.get(family),
        };
        Some((family, strip?))
    }
}

fn combined<'a>(sums: impl Iterator<Item = &'a Sum>) -> Checksum {
    sums.fold(Checksum::default(), |mut whole, sum| {
        whole.append(sum.checksum);
        whole
    })
}

/// Renders a page and notes, for each family whose samples are others than in `before`, the new ones.
fn render_page(
    layout: Layout,
    page: usize,
    jobs: &[Arc<JobSnapshot>],
    label_names: &[LabelName],
    before: &Block,
    replaced: &mut [Vec<(usize, Vec<u8>)>; FAMILIES],
) {
    // A little more than last time: growing a buffer would copy it.
    let mut out = before.each_ref().map(|strip| Vec::with_capacity(strip.page(page).len() + 64));
    for job in jobs {
        layout.append_job(job, label_names, &mut out);
    }
    for ((text, strip), replaced) in out.into_iter().zip(before).zip(replaced) {
        if text != strip.page(page) {
            replaced.push((page, text));
        }
    }
}

/// Between pieces of work, each well below a millisecond: where all cores are busy, the kernel would else let a scrape
/// wait until this thread's turn is over, some milliseconds later.
fn give_way() {
    std::thread::yield_now();
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
