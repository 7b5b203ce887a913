//! Failures below HTTP: names, connections, proxies.

use super::server::{Step, head, json};
use super::*;
use tokio::net::TcpListener;

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_dns_failure() {
    let answer = read(&config("http://no-such-host.invalid/v1")).await;
    assert_failed(&answer, PollFailure::Dns, &["grid.base_url can't be resolved"]);
    assert_eq!(answer.status_code, None);
}

#[tokio::test]
async fn a_refused_connection_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let answer = read(&config(&format!("http://{address}"))).await;
    assert_failed(
        &answer,
        PollFailure::Connect,
        &[&format!("no connection to {address}: connection refused")],
    );
}

#[tokio::test]
async fn a_connection_that_breaks_is_told_with_its_place() {
    let begun = || Step::Send(b"HTTP/1.1 200 OK\r\nContent-Ty".to_vec());
    let within = || Step::Send([&head(500)[..], b"{\"id\":"].concat());
    for (steps, part) in [
        (vec![Step::Reset], "broke before the answer"),
        (vec![Step::Close], "broke before the answer"),
        (vec![begun(), Step::Reset], "broke before the answer"),
        (vec![begun(), Step::Close], "broke before the answer"),
        (vec![within(), Step::Reset], "of its body"),
        (vec![within(), Step::Close], "broke off after 6 bytes of its body"),
    ] {
        let name = format!("{steps:?}");
        let server = Server::answering(vec![steps]).await;
        let answer = read(&config(&server.url())).await;
        assert!(answer.outcome.is_err(), "{name}");
        assert_failed(&answer, PollFailure::Connect, &["127.0.0.1:", part]);
    }
}

#[tokio::test]
async fn a_cut_body_is_no_good_reading_even_if_the_counts_were_whole() {
    let body = &JOB[..JOB.len() - 10];
    let server =
        Server::answering(vec![vec![Step::Send(head(JOB.len())), Step::Send(body.into()), Step::Close]])
            .await;
    assert_failed(&read(&config(&server.url())).await, PollFailure::Connect, &["broke off"]);
}

#[tokio::test]
async fn what_is_not_http_is_a_bad_response() {
    let server =
        Server::answering(vec![vec![Step::Send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()), Step::Hang]]).await;
    assert_failed(&read(&config(&server.url())).await, PollFailure::BadResponse, &["not HTTP"]);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_while_idle_is_replaced() {
    let closing = vec![Step::Send(json(JOB)), Step::Close];
    let server = Server::answering(vec![closing]).await;
    let client = client_of(&config(&server.url()));
    for _ in 0..5 {
        assert!(client.read(query()).await.outcome.is_ok());
    }
}

#[tokio::test]
async fn all_requests_go_through_the_proxy_with_its_credentials() {
    let proxy = Server::saying(json(JOB)).await;
    let proxy_url = format!("http://user:p%40ss@{}", proxy.address);
    let through =
        GridConfig { proxy_url: Some(Url::parse(&proxy_url).unwrap()), ..config("http://api.invalid/v1") };
    assert!(read(&through).await.outcome.is_ok());
    let head = &proxy.requests()[0];
    assert!(head.starts_with("GET http://api.invalid/v1/customers/bulk/jobs/Job:1 "), "{head}");
    // base64 of `user:p@ss`
    assert!(head.to_ascii_lowercase().contains("proxy-authorization: basic dxnlcjpwqhnz\r\n"), "{head}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_told_without_its_password() {
    let proxy = Server::saying(server::answer("407 Proxy Authentication Required", "", "")).await;
    let proxy_url = format!("http://user:s3cret@{}", proxy.address);
    for (base, reason) in
        [("http://api.invalid/v1", PollFailure::Other), ("https://api.invalid/v1", PollFailure::Connect)]
    {
        let through = GridConfig { proxy_url: Some(Url::parse(&proxy_url).unwrap()), ..config(base) };
        assert_failed(&read(&through).await, reason, &["proxy_url"]);
    }
    let missing = Some(Url::parse("http://user:s3cret@no-such-proxy.invalid:3128").unwrap());
    let through = GridConfig { proxy_url: missing, ..config("http://api.invalid/v1") };
    assert_failed(&read(&through).await, PollFailure::Dns, &["the host of grid.proxy_url"]);
}

#[tokio::test]
async fn requests_without_an_answer_are_counted_as_none() {
    let own = metrics();
    let server = Server::answering(vec![vec![Step::Reset], vec![Step::Send(json(JOB))]]).await;
    let client = GridClient::new(&config(&server.url()), own.api.clone(), Arc::new(SystemClock)).unwrap();
    client.read(query()).await;
    client.read(query()).await;
    let reading = own.registry.read();
    let counted = |code: &str| reading.value("grid_bulk_api_requests_total", &[code]).unwrap();
    assert_eq!((counted("none"), counted("200"), counted("500")), (1.0, 1.0, 0.0));
}
