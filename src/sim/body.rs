//! Bodies of answers: whole, or made piece by piece while they are sent.
//!
//! A body of 1,000,000 error entries is over 130 MB; it never stands in memory, however many clients read it.

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// Pieces of a body, made when they are asked for.
pub(crate) type Pieces = Box<dyn Iterator<Item = Bytes> + Send>;

/// The body of an answer.
pub(crate) enum SimBody {
    /// All of it is there.
    Whole(Bytes),
    /// Made while it is sent.
    Streamed(Box<Streamed>),
}

/// A body that is made while it is sent.
pub(crate) struct Streamed {
    pieces: Pieces,
    /// What is left of the present piece.
    rest: Bytes,
    pace: Pace,
    pause: Option<Pin<Box<Sleep>>>,
}

/// How fast a body is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// As fast as it is read.
    Full,
    /// So many bytes a second; above 0.
    Trickle(f64),
    /// So many bytes at once, then nothing more for good.
    HangAfter(u64),
}

impl SimBody {
    /// A body that is made while it is sent.
    pub(crate) fn streamed(pieces: Pieces, pace: Pace) -> Self {
        Self::Streamed(Box::new(Streamed { pieces, rest: Bytes::new(), pace, pause: None }))
    }

    /// The body's pieces, whichever kind it is.
    pub(crate) fn into_pieces(self) -> Pieces {
        match self {
            Self::Whole(bytes) => Box::new(std::iter::once(bytes)),
            Self::Streamed(streamed) => streamed.pieces,
        }
    }

    /// The same, compressed.
    pub(crate) fn gzipped(self) -> Self {
        match self {
            Self::Whole(bytes) => {
                let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
                // Writing into a Vec cannot fail.
                let _ = encoder.write_all(&bytes);
                Self::Whole(encoder.finish().unwrap_or_default().into())
            }
            Self::Streamed(mut streamed) => {
                let encoder = GzEncoder::new(Vec::new(), Compression::fast());
                streamed.pieces = Box::new(Gzipped { pieces: streamed.pieces, encoder: Some(encoder) });
                Self::Streamed(streamed)
            }
        }
    }
}

struct Gzipped {
    pieces: Pieces,
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Iterator for Gzipped {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        loop {
            let Some(piece) = self.pieces.next() else {
                return self.encoder.take()?.finish().ok().map(Bytes::from);
            };
            let encoder = self.encoder.as_mut()?;
            encoder.write_all(&piece).ok()?;
            if !encoder.get_ref().is_empty() {
                return Some(std::mem::take(encoder.get_mut()).into());
            }
        }
    }
}

impl Streamed {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        while self.rest.is_empty() {
            match self.pieces.next() {
                Some(piece) => self.rest = piece,
                None => return Poll::Ready(None),
            }
        }
        match &mut self.pace {
            Pace::Full => Poll::Ready(Some(std::mem::take(&mut self.rest))),
            // Nobody wakes us: hyper drops the body when the client goes.
            Pace::HangAfter(0) => Poll::Pending,
            Pace::HangAfter(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(self.rest.len());
                *left -= length as u64;
                Poll::Ready(Some(self.rest.split_to(length)))
            }
            Pace::Trickle(rate) => {
                // Single bytes up to 10 a second, then a tenth of a second's bytes at once.
                let length = (*rate / 10.0).max(1.0);
                let pause = Duration::try_from_secs_f64(length / *rate).unwrap_or(Duration::MAX);
                let waiting = self.pause.get_or_insert_with(|| Box::pin(sleep(pause)));
                ready!(waiting.as_mut().poll(context));
                self.pause = None;
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cut is meant")]
                let length = (length as usize).clamp(1, self.rest.len());
                Poll::Ready(Some(self.rest.split_to(length)))
            }
        }
    }
}

impl Body for SimBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Streamed(streamed) => {
                streamed.poll_piece(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Streamed(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use std::io::Read as _;

    fn pieces() -> Pieces {
        Box::new((0..1000).map(|n| Bytes::from(format!("piece {n};"))))
    }

    #[tokio::test]
    async fn a_streamed_body_unpacks_to_what_a_whole_one_has() {
        let whole: Vec<u8> = pieces().flatten().collect();
        let packed = SimBody::streamed(pieces(), Pace::Full).gzipped().collect().await.unwrap().to_bytes();
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
        assert!(packed.len() < whole.len() / 2);
        assert_eq!(unpacked, whole);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_takes_its_time() {
        let began = tokio::time::Instant::now();
        let pieces: Pieces = Box::new(std::iter::once(Bytes::from_static(b"0123456789")));
        let body = SimBody::streamed(pieces, Pace::Trickle(1.0)).collect().await.unwrap();
        assert_eq!(body.to_bytes(), "0123456789");
        assert_eq!(began.elapsed().as_secs(), 10);
    }
}
