//! The key pair that signs webhooks: ECDSA P-256 over SHA-256, by ring (the exporter checks with another crate).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use std::fmt;
use std::sync::Arc;

/// What stands before the point in a P-256 public key's DER (SPKI, RFC 5480).
const SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A key pair made at random; cheap to clone.
#[derive(Clone)]
pub struct WebhookSigner(Option<Arc<EcdsaKeyPair>>);

impl WebhookSigner {
    /// Makes a key pair. Without the system's randomness it signs nothing.
    #[must_use]
    pub fn generate() -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_ASN1_SIGNING);
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random)
            .ok()
            .and_then(|pkcs8| EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).ok());
        Self(made.map(Arc::new))
    }

    /// The signature of a body, in DER and base64.
    #[must_use]
    pub fn sign(&self, body: &[u8]) -> String {
        let signed = self.0.as_ref().and_then(|pair| pair.sign(&SystemRandom::new(), body).ok());
        signed.map(|signature| STANDARD.encode(signature)).unwrap_or_default()
    }

    /// The public key in PEM, as Grid's dashboard gives it.
    #[must_use]
    pub fn public_key_pem(&self) -> String {
        let point = self.0.as_ref().map(|pair| pair.public_key().as_ref().to_vec()).unwrap_or_default();
        let text = STANDARD.encode([SPKI_HEAD.as_slice(), &point].concat());
        let (first, second) = text.split_at_checked(64).unwrap_or((&text, ""));
        format!("-----BEGIN PUBLIC KEY-----\n{first}\n{second}\n-----END PUBLIC KEY-----\n")
    }
}

impl fmt::Debug for WebhookSigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WebhookSigner")
    }
}

/// The form of `X-Grid-Signature`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureForm {
    /// The signature alone.
    #[default]
    Bare,
    /// `{"v":"1","s":"…"}`.
    Json,
    /// Bare at the first attempt, JSON at the second, and so on.
    Both,
}

impl SignatureForm {
    /// The header's value.
    pub(super) fn header(self, signature: &str, attempt: u32) -> String {
        let is_json = match self {
            Self::Bare => false,
            Self::Json => true,
            Self::Both => attempt.is_multiple_of(2),
        };
        if is_json { format!(r#"{{"v":"1","s":"{signature}"}}"#) } else { signature.to_owned() }
    }
}
