//! Makes responses: plain words, JSON, pages, each with its exact headers. Used by the endpoints.

use crate::exposition::body::{Parts, ScrapeBody};
use crate::exposition::negotiate::Encoding;
use crate::web::held::Holds;
use bytes::{Buf, Bytes};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::{Either, Full};
use std::io::{IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of a response: a scrape's parts, or one piece.
pub type Body = Either<Scrape, Full<Sent>>;

/// A response.
pub type Response = http::Response<Body>;

/// Bodies shorter than this are not worth compressing, in bytes.
const COMPRESS_FROM: usize = 1024;

/// A scrape's body.
#[derive(Debug)]
pub struct Scrape(pub ScrapeBody);

impl http_body::Body for Scrape {
    type Data = Sent;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Sent>, Self::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.0).poll_frame(context));
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(|parts| Sent { parts, holds: None }))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.size_hint()
    }
}

/// Bytes on their way, and what they hold until they are sent: the body itself is done as soon as it has handed them
/// over, long before a slow scraper has them.
#[derive(Debug, Default)]
pub struct Sent {
    parts: Parts,
    holds: Option<Holds>,
}

impl Sent {
    /// The same bytes, which hold this until they are sent.
    #[must_use]
    pub fn holding(self, holds: Option<Holds>) -> Self {
        Self { holds, ..self }
    }
}

impl From<Bytes> for Sent {
    fn from(bytes: Bytes) -> Self {
        Self { parts: bytes.into(), holds: None }
    }
}

impl Buf for Sent {
    fn remaining(&self) -> usize {
        self.parts.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.parts.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.parts.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        if let Some(holds) = &self.holds {
            holds.moved();
        }
        self.parts.advance(count);
    }
}

/// A whole response of one piece.
#[must_use]
pub fn whole(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let body = body.into();
    let mut response = http::Response::new(Either::Right(Full::new(body.clone().into())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    response
}

/// A line of plain words.
#[must_use]
pub fn words(status: StatusCode, line: &str) -> Response {
    let mut response = whole(status, "text/plain; charset=utf-8", format!("{line}\n"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A JSON document.
#[must_use]
pub fn json(body: Vec<u8>) -> Response {
    let mut response = whole(StatusCode::OK, "application/json", body);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// 204: done, and there is nothing to say.
#[must_use]
pub fn no_content() -> Response {
    let mut response = http::Response::new(Either::Right(Full::default()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A page that loads nothing but its own style sheet and script, and that no other page may frame.
#[must_use]
pub fn page(html: String) -> Response {
    let mut response = whole(StatusCode::OK, "text/html; charset=utf-8", html);
    let headers = response.headers_mut();
    // The rest comes with every response.
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                  base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Sets the headers that no response goes without: browsers guess no types, frame nothing of ours, load nothing for what
/// is not a page, and tell nobody the address.
///
/// A 304 has none of them: a browser would put them in the place of those that came with the page.
pub fn protect<B>(response: &mut http::Response<B>) {
    if response.status() == StatusCode::NOT_MODIFIED {
        return;
    }
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
}

/// 404 in plain words; `start` is where the status page is.
#[must_use]
pub fn not_found(path: &str, start: &str) -> Response {
    let shown: String = path.chars().take(200).collect();
    words(StatusCode::NOT_FOUND, &format!("There is nothing at {shown}. See {start} for what there is."))
}

/// 405 in plain words, with the methods that are there.
#[must_use]
pub fn method_not_allowed(method: &Method, allowed: &str) -> Response {
    let line = format!("{method} is not possible here; use {allowed}.");
    let mut response = words(StatusCode::METHOD_NOT_ALLOWED, &line);
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// The compression that the request prefers among these.
#[must_use]
pub fn encoding(headers: &HeaderMap, offered: &[Encoding]) -> Encoding {
    Encoding::negotiate(list(headers, &ACCEPT_ENCODING).as_deref(), offered)
}

/// A header that is a list and may come in several lines; nothing if it is not there.
#[must_use]
pub fn list(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<_> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// Compresses a response of one piece, if the request asked for it and it pays.
#[must_use]
pub fn compress_for(request: &HeaderMap, mut response: Response, body: &[u8]) -> Response {
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if encoding(request, &[Encoding::Gzip]) != Encoding::Gzip || body.len() < COMPRESS_FROM {
        return response;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    let Ok(compressed) = encoder.write_all(body).and_then(|()| encoder.finish()) else { return response };
    let headers = response.headers_mut();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(compressed.len()));
    *response.body_mut() = Either::Right(Full::new(Bytes::from(compressed).into()));
    response
}
