//! TLS: whom we trust, how we show who we are, and HTTP/2.

use super::server::{Step, json};
use super::*;
use crate::config::ClientCertificate;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::PathBuf;
use tempfile::TempDir;

/// An authority of its own for one test, with its certificate in a file.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
    roots: rustls::RootCertStore,
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let key = KeyPair::generate().unwrap();
        // A name of its own, or an authority of another test would seem to be this one with a wrong signature.
        let name = format!("authority {:x?}", &key.public_key_raw()[1..9]);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        Self { folder, issuer: Issuer::new(params, key), roots }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A server's configuration with a certificate of this authority for `name`.
    fn server(&self, name: &str, is_expired: bool) -> rustls::ServerConfig {
        self.server_of(name, is_expired, rustls::server::WebPkiClientVerifier::no_client_auth())
    }

    fn server_of(
        &self,
        name: &str,
        is_expired: bool,
        clients: Arc<dyn rustls::server::danger::ClientCertVerifier>,
    ) -> rustls::ServerConfig {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if is_expired {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap()
    }

    /// Writes a client's certificate and key to files.
    fn client(&self, name: &str) -> ClientCertificate {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = ClientCertificate {
            cert_file: self.file(&format!("{name}.pem")),
            key_file: self.file(&format!("{name}.key")),
        };
        std::fs::write(&files.cert_file, certificate.pem()).unwrap();
        std::fs::write(&files.key_file, key.serialize_pem()).unwrap();
        files
    }

    fn trusted(&self) -> TlsConfig {
        TlsConfig { ca_file: Some(self.file("ca.pem")), ..TlsConfig::default() }
    }
}

async fn serve(tls: rustls::ServerConfig) -> Server {
    Server::over_tls(tls, vec![vec![Step::Send(json(JOB))]]).await
}

fn config_with(server: &Server, tls: TlsConfig) -> GridConfig {
    GridConfig { tls, ..config(&format!("https://localhost:{}/grid/v1", server.address.port())) }
}

#[tokio::test]
async fn an_own_authority_is_trusted_and_replaces_the_systems() {
    let authority = Authority::new();
    let server = serve(authority.server("localhost", false)).await;
    assert!(read(&config_with(&server, authority.trusted())).await.outcome.is_ok());
    let other = Authority::new();
    let answer = read(&config_with(&server, other.trusted())).await;
    assert_failed(
        &answer,
        PollFailure::Tls,
        &["TLS with localhost:", "UnknownIssuer", "grid.tls_config.ca_file"],
    );
    let answer = read(&config_with(&server, TlsConfig::default())).await;
    assert_failed(&answer, PollFailure::Tls, &["UnknownIssuer"]);
    assert_eq!(server.requests().len(), 1, "no credentials to whom we don't trust");
}

#[tokio::test]
async fn an_expired_certificate_is_told() {
    let authority = Authority::new();
    let server = serve(authority.server("localhost", true)).await;
    let answer = read(&config_with(&server, authority.trusted())).await;
    assert_failed(&answer, PollFailure::Tls, &["certificate expired"]);
}

#[tokio::test]
async fn a_certificate_of_another_name_is_told_unless_that_name_is_configured() {
    let authority = Authority::new();
    let server = serve(authority.server("grid.example", false)).await;
    let answer = read(&config_with(&server, authority.trusted())).await;
    assert_failed(&answer, PollFailure::Tls, &["grid.tls_config.server_name"]);
    let named = TlsConfig { server_name: Some("grid.example".to_owned()), ..authority.trusted() };
    assert!(read(&config_with(&server, named)).await.outcome.is_ok());
    let wrong = TlsConfig { server_name: Some("localhost".to_owned()), ..authority.trusted() };
    assert_failed(&read(&config_with(&server, wrong)).await, PollFailure::Tls, &["grid.example"]);
}

