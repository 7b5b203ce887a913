//! The socket under a connection, and how an answer breaks on it.
//!
//! hyper can't be made to send half a head, a wrong length or a reset. So the socket stands behind a [`Wire`]:
//! once a request is to break, what hyper writes is dropped and the broken bytes go out instead.

use bytes::{Buf as _, Bytes};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes to send as they are, and what becomes of the connection then.
#[derive(Debug)]
pub(crate) struct Breakage {
    pub(crate) bytes: Bytes,
    pub(crate) end: BreakageEnd,
}

/// What becomes of the connection after the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BreakageEnd {
    /// It is closed in order (FIN).
    Close,
    /// It is reset (RST).
    Reset,
}

/// Shared by a connection's socket and its service: the service orders the breakage, the socket does it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Breaker(Arc<BreakerState>);

#[derive(Debug, Default)]
struct BreakerState {
    ordered: AtomicBool,
    breakage: Mutex<Option<Breakage>>,
}

impl Breaker {
    /// From now on nothing of hyper's goes out; `breakage` does.
    pub(crate) fn order(&self, breakage: Breakage) {
        *self.0.breakage.lock().unwrap_or_else(PoisonError::into_inner) = Some(breakage);
        self.0.ordered.store(true, Ordering::Release);
    }

    fn is_ordered(&self) -> bool {
        self.0.ordered.load(Ordering::Acquire)
    }
}

/// A socket that can be told to break.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    breaker: Breaker,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, breaker: Breaker) -> Self {
        Self { stream, breaker }
    }

    /// Sends the broken bytes, ends the connection, and tells hyper so by an error.
    fn poll_break(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let mut ordered = self.breaker.0.breakage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(breakage) = ordered.as_mut() {
            while breakage.bytes.has_remaining() {
                match ready!(Pin::new(&mut self.stream).poll_write(context, &breakage.bytes)) {
                    Ok(0) => return Poll::Ready(io::ErrorKind::WriteZero.into()),
                    Ok(written) => breakage.bytes.advance(written),
                    Err(error) => return Poll::Ready(error),
                }
            }
            let ended = match breakage.end {
                BreakageEnd::Close => ready!(Pin::new(&mut self.stream).poll_shutdown(context)),
                BreakageEnd::Reset => self.stream.set_zero_linger(),
            };
            if let Err(error) = ended {
                return Poll::Ready(error);
            }
            *ordered = None;
        }
        Poll::Ready(io::Error::new(io::ErrorKind::ConnectionAborted, "the simulator broke the connection"))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        if wire.breaker.is_ordered() {
            return wire.poll_break(context).map(Err);
        }
        Pin::new(&mut wire.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        if wire.breaker.is_ordered() {
            return wire.poll_break(context).map(Err);
        }
        Pin::new(&mut wire.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
