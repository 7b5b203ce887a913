//! Turns the store's state into the bytes of `/metrics`, in the format and encoding that the scraper takes.
//!
//! Job series are rendered when something changes, never on a scrape: `pages` keeps finished bytes for each page of
//! jobs and family, and a refresh renders the pages that changed and swaps in the new whole. A scrape takes the
//! whole of one moment and adds the exporter's own few series, so it shows each job in one state however slowly it
//! is read. Each layout (lines for all text formats, messages for protobuf) and each compression is made when somebody
//! first asks for it, kept up to date from then on, and dropped once nobody has asked for a while; all that are kept
//! show the same moment.
//!
//! `negotiate` reads what the scraper accepts, `selection` which families it wants, `shape` says which bytes formats
//! share, `usage` which are in use. `samples` decides which samples a job has, `text` and `protobuf` write them, `own`
//! adds the exporter's own metrics, `pages` is the whole of one moment, made of `strip`s, `gzip` and `zstd` compress
//! parts that are put together, `body` sends them without copying, `alone` renders one job for `/probe`. Called by `web`
//! (scrapes, probes) and by `app` (the refresh task).

pub mod alone;
pub mod body;
pub mod gzip;
pub mod negotiate;
mod own;
pub mod pages;
pub mod protobuf;
mod samples;
pub mod selection;
pub mod shape;
pub mod strip;
pub mod text;
mod usage;
pub mod zstd;

use crate::exposition::body::ScrapeBody;
use crate::exposition::gzip::Checksum;
use crate::exposition::negotiate::{Encoding, Format};
use crate::exposition::own::{LastSent, OwnPart};
use crate::exposition::pages::Rendered;
use crate::exposition::selection::{Families, Groups};
use crate::exposition::shape::{Layout, Shape};
use crate::exposition::usage::{KEEP_UNUSED, Usage};
use crate::store::{Changes, Store};
use crate::telemetry::registry::OwnRegistry;
use arc_swap::ArcSwap;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Changes are gathered for so long before their pages are rendered: one render serves many polls.
const GATHER: Duration = Duration::from_millis(100);

/// And for so many times as long as the last render took: rendering has a twentieth of one core at most, ...
const GATHER_PER_RENDER: u32 = 19;

/// ... but a change shows after this in any case.
const LONGEST_GATHER: Duration = Duration::from_secs(1);

/// The exposition; shared by the refresh task and the web.
#[derive(Debug)]
pub struct Exposition {
    store: Store,
    registry: OwnRegistry,
    moment: ArcSwap<Moment>,
    /// Held by whoever makes the next moment, so that they come one after the other.
    refreshing: Mutex<()>,
    usage: Usage,
    own_sent: Mutex<HashMap<(Shape, Encoding), LastSent>>,
}

/// The job series of one moment, by layout; only those in use.
type Moment = [Option<Arc<Rendered>>; Layout::ALL.len()];

/// What a scraper wants.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The format.
    pub format: Format,
    /// The compression.
    pub encoding: Encoding,
    /// The families.
    pub families: Families,
}

impl From<Encoding> for Wanted {
    /// All families as text 0.0.4.
    fn from(encoding: Encoding) -> Self {
        Self { encoding, ..Self::default() }
    }
}

impl Exposition {
    /// An exposition of `store`'s jobs and `registry`'s own metrics.
    #[must_use]
    pub fn new(store: Store, registry: OwnRegistry) -> Self {
        Self {
            store,
            registry,
            moment: ArcSwap::default(),
            refreshing: Mutex::default(),
            usage: Usage::default(),
            own_sent: Mutex::default(),
        }
    }

    /// Renders what changed in the store and swaps it in, and drops what is no longer used. Costs what changed, not
    /// what there is.
    pub fn refresh(&self) {
        let _one_at_a_time = self.refreshing.lock().unwrap_or_else(PoisonError::into_inner);
        let moment = self.moment.load_full();
        let changes = self.store.take_changes();
        if changes.is_none() && self.fits_usage(&moment) {
            return;
        }
        let mut next = Moment::default();
        for ((layout, before), place) in Layout::ALL.into_iter().zip(moment.iter()).zip(&mut next) {
            let before = before.as_ref().filter(|_| self.usage.has_any(layout));
            *place = before.map(|before| self.next(layout, before, changes.as_ref()));
        }
        self.moment.store(Arc::new(next));
        let mut sent = self.own_sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.retain(|(shape, encoding), _| self.usage.has(shape.layout(), *encoding));
    }