#[tokio::test]
async fn verification_is_off_only_where_it_is_switched_off() {
    let authority = Authority::new();
    let server = serve(authority.server("grid.example", true)).await;
    assert_failed(&read(&config_with(&server, TlsConfig::default())).await, PollFailure::Tls, &[]);
    let insecure = TlsConfig { insecure_skip_verify: true, ..TlsConfig::default() };
    assert!(read(&config_with(&server, insecure)).await.outcome.is_ok());
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_it_is_wanted() {
    let authority = Authority::new();
    let roots = Arc::new(authority.roots.clone());
    let clients =
        rustls::server::WebPkiClientVerifier::builder_with_provider(roots, provider()).build().unwrap();
    let server = serve(authority.server_of("localhost", false, clients)).await;
    let answer = read(&config_with(&server, authority.trusted())).await;
    assert_failed(&answer, PollFailure::Tls, &["grid.tls_config.cert_file"]);
    let client_certificate = Some(authority.client("exporter"));
    let known = TlsConfig { client_certificate, ..authority.trusted() };
    assert!(read(&config_with(&server, known)).await.outcome.is_ok());
}

#[tokio::test]
async fn a_port_that_speaks_no_tls_is_told() {
    let server = Server::saying(json(JOB)).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let talking = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    });
    let plain = GridConfig { ..config(&format!("https://localhost:{port}")) };
    assert_failed(&read(&plain).await, PollFailure::Tls, &["does this port speak TLS?"]);
    drop((server, talking.await));
}

#[test]
fn files_that_are_no_good_are_told_with_name_and_remedy() {
    let authority = Authority::new();
    let refused = |tls: TlsConfig| {
        let config = GridConfig { tls, ..config("https://api.invalid") };
        let error = GridClient::new(&config, metrics().api, Arc::new(SystemClock)).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        error
    };
    let ca = |name: &str| TlsConfig { ca_file: Some(authority.file(name)), ..TlsConfig::default() };
    std::fs::write(authority.file("text.pem"), "no certificate").unwrap();
    std::fs::write(
        authority.file("odd.pem"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    for (tls, parts) in [
        (ca("missing.pem"), ["grid.tls_config.ca_file: file /", "missing.pem can't be read (No such file"]),
        (ca("text.pem"), ["text.pem has no PEM certificate", "BEGIN CERTIFICATE"]),
        (ca("odd.pem"), ["odd.pem can't be used", "write it anew"]),
    ] {
        let error = refused(tls);
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
    let (one, other) = (authority.client("one"), authority.client("other"));
    let pair = |cert_file: &PathBuf, key_file: &PathBuf| TlsConfig {
        client_certificate: Some(ClientCertificate {
            cert_file: cert_file.clone(),
            key_file: key_file.clone(),
        }),
        ..TlsConfig::default()
    };
    let error = refused(pair(&one.cert_file, &other.key_file));
    assert!(error.contains("other.key does not fit the certificate in /"), "{error}");
    let error = refused(pair(&one.cert_file, &one.cert_file));
    assert!(error.contains("one.pem has no PEM private key"), "{error}");
    let error = refused(TlsConfig { server_name: Some("not a name".to_owned()), ..TlsConfig::default() });
    assert!(error.contains("grid.tls_config.server_name is \"not a name\""), "{error}");
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

#[tokio::test]
async fn http2_is_spoken_where_it_is_offered_and_a_goaway_is_a_broken_connection() {
    let authority = Authority::new();
    let mut tls = authority.server("localhost", false);
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let settings = frame(4, 0, 0, &[]);
    // 0x88 is `:status: 200` in HPACK's static table.
    let headers = frame(1, 4, 1, &[0x88]);
    let whole = [settings.clone(), headers.clone(), frame(0, 1, 1, JOB.as_bytes())].concat();
    // The client's preface ends as a request's head does; a request of its own follows it.
    let server = Server::over_tls(tls.clone(), vec![vec![Step::Send(whole), Step::Hang]]).await;
    assert_eq!(job(read(&config_with(&server, authority.trusted())).await).errors.iter().count(), 1);
    assert!(server.requests()[0].starts_with("PRI * HTTP/2.0"));
    let leaving = frame(7, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 2]);
    let cut = [settings, headers, frame(0, 0, 1, b"{\"id\":"), leaving].concat();
    let server = Server::over_tls(tls, vec![vec![Step::Send(cut), Step::Close]]).await;
    let answer = read(&config_with(&server, authority.trusted())).await;
    assert_failed(&answer, PollFailure::Connect, &["localhost:"]);
}
