//! Makes a good answer bad: applies the faults that strike a request.
//!
//! Order: waits, then what replaces the answer, then what changes its body, then how it is sent, then where the
//! connection breaks. Of two faults at the same stage the first one counts; oddities are in the answer already.

use crate::sim::body::{Pace, SimBody};
use crate::sim::broken::{HTML_PAGE, deep_nesting, gzip_bomb, huge_string};
use crate::sim::fault::{Fault, FaultKind, HttpStatusFault, RedirectTarget, ResetPoint};
use crate::sim::problem::{Reply, json_reply, problem_with, usual};
use crate::sim::service::compress;
use crate::sim::wire::{Breakage, BreakageEnd};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use http::{Request, Response, StatusCode, Version};
use std::time::Duration;
use tokio::time::sleep;

/// What of the request matters to a fault.
pub(crate) struct Asked {
    path: String,
    /// It follows our own redirect.
    redirected: bool,
    http2: bool,
    pub(crate) gzip: bool,
}

impl Asked {
    pub(crate) fn of<B>(request: &Request<B>, gzip: bool) -> Self {
        Self {
            path: request.uri().path().to_owned(),
            redirected: request.uri().query() == Some("redirected"),
            http2: request.version() == Version::HTTP_2,
            gzip,
        }
    }
}

/// What becomes of a request.
pub(crate) enum Outcome {
    /// An answer, whole as HTTP.
    Answered(Reply),
    /// Bytes as they are, and the connection's end.
    Broken(Breakage),
    /// Nothing, ever.
    Hanging,
}

/// A cut body promises so many bytes more than come, in `Content-Length`.
const PART: u64 = 16 * 1024;

/// Applies `faults` to the answer that `good` makes, after the waits among them.
pub(crate) async fn spoil(faults: &[Fault], asked: &Asked, good: impl FnOnce() -> Reply) -> Outcome {
    let delay: Duration = faults
        .iter()
        .filter_map(|fault| if let FaultKind::Delay(delay) = fault.kind { Some(delay) } else { None })
        .fold(Duration::ZERO, Duration::saturating_add);
    if !delay.is_zero() {
        sleep(delay).await;
    }
    let kinds = || faults.iter().map(|fault| &fault.kind);
    if kinds().any(|kind| *kind == FaultKind::HangHead) {
        return Outcome::Hanging;
    }
    let mut reply = match kinds().find_map(|kind| replacement(kind, asked)) {
        Some(reply) => reply,
        None => kinds().fold(good(), change_body),
    };
    if asked.gzip && !reply.headers().contains_key(CONTENT_ENCODING) {
        reply = compress(reply);
    }
    if let Some(breakage) = kinds().find_map(|kind| breaks(kind).then(|| kind.clone())) {
        return Outcome::Broken(break_off(&breakage, reply, asked.http2));
    }
    if let Some(pace) = kinds().find_map(pace) {
        reply = reply.map(|body| SimBody::streamed(body.into_pieces(), pace));
    }
    Outcome::Answered(reply)
}

/// An answer in place of the good one.
fn replacement(kind: &FaultKind, asked: &Asked) -> Option<Reply> {
    match kind {
        FaultKind::HttpStatus(fault) => Some(status_reply(fault)),
        FaultKind::Html => {
            let mut reply = json_reply(StatusCode::OK, SimBody::Whole(HTML_PAGE.into()));
            reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            Some(reply)
        }
        FaultKind::EmptyBody => Some(json_reply(StatusCode::OK, SimBody::Whole(Bytes::new()))),
        FaultKind::NotJson => Some(json_reply(StatusCode::OK, SimBody::Whole("upstream said: ok\n".into()))),
        FaultKind::Redirect(target) if !asked.redirected => Some(redirect(target, &asked.path)),
        _ => None,
    }
}

fn status_reply(fault: &HttpStatusFault) -> Reply {
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (code, message) = usual(status);
    let code = fault.code.as_deref().unwrap_or(code);
    // 204 and 304 have no body, which hyper enforces.
    let mut reply = problem_with(status, code, message, None);
    let retry_after_ms = fault.retry_after_ms.map(|millis| millis.to_string());
    let should_retry = fault.should_retry.map(|should| should.to_string());
    for (name, value) in [
        (RETRY_AFTER, fault.retry_after.as_deref()),
        (HeaderName::from_static("retry-after-ms"), retry_after_ms.as_deref()),
        (HeaderName::from_static("x-should-retry"), should_retry.as_deref()),
    ] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            reply.headers_mut().insert(name, value);
        }
    }
    reply
}

fn redirect(target: &RedirectTarget, path: &str) -> Reply {
    let location = match target {
        RedirectTarget::SameHost => format!("{path}?redirected"),
        RedirectTarget::Loop => path.to_owned(),
        RedirectTarget::Url(url) => url.as_ref().to_owned(),
    };
    let mut reply = Response::new(SimBody::Whole(Bytes::new()));
    *reply.status_mut() = StatusCode::FOUND;
    if let Ok(value) = HeaderValue::from_str(&location) {
        reply.headers_mut().insert(LOCATION, value);
    }
    reply
}

