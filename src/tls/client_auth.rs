//! Who may connect: the certificates of clients, as Go checks them by `client_auth_type`.
//!
//! Called by `server`. Where an authority must have signed, rustls's own verifier decides. Two things it does not do are
//! done here: a certificate that itself stands in the client CA file is let in, although webpki takes no authority's
//! certificate (as self-signed ones are) for a client's; and where any certificate will do, any that can be read is
//! taken, as long as whoever shows it has its key.

use super::{TlsError, server};
use crate::config::TlsServerConfig;
use crate::config::web_file::ClientAuth;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, PeerMisbehaved,
    RootCertStore, SignatureScheme,
};
use std::net::IpAddr;
use std::sync::Arc;
use webpki::RawPublicKeyEntity;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

/// Checks clients' certificates.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    auth: ClientAuth,
    /// Checks by the authorities; nothing if none of the file's certificates can be one.
    authorities: Option<Arc<dyn ClientCertVerifier>>,
    /// All certificates of the client CA file: they may be shown themselves.
    pinned: Vec<CertificateDer<'static>>,
    /// Whose certificates the client is told to look for.
    hints: Vec<DistinguishedName>,
    allowed_sans: Vec<String>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Why a certificate with a good signature is refused; the client hears `access denied`, the log this.
#[derive(Debug, thiserror::Error)]
#[error("the client's certificate has none of the names in client_allowed_sans")]
struct NameNotAllowed;

impl ClientVerifier {
    /// A verifier for this configuration; nothing if clients are not asked for a certificate.
    pub(super) fn new(
        config: &TlsServerConfig,
        section: &str,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Self>, TlsError> {
        if config.client_auth == ClientAuth::NoClientCert {
            return Ok(None);
        }
        let mut verifier = Self {
            auth: config.client_auth,
            authorities: None,
            pinned: Vec::new(),
            hints: Vec::new(),
            allowed_sans: config.client_allowed_sans.clone(),
            algorithms: provider.signature_verification_algorithms,
        };
        if let Some(client_ca) = config.client_ca.as_ref().filter(|_| config.client_auth.verifies()) {
            let names = ["client_ca", "client_ca_file"];
            let (certificates, file) = server::certificates(client_ca, section, names)?;
            let mut roots = RootCertStore::empty();
            let mut all = RootCertStore::empty();
            for certificate in &certificates {
                let bad = |reason: String| match &file {
                    Some(path) => TlsError::BadCertificate {
                        key: format!("{section}.client_ca_file"),
                        path: path.clone(),
                        reason,
                    },
                    None => {
                        TlsError::Inline { key: format!("{section}.client_ca"), what: "usable certificate" }
                    }
                };
                all.add(certificate.clone()).map_err(|error| bad(error.to_string()))?;
                let (_, parsed) =
                    X509Certificate::from_der(certificate).map_err(|error| bad(error.to_string()))?;
                if may_sign(&parsed) {
                    roots.add(certificate.clone()).map_err(|error| bad(error.to_string()))?;
                }
            }
            verifier.hints = all.subjects();
            verifier.pinned = certificates;
            if !roots.is_empty() {
                let authorities =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                        .build();
                verifier.authorities = Some(authorities.map_err(|error| TlsError::Setup(error.to_string()))?);
            }
        }
        Ok(Some(verifier))
    }

    /// Checks that the configuration permits one of the certificate's names.
    fn check_names(&self, certificate: &X509Certificate<'_>) -> Result<(), Error> {
        if self.allowed_sans.is_empty() {
            return Ok(());
        }
        let names = certificate.subject_alternative_name().map_err(|_| bad_encoding())?;
        let names = names.iter().flat_map(|extension| &extension.value.general_names);
        let shown = names.filter_map(|name| match name {
            GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
                Some((*text).to_owned())
            }
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        });
        for name in shown {
            if self.allowed_sans.contains(&name) {
                return Ok(());
            }
        }
        Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(NameNotAllowed)))))
    }

    fn is_any_certificate_taken(&self) -> bool {
        !self.auth.verifies()
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.auth.is_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let (_, certificate) = X509Certificate::from_der(end_entity).map_err(|_| bad_encoding())?;
        if self.auth.verifies() {
            if self.pinned.contains(end_entity) {
                check_pinned(&certificate, now)?;
            } else {
                let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
                let authorities = self.authorities.as_ref().ok_or(unknown)?;
                authorities.verify_client_cert(end_entity, intermediates, now)?;
            }
        }
        self.check_names(&certificate)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if !self.is_any_certificate_taken() {
            return rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.algorithms);
        }
        let key = public_key(certificate)?;
        let key = RawPublicKeyEntity::try_from(&key).map_err(|_| bad_encoding())?;
        let candidates = self.algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
        let Some((_, candidates)) = candidates else {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        };
        // A scheme of TLS 1.2 leaves the curve open: each is tried, and only that of the key can fit.
        let fits = candidates
            .iter()
            .any(|algorithm| key.verify_signature(*algorithm, message, signed.signature()).is_ok());
        if fits { Ok(HandshakeSignatureValid::assertion()) } else { Err(bad_signature()) }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if !self.is_any_certificate_taken() {
            return rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.algorithms);
        }
        let key = public_key(certificate)?;
        rustls::crypto::verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Whether a certificate of the client CA file may sign others: an authority's, or one too old to say. Else the owner
/// of a pinned certificate could let in whom he likes.
fn may_sign(certificate: &X509Certificate<'_>) -> bool {
    match certificate.basic_constraints() {
        Ok(Some(constraints)) => constraints.value.ca,
        Ok(None) => certificate.version().0 < 2,
        Err(_) => false,
    }
}

/// What Go checks of a certificate that itself stands in the client CA file: its time, and that it may be a client's.
fn check_pinned(certificate: &X509Certificate<'_>, now: UnixTime) -> Result<(), Error> {
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let now = ASN1Time::from_timestamp(seconds).map_err(|_| bad_encoding())?;
    let validity = certificate.validity();
    if now < validity.not_before {
        return Err(Error::InvalidCertificate(CertificateError::NotValidYet));
    }
    if now > validity.not_after {
        return Err(Error::InvalidCertificate(CertificateError::Expired));
    }
    match certificate.extended_key_usage() {
        Ok(None) => Ok(()),
        Ok(Some(usage)) if usage.value.client_auth || usage.value.any => Ok(()),
        Ok(Some(_)) => Err(Error::InvalidCertificate(CertificateError::InvalidPurpose)),
        Err(_) => Err(bad_encoding()),
    }
}

/// The public key, as it stands in the certificate.
fn public_key<'c>(certificate: &'c CertificateDer<'_>) -> Result<SubjectPublicKeyInfoDer<'c>, Error> {
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| bad_encoding())?;
    Ok(SubjectPublicKeyInfoDer::from(certificate.tbs_certificate.subject_pki.raw))
}

/// An IP address as it is written in the configuration.
fn address(bytes: &[u8]) -> Option<String> {
    let address: IpAddr = match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok()?.into(),
        16 => <[u8; 16]>::try_from(bytes).ok()?.into(),
        _ => return None,
    };
    Some(address.to_string())
}

const fn bad_encoding() -> Error {
    Error::InvalidCertificate(CertificateError::BadEncoding)
}

const fn bad_signature() -> Error {
    Error::InvalidCertificate(CertificateError::BadSignature)
}
