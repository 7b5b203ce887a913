//! Who gets in, and who goes for it.

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
    let is_ready = matches!(evicted.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
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
async fn scrapes_that_do_not_come_on_give_way() {
    let connections = connections(10);
    let many: Vec<_> = (0..3).map(|_| connections.enter(peer(2))).collect();
    let answers: Vec<_> = many.iter().map(|place| place.connection.begin()).collect();
    let scrapes: Vec<_> = many.iter().map(|place| place.connection.scrape().unwrap().placed()).collect();
    let (same, other) = (connections.enter(peer(2)), connections.enter(peer(3)));
    let page = connections.enter(peer(2));
    let _page = page.connection.begin();
    assert!(!connections.evict_slow_scrapes(&other.connection), "all have just begun");
    tokio::time::advance(STUCK).await;
    answers[1..].iter().for_each(Busy::moved);
    assert!(connections.evict_slow_scrapes(&same.connection));
    assert!(is_evicted(&many[0]) && !is_evicted(&many[1]) && !is_evicted(&many[2]) && !is_evicted(&page));
    tokio::time::advance(SLOW_OF_MANY).await;
    answers.iter().for_each(Busy::moved);
    assert!(!connections.evict_slow_scrapes(&same.connection), "its own address has to wait for longer");
    assert!(connections.evict_slow_scrapes(&other.connection));
    assert!(is_evicted(&many[1]) && !is_evicted(&many[2]));
    drop(scrapes);
    tokio::time::advance(SLOW).await;
    assert!(!connections.evict_slow_scrapes(&other.connection), "none is a scrape any more");
}

#[tokio::test]
async fn a_connection_has_few_scrapes_at_once() {
    let place = connections(1).enter(peer(1));
    let first = place.connection.scrape();
    let second = place.connection.scrape();
    assert!(first.is_some() && second.is_some() && place.connection.scrape().is_none());
    drop(first);
    assert!(place.connection.scrape().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_scrape_has_its_time_however_many_others_come_and_go_beside_it() {
    let began = Instant::now();
    let connections = connections(2);
    let (slow, quick) = (connections.enter(peer(1)), connections.enter(peer(1)));
    let turns = async {
        // Two that overlap, so that one is always under way.
        let mut before = quick.connection.scrape().unwrap().placed();
        for _ in 0..100 {
            tokio::time::sleep(LONGEST_SCRAPE / 3).await;
            before = quick.connection.scrape().unwrap().placed();
        }
        drop(before);
    };
    let scrape = async {
        tokio::time::sleep(LONGEST_SCRAPE / 2).await;
        slow.connection.scrape().unwrap().placed()
    };
    let watched = async { tokio::join!(scrape, slow.connection.overdue()).0 };
    tokio::select! {
        _held = watched => assert_eq!(began.elapsed(), LONGEST_SCRAPE * 3 / 2),
        () = turns => panic!("the slow one may go on for ever"),
        () = quick.connection.overdue() => panic!("the quick ones are in time"),
    }
    assert!(slow.connection.began().iter().all(Option::is_none), "it was dropped");
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
