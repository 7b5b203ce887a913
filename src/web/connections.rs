//! Who is connected, and who has to go when there is no room: the bounds of the web server. Used by `server`.
//!
//! A new connection always gets in, since behind it may be Prometheus; where the most are open already, another one is
//! closed for it. Whoever has the most connections loses one first, so that no address takes the places of others; of
//! those, one that never asked anything goes before one that is idle, and that before one that is being answered, and
//! the oldest first. Waiting in the system's queue instead would let 10,000 idle connections keep Prometheus out.

use prometheus::IntGauge;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// A scrape of which nothing was taken for so long gives its place to another scraper.
const STUCK: Duration = Duration::from_millis(250);

/// The same for one that is under way for so long.
const SLOW: Duration = Duration::from_secs(5);

/// The same for an address that has more scrapes under way than the other scraper's.
const SLOW_OF_MANY: Duration = Duration::from_secs(1);

/// A scrape is sent within this time: it keeps the bytes of its moment, and those of many moments, each read drop by drop,
/// would add up to many times all that is kept.
pub(super) const LONGEST_SCRAPE: Duration = Duration::from_secs(120);

/// Scrapes of one connection at once.
const SCRAPES: usize = 2;

/// Connections that never asked anything closed at once, so that there is room for a while.
const SILENT_AT_ONCE: usize = 32;

/// What is lost with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// It never asked anything.
    Silent,
    /// It did, and may again.
    Idle,
    /// It is being answered.
    Busy,
}

/// All open connections.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    gauge: IntGauge,
    origin: Instant,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    /// The oldest first.
    all: BTreeMap<u64, Arc<Connection>>,
    by_peer: HashMap<IpAddr, usize>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Connection {
    id: u64,
    peer: IpAddr,
    origin: Instant,
    /// Whether a request came at all.
    asked: AtomicBool,
    /// Requests being answered.
    busy: AtomicUsize,
    /// Scrapes that wait for a place or have one.
    scraping: AtomicUsize,
    /// Scrapes that have one.
    placed: AtomicUsize,
    /// When each of those began.
    began: Mutex<[Option<Instant>; SCRAPES]>,
    /// Milliseconds from `origin` to when it was opened, began to be busy or became idle.
    since: AtomicU64,
    /// The same to when something of an answer was last taken.
    moved: AtomicU64,
    evicted: Notify,
}

impl Connections {
    /// At most `most` at once; `gauge` shows how many there are.
    pub(super) fn new(most: usize, gauge: IntGauge) -> Arc<Self> {
        Arc::new(Self { most, gauge, origin: Instant::now(), open: Mutex::default() })
    }

    /// Takes a place for a new connection, another's if need be.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr) -> Place {
        let mut open = self.lock();
        if open.all.len() >= self.most {
            open.make_room();
        }
        let connection = Arc::new(Connection {
            id: open.next,
            peer,
            origin: self.origin,
            asked: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
            scraping: AtomicUsize::new(0),
            placed: AtomicUsize::new(0),
            began: Mutex::default(),
            since: AtomicU64::new(millis_since(self.origin)),
            moved: AtomicU64::new(0),
            evicted: Notify::new(),
        });
        open.next += 1;
        open.all.insert(connection.id, Arc::clone(&connection));
        *open.by_peer.entry(peer).or_default() += 1;
        self.gauge.inc();
        Place { connections: Arc::clone(self), connection }
    }

    /// Closes a connection, if there is one, because the system has no file descriptors left.
    pub(super) fn evict_one(&self) {
        self.lock().make_room();
    }

    /// Closes connections whose scrapes don't come on, so that `newcomer` can be answered; false if there are none.
    /// Those of an address with more scrapes under way than the newcomer's have to be quicker.
    pub(super) fn evict_slow_scrapes(&self, newcomer: &Connection) -> bool {
        let now = millis_since(self.origin);
        let mut open = self.lock();
        let scrapes = |connection: &Connection| connection.placed.load(Ordering::Relaxed);
        let mut by_peer: HashMap<IpAddr, usize> = HashMap::new();
        for connection in open.all.values() {
            *by_peer.entry(connection.peer).or_default() += scrapes(connection);
        }
        let of = |peer: IpAddr| by_peer.get(&peer).copied().unwrap_or_default();
        let longer = |since: u64, limit: Duration| u128::from(now.saturating_sub(since)) >= limit.as_millis();
        let (mut stuck, mut slowest) = (Vec::new(), None);
        for connection in open.all.values() {
            if connection.id == newcomer.id || scrapes(connection) == 0 {
                continue;
            }
            let (since, moved) =
                (connection.since.load(Ordering::Relaxed), connection.moved.load(Ordering::Relaxed));
            let limit = if of(connection.peer) > of(newcomer.peer) { SLOW_OF_MANY } else { SLOW };
            if longer(moved.max(since), STUCK) {
                stuck.push(connection.id);
            } else if longer(since, limit) {
                slowest = slowest.min(Some((since, connection.id))).or(Some((since, connection.id)));
            }
        }
        if stuck.is_empty() {
            stuck.extend(slowest.map(|(_, id)| id));
        }
        let found = !stuck.is_empty();
        for id in stuck {
            open.evict(id);
        }
        found
    }

    /// Whether another connection than `this` has a scrape, so that its place may become free.
    pub(super) fn has_scrapes_but(&self, this: &Connection) -> bool {
        let open = self.lock();
        open.all.values().any(|other| other.id != this.id && other.placed.load(Ordering::Relaxed) > 0)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing in here can panic half-way.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Closes the connection that has to go first; or several, if they never asked anything, so that a flood of them
    /// does not cost a search each.
    fn make_room(&mut self) {
        let rank = |connection: &Connection| {
            let of_peer = self.by_peer.get(&connection.peer).copied().unwrap_or_default();
            let worth = match (connection.is_busy(), connection.has_asked()) {
                (true, _) => Worth::Busy,
                (false, true) => Worth::Idle,
                (false, false) => Worth::Silent,
            };
            (Reverse(of_peer), worth, connection.since.load(Ordering::Relaxed), connection.id)
        };
        let mut ranks: Vec<_> = self.all.values().map(|connection| rank(connection)).collect();
        let count = SILENT_AT_ONCE.min(ranks.len() / 4).max(1);
        if count < ranks.len() {
            ranks.select_nth_unstable(count);
            ranks.truncate(count);
        }
        ranks.sort_unstable();
        for (position, (_, worth, _, id)) in ranks.into_iter().enumerate() {
            if position == 0 || worth == Worth::Silent {
                self.evict(id);
            }
        }
    }

    fn evict(&mut self, id: u64) {
        if let Some(connection) = self.remove(id) {
            connection.evicted.notify_one();
        }
    }

    fn remove(&mut self, id: u64) -> Option<Arc<Connection>> {
        let connection = self.all.remove(&id)?;
        if let Some(count) = self.by_peer.get_mut(&connection.peer) {
            *count -= 1;
            if *count == 0 {
                self.by_peer.remove(&connection.peer);
            }
        }
        Some(connection)
    }
}

