//! A connection whose requests can be read in one way only.
//!
//! A proxy before us and we must agree where a request ends, or one that is hidden in another's body gets past the
//! proxy's rules (request smuggling). The HTTP library takes some shapes on which programs disagree: line feeds without
//! a carriage return, and both a length and a transfer encoding. Here the heads of HTTP/1 are looked at as they come in,
//! and what is ambiguous is made unreadable, so that the library answers 400 and closes. Used by `server`, around each
//! connection. Heads are some hundred bytes; bodies and HTTP/2, which has none of this, are not looked at.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What HTTP/2 begins with instead of a head.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// A longer line is not kept: it is none of those that are looked for.
const LINE: usize = 64;

/// Where in the stream we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// In a head.
    Head,
    /// Behind a head with a body, or in HTTP/2, or behind something that was made unreadable: not looked at.
    Unread,
}

/// A stream whose incoming heads are looked at.
#[derive(Debug)]
pub(super) struct Strict<S> {
    stream: S,
    head: Head,
}

/// The head that is coming in.
#[derive(Debug)]
struct Head {
    at: At,
    /// The beginning of the present line, in lower case.
    line: [u8; LINE],
    /// Its length so far, beyond what is kept.
    length: usize,
    /// True if the last byte was a carriage return.
    after_return: bool,
    /// True until the request line is over.
    is_first_line: bool,
    framing: Framing,
}

/// What tells where the body behind the head ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// There is no body.
    None,
    /// `Content-Length` or `Transfer-Encoding`, once.
    Told,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            at: At::Head,
            line: [0; LINE],
            length: 0,
            after_return: false,
            is_first_line: true,
            framing: Framing::None,
        }
    }
}

impl<S> Strict<S> {
    /// Looks at what comes in on `stream`.
    pub(super) fn new(stream: S) -> Self {
        Self { stream, head: Head::default() }
    }
}

impl Head {
    /// Looks at bytes, and spoils those that may be read in two ways.
    fn look(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.at == At::Unread {
                return;
            }
            let is_bare = *byte == b'\n' && !self.after_return;
            let was_return = self.after_return;
            self.after_return = *byte == b'\r';
            let spoil = if is_bare {
                true
            } else if *byte == b'\n' {
                self.end_line()
            } else {
                // A carriage return in the middle of a line.
                if was_return {
                    self.keep(b'\r');
                }
                if !self.after_return {
                    self.keep(*byte);
                }
                was_return
            };
            if spoil {
                // No head may have it, so that the library answers 400 and closes.
                *byte = 0;
                self.at = At::Unread;
            }
        }
    }

    fn keep(&mut self, byte: u8) {
        if let Some(place) = self.line.get_mut(self.length) {
            *place = byte.to_ascii_lowercase();
        }
        self.length = self.length.saturating_add(1);
    }

    /// Ends a line; true if it may not stand.
    fn end_line(&mut self) -> bool {
        let is_empty = self.length == 0;
        let line = self.line.get(..self.length.min(LINE)).unwrap_or_default();
        if is_empty && self.is_first_line {
            // Empty lines before a request are permitted (RFC 9112, section 2.2).
            return false;
        }
        if is_empty {
            // With a body the connection ends, since we don't follow where the next head begins.
            let has_body = self.framing == Framing::Told;
            *self = Self::default();
            self.at = if has_body { At::Unread } else { At::Head };
            return false;
        }
        if self.is_first_line && line.eq_ignore_ascii_case(PREFACE.trim_ascii_end()) {
            self.at = At::Unread;
        }
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        let is_framing = !self.is_first_line && matches!(name, b"content-length" | b"transfer-encoding");
        let is_told_before = self.framing == Framing::Told;
        if is_framing {
            self.framing = Framing::Told;
        }
        self.is_first_line = false;
        self.length = 0;
        is_framing && is_told_before
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if self.head.at == At::Head
            && let Some(come) = buffer.filled_mut().get_mut(before..)
        {
            self.head.look(come);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of `text` when it comes in pieces of `size`.
    fn looked_at(text: &str, size: usize) -> Vec<u8> {
        let mut head = Head::default();
        let mut bytes = text.as_bytes().to_vec();
        bytes.chunks_mut(size).for_each(|piece| head.look(piece));
        bytes
    }

    fn is_spoilt(text: &str) -> bool {
        let whole = looked_at(text, text.len());
        for size in 1..text.len() {
            assert_eq!(looked_at(text, size), whole, "in pieces of {size}");
        }
        whole != text.as_bytes()
    }

    #[test]
    fn plain_requests_pass_pipelined_or_not() {
        let get = "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n";
        assert!(!is_spoilt(get));
        assert!(!is_spoilt(&get.repeat(3)));
        assert!(!is_spoilt(&format!("\r\n{get}")));
        assert!(!is_spoilt(&format!("PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\na\nb\r\n\n\nc{get}")));
        assert!(!is_spoilt("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n0\r\n\r\n"));
        assert!(!is_spoilt("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\n\0\n\n"));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_spoilt() {
        for text in [
            "GET / HTTP/1.1\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n\n",
            "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\nX: y\r\ncontent-length: 3\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\nHost: x\r\n\r\n",
        ] {
            assert!(is_spoilt(text), "{text}");
        }
    }
}
