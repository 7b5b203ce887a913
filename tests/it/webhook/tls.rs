//! TLS on the webhook's port: curl that trusts the certificate and curl that does not, reloads, renewed certificates.

use super::{KEY, PATH, begin, body};
use crate::support::exporter::{Exporter, Start};
use crate::web_config::support::{run, self_signed, signed};
use grid_bulk_exporter::sim::WebhookSigner;
use rustix::process::Signal;
use std::net::SocketAddr;

/// A configuration with these keys more in its section `webhook`.
fn config(more: &str) -> String {
    format!(
        "grid: {{ base_url: 'http://127.0.0.1:1', client_id: demo, client_secret: demo }}\n\
         webhook:\n  listen_address: 127.0.0.1:0\n  public_key_files: [ {KEY} ]\n{more}"
    )
}

const TLS: &str = "  tls_server_config: { cert_file: server.crt, key_file: server.key }\n";
const NAMES: &str = "-addext subjectAltName=DNS:localhost,IP:127.0.0.1";

/// An exporter with the certificates `server` and `other` in its folder.
async fn serve(signer: &WebhookSigner, more: &str) -> (Exporter, SocketAddr) {
    let start = Start::with_config(&config(more));
    for name in ["server", "other"] {
        self_signed(start.folder.path(), name, NAMES).await;
    }
    self_signed(start.folder.path(), "clients-ca", "").await;
    signed(start.folder.path(), "clients-ca", "client", "extendedKeyUsage=clientAuth", "-days 2").await;
    begin(start, signer).await
}

/// The status that curl gets for a delivery, 000 for none, and its exit code.
async fn curl(
    exporter: &Exporter,
    url: &str,
    signature: &str,
    body: &str,
    more: &str,
) -> (String, Option<i32>) {
    let header = format!("X-Grid-Signature: {signature}");
    let mut arguments = vec!["-sS", "--max-time", "50", "-o", "/dev/null", "-w", "%{http_code}"];
    arguments.extend(["-H", &header, "--data-binary", "@-", url]);
    arguments.extend(more.split_whitespace());
    let done = run(exporter.folder.path(), "curl", &arguments, body).await;
    (done.out, done.code)
}

/// Posts a new delivery, signed well.
async fn deliver(
    exporter: &Exporter,
    address: SocketAddr,
    signer: &WebhookSigner,
    name: &str,
    more: &str,
) -> String {
    let told = body(&format!("Webhook:{name}"), &format!("Job:{name}"));
    let url = format!("https://{address}{PATH}");
    curl(exporter, &url, &signer.sign(told.as_bytes()), &told, more).await.0
}

async fn reload(exporter: &Exporter, more: &str, line: &str) {
    let before = exporter.log().matches(line).count();
    exporter.write_config(&config(more));
    exporter.signal(Signal::HUP);
    crate::support::wait_for(line, || async {
        if exporter.log().matches(line).count() > before { Ok(()) } else { Err(exporter.log()) }
    })
    .await;
}

const RELOADED: &str = "the configuration was reloaded";

#[tokio::test]
async fn who_trusts_the_certificate_posts_by_tls_and_nobody_without() {
    let signer = WebhookSigner::generate();
    let (exporter, address) = serve(&signer, TLS).await;
    exporter.log_until(&["webhooks are taken in on https://"]).await;
    let told = body("Webhook:1", "Job:a");
    let signature = signer.sign(told.as_bytes());
    let url = format!("https://{address}{PATH}");
    let refused = curl(&exporter, &url, &signature, &told, "").await;
    assert_eq!(refused, ("000".to_owned(), Some(60)), "curl does not trust it");
    let refused = curl(&exporter, &url, &signature, &told, "--cacert other.crt").await;
    assert_eq!(refused, ("000".to_owned(), Some(60)));
    let plain = curl(&exporter, &url.replace("https", "http"), &signature, &told, "").await;
    assert_ne!(plain.0, "200", "no plain HTTP beside it");
    assert!(exporter.scrape().await.job_ids().is_empty());
    for (signature, status) in [("AAAA", "401"), (signature.as_str(), "200"), (signature.as_str(), "409")] {
        for version in ["--tls-max 1.2", "--tlsv1.3"] {
            let trusting = format!("--cacert server.crt {version}");
            let (got, code) = curl(&exporter, &url, signature, &told, &trusting).await;
            // The second one comes again.
            let status = if status == "200" && version == "--tlsv1.3" { "409" } else { status };
            assert_eq!((got.as_str(), code), (status, Some(0)), "{version}: {}", exporter.log());
        }
    }
    let elsewhere = format!("https://{address}/metrics");
    assert_eq!(curl(&exporter, &elsewhere, "", "", "--cacert server.crt").await.0, "404");
    assert_eq!(exporter.scrape().await.status("Job:a").as_deref(), Some("COMPLETED"));
}

