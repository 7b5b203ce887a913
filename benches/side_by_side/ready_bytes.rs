//! The limit: what sending ready bytes costs with hyper, as every exporter here uses HTTP/1.1 on loopback.

use bytes::Bytes;
use http::HeaderValue;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use tokio::net::TcpListener;

/// Serves the two files' bytes at any path, and prints `HOST:PORT`. Never ends.
pub(crate) fn serve(plain: &str, gzip: &str) {
    let plain = Bytes::from(std::fs::read(plain).expect("the plain body"));
    let gzip = Bytes::from(std::fs::read(gzip).expect("the gzip body"));
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("an address"));
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("a socket option");
            let (plain, gzip) = (plain.clone(), gzip.clone());
            let answer = service_fn(move |request: http::Request<Incoming>| {
                let wants_gzip = request.headers().contains_key(ACCEPT_ENCODING);
                let body = if wants_gzip { gzip.clone() } else { plain.clone() };
                async move {
                    let mut response = http::Response::new(Full::new(body));
                    let headers = response.headers_mut();
                    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"));
                    if wants_gzip {
                        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                    }
                    Ok::<_, Infallible>(response)
                }
            });
            tokio::spawn(async move {
                // A client that goes away is no fault.
                let _ended = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    });
}
