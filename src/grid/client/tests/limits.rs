//! Limits on time and size, and what is good of a body that they break off.

use super::server::{Step, answer, gzip, head};
use super::*;
use crate::job::counts::countable;

const SHORT: Duration = Duration::from_millis(200);

fn large(entries: usize) -> String {
    let list = vec![r#"{"code":"A"}"#; entries].join(",");
    JOB.replace(r#"{"code":"A"},{"code":"A"}"#, &list)
}

#[tokio::test]
async fn a_head_that_does_not_come_is_a_timeout() {
    for steps in [vec![Step::Hang], vec![Step::Send(b"HTTP/1.1 200 OK\r\nContent-".to_vec()), Step::Hang]] {
        let server = Server::answering(vec![steps]).await;
        let answer = read(&GridConfig { timeout: SHORT, ..config(&server.url()) }).await;
        assert_failed(&answer, PollFailure::Timeout, &["no answer from 127.0.0.1:", "200ms (grid.timeout)"]);
        assert_eq!(answer.status_code, None);
    }
}

#[tokio::test]
async fn a_connection_that_does_not_stand_is_a_timeout() {
    // Accepts at once but never answers the handshake.
    let server = Server::answering(vec![vec![Step::Hang]]).await;
    let url = server.url().replace("http://", "https://");
    let answer = read(&GridConfig { connect_timeout: SHORT, ..config(&url) }).await;
    assert_failed(&answer, PollFailure::Timeout, &["no connection to", "200ms (grid.connect_timeout)"]);
}

#[tokio::test]
async fn a_body_that_stands_still_is_a_timeout() {
    let steps = vec![Step::Send(head(1_000)), Step::Send(b"{\"id\":".to_vec()), Step::Hang];
    let server = Server::answering(vec![steps]).await;
    let answer = read(&GridConfig { read_idle_timeout: SHORT, ..config(&server.url()) }).await;
    assert_failed(&answer, PollFailure::Timeout, &["stood still", "after 6 bytes (grid.read_idle_timeout)"]);
    assert_eq!(answer.status_code, Some(200));
}

#[tokio::test]
async fn a_body_that_trickles_ends_with_the_time_of_an_answer() {
    let steps = vec![Step::Send(head(1_000)), Step::Trickle(vec![b' '; 1_000], Duration::from_millis(20))];
    let server = Server::answering(vec![steps]).await;
    let answer = read(&GridConfig { max_duration: SHORT, ..config(&server.url()) }).await;
    assert_failed(&answer, PollFailure::Timeout, &["not whole within 200ms", "(grid.max_duration)"]);
}

#[tokio::test]
async fn what_came_before_the_time_was_up_is_good_if_the_counts_were_whole() {
    let body = large(100);
    let (begun, rest) = body.as_bytes().split_at(body.len() - 300);
    let hanging = vec![Step::Send(head(body.len())), Step::Send(begun.to_vec()), Step::Hang];
    let server = Server::answering(vec![hanging]).await;
    let idle = GridConfig { read_idle_timeout: SHORT, ..config(&server.url()) };
    let trickling = Step::Trickle(rest.to_vec(), Duration::from_millis(20));
    let slow =
        Server::answering(vec![vec![Step::Send(head(body.len())), Step::Send(begun.to_vec()), trickling]])
            .await;
    let slow = GridConfig { max_duration: SHORT, ..config(&slow.url()) };
    for config in [idle, slow] {
        let job = job(read(&config).await);
        assert!(job.errors_truncated);
        assert_eq!(countable(job.progress.unwrap().failed), Some(2));
        assert!((70..100).contains(&job.errors.iter().next().unwrap().1));
    }
}

#[tokio::test]
async fn a_large_body_is_too_large_or_cut() {
    let body = large(10_000);
    let server = Server::saying(answer("200 OK", "", &body)).await;
    let small = GridConfig { max_response_bytes: 50_000, ..config(&server.url()) };
    assert!(job(read(&small).await).errors_truncated);
    let exact = GridConfig { max_response_bytes: body.len() as u64, ..small };
    assert!(!job(read(&exact).await).errors_truncated, "exactly the limit is within it");
    let server = Server::saying(answer("200 OK", "", format!("{{\"x\":\"{}", "y".repeat(60_000)))).await;
    let small = GridConfig { max_response_bytes: 50_000, ..config(&server.url()) };
    assert_failed(
        &read(&small).await,
        PollFailure::TooLarge,
        &["exceeds 50000 bytes (grid.max_response_bytes)"],
    );
}

#[tokio::test]
async fn a_gzip_bomb_counts_by_what_it_unpacks_to() {
    let mut bomb = b"{\"x\":\"".to_vec();
    bomb.resize(8_000_000, b'y');
    let packed = gzip(&bomb);
    assert!(packed.len() < 100_000);
    let server = Server::saying(answer("200 OK", "Content-Encoding: gzip\r\n", packed)).await;
    let own = metrics();
    let config = config(&server.url());
    let client = GridClient::new(&config, own.api.clone(), Arc::new(SystemClock)).unwrap();
    assert_failed(&client.read(query()).await, PollFailure::TooLarge, &["grid.max_response_bytes"]);
    assert!(own.api.response_bytes.get() < config.max_response_bytes + 65_536);
}

#[tokio::test]
async fn an_error_with_an_endless_body_holds_nobody_up() {
    let endless = vec![
        Step::Send(b"HTTP/1.1 503 Down\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n".to_vec()),
        Step::Trickle(vec![b'x'; 60_000], Duration::from_millis(10)),
    ];
    let server = Server::answering(vec![endless]).await;
    let answer = read(&GridConfig { read_idle_timeout: SHORT, ..config(&server.url()) }).await;
    assert_failed(&answer, PollFailure::ServerError, &["503"]);
    assert!(answer.transfer < Duration::from_secs(2));
}