#[tokio::test]
async fn certificates_and_reloads_hold_for_the_next_connection() {
    let signer = WebhookSigner::generate();
    let (exporter, address) = serve(&signer, TLS).await;
    let folder = exporter.folder.path();
    assert_eq!(deliver(&exporter, address, &signer, "1", "--cacert server.crt").await, "200");
    // Another certificate in the same files, as whoever renews it writes it.
    for (from, to) in [("other.crt", "new.crt"), ("other.key", "new.key")] {
        std::fs::copy(folder.join(from), folder.join(to)).unwrap();
    }
    std::fs::copy(folder.join("server.crt"), folder.join("old.crt")).unwrap();
    std::fs::copy(folder.join("server.key"), folder.join("old.key")).unwrap();
    std::fs::rename(folder.join("new.key"), folder.join("server.key")).unwrap();
    assert_eq!(deliver(&exporter, address, &signer, "2", "--cacert old.crt").await, "200", "half renewed");
    std::fs::rename(folder.join("new.crt"), folder.join("server.crt")).unwrap();
    assert_eq!(deliver(&exporter, address, &signer, "3", "--cacert other.crt").await, "200");
    // Files of another name, by a reload.
    reload(&exporter, &TLS.replace("server.", "old."), RELOADED).await;
    assert_eq!(deliver(&exporter, address, &signer, "4", "--cacert old.crt").await, "200");
    // Those of clients must be shown now.
    let auth = "  tls_server_config: { cert_file: old.crt, key_file: old.key, client_auth_type: RequireAndVerifyClientCert, client_ca_file: clients-ca.crt }\n";
    reload(&exporter, auth, RELOADED).await;
    assert_eq!(deliver(&exporter, address, &signer, "5", "--cacert old.crt").await, "000");
    let shown = "--cacert old.crt --cert client.crt --key client.key";
    assert_eq!(deliver(&exporter, address, &signer, "5", shown).await, "200");
    // What can't be used changes nothing.
    reload(&exporter, &TLS.replace("server.crt", "missing.crt"), "missing.crt").await;
    let line = exporter.log_until(&["grid.yml:", "webhook.tls_server_config.cert_file", "missing.crt"]).await;
    assert!(line.contains("level=error"), "{line}");
    assert_eq!(deliver(&exporter, address, &signer, "6", "--cacert old.crt").await, "000");
    assert_eq!(deliver(&exporter, address, &signer, "6", shown).await, "200");
    reload(&exporter, TLS, RELOADED).await;
    assert_eq!(deliver(&exporter, address, &signer, "7", "--cacert other.crt").await, "200");
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.job_ids().len(), 7);
}

#[tokio::test]
async fn a_certificate_that_can_not_be_used_refuses_the_start_by_one_line() {
    for (more, parts) in [
        (
            "  tls_server_config: { cert_file: no.crt, key_file: server.key }\n",
            ["webhook.tls_server_config.cert_file", "no.crt"],
        ),
        ("  tls_server_config: { cert_file: server.crt }\n", ["webhook.tls_server_config", "key"]),
        (
            "  tls_server_config: { cert_file: server.crt, key_file: other.key }\n",
            ["webhook.tls_server_config", "does not fit"],
        ),
        (
            "  tls_server_config: { cert_file: server.crt, key_file: server.key, client_auth: x }\n",
            ["client_auth", "client_auth_type"],
        ),
        (
            "  tls_server_config: { cert_file: server.crt, key_file: server.key, min_version: TLS09 }\n",
            ["min_version", "TLS12"],
        ),
    ] {
        let start = Start::with_config(&config(more));
        let folder = start.folder.path();
        for name in ["server", "other"] {
            self_signed(folder, name, NAMES).await;
        }
        std::fs::write(folder.join(KEY), WebhookSigner::generate().public_key_pem()).unwrap();
        let arguments: Vec<&str> = start.command.iter().map(String::as_str).collect();
        let finished = crate::support::exporter::run_in(&start.folder, &arguments, &[]).await;
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""), "{}", finished.stderr);
        assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
        assert!(finished.stderr.contains("grid.yml:"), "{}", finished.stderr);
        for part in parts {
            assert!(finished.stderr.contains(part), "{part} in {}", finished.stderr);
        }
    }
}