    /// Refreshes whenever the store changes; never ends. The task's owner stops it.
    pub async fn keep_fresh(self: Arc<Self>) {
        let mut gather = GATHER;
        loop {
            tokio::select! {
                () = self.store.changed() => tokio::time::sleep(gather).await,
                // Without changes too, what is no longer used is dropped.
                () = tokio::time::sleep(KEEP_UNUSED) => {}
            }
            let exposition = Arc::clone(&self);
            let began = Instant::now();
            // Rendering takes milliseconds when thousands of jobs changed; scrapes and polls go on meanwhile.
            let _rendered = tokio::task::spawn_blocking(move || exposition.refresh()).await;
            gather = (began.elapsed() * GATHER_PER_RENDER).clamp(GATHER, LONGEST_GATHER);
        }
    }

    /// Makes the job series as a scraper wants them, if they are not there; false if that failed. They are then kept up
    /// to date.
    pub async fn prepare(self: &Arc<Self>, wanted: &Wanted) -> bool {
        let (layout, encoding) = (Shape::of(wanted.format).layout(), wanted.encoding);
        if self.ready(layout, encoding).is_some() {
            return true;
        }
        self.usage.note(layout, encoding);
        let exposition = Arc::clone(self);
        tokio::task::spawn_blocking(move || drop(exposition.rendered(layout, encoding))).await.is_ok()
    }

    /// The body of one scrape.
    pub fn scrape(&self, wanted: impl Into<Wanted>) -> ScrapeBody {
        let Wanted { format, encoding, families } = wanted.into();
        let shape = Shape::of(format);
        self.usage.note(shape.layout(), encoding);
        let rendered = self.rendered(shape.layout(), encoding);
        let groups = Groups::of(&families, shape);
        let (first, before) = match encoding {
            Encoding::Gzip => (Bytes::from_static(&gzip::HEADER), rendered.checksum(groups)),
            Encoding::Identity | Encoding::Zstd => (Bytes::new(), Checksum::default()),
        };
        let (reading, began) = (self.registry.read(), self.registry.began());
        let own = OwnPart { reading, families: &families, shape, encoding, began, before };
        let mut sent = self.own_sent.lock().unwrap_or_else(PoisonError::into_inner);
        let last = own.bytes(sent.entry((shape, encoding)).or_default());
        drop(sent);
        ScrapeBody::of(rendered, encoding, groups, first, last)
    }

    /// The job series of the present moment if they are there, compressed too.
    fn ready(&self, layout: Layout, encoding: Encoding) -> Option<Arc<Rendered>> {
        let moment = self.moment.load();
        moment.get(layout as usize)?.as_ref().filter(|rendered| rendered.is_ready(encoding)).map(Arc::clone)
    }

    /// The job series of the present moment: made now if this is the first to ask.
    fn rendered(&self, layout: Layout, encoding: Encoding) -> Arc<Rendered> {
        if let Some(rendered) = self.ready(layout, encoding) {
            return rendered;
        }
        let _one_at_a_time = self.refreshing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rendered) = self.ready(layout, encoding) {
            return rendered;
        }
        let moment = self.moment.load_full();
        let mut next = Moment::clone(&moment);
        let is_there = next.get(layout as usize).is_some_and(Option::is_some);
        // A layout that was not there needs all jobs; the others then take them over too, to stay of one moment.
        let changes = if is_there { self.store.take_changes() } else { Some(self.store.take_all_pages()) };
        let mut wanted = Arc::new(Rendered::empty(layout));
        for (present, place) in Layout::ALL.into_iter().zip(&mut next) {
            if present == layout {
                wanted = self.next(layout, place.as_ref().unwrap_or(&wanted), changes.as_ref());
                *place = Some(Arc::clone(&wanted));
            } else if let Some(before) = place {
                *before = self.next(present, before, changes.as_ref());
            }
        }
        self.moment.store(Arc::new(next));
        wanted
    }

    /// What follows `before`: with these changes, in the encodings that are in use.
    fn next(&self, layout: Layout, before: &Rendered, changes: Option<&Changes>) -> Arc<Rendered> {
        let mut next = changes.map_or_else(|| before.clone(), |changes| before.with(changes));
        for encoding in Encoding::ALL {
            if self.usage.has(layout, encoding) {
                next.compress(encoding);
            } else {
                next.drop_compressed(encoding);
            }
        }
        Arc::new(next)
    }

    /// True if nothing is kept that nobody asked for in a while.
    fn fits_usage(&self, moment: &Moment) -> bool {
        Layout::ALL.into_iter().zip(moment).all(|(layout, rendered)| {
            let Some(rendered) = rendered else { return true };
            let is_needed = |encoding| encoding == Encoding::Identity || self.usage.has(layout, encoding);
            self.usage.has_any(layout)
                && Encoding::ALL
                    .into_iter()
                    .all(|encoding| is_needed(encoding) || !rendered.is_ready(encoding))
        })
    }
}

#[cfg(test)]
mod tests;
