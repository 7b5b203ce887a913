//! Turns the store's state into the bytes of `/metrics`.
//!
//! Job series are rendered when something changes, never on a scrape: `pages` keeps finished bytes for each page of
//! jobs and family, and a refresh renders the pages that changed and swaps in the new whole. A scrape takes the
//! whole of one moment and adds the exporter's own few series, so it shows each job in one state however slowly it
//! is read. Compressed bytes are made the same way, but only while somebody asks for them.
//!
//! `text` is the format, `own` the exporter's own metrics, `pages` the whole of one moment, made of `strip`s, `gzip` puts one member together from
//! parts, `body` sends the parts without copying them, `negotiate` reads what the scraper accepts, `alone` renders one job for `/probe`. Called by `web` (scrapes) and by `app` (the refresh task).

pub mod alone;
pub mod body;
pub mod gzip;
pub mod negotiate;
mod own;
pub mod pages;
pub mod strip;
pub mod text;

use crate::exposition::body::ScrapeBody;
use crate::exposition::negotiate::Encoding;
use crate::exposition::own::LastSent;
use crate::exposition::pages::Rendered;
use crate::store::Store;
use arc_swap::ArcSwap;
use prometheus::Registry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Compressed pages that nobody asked for during this time are dropped.
const KEEP_UNUSED: Duration = Duration::from_secs(600);

/// Changes are gathered for so long before their pages are rendered: one render serves many polls.
const GATHER: Duration = Duration::from_millis(100);

/// And for so many times as long as the last render took: rendering has a tenth of one core at most, ...
const GATHER_PER_RENDER: u32 = 9;

/// ... but a change shows after this in any case.
const LONGEST_GATHER: Duration = Duration::from_secs(1);

/// The exposition; shared by the refresh task and the web.
#[derive(Debug)]
pub struct Exposition {
    store: Store,
    registry: Registry,
    rendered: ArcSwap<Rendered>,
    /// When gzip was last asked for; held by whoever refreshes, so that refreshes come one after the other.
    refreshing: Mutex<()>,
    gzip_asked: Mutex<Option<Instant>>,
    own_sent: Mutex<LastSent>,
}

impl Exposition {
    /// An exposition of `store`'s jobs and `registry`'s own metrics.
    #[must_use]
    pub fn new(store: Store, registry: Registry) -> Self {
        let exposition = Self {
            store,
            registry,
            rendered: ArcSwap::from_pointee(Rendered::default()),
            refreshing: Mutex::default(),
            gzip_asked: Mutex::default(),
            own_sent: Mutex::default(),
        };
        exposition.refresh();
        exposition
    }

    /// Renders what changed in the store and swaps it in. Costs what changed, not what there is.
    pub fn refresh(&self) {
        let _one_at_a_time = self.refreshing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(changes) = self.store.take_changes() else { return };
        let mut next = self.rendered.load().with(changes);
        if self.gzip_in_use() {
            next.compress();
        } else {
            next.drop_compressed();
        }
        self.rendered.store(Arc::new(next));
    }

    /// Refreshes whenever the store changes; never ends. The task's owner stops it.
    pub async fn keep_fresh(self: Arc<Self>) {
        let mut gather = GATHER;
        loop {
            self.store.changed().await;
            tokio::time::sleep(gather).await;
            let exposition = Arc::clone(&self);
            let began = Instant::now();
            // Rendering takes milliseconds when thousands of jobs changed; scrapes and polls go on meanwhile.
            let _rendered = tokio::task::spawn_blocking(move || exposition.refresh()).await;
            gather = (began.elapsed() * GATHER_PER_RENDER).clamp(GATHER, LONGEST_GATHER);
        }
    }

    /// The body of one scrape.
    #[must_use]
    pub fn scrape(&self, encoding: Encoding) -> ScrapeBody {
        let gathered = self.registry.gather();
        match encoding {
            Encoding::Identity => ScrapeBody::plain(self.rendered.load_full(), own::render(&gathered)),
            Encoding::Gzip => {
                *self.gzip_asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                let rendered = self.compressed();
                let before = rendered.deflated().map(|whole| whole.checksum).unwrap_or_default();
                let mut last = self.own_sent.lock().unwrap_or_else(PoisonError::into_inner);
                let own = last.finish(&gathered, before);
                drop(last);
                ScrapeBody::gzip(rendered, own)
            }
        }
    }

    /// The present whole with all its pages compressed: made now if this is the first to ask.
    fn compressed(&self) -> Arc<Rendered> {
        let rendered = self.rendered.load_full();
        if rendered.is_compressed() {
            return rendered;
        }
        let _one_at_a_time = self.refreshing.lock().unwrap_or_else(PoisonError::into_inner);
        let rendered = self.rendered.load_full();
        if rendered.is_compressed() {
            return rendered;
        }
        let mut next = Rendered::clone(&rendered);
        next.compress();
        let next = Arc::new(next);
        self.rendered.store(Arc::clone(&next));
        next
    }

    fn gzip_in_use(&self) -> bool {
        let asked = *self.gzip_asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.is_some_and(|asked| asked.elapsed() < KEEP_UNUSED)
    }
}

#[cfg(test)]
mod tests;
