//! What Go calls TLS versions, cipher suites and curves, as the web configuration file names them.
//!
//! Called by `tls_server`. A name that Go knows and our TLS library does not have is told apart from one that nobody
//! knows: people write one file for all their exporters.

/// A version of TLS that can be spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// 1.2
    Tls12,
    /// 1.3
    Tls13,
}

/// A cipher suite of TLS 1.2 that can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CipherSuite {
    /// `TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256`
    EcdsaAes128,
    /// `TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384`
    EcdsaAes256,
    /// `TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256`
    EcdsaChaCha20,
    /// `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`
    RsaAes128,
    /// `TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384`
    RsaAes256,
    /// `TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256`
    RsaChaCha20,
}

/// A curve of the key exchange that can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// `X25519`
    X25519,
    /// `CurveP256`
    P256,
    /// `CurveP384`
    P384,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named<T> {
    /// Something that we have.
    Ours(T),
    /// A cipher suite of TLS 1.3, which Go lets nobody choose.
    OfTls13,
    /// Something that Go has and we don't.
    OnlyGo,
    /// Nothing.
    Unknown,
}

/// The cipher suites that we have, as Go names them.
pub(super) const CIPHER_SUITES: [(&str, CipherSuite); 6] = [
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", CipherSuite::EcdsaAes128),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", CipherSuite::EcdsaAes256),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", CipherSuite::EcdsaChaCha20),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", CipherSuite::RsaAes128),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", CipherSuite::RsaAes256),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", CipherSuite::RsaChaCha20),
];

/// Go's names of the suites of TLS 1.3.
const TLS13_SUITES: [&str; 3] =
    ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

/// Suites that Go has, by default, by old versions or as insecure, and rustls does not: CBC, RSA key exchange, 3DES, RC4.
const GO_SUITES: [&str; 16] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_RC4_128_SHA",
];

/// The curves that we have, as Go names them, in our order of preference.
pub(super) const CURVES: [(&str, Curve); 3] =
    [("X25519", Curve::X25519), ("CurveP256", Curve::P256), ("CurveP384", Curve::P384)];

/// Curves that Go has and we don't.
const GO_CURVES: [&str; 4] = ["CurveP521", "X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024"];

/// The cipher suite of a name.
pub(super) fn cipher_suite(name: &str) -> Named<CipherSuite> {
    match CIPHER_SUITES.iter().find(|(known, _)| *known == name) {
        Some((_, suite)) => Named::Ours(*suite),
        // Their names before Go 1.14.
        None if name == "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305" => Named::Ours(CipherSuite::EcdsaChaCha20),
        None if name == "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305" => Named::Ours(CipherSuite::RsaChaCha20),
        None if TLS13_SUITES.contains(&name) => Named::OfTls13,
        None if GO_SUITES.contains(&name) => Named::OnlyGo,
        None => Named::Unknown,
    }
}

/// The curve of a name.
pub(super) fn curve(name: &str) -> Named<Curve> {
    match CURVES.iter().find(|(known, _)| *known == name) {
        Some((_, curve)) => Named::Ours(*curve),
        None if GO_CURVES.contains(&name) => Named::OnlyGo,
        None => Named::Unknown,
    }
}
