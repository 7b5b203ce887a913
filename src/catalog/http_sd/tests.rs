//! Lists over TLS, with secrets in files, and from servers that take their time.

use super::*;
use crate::config::{ClientCertificate, TlsConfig};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 24\r\nConnection: close\r\n\r\n\
                      [{\"targets\": [\"Job:1\"]}]";

/// Takes a request, answers it, and gives back what was asked.
async fn answer_one(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> String {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        asked.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(ANSWER.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    String::from_utf8(asked).unwrap()
}

fn source(url: &str, tls: TlsConfig, authorization: Option<HttpAuthorization>) -> HttpSource {
    HttpSource {
        section: "job_http[0]".to_owned(),
        url: url.parse().unwrap(),
        refresh_interval: Duration::from_secs(60),
        timeout: Duration::from_secs(10),
        max_response_bytes: 1 << 20,
        authorization,
        tls,
    }
}

#[tokio::test]
async fn a_list_over_tls_is_trusted_by_its_own_authority_alone() {
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/jobs", listener.local_addr().unwrap().port());
    let serving = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                return answer_one(stream).await;
            }
        }
    });
    let strange = HttpList::new(&source(&url, TlsConfig::default(), None)).unwrap();
    let refused = strange.fetch().await.unwrap_err();
    assert!(refused.contains("certificate"), "{refused}");
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, own.cert.pem()).unwrap();
    let trusting = TlsConfig { ca_file: Some(ca_file), ..TlsConfig::default() };
    let jobs = HttpList::new(&source(&url, trusting, None)).unwrap().fetch().await.unwrap();
    assert_eq!(jobs[0].id.as_str(), "Job:1");
    assert!(serving.await.unwrap().starts_with("GET /jobs HTTP/1.1\r\n"));
}

#[test]
fn a_certificate_that_can_not_be_used_is_told_with_its_key() {
    let certificate = ClientCertificate { cert_file: "none.pem".into(), key_file: "none.key".into() };
    let tls = TlsConfig { client_certificate: Some(certificate), ..TlsConfig::default() };
    let fault = HttpList::new(&source("https://localhost/", tls, None)).unwrap_err();
    assert!(fault.starts_with("job_http[0].tls_config.cert_file: file none.pem"), "{fault}");
}

#[tokio::test]
async fn a_password_in_a_file_is_read_for_each_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    let basic = |path: &Path| HttpAuthorization::Basic {
        username: "u".to_owned(),
        password: Some(CredentialSource::File(path.to_owned())),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let list = HttpList::new(&source(&url, TlsConfig::default(), Some(basic(&path)))).unwrap();
    let missing = list.fetch().await.unwrap_err();
    assert!(missing.contains("does not exist"), "{missing}");
    // u:p and u:q
    for (password, header) in
        [("p\n", "authorization: Basic dTpw\r\n"), ("q\n", "authorization: Basic dTpx\r\n")]
    {
        std::fs::write(&path, password).unwrap();
        let serving = async { answer_one(listener.accept().await.unwrap().0).await };
        let (fetched, asked) = tokio::join!(list.fetch(), serving);
        assert_eq!(fetched.unwrap().len(), 1);
        assert!(asked.contains(header), "{asked}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mut source = source(&url, TlsConfig::default(), None);
    source.timeout = Duration::from_millis(50);
    let fault = HttpList::new(&source).unwrap().fetch().await.unwrap_err();
    assert_eq!(fault, "did not answer whole within 50ms");
}

#[test]
fn content_types_are_those_of_prometheus() {
    let is_taken = |text: &'static str| {
        check_content_type(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(text))])).is_ok()
    };
    for good in ["application/json", "Application/JSON; charset=utf-8", "application/json;charset=\"UTF-8\""]
    {
        assert!(is_taken(good), "{good}");
    }
    for bad in ["", "text/json", "application/jsonl", "application/json; charset=latin1", "application/json;"]
    {
        assert!(!is_taken(bad), "{bad}");
    }
}
