//! OpenSSL's `s_client` as a client: versions, cipher suites, curves, ALPN.

use super::support::{self_signed, serve, start, tls};

/// Handshakes of `s_client`, and a piece of what it says: of the session, or of why there is none.
async fn check(more: &str, handshakes: &[(&str, Result<&str, &str>)]) {
    let exporter = serve(start().await, &tls(more)).await;
    for (arguments, expected) in handshakes {
        let done = exporter.s_client(arguments).await;
        match expected {
            Ok(piece) => {
                assert!(
                    done.code == Some(0) && done.out.contains(piece),
                    "{more}{arguments}: no {piece}: {done:?}"
                );
            }
            Err(alert) => {
                assert!(
                    done.code == Some(1) && done.err.contains(alert),
                    "{more}{arguments}: no {alert}: {done:?}"
                );
            }
        }
    }
}

/// What OpenSSL needs to speak versions that it thinks too old.
const OLD: &str = "-cipher DEFAULT@SECLEVEL=0";

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_and_nothing_older() {
    let (old, older) = (format!("-tls1_1 {OLD}"), format!("-tls1 {OLD}"));
    let version = Err("alert");
    check(
        "  min_version: TLS10\n",
        &[
            ("", Ok("TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384")),
            ("-tls1_3", Ok("TLSv1.3")),
            ("-tls1_2", Ok("TLSv1.2")),
            (&old, version),
            (&older, version),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_range_of_versions_is_obeyed() {
    let version = Err("alert protocol version");
    check("  min_version: TLS13\n", &[("-tls1_2", version), ("-tls1_3", Ok("TLSv1.3"))]).await;
    check("  max_version: TLS12\n", &[("-tls1_3", version), ("-tls1_2", Ok("TLSv1.2")), ("", Ok("TLSv1.2"))])
        .await;
    check(
        "  cipher_suites: [ TLS_AES_128_GCM_SHA256 ]\n",
        &[("-tls1_2", version), ("-tls1_3", Ok("TLS_AES_256_GCM_SHA384"))],
    )
    .await;
}

#[tokio::test]
async fn chosen_suites_limit_tls_1_2_alone_and_their_order_counts() {
    let suites = "  cipher_suites: [ TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, \
                  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 ]\n";
    let both = "-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305";
    check(
        suites,
        &[
            (both, Ok("Cipher is ECDHE-ECDSA-CHACHA20-POLY1305")),
            ("-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384", Err("alert handshake failure")),
            ("-tls1_3 -ciphersuites TLS_AES_256_GCM_SHA384", Ok("Cipher is TLS_AES_256_GCM_SHA384")),
        ],
    )
    .await;
    let clients_order = format!("{suites}  prefer_server_cipher_suites: false\n");
    check(&clients_order, &[(both, Ok("Cipher is ECDHE-ECDSA-AES128-GCM-SHA256"))]).await;
}

#[tokio::test]
async fn chosen_curves_are_the_only_ones() {
    check(
        "  curve_preferences: [ CurveP384, CurveP521 ]\n",
        &[
            ("-curves X25519:P-384", Ok("Server Temp Key: ECDH, secp384r1, 384 bits")),
            ("-curves X25519:P-256", Err("alert handshake failure")),
        ],
    )
    .await;
}

#[tokio::test]
async fn http_2_is_offered_unless_it_is_turned_off() {
    check(
        "",
        &[("-alpn h2,http/1.1", Ok("ALPN protocol: h2")), ("-alpn http/1.1", Ok("ALPN protocol: http/1.1"))],
    )
    .await;
    let start = start().await;
    self_signed(start.folder.path(), "ca", "").await;
    let exporter = serve(start, &format!("{}http_server_config: {{ http2: false }}\n", tls(""))).await;
    let done = exporter.s_client("-alpn h2,http/1.1").await;
    assert!(done.out.contains("ALPN protocol: http/1.1"), "{done:?}");
    let (status, done) = exporter
        .curl("/metrics", &["--http2", "-o", "/dev/null", "-w", "%{http_version} %{http_code}"])
        .await;
    assert_eq!(status, "1.1 200", "{done:?}");
    let plain = serve(super::support::start().await, "http_server_config: { http2: false }\n").await;
    let (_, done) = plain.curl("/metrics", &["--http2-prior-knowledge"]).await;
    assert_ne!(done.code, Some(0), "HTTP/2 without TLS is off, too: {done:?}");
}
