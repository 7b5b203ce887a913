//! TLS as a server: the listener of the web server, and of whatever else has a `tls_server_config`.
//!
//! Called by `web`. Certificates, keys and authorities are read again when their files change, at the next handshake, so
//! that a renewed certificate needs no restart; what can't be used is logged once and changes nothing. Nothing of it is
//! touched, in memory either, where no TLS is configured.

use super::TlsError;
use super::client_auth::ClientVerifier;
use crate::config::web_file::{CipherSuite, Curve, Pem, TlsVersion};
use crate::config::{ConfigFingerprint, Places, TlsServerConfig};
use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{self, cipher_suite, kx_group};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, SupportedCipherSuite, SupportedProtocolVersion, version};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{error, info};

/// The time for a handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// After a refused handshake the other side gets so long to read why.
const FAREWELL: Duration = Duration::from_secs(1);

/// What it may still send meanwhile, in bytes.
const FAREWELL_BYTES: u64 = 64 * 1024;

/// TLS for a listener. Cheap to ask, shared by all its connections.
#[derive(Debug)]
pub struct TlsServer {
    config: TlsServerConfig,
    /// Its name in messages (`tls_server_config`).
    section: String,
    /// Where its keys stand.
    places: Places,
    http2: bool,
    current: ArcSwap<ServerConfig>,
    /// The files' state when they were last read, well or not.
    seen: ArcSwap<Vec<ConfigFingerprint>>,
    reading: Mutex<()>,
}

impl TlsServer {
    /// Reads certificate, key and authorities. `section` is the configuration's name in messages, `places` where its
    /// keys stand; `http2` offers HTTP/2 besides HTTP/1.1. Errors begin with the key. May block.
    pub fn new(
        config: TlsServerConfig,
        section: &str,
        places: Places,
        http2: bool,
    ) -> Result<Self, TlsError> {
        let seen = fingerprints(&config);
        let current = server_config(&config, section, http2)?;
        Ok(Self {
            config,
            section: section.to_owned(),
            places,
            http2,
            current: ArcSwap::from_pointee(current),
            seen: ArcSwap::from_pointee(seen),
            reading: Mutex::new(()),
        })
    }

    /// What this was made of: a listener whose configuration is still the same keeps its sessions.
    #[must_use]
    pub fn is_of(&self, config: &TlsServerConfig, http2: bool) -> bool {
        self.config == *config && self.http2 == http2
    }

    /// Shakes hands, in [`HANDSHAKE_TIMEOUT`] at most; a client that is refused gets the alert that says why.
    pub async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = TlsAcceptor::from(self.current());
        let handshake = acceptor.accept(stream).into_fallible();
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err((error, stream))) => {
                say_farewell(stream).await;
                Err(error)
            }
            Err(_elapsed) => {
                Err(io::Error::new(io::ErrorKind::TimedOut, "the handshake did not end in time"))
            }
        }
    }

    /// The configuration for the next handshake, read anew if a file has changed.
    fn current(&self) -> Arc<ServerConfig> {
        if *self.seen.load_full() == fingerprints(&self.config) {
            return self.current.load_full();
        }
        // Whoever comes while it is read takes the one before.
        if let Ok(_reading) = self.reading.try_lock() {
            // Taken before the files are read, so that a change meanwhile is seen with the next handshake.
            self.seen.store(Arc::new(fingerprints(&self.config)));
            match server_config(&self.config, &self.section, self.http2) {
                Ok(config) => {
                    self.current.store(Arc::new(config));
                    info!("{}: certificates were read anew", self.section);
                }
                Err(fault) => {
                    let fault = self.places.locate(&fault.to_string());
                    error!("certificates have changed and can't be used, those before are kept: {fault}");
                }
            }
        }
        self.current.load_full()
    }
}

/// Lets the other side read our alert: closing at once, while it still sends, would take the alert from it.
async fn say_farewell<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let mut rest = tokio::io::sink();
    let farewell = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut (&mut stream).take(FAREWELL_BYTES), &mut rest).await
    };
    // It may have gone, and it may stay too long: either way it is closed now.
    let _gone = tokio::time::timeout(FAREWELL, farewell).await;
}

/// The state of all files that the configuration names.
fn fingerprints(config: &TlsServerConfig) -> Vec<ConfigFingerprint> {
    [Some(&config.certificate), Some(&config.key), config.client_ca.as_ref()]
        .into_iter()
        .flatten()
        .filter_map(|pem| match pem {
            Pem::File(path) => Some(ConfigFingerprint::of(path)),
            Pem::Inline(_) => None,
        })
        .collect()
}

