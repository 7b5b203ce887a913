//! Certificates and users that change while the exporter runs.

use super::support::{hash, self_signed, serve, signed, start, tls};
use crate::support::exporter::Exporter;

async fn subject(exporter: &Exporter) -> String {
    let done = exporter.s_client("").await;
    done.out
        .lines()
        .find(|line| line.starts_with("subject="))
        .unwrap_or_else(|| panic!("{done:?}"))
        .to_owned()
}

fn replace(exporter: &Exporter, from: &str, to: &str) {
    let folder = exporter.folder.path();
    // As cert-manager and certbot do: another file takes the name.
    std::fs::copy(folder.join(from), folder.join("new")).unwrap();
    std::fs::rename(folder.join("new"), folder.join(to)).unwrap();
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_with_the_next_handshake_and_a_broken_one_never() {
    let start = start().await;
    self_signed(start.folder.path(), "renewed", "").await;
    let exporter = serve(start, &tls("")).await;
    assert_eq!(subject(&exporter).await, "subject=CN = server");
    replace(&exporter, "renewed.crt", "server.crt");
    assert_eq!(subject(&exporter).await, "subject=CN = server", "its key is not there yet");
    exporter.log_until(&["level=error", "web.yml:3", "can't be used", "does not fit the certificate"]).await;
    replace(&exporter, "renewed.key", "server.key");
    assert_eq!(subject(&exporter).await, "subject=CN = renewed");
    std::fs::write(exporter.folder.path().join("server.crt"), "rubbish").unwrap();
    assert_eq!(subject(&exporter).await, "subject=CN = renewed");
    assert_eq!(subject(&exporter).await, "subject=CN = renewed");
    std::fs::remove_file(exporter.folder.path().join("server.key")).unwrap();
    assert_eq!(subject(&exporter).await, "subject=CN = renewed");
    let told = exporter.log().lines().filter(|line| line.contains("has no PEM certificate")).count();
    assert!((1..=2).contains(&told), "once for each change, not for each handshake: {}", exporter.log());
}

#[tokio::test]
async fn authorities_of_clients_are_read_anew_and_no_session_outlives_them() {
    let start = start().await;
    let folder = start.folder.path();
    for name in ["first", "second"] {
        self_signed(folder, &format!("{name}-ca"), "").await;
        signed(folder, &format!("{name}-ca"), name, "extendedKeyUsage=clientAuth", "-days 2").await;
    }
    std::fs::copy(folder.join("first-ca.crt"), folder.join("ca.crt")).unwrap();
    let exporter =
        serve(start, &tls("  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n"))
            .await;
    let first = "-tls1_2 -cert first.crt -key first.key";
    let session = exporter.s_client(&format!("{first} -sess_out session")).await;
    assert_eq!(session.code, Some(0), "{session:?}");
    let resumed = exporter.s_client(&format!("{first} -sess_in session")).await;
    assert!(resumed.out.contains("Reused"), "{resumed:?}");
    replace(&exporter, "second-ca.crt", "ca.crt");
    let refused = exporter.s_client(&format!("{first} -sess_in session")).await;
    assert!(!refused.out.contains("Reused") && refused.err.contains("alert"), "{refused:?}");
    let (status, done) = exporter.curl("/metrics", &["--cert", "second.crt", "--key", "second.key"]).await;
    assert_eq!(status, "200", "{done:?}");
}

#[tokio::test]
async fn the_file_itself_is_read_anew_and_a_bad_one_keeps_the_one_before() {
    let exporter = serve(start().await, &tls("")).await;
    let write = |web: &str| std::fs::write(exporter.folder.path().join("web.yml"), web).unwrap();
    assert_eq!(exporter.curl("/metrics", &[]).await.0, "200");
    write(&format!("{}basic_auth_users: {{ alice: '{}' }}\n", tls(""), hash("first")));
    assert_eq!(exporter.curl("/metrics", &[]).await.0, "401");
    assert_eq!(exporter.curl("/metrics", &["-u", "alice:first"]).await.0, "200");
    write("basic_auth_users: { alice: first }\n");
    assert_eq!(exporter.curl("/metrics", &[]).await.0, "401", "the file before holds on");
    assert_eq!(exporter.curl("/metrics", &["-u", "alice:first"]).await.0, "200");
    let line = exporter
        .log_until(&["level=error", "web.yml:1", "basic_auth_users.alice", "not a bcrypt hash"])
        .await;
    assert!(!line.contains("first "), "{line}");
    write("http_server_config: { http2: false }\n");
    assert_eq!(exporter.curl("/metrics", &[]).await.0, "401", "TLS does not go away while it runs");
    exporter.log_until(&["TLS can't be turned off"]).await;
    write(&format!("{}http_server_config: {{ headers: {{ X-Frame-Options: sameorigin }} }}\n", tls("")));
    let (status, done) = exporter.curl("/metrics", &["-D", "-", "-o", "/dev/null"]).await;
    assert!(status == "200" && done.out.contains("x-frame-options: sameorigin"), "{done:?}");
}