/// The answer with another body, if the fault is about that.
fn change_body(reply: Reply, kind: &FaultKind) -> Reply {
    match kind {
        FaultKind::Bom => with_pieces(reply, |truth| {
            Box::new(std::iter::once(Bytes::from_static(b"\xef\xbb\xbf")).chain(std::iter::once(truth)))
        }),
        FaultKind::InvalidUtf8 => {
            with_pieces(reply, |truth| Box::new(std::iter::once(into_status(&truth, b"\xff"))))
        }
        FaultKind::LoneSurrogate => {
            with_pieces(reply, |truth| Box::new(std::iter::once(into_status(&truth, br"\ud800"))))
        }
        FaultKind::DeepNesting(depth) => with_pieces(reply, |truth| Box::new(deep_nesting(&truth, *depth))),
        FaultKind::HugeString { bytes, place } => {
            with_pieces(reply, |truth| Box::new(huge_string(&truth, *bytes, *place)))
        }
        FaultKind::GzipBomb { bytes } => {
            in_gzip(with_pieces(reply, |truth| Box::new(gzip_bomb(&truth, *bytes))))
        }
        FaultKind::FalseGzip => in_gzip(reply),
        _ => reply,
    }
}

/// Puts pieces made from the whole true body in its place.
fn with_pieces(reply: Reply, make: impl FnOnce(Bytes) -> crate::sim::body::Pieces) -> Reply {
    reply.map(|body| SimBody::streamed(make(whole(body)), Pace::Full))
}

fn whole(body: SimBody) -> Bytes {
    match body {
        SimBody::Whole(bytes) => bytes,
        streamed @ SimBody::Streamed(_) => {
            let mut all = BytesMut::new();
            streamed.into_pieces().for_each(|piece| all.extend_from_slice(&piece));
            all.freeze()
        }
    }
}

fn in_gzip(mut reply: Reply) -> Reply {
    reply.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    reply
}

/// The body with `bytes` at the start of its status word.
fn into_status(truth: &Bytes, bytes: &[u8]) -> Bytes {
    const KEY: &[u8] = br#""status":""#;
    let at = memchr::memmem::find(truth, KEY).map_or(truth.len(), |at| at + KEY.len());
    let mut changed = BytesMut::from(truth.slice(..at).as_ref());
    changed.extend_from_slice(bytes);
    changed.extend_from_slice(&truth.slice(at..));
    changed.freeze()
}

fn pace(kind: &FaultKind) -> Option<Pace> {
    match kind {
        FaultKind::HangBody { after_bytes } => Some(Pace::HangAfter(*after_bytes)),
        FaultKind::Trickle { bytes_per_second } => Some(Pace::Trickle(*bytes_per_second)),
        _ => None,
    }
}

fn breaks(kind: &FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::CutBody { .. }
            | FaultKind::WrongLength(_)
            | FaultKind::Reset(_)
            | FaultKind::GoAway
            | FaultKind::EarlyHints
    )
}

/// The bytes that go out, and the connection's end.
fn break_off(kind: &FaultKind, reply: Reply, http2: bool) -> Breakage {
    let end = if matches!(kind, FaultKind::Reset(_)) { BreakageEnd::Reset } else { BreakageEnd::Close };
    if http2 {
        // Half a frame means nothing there: the connection ends at once, with GOAWAY where that is asked for.
        // Length 8, type 7, no flags, stream 0; last stream 0: none was answered; error 0.
        let goaway: &'static [u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let bytes = if *kind == FaultKind::GoAway { Bytes::from_static(goaway) } else { Bytes::new() };
        return Breakage { bytes, end };
    }
    let (parts, body) = reply.into_parts();
    let body = match kind {
        FaultKind::GoAway | FaultKind::Reset(ResetPoint::BeforeHead) => {
            return Breakage { bytes: Bytes::new(), end };
        }
        FaultKind::CutBody { after_bytes } => first_bytes(body, *after_bytes),
        _ => whole(body),
    };
    let length = body.len() as u64;
    let promised = match kind {
        FaultKind::CutBody { .. } => length + PART,
        FaultKind::WrongLength(difference) => length.saturating_add_signed(*difference),
        _ => length,
    };
    let mut head = format!("HTTP/1.1 {}\r\n", parts.status).into_bytes();
    for (name, value) in &parts.headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(format!("content-length: {promised}\r\n\r\n").as_bytes());
    let mut bytes = match kind {
        FaultKind::EarlyHints => b"HTTP/1.1 103 Early Hints\r\nlink: </>; rel=preconnect\r\n\r\n".to_vec(),
        _ => Vec::new(),
    };
    match kind {
        FaultKind::Reset(ResetPoint::InHead) => bytes.extend(head.iter().take(head.len() / 2)),
        FaultKind::Reset(ResetPoint::InBody) => {
            bytes.extend_from_slice(&head);
            bytes.extend_from_slice(&body.slice(..body.len() / 2));
        }
        _ => {
            bytes.extend_from_slice(&head);
            bytes.extend_from_slice(&body);
        }
    }
    Breakage { bytes: bytes.into(), end }
}

/// As much of the body as asked for, without making the rest.
fn first_bytes(body: SimBody, number: u64) -> Bytes {
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    let mut first = BytesMut::new();
    for piece in body.into_pieces() {
        let left = number - first.len();
        first.extend_from_slice(&piece.slice(..piece.len().min(left)));
        if first.len() >= number {
            break;
        }
    }
    first.freeze()
}