fn millis_since(origin: Instant) -> u64 {
    u64::try_from(origin.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl Connection {
    /// Ends when the connection has to make room.
    pub(super) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// Who is at the other side.
    pub(super) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Whether a request came at all.
    pub(super) fn has_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// One more scrape of this connection, if it has not too many.
    pub(super) fn scrape(self: &Arc<Self>) -> Option<Scraping> {
        let scraping = Scraping { connection: Arc::clone(self), number: None };
        (self.scraping.fetch_add(1, Ordering::Relaxed) < SCRAPES).then_some(scraping)
    }

    /// Ends when a scrape takes longer than [`LONGEST_SCRAPE`].
    pub(super) async fn overdue(&self) {
        loop {
            let now = Instant::now();
            let oldest = self.began().iter().flatten().min().copied();
            // One that begins meanwhile is over no sooner than this.
            let until = oldest.unwrap_or(now) + LONGEST_SCRAPE;
            if until <= now {
                return;
            }
            sleep_until(until).await;
        }
    }

    fn began(&self) -> MutexGuard<'_, [Option<Instant>; SCRAPES]> {
        // Nothing in here can panic half-way.
        self.began.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0
    }

    /// A request came; it is being answered until what this gives is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.asked.store(true, Ordering::Relaxed);
        if self.busy.fetch_add(1, Ordering::Relaxed) == 0 {
            self.since.store(millis_since(self.origin), Ordering::Relaxed);
        }
        Busy(Arc::clone(self))
    }
}

/// A request being answered.
#[derive(Debug)]
pub(super) struct Busy(Arc<Connection>);

impl Busy {
    /// Something of the answer was taken.
    pub(super) fn moved(&self) {
        self.0.moved.store(millis_since(self.0.origin), Ordering::Relaxed);
    }
}

/// A scrape of a connection; it counts until this is dropped.
#[derive(Debug)]
pub(super) struct Scraping {
    connection: Arc<Connection>,
    /// Where it stands among those that began; nothing while it waits.
    number: Option<usize>,
}

impl Scraping {
    /// It waits no longer: from now on it has to come on.
    pub(super) fn placed(mut self) -> Self {
        self.connection.moved.store(millis_since(self.connection.origin), Ordering::Relaxed);
        let mut began = self.connection.began();
        // A connection has no more scrapes than places.
        if let Some((number, place)) = began.iter_mut().enumerate().find(|(_, place)| place.is_none()) {
            *place = Some(Instant::now());
            self.number = Some(number);
            self.connection.placed.fetch_add(1, Ordering::Relaxed);
        }
        drop(began);
        self
    }
}

impl Drop for Scraping {
    fn drop(&mut self) {
        self.connection.scraping.fetch_sub(1, Ordering::Relaxed);
        let mut began = self.connection.began();
        if let Some(place) = self.number.and_then(|number| began.get_mut(number)) {
            *place = None;
            self.connection.placed.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if self.0.busy.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.since.store(millis_since(self.0.origin), Ordering::Relaxed);
        }
    }
}

/// The place of a connection, given back on drop.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    pub(super) connection: Arc<Connection>,
}

impl Drop for Place {
    fn drop(&mut self) {
        // Gone already if it was evicted.
        let _removed = self.connections.lock().remove(self.connection.id);
        self.connections.gauge.dec();
    }
}

#[cfg(test)]
mod tests;
