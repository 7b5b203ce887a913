//! One webhook of Grid: its body is hashed and read at once, and believed only when the signature is good.
//!
//! Called by `web::webhook`, piece by piece as the body comes, so that 100 MB cost no memory of their size. Whatever is
//! wrong with header or body, the body is taken to its end in the same way, and the signature is looked at first:
//! whoever has no key learns nothing but that. `signature` reads the header, `keys` the files of public keys.
//!
//! The signature is ECDSA P-256 over SHA-256 of the body as it was sent. Both S of a signature are taken, the high and the
//! low one: OpenSSL, for one, makes either, and a delivery is known again by its id and not by its signature.

mod keys;
mod signature;
#[cfg(test)]
mod tests;

pub use crate::grid::parse::{Delivery, EndedJob};
pub use keys::{KeyError, KeyFiles, MOST_KEYS, PublicKeys};
pub use signature::SIGNATURE_HEADER;

use crate::grid::parse::{DeliveryParser, ParseError};
use http::HeaderMap;
use ring::digest::{Context, SHA256};
use signature::Signature;

/// Why a webhook is not believed or not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No signature, one that can't be read, or one that none of the keys made.
    #[error("the signature is not one of the configured keys")]
    Signature,
    /// Signed well, but not what a webhook looks like.
    #[error("signed well, but not a webhook: {0}")]
    Body(#[from] ParseError),
}

/// A webhook whose body is coming.
#[expect(missing_debug_implementations, reason = "ring's hash has none")]
pub struct Incoming {
    signature: Option<Signature>,
    digest: Context,
    /// What was read, or why the body is none that we understand.
    parsed: Result<DeliveryParser, ParseError>,
}

impl Incoming {
    /// A webhook with these headers, whose error entries are told apart by at most `codes` codes.
    #[must_use]
    pub fn new(headers: &HeaderMap, codes: usize) -> Self {
        Self {
            signature: Signature::of(headers),
            digest: Context::new(&SHA256),
            parsed: Ok(DeliveryParser::new(codes)),
        }
    }

    /// Takes the next piece of the body, of any length.
    pub fn feed(&mut self, piece: &[u8]) {
        self.digest.update(piece);
        if let Ok(parser) = &mut self.parsed
            && let Err(error) = parser.feed(piece)
        {
            self.parsed = Err(error);
        }
    }

    /// What the webhook tells, once the body is at its end.
    pub fn finish(self, keys: &PublicKeys) -> Result<Delivery, Refusal> {
        let digest = self.digest.finish();
        let is_ours = self.signature.is_some_and(|signature| keys.made(&signature, digest.as_ref()));
        if !is_ours {
            return Err(Refusal::Signature);
        }
        Ok(self.parsed?.finish()?)
    }
}
