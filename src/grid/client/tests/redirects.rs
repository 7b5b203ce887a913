//! Redirects are followed within the host, and nowhere else.

use super::server::{Step, answer, json};
use super::*;

fn redirect(location: &str) -> Vec<u8> {
    answer("307 Temporary Redirect", &format!("Location: {location}\r\n"), "moved")
}

#[tokio::test]
async fn a_redirect_within_the_host_is_followed_and_each_request_counted() {
    let steps =
        [redirect("/elsewhere?x=1"), redirect("../again"), json(JOB)].map(|bytes| vec![Step::Send(bytes)]);
    let server = Server::answering(steps.to_vec()).await;
    let own = metrics();
    let client = GridClient::new(&config(&server.url()), own.api.clone(), Arc::new(SystemClock)).unwrap();
    assert!(client.read(query()).await.outcome.is_ok());
    let requests = server.requests();
    assert!(requests[1].starts_with("GET /elsewhere?x=1 "), "{}", requests[1]);
    assert!(requests[2].starts_with("GET /again "), "{}", requests[2]);
    assert!(requests.iter().all(|head| head.contains(BASIC)));
    assert_eq!(own.api.request_duration.get_sample_count(), 3);
}

#[tokio::test]
async fn a_redirect_to_another_place_gets_no_request() {
    let other = Server::saying(json(JOB)).await;
    let port = other.address.port();
    for (target, shown) in [
        (
            format!("http://127.0.0.1:{port}/x?token=s3cret"),
            format!("redirected to http://127.0.0.1:{port},"),
        ),
        (format!("http://localhost:{port}/"), "redirected to http://localhost:".to_owned()),
        ("https://127.0.0.1/".to_owned(), "https://127.0.0.1:443".to_owned()),
        (format!("//127.0.0.1:{port}/"), format!("127.0.0.1:{port}")),
        ("file:///etc/passwd".to_owned(), "a file: URL".to_owned()),
        ("data:text/plain,x".to_owned(), "a data: URL".to_owned()),
    ] {
        let server = Server::saying(redirect(&target)).await;
        let answer = read(&config(&server.url())).await;
        assert_failed(&answer, PollFailure::Redirect, &[&shown]);
        assert_eq!(server.requests().len(), 1);
    }
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn a_loop_ends() {
    let server = Server::saying(redirect("/again")).await;
    let answer = read(&config(&server.url())).await;
    assert_failed(&answer, PollFailure::Redirect, &["more than 5 times"]);
    assert_eq!(server.requests().len(), 6);
}

#[tokio::test]
async fn a_redirect_to_nowhere_is_told() {
    for bytes in [answer("302 Found", "", ""), redirect("http://["), redirect("\u{fc}")] {
        let server = Server::saying(bytes).await;
        assert_failed(&read(&config(&server.url())).await, PollFailure::Redirect, &["redirected"]);
    }
}