fn server_config(config: &TlsServerConfig, section: &str, http2: bool) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(provider(config));
    let verifier = ClientVerifier::new(config, section, &provider)?;
    let (chain, chain_file) = certificates(&config.certificate, section, ["cert", "cert_file"])?;
    let (key, key_file) = private_key(&config.key, section)?;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions(config))
        .map_err(|error| TlsError::Setup(error.to_string()))?;
    let builder = match verifier {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(Arc::new(verifier)),
    };
    let mut server = builder.with_single_cert(chain, key).map_err(|error| TlsError::NotAPair {
        key: format!("{section}.{}", if key_file.is_some() { "key_file" } else { "key" }),
        key_file: key_file.unwrap_or_else(|| PathBuf::from("the configuration")),
        cert_file: chain_file.unwrap_or_else(|| PathBuf::from("the configuration")),
        reason: error.to_string(),
    })?;
    server.ignore_client_order = config.prefer_server_order;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    if http2 {
        server.alpn_protocols.insert(0, b"h2".to_vec());
    }
    Ok(server)
}

/// ring's algorithms, as far as they are chosen.
fn provider(config: &TlsServerConfig) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if let Some(chosen) = &config.cipher_suites {
        provider.cipher_suites.retain(|suite| matches!(suite, SupportedCipherSuite::Tls13(_)));
        provider.cipher_suites.extend(chosen.iter().map(|suite| match suite {
            CipherSuite::EcdsaAes128 => cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            CipherSuite::EcdsaAes256 => cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            CipherSuite::EcdsaChaCha20 => cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            CipherSuite::RsaAes128 => cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            CipherSuite::RsaAes256 => cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            CipherSuite::RsaChaCha20 => cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        }));
    }
    if let Some(curves) = &config.curves {
        provider.kx_groups = curves
            .iter()
            .map(|curve| match curve {
                Curve::X25519 => kx_group::X25519,
                Curve::P256 => kx_group::SECP256R1,
                Curve::P384 => kx_group::SECP384R1,
            })
            .collect();
    }
    provider
}

static BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];
static TLS13_ONLY: [&SupportedProtocolVersion; 1] = [&version::TLS13];
static TLS12_ONLY: [&SupportedProtocolVersion; 1] = [&version::TLS12];

fn versions(config: &TlsServerConfig) -> &'static [&'static SupportedProtocolVersion] {
    let without_tls12 = config.cipher_suites.as_ref().is_some_and(Vec::is_empty);
    match (config.min_version, config.max_version) {
        (TlsVersion::Tls13, _) => &TLS13_ONLY,
        (TlsVersion::Tls12, TlsVersion::Tls13) if without_tls12 => &TLS13_ONLY,
        (TlsVersion::Tls12, TlsVersion::Tls13) => &BOTH,
        (TlsVersion::Tls12, TlsVersion::Tls12) => &TLS12_ONLY,
    }
}

/// Certificates, at least one, and the file if they are in one. `keys` are the names inline and as a file.
pub(super) fn certificates(
    pem: &Pem,
    section: &str,
    [inline_key, file_key]: [&str; 2],
) -> Result<(Vec<CertificateDer<'static>>, Option<PathBuf>), TlsError> {
    match pem {
        Pem::File(path) => {
            let found = super::read_certificates(path, &format!("{section}.{file_key}"))?;
            Ok((found, Some(path.clone())))
        }
        Pem::Inline(text) => {
            let key = format!("{section}.{inline_key}");
            let found =
                CertificateDer::pem_slice_iter(text.expose().as_bytes()).collect::<Result<Vec<_>, _>>();
            match found {
                Ok(found) if !found.is_empty() => Ok((found, None)),
                Ok(_) => Err(TlsError::Inline { key, what: "certificate" }),
                Err(_) => Err(TlsError::Inline { key, what: "well-formed certificate" }),
            }
        }
    }
}

fn private_key(pem: &Pem, section: &str) -> Result<(PrivateKeyDer<'static>, Option<PathBuf>), TlsError> {
    match pem {
        Pem::File(path) => {
            let key = format!("{section}.key_file");
            let text = zeroize::Zeroizing::new(super::read_file(path, &key)?);
            let private = PrivateKeyDer::from_pem_slice(&text)
                .map_err(|_| TlsError::NoKey { key, path: path.clone() })?;
            Ok((private, Some(path.clone())))
        }
        Pem::Inline(text) => {
            let private = PrivateKeyDer::from_pem_slice(text.expose().as_bytes());
            let fault = || TlsError::Inline {
                key: format!("{section}.key"),
                what: "private key without a passphrase",
            };
            Ok((private.map_err(|_| fault())?, None))
        }
    }
}
