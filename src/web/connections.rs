//! Who is connected, and who has to go when there is no room: the bounds of the web server. Used by `server`.
//!
//! A new connection always gets in, since behind it may be Prometheus; where the most are open already, another one is
//! closed for it. Whoever has the most connections loses one first, so that no address takes the places of others; of
//! those, one that never asked anything goes before one that is idle, and that before one that is being answered, and
//! the oldest first. Waiting in the system's queue instead would let 10,000 idle connections keep Prometheus out.

use prometheus::IntGauge;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// An answer that is under way for so long gives its place among the scrapes to another scraper.
const SLOW_ANSWER: Duration = Duration::from_secs(5);

/// The same for an address that has more answers under way than the other scraper's.
const SLOW_ANSWER_OF_MANY: Duration = Duration::from_secs(1);

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
    /// Milliseconds from `origin` to when it was opened, began to be busy or became idle.
    since: AtomicU64,
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
        while open.all.len() >= self.most {
            let Some(id) = open.victim() else { break };
            open.evict(id);
        }
        let connection = Arc::new(Connection {
            id: open.next,
            peer,
            origin: self.origin,
            asked: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
            since: AtomicU64::new(millis_since(self.origin)),
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
        let mut open = self.lock();
        if let Some(id) = open.victim() {
            open.evict(id);
        }
    }

    /// Closes the connection whose answer is under way for the longest, so that `newcomer` can be answered; false if
    /// none is so slow. An address with more answers under way than the newcomer's has to be quicker.
    pub(super) fn evict_slowest(&self, newcomer: &Connection) -> bool {
        let now = millis_since(self.origin);
        let mut open = self.lock();
        let mut answers: HashMap<IpAddr, usize> = HashMap::new();
        for connection in open.all.values().filter(|connection| connection.is_busy()) {
            *answers.entry(connection.peer).or_default() += 1;
        }
        let of = |peer: IpAddr| answers.get(&peer).copied().unwrap_or_default();
        let own = of(newcomer.peer);
        let slowest = open
            .all
            .values()
            .filter(|connection| connection.id != newcomer.id && connection.is_busy())
            .filter(|connection| {
                let limit = if of(connection.peer) > own + 1 { SLOW_ANSWER_OF_MANY } else { SLOW_ANSWER };
                let age = now.saturating_sub(connection.since.load(Ordering::Relaxed));
                u128::from(age) >= limit.as_millis()
            })
            .max_by_key(|connection| {
                (of(connection.peer), now.saturating_sub(connection.since.load(Ordering::Relaxed)))
            })
            .map(|connection| connection.id);
        if let Some(id) = slowest {
            open.evict(id);
        }
        slowest.is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        // Nothing in here can panic half-way.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// The connection that has to go first.
    fn victim(&self) -> Option<u64> {
        let rank = |connection: &&Arc<Connection>| {
            let of_peer = self.by_peer.get(&connection.peer).copied().unwrap_or_default();
            let worth = match (connection.is_busy(), connection.asked.load(Ordering::Relaxed)) {
                (true, _) => 2,
                (false, true) => 1,
                (false, false) => 0,
            };
            (usize::MAX - of_peer, worth, connection.since.load(Ordering::Relaxed), connection.id)
        };
        self.all.values().min_by_key(rank).map(|connection| connection.id)
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
mod tests {
    use super::*;
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    fn peer(last: u8) -> IpAddr {
        [127, 0, 0, last].into()
    }

    fn connections(most: usize) -> Arc<Connections> {
        Connections::new(most, IntGauge::new("connections", "open").unwrap())
    }

    fn is_evicted(place: &Place) -> bool {
        let mut evicted = Box::pin(place.connection.evicted());
        let is_ready =
            matches!(evicted.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
        drop(evicted);
        is_ready
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_one_gets_in_for_one_that_never_asked_then_for_the_longest_idle() {
        let connections = connections(3);
        let busy = connections.enter(peer(1));
        let _answer = busy.connection.begin();
        let idle = connections.enter(peer(1));
        drop(idle.connection.begin());
        tokio::time::advance(Duration::from_secs(1)).await;
        let silent = connections.enter(peer(1));
        let fourth = connections.enter(peer(1));
        assert!(is_evicted(&silent) && !is_evicted(&idle) && !is_evicted(&busy));
        drop(fourth.connection.begin());
        let fifth = connections.enter(peer(1));
        assert!(is_evicted(&idle) && !is_evicted(&busy) && !is_evicted(&fifth));
        assert_eq!(connections.lock().all.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_address_with_the_most_connections_loses_one_even_if_all_are_busy() {
        let connections = connections(4);
        let idle = connections.enter(peer(1));
        let many: Vec<_> = (0..3).map(|_| connections.enter(peer(2))).collect();
        let _answers: Vec<_> = many.iter().map(|place| place.connection.begin()).collect();
        let _new = connections.enter(peer(3));
        assert!(!is_evicted(&idle), "an idle one of another address stays");
        assert_eq!(many.iter().filter(|place| is_evicted(place)).count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_slowest_answer_gives_way_once_it_is_slow() {
        let connections = connections(10);
        let slow: Vec<_> = (0..3).map(|_| connections.enter(peer(2))).collect();
        let _answers: Vec<_> = slow.iter().map(|place| place.connection.begin()).collect();
        let same = connections.enter(peer(2));
        let other = connections.enter(peer(3));
        assert!(!connections.evict_slowest(&other.connection));
        tokio::time::advance(SLOW_ANSWER_OF_MANY).await;
        assert!(!connections.evict_slowest(&same.connection), "its own address has to wait for longer");
        assert!(connections.evict_slowest(&other.connection));
        tokio::time::advance(SLOW_ANSWER).await;
        assert!(connections.evict_slowest(&same.connection));
        assert_eq!(slow.iter().filter(|place| is_evicted(place)).count(), 2);
    }

    #[tokio::test]
    async fn places_are_given_back_and_counted() {
        let connections = connections(2);
        let (first, second) = (connections.enter(peer(1)), connections.enter(peer(1)));
        assert_eq!(connections.gauge.get(), 2);
        drop(first);
        assert!(!is_evicted(&second));
        let third = connections.enter(peer(1));
        assert!(!is_evicted(&second));
        drop(second);
        drop(third);
        assert_eq!((connections.gauge.get(), connections.lock().by_peer.len()), (0, 0));
    }
}
