//! Sends one webhook: a connection of its own, HTTP/1.1, a bounded time.

use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;
use url::Url;

/// The time for all of it.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// The status of the answer, or why there is none.
pub(super) async fn post(url: &Url, signature: &str, body: Bytes) -> Result<u16, String> {
    match tokio::time::timeout(TIME_LIMIT, exchange(url, signature, body)).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Err(format!("no answer within {} s", TIME_LIMIT.as_secs())),
    }
}

async fn exchange(url: &Url, signature: &str, body: Bytes) -> Result<u16, String> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(80);
    let address = (host.trim_start_matches('[').trim_end_matches(']'), port);
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let request = Request::post(url.path())
        .header(HOST, format!("{host}:{port}"))
        .header(USER_AGENT, "grid-bulk-exporter-simulator")
        .header(CONTENT_TYPE, "application/json")
        .header("X-Grid-Signature", signature)
        .body(Full::new(body))
        .map_err(|error| error.to_string())?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let connection = async {
        let _told_to_sender = connection.await;
        std::future::pending().await
    };
    tokio::select! {
        response = sender.send_request(request) => {
            response.map(|response| response.status().as_u16()).map_err(|error| error.to_string())
        }
        never = connection => never,
    }
}
