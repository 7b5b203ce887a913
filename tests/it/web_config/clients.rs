//! curl as a client, with every kind of certificate, for every `client_auth_type` and both versions of TLS.

use super::support::{openssl, self_signed, serve, signed, start, tls};
use crate::support::PATIENCE;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const CLIENT: &str = "extendedKeyUsage=clientAuth";

/// The kinds of clients: their certificate's name, and whether an authority of the file vouches for it.
const CLIENTS: [(&str, bool); 8] = [
    ("signed", true),
    ("by-intermediate", true),
    ("pinned", true),
    ("pinned-leaf", true),
    ("stranger", false),
    ("expired", false),
    ("for-servers", false),
    ("version-1", false),
];

/// Makes all of them, and `clients-ca.crt`.
async fn make_certificates(folder: &Path) {
    self_signed(folder, "ca", "").await;
    self_signed(folder, "pinned", "").await;
    self_signed(folder, "stranger", "").await;
    self_signed(folder, "other-ca", "").await;
    signed(folder, "ca", "signed", CLIENT, "-days 2").await;
    signed(folder, "ca", "for-servers", "extendedKeyUsage=serverAuth", "-days 2").await;
    signed(folder, "ca", "expired", CLIENT, "-days -1").await;
    signed(folder, "other-ca", "version-1", "", "-days 2").await;
    assert!(openssl(folder, "x509 -in version-1.crt -noout -text").await.contains("Version: 1 "));
    signed(folder, "other-ca", "pinned-leaf", CLIENT, "-days 2").await;
    signed(folder, "ca", "intermediate", "basicConstraints=critical,CA:true", "-days 2").await;
    signed(folder, "intermediate", "by-intermediate", CLIENT, "-days 2").await;
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let chain = read("by-intermediate.crt") + &read("intermediate.crt");
    std::fs::write(folder.join("by-intermediate.crt"), chain).unwrap();
    let authorities = read("ca.crt") + &read("pinned.crt") + &read("pinned-leaf.crt");
    std::fs::write(folder.join("clients-ca.crt"), authorities).unwrap();
    // A certificate that the owner of a pinned one, which is no authority's, has signed.
    signed(folder, "pinned-leaf", "by-pinned-leaf", CLIENT, "-days 2").await;
}

