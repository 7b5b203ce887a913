//! Bodies of 100 MB: taken, or refused, in memory that does not grow with them.

use super::{KEY, PATH, begin};
use crate::memory::{MIB, entries, forget_the_high_water_mark, status_line};
use crate::support::PATIENCE;
use crate::support::exporter::Start;
use grid_bulk_exporter::sim::WebhookSigner;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The envelope of a failed job with these error entries.
fn body(delivery: &str, errors: &str) -> Vec<u8> {
    format!(
        r#"{{"id":"{delivery}","data":{{"id":"Job:{delivery}","status":"FAILED","progress":{{"total":9000000,"processed":9000000,"successful":0,"failed":9000000}},"errors":[{errors}]}},"type":"BULK_UPLOAD.FAILED"}}"#
    )
    .into_bytes()
}

/// The status that a body gets; whatever is sent after the answer does not matter.
async fn post(address: SocketAddr, signature: &str, body: &[u8]) -> u16 {
    let posting = async {
        let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
        let length = body.len();
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Grid-Signature: {signature}\r\nContent-Length: {length}\r\n\r\n"
        );
        let mut answer = String::new();
        let send = async {
            writer.write_all(head.as_bytes()).await.unwrap();
            writer.write_all(body).await.unwrap();
        };
        let (read, ()) = tokio::join!(reader.read_to_string(&mut answer), send);
        read.unwrap();
        answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
    };
    tokio::time::timeout(PATIENCE * 3, posting).await.expect("it is answered in time")
}

#[tokio::test]
async fn bodies_of_any_size_cost_no_memory_of_their_size_signed_well_or_not() {
    let signer = WebhookSigner::generate();
    let yaml = format!(
        "grid: {{ base_url: 'http://127.0.0.1:1', client_id: demo, client_secret: demo, read_idle_timeout: 30s, max_duration: 5m }}\n\
         webhook: {{ listen_address: '127.0.0.1:0', public_key_files: [ {KEY} ] }}\n"
    );
    let (exporter, address) = begin(Start::with_config(&yaml), &signer).await;
    let (small, entry) = (
        body("small", ""),
        r#"{"correlationId":"12345","error":{"code":"INVALID","message":"a message of some length, as they come","details":{"row":12345}}}"#,
    );
    assert_eq!(post(address, &signer.sign(&small), &small).await, 200);
    exporter.scrape().await;
    let before = status_line(&exporter, "VmRSS:");
    forget_the_high_water_mark(&exporter);
    let count = entries(100_000);
    let many = body("many", &vec![entry; usize::try_from(count).unwrap()].join(","));
    let long = body("long", &format!(r#"{{"code":"X","message":"{}"}}"#, "x".repeat(100_000_000)));
    let stranger = WebhookSigner::generate();
    for body in [&many, &long] {
        assert_eq!(post(address, &stranger.sign(body), body).await, 401);
        assert_eq!(post(address, &signer.sign(body), body).await, 200);
        let cut = &body[..body.len() - 1];
        assert_eq!(post(address, &signer.sign(cut), cut).await, 400);
    }
    let signature = signer.sign(&many);
    let at_once = (0..8).map(|_| post(address, &signature, &many));
    assert_eq!(futures_util::future::join_all(at_once).await, [409; 8]);
    let rise = status_line(&exporter, "VmHWM:").saturating_sub(before);
    assert!(rise < 16 * MIB, "{rise} bytes above idle");
    let scrape = exporter.scrape().await;
    let shown = |job: &str, code: &str| {
        scrape.value("grid_bulk_job_error_entries", &[("jobId", job), ("code", code)])
    };
    assert_eq!((shown("Job:many", "INVALID"), shown("Job:long", "X")), (Some(count as f64), Some(1.0)));
}
