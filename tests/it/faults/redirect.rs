//! Redirects: followed within the host, and never with our credentials to anywhere else.

use super::matrix::{SHORT_LIMITS, fails, reads, run};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;

#[tokio::test]
async fn redirects_are_followed_within_the_host_alone() {
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port();
    let visits = Arc::new(AtomicUsize::new(0));
    tokio::spawn({
        let visits = Arc::clone(&visits);
        async move {
            while other.accept().await.is_ok() {
                visits.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    run(
        SHORT_LIMITS,
        &[
            reads("same-host", "redirect, to: same_host"),
            fails("loop", "redirect, to: loop", "redirect", "more than 5 times"),
            fails(
                "other-host",
                &format!("redirect, to: 'http://127.0.0.1:{port}/?token=abc'"),
                "redirect",
                &format!("redirected to http://127.0.0.1:{port}, where"),
            ),
            fails("file", "redirect, to: 'file:///etc/passwd'", "redirect", "a file: URL"),
            fails("with-password", "redirect, to: 'http://a:b@127.0.0.1/'", "redirect", "must not go"),
            fails("no-target", "http_status, status: 302", "redirect", "without a Location"),
        ],
    )
    .await;
    assert_eq!(visits.load(Ordering::Relaxed), 0, "nobody else is ever asked");
}