async fn check(auth: &str, more: &str, none: bool, any: bool) {
    let start = start().await;
    make_certificates(start.folder.path()).await;
    let exporter = serve(start, &tls(&format!("  client_auth_type: {auth}\n{more}"))).await;
    for version in [&["--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        let (status, done) = exporter.curl("/metrics", version).await;
        assert_eq!(status, if none { "200" } else { "000" }, "{auth}, no certificate, {version:?}: {done:?}");
        let by_pinned_leaf = [("by-pinned-leaf", false)];
        for (name, vouched) in CLIENTS.iter().chain(&by_pinned_leaf) {
            let (certificate, key) = (format!("{name}.crt"), format!("{name}.key"));
            let shown = [version, &["--cert", &certificate, "--key", &key]].concat();
            let (status, done) = exporter.curl("/metrics", &shown).await;
            let expected = if any || *vouched { "200" } else { "000" };
            assert_eq!(status, expected, "{auth}, {name}, {version:?}: {done:?}\n{}", exporter.log());
        }
    }
}

const CA: &str = "  client_ca_file: clients-ca.crt\n";

#[tokio::test]
async fn no_client_cert_asks_for_none() {
    check("NoClientCert", "", true, true).await;
}

#[tokio::test]
async fn request_client_cert_takes_any_and_none() {
    check("RequestClientCert", "", true, true).await;
}

#[tokio::test]
async fn require_any_client_cert_takes_any_but_none() {
    check("RequireAnyClientCert", "", false, true).await;
}

#[tokio::test]
async fn verify_client_cert_if_given_takes_none_but_no_strangers() {
    check("VerifyClientCertIfGiven", CA, true, false).await;
}

#[tokio::test]
async fn require_and_verify_client_cert_takes_those_that_are_vouched_for() {
    check("RequireAndVerifyClientCert", CA, false, false).await;
}

#[tokio::test]
async fn only_a_client_with_an_allowed_name_gets_in() {
    let names = [
        ("host", "DNS:prometheus.example.com", true),
        ("address", "IP:10.0.0.1", true),
        ("address-6", "IP:fd00:0:0:0:0:0:0:1", true),
        ("mail", "email:ops@example.com", true),
        ("uri", "URI:spiffe://example/prometheus", true),
        ("second", "DNS:a.example.com,DNS:prometheus.example.com", true),
        ("other", "DNS:other.example.com", false),
        ("wildcard", "DNS:*.example.com", false),
        ("upper", "DNS:PROMETHEUS.example.com", false),
    ];
    let start = start().await;
    let folder = start.folder.path();
    self_signed(folder, "ca", "").await;
    for (name, alternative, _) in names {
        signed(folder, "ca", name, &format!("subjectAltName={alternative}\n{CLIENT}"), "-days 2").await;
    }
    signed(folder, "ca", "without", CLIENT, "-days 2").await;
    let allowed =
        "[ prometheus.example.com, 10.0.0.1, 'fd00::1', ops@example.com, 'spiffe://example/prometheus' ]";
    for auth in ["RequireAnyClientCert", "RequireAndVerifyClientCert\n  client_ca_file: ca.crt"] {
        let web = tls(&format!("  client_auth_type: {auth}\n  client_allowed_sans: {allowed}\n"));
        std::fs::write(folder.join("web.yml"), web).unwrap();
        let check = crate::support::exporter::run_in(
            &start.folder,
            &["check-config", "--web.config.file=web.yml"],
            &[],
        );
        assert_eq!(check.await.code, Some(0));
    }
    let web = tls(&format!(
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n  client_allowed_sans: {allowed}\n"
    ));
    let exporter = serve(start, &web).await;
    for (name, alternative, is_let_in) in names.into_iter().chain([("without", "no name", false)]) {
        let (certificate, key) = (format!("{name}.crt"), format!("{name}.key"));
        let (status, done) = exporter.curl("/metrics", &["--cert", &certificate, "--key", &key]).await;
        assert_eq!(status, if is_let_in { "200" } else { "000" }, "{alternative}: {done:?}");
    }
}

/// A client that shows `certificate` and signs with `key`, which need not be its.
fn client(
    folder: &Path,
    certificate: &str,
    key: &str,
    version: &'static SupportedProtocolVersion,
) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("trusted.crt")).unwrap()).unwrap();
    let chain = vec![CertificateDer::from_pem_file(folder.join(certificate)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(folder.join(key)).unwrap();
    let signing = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let shown = SingleCertAndKey::from(CertifiedKey::new(chain, signing));
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(shown))
}

#[tokio::test]
async fn whoever_shows_a_certificate_must_have_its_key() {
    for auth in ["RequireAnyClientCert", "RequireAndVerifyClientCert\n  client_ca_file: ca.crt"] {
        let start = start().await;
        let folder = start.folder.path();
        // The server's certificate as a client trusts it: one that an authority signed, not one that signs itself.
        self_signed(folder, "server-ca", "").await;
        signed(folder, "server-ca", "server", "subjectAltName=IP:127.0.0.1", "-days 2").await;
        std::fs::copy(folder.join("server-ca.crt"), folder.join("trusted.crt")).unwrap();
        self_signed(folder, "ca", "").await;
        signed(folder, "ca", "signed", CLIENT, "-days 2").await;
        let exporter = serve(start, &tls(&format!("  client_auth_type: {auth}\n"))).await;
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            for (key, is_let_in) in [("signed.key", true), ("ca.key", false)] {
                let config = client(exporter.folder.path(), "signed.crt", key, version);
                let stream = TcpStream::connect(exporter.address()).await.unwrap();
                let name = ServerName::try_from("127.0.0.1").unwrap();
                let answer = async {
                    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
                    stream.write_all(b"GET /-/healthy HTTP/1.0\r\n\r\n").await?;
                    let mut answer = Vec::new();
                    stream.read_to_end(&mut answer).await?;
                    std::io::Result::Ok(answer)
                };
                let answer = tokio::time::timeout(PATIENCE, answer).await.unwrap();
                assert_eq!(answer.is_ok(), is_let_in, "{auth}, {version:?}, {key}: {answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_is_told_that_one_is_required() {
    let exporter = serve(start().await, &tls("  client_auth_type: RequireAnyClientCert\n")).await;
    for version in [&["--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        let (_, refused) = exporter.curl("/", version).await;
        assert!(refused.err.contains("certificate required") || refused.err.contains("alert"), "{refused:?}");
    }
}
