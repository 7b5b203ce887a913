//! A real Prometheus scrapes through TLS, with a user and a client certificate; systemd passes the socket.

use super::support::{hash, self_signed, serve, signed, start, tls};
use crate::support::prometheus::Prometheus;
use tempfile::TempDir;

#[tokio::test]
async fn prometheus_scrapes_with_a_password_and_a_certificate() {
    let start = start().await;
    let folder = start.folder.path();
    self_signed(folder, "ca", "").await;
    signed(folder, "ca", "client", "extendedKeyUsage=clientAuth", "-days 2").await;
    let web = tls("  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n");
    let exporter =
        serve(start, &(web + &format!("basic_auth_users: {{ prometheus: '{}' }}\n", hash("right")))).await;
    let theirs = TempDir::new().unwrap();
    for name in ["server.crt", "client.crt", "client.key"] {
        std::fs::copy(exporter.folder.path().join(name), theirs.path().join(name)).unwrap();
    }
    let config = |name: &str, password: &str, certificate: &str| {
        format!(
            "  - job_name: {name}\n    scheme: https\n    \
             tls_config: {{ ca_file: server.crt, server_name: localhost{certificate} }}\n    \
             basic_auth: {{ username: prometheus, password: {password} }}\n    \
             static_configs: [ {{ targets: [ '{}' ] }} ]\n",
            exporter.address()
        )
    };
    let pair = ", cert_file: client.crt, key_file: client.key";
    let configs =
        config("good", "right", pair) + &config("guess", "wrong", pair) + &config("bare", "right", "");
    let text = format!("global: {{ scrape_interval: 1s }}\nscrape_configs:\n{configs}");
    let prometheus = Prometheus::start(theirs, &text).await;
    prometheus.query_until("up{job=\"good\"}", 1.0).await;
    prometheus.query_until("up{job=\"guess\"}", 0.0).await;
    prometheus.query_until("up{job=\"bare\"}", 0.0).await;
    prometheus.query_until("grid_bulk_job_info{job=\"good\"}", 1.0).await;
}

#[tokio::test]
async fn a_socket_of_systemd_speaks_tls() {
    let start = start().await.argument("--web.systemd-socket");
    std::fs::write(start.folder.path().join("web.yml"), tls("")).unwrap();
    let exporter = start.start_by_systemd().await;
    let (status, done) = exporter.curl("/-/healthy", &[]).await;
    assert_eq!(status, "200", "{done:?}");
}
