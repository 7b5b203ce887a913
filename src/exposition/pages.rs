//! Finished bytes: for each page of jobs and each family one segment, plain and, where asked for, deflated.
//!
//! The format wants all samples of a family together, and a change should cost its page alone; hence segments by
//! page *and* family. A [`Rendered`] is the whole of one moment and never changes once it is shared; a refresh
//! builds the next one from it, taking over the pages that did not change. Used by `exposition` alone.

use crate::exposition::gzip::{Deflated, deflate};
use crate::exposition::text;
use crate::job::LabelName;
use crate::store::{Changes, JobSnapshot, Summary};
use crate::telemetry::families::JOB_FAMILIES;
use bytes::Bytes;
use std::sync::Arc;

/// Some bytes of the exposition, plain and deflated.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    /// As text.
    pub plain: Bytes,
    /// Deflated; nothing while nobody asks for gzip.
    pub deflated: Option<Deflated>,
}

impl Segment {
    fn new(plain: Vec<u8>) -> Self {
        Self { plain: plain.into(), deflated: None }
    }

    fn compress(&mut self) {
        if self.deflated.is_none() && !self.plain.is_empty() {
            self.deflated = Some(deflate(&self.plain));
        }
    }
}

/// The segments of one page of jobs, one for each of [`JOB_FAMILIES`].
type Page = [Segment; JOB_FAMILIES.len()];

/// The job series of one moment.
#[derive(Clone, Debug)]
pub struct Rendered {
    pages: Vec<Arc<Page>>,
    /// HELP and TYPE of each family.
    headers: Arc<Page>,
    /// The families over all jobs, of the same moment.
    summary: Segment,
    /// True if each segment is deflated.
    compressed: bool,
}

impl Default for Rendered {
    fn default() -> Self {
        let headers = JOB_FAMILIES.each_ref().map(|family| {
            let mut out = Vec::new();
            text::append_header(family, &mut out);
            Segment::new(out)
        });
        Self {
            pages: Vec::new(),
            headers: Arc::new(headers),
            summary: Segment::new(text::render_summary(&Summary::default())),
            compressed: false,
        }
    }
}

impl Rendered {
    /// The next whole: with the pages that changed rendered anew, all others taken over.
    #[must_use]
    pub fn with(&self, changes: Changes) -> Self {
        let mut next = self.clone();
        next.pages.resize_with(changes.page_count, Arc::default);
        for (number, jobs) in changes.pages {
            if let Some(page) = next.pages.get_mut(number) {
                *page = Arc::new(render_page(&jobs, &changes.label_names));
            }
        }
        next.summary = Segment::new(text::render_summary(&changes.summary));
        next.compressed = false;
        next
    }

    /// Deflates what is not deflated yet.
    pub fn compress(&mut self) {
        for page in self.pages.iter_mut().chain([&mut self.headers]) {
            if page.iter().any(|segment| segment.deflated.is_none() && !segment.plain.is_empty()) {
                Arc::make_mut(page).iter_mut().for_each(Segment::compress);
            }
        }
        self.summary.compress();
        self.compressed = true;
    }

    /// Lets go of all deflated bytes.
    pub fn drop_compressed(&mut self) {
        for page in self.pages.iter_mut().chain([&mut self.headers]) {
            if page.iter().any(|segment| segment.deflated.is_some()) {
                for segment in Arc::make_mut(page).iter_mut() {
                    segment.deflated = None;
                }
            }
        }
        self.summary.deflated = None;
        self.compressed = false;
    }

    /// True if each segment is deflated.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.compressed
    }

    /// The segment at a position of the exposition's order: family by family its header and all pages, and at last
    /// the sums. Nothing beyond the end.
    #[must_use]
    pub fn segment(&self, position: usize) -> Option<&Segment> {
        let per_family = self.pages.len() + 1;
        let (family, part) = (position / per_family, position % per_family);
        if family == JOB_FAMILIES.len() {
            return (part == 0).then_some(&self.summary);
        }
        match part.checked_sub(1) {
            None => self.headers.get(family),
            Some(page) => self.pages.get(page)?.get(family),
        }
    }

    /// All segments, in the exposition's order.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        (0..).map_while(|position| self.segment(position))
    }
}

fn render_page(jobs: &[Arc<JobSnapshot>], label_names: &[LabelName]) -> Page {
    let mut out: [Vec<u8>; JOB_FAMILIES.len()] = Default::default();
    for job in jobs {
        text::append_job(job, label_names, &mut out);
    }
    out.map(|mut bytes| {
        bytes.shrink_to_fit();
        Segment::new(bytes)
    })
}
