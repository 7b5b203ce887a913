//! TLS towards servers that we ask: whom we trust, and how we show who we are. [`server`] is the other side of it.
//!
//! Called by `grid` for the API and by `catalog` for lists of jobs over HTTP, once for each configuration. Errors begin
//! with the configuration's key, so whoever calls names its section. The ring provider is passed explicitly, so that no process-wide
//! default must be installed first.

mod client_auth;
pub mod server;
pub mod stream;

use crate::config::{ClientCertificate, TlsConfig};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// Certificates and keys in larger files are not read.
const MAX_FILE_LENGTH: u64 = 16 * 1_048_576;

/// Why TLS can't be set up as configured.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("{key}: file {path} can't be read ({source}); name a file that this user may read", path = path.display())]
    Unreadable {
        /// The configuration's key.
        key: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No certificate in the file.
    #[error("{key}: file {path} has no PEM certificate; it must hold `-----BEGIN CERTIFICATE-----` blocks",
        path = path.display())]
    NoCertificate {
        /// The configuration's key.
        key: String,
        /// The file.
        path: PathBuf,
    },
    /// A certificate in the file can't be used.
    #[error("{key}: a certificate in file {path} can't be used ({reason}); write it anew", path = path.display())]
    BadCertificate {
        /// The configuration's key.
        key: String,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No private key in the file.
    #[error("{key}: file {path} has no PEM private key without a passphrase; \
        write the key as PKCS#8, such as `openssl pkcs8 -topk8 -nocrypt` does", path = path.display())]
    NoKey {
        /// The configuration's key.
        key: String,
        /// The file.
        path: PathBuf,
    },
    /// Key and certificate are not a pair.
    #[error("{key}: the key in {key_file} does not fit the certificate in {cert_file} ({reason}); \
        name the files of one pair", key_file = key_file.display(), cert_file = cert_file.display())]
    NotAPair {
        /// The configuration's key.
        key: String,
        /// The key.
        key_file: PathBuf,
        /// The certificate.
        cert_file: PathBuf,
        /// Why.
        reason: String,
    },
    /// Not a name that a certificate can have.
    #[error("{key} is {name:?}; write a host's name or an IP address")]
    ServerName {
        /// The configuration's key.
        key: String,
        /// What is there.
        name: String,
    },
    /// What stands in the configuration itself is not what it should be. It may be secret and is not shown.
    #[error("{key}: has no {what} in PEM; write it anew, or name a file")]
    Inline {
        /// The configuration's key.
        key: String,
        /// What it should hold.
        what: &'static str,
    },
    /// rustls refuses its own defaults; not seen.
    #[error("TLS can't be set up ({0})")]
    Setup(String),
}

/// The rustls configuration for connections as `tls` says; `section` is where that stands (`grid.tls_config`).
pub fn client_config(tls: &TlsConfig, section: &str) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = verifier(tls, section, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &tls.client_certificate {
        None => builder.with_no_client_auth(),
        Some(certificate) => {
            let (chain, key) = read_pair(certificate, section)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| TlsError::NotAPair {
                key: format!("{section}.key_file"),
                key_file: certificate.key_file.clone(),
                cert_file: certificate.cert_file.clone(),
                reason: error.to_string(),
            })?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn verifier(
    tls: &TlsConfig,
    section: &str,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    if tls.insecure_skip_verify {
        // The configuration has warned of it, with its line, at the start and at each reload.
        return Ok(Arc::new(AnyCertificate { provider: Arc::clone(provider) }));
    }
    let roots = Arc::new(roots(tls.ca_file.as_deref(), &format!("{section}.ca_file"))?);
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider))
        .build()
        .map_err(|error| TlsError::Setup(error.to_string()))?;
    match &tls.server_name {
        None => Ok(verifier),
        Some(name) => {
            let key = || format!("{section}.server_name");
            let name = ServerName::try_from(name.clone())
                .map_err(|_| TlsError::ServerName { key: key(), name: name.clone() })?;
            Ok(Arc::new(OtherName { name, verifier }))
        }
    }
}

/// Own authorities replace the system's; Mozilla's are for containers that have none.
fn roots(ca_file: Option<&Path>, key: &str) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_file {
        for certificate in read_certificates(path, key)? {
            roots.add(certificate).map_err(|error| TlsError::BadCertificate {
                key: key.to_owned(),
                path: path.to_owned(),
                reason: error.to_string(),
            })?;
        }
        return Ok(roots);
    }
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        tracing::info!("this system has no trusted certificate authorities; Mozilla's are used");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Ok(roots)
}

fn read_pair(
    certificate: &ClientCertificate,
    section: &str,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let chain = read_certificates(&certificate.cert_file, &format!("{section}.cert_file"))?;
    let path = &certificate.key_file;
    let key = format!("{section}.key_file");
    let pem = zeroize::Zeroizing::new(read_file(path, &key)?);
    let private =
        PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::NoKey { key, path: path.clone() })?;
    Ok((chain, private))
}

fn read_certificates(path: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read_file(path, key)?;
    let certificates =
        CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().map_err(|error| {
            TlsError::BadCertificate { key: key.to_owned(), path: path.to_owned(), reason: error.to_string() }
        })?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { key: key.to_owned(), path: path.to_owned() });
    }
    Ok(certificates)
}

fn read_file(path: &Path, key: &str) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_LENGTH).read_to_end(&mut bytes))
        .map_err(|source| TlsError::Unreadable { key: key.to_owned(), path: path.to_owned(), source })?;
    Ok(bytes)
}

/// Checks the certificate against a configured name instead of the URL's host (`server_name`).
#[derive(Debug)]
struct OtherName {
    name: ServerName<'static>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for OtherName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verifier.verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// Takes any certificate (`insecure_skip_verify`); whoever shows it must still have its key.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let schemes = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let schemes = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
