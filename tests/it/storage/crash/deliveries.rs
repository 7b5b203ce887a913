//! Signed webhooks while the exporter is killed: what was answered with 200 is known after each start.

use crate::support::exporter::Exporter;
use crate::support::scrape::Scrape;
use crate::webhook::{body, taken_in_on, try_to_post};
use grid_bulk_exporter::sim::WebhookSigner;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

/// Deliveries, each of a job of its own that nobody else names.
pub(super) struct Deliveries {
    signer: WebhookSigner,
    sent: Mutex<Sent>,
}

#[derive(Default)]
struct Sent {
    /// Job by delivery, answered with 200 or 409.
    acknowledged: BTreeMap<String, String>,
    /// Not answered: it may have been taken or not.
    unsure: BTreeMap<String, String>,
}

impl Deliveries {
    pub(super) fn new() -> Self {
        Self { signer: WebhookSigner::generate(), sent: Mutex::default() }
    }

    /// The section `webhook` of a configuration, whose public key lies in this folder.
    pub(super) fn section(&self, folder: &Path) -> String {
        let key = folder.join("grid-webhook.pem");
        std::fs::write(&key, self.signer.public_key_pem()).unwrap();
        format!("webhook: {{ listen_address: '127.0.0.1:0', public_key_files: [ '{}' ] }}", key.display())
    }

    /// Posts a delivery; nothing if the exporter is gone before it answers.
    async fn post(&self, exporter: &Exporter, delivery: &str, job: &str) -> Option<u16> {
        let told = body(delivery, job);
        let address = taken_in_on(exporter).await;
        try_to_post(address, &self.signer.sign(told.as_bytes()), &told).await.ok().map(|answer| answer.status)
    }

    /// Posts deliveries, some of them twice, until the exporter is gone.
    pub(super) async fn send(&self, exporter: &Exporter, round: u64, worker: u64) {
        for number in 0.. {
            let (delivery, job) =
                (format!("Webhook:{round}-{worker}-{number}"), format!("Job:w{round}-{worker}-{number}"));
            self.sent.lock().unwrap().unsure.insert(delivery.clone(), job.clone());
            let Some(status) = self.post(exporter, &delivery, &job).await else { return };
            assert_eq!(status, 200, "{delivery}");
            self.taken(&delivery, &job);
            if number % 4 == 0 {
                let Some(status) = self.post(exporter, &delivery, &job).await else { return };
                assert_eq!(status, 409, "{delivery}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// After a start: each job that was acknowledged is there and has ended, its delivery is known, and one that was
    /// not answered is taken, unless it was.
    pub(super) async fn check(&self, exporter: &Exporter, scrape: &Scrape, round: u64) {
        let (acknowledged, unsure) = {
            let sent = self.sent.lock().unwrap();
            (sent.acknowledged.clone(), sent.unsure.clone())
        };
        let completed: BTreeSet<String> = scrape
            .series("grid_bulk_job_status", &[("status", "COMPLETED")])
            .filter(|sample| sample.value == 1.0)
            .map(|sample| sample.labels["jobId"].clone())
            .collect();
        for (delivery, job) in &acknowledged {
            assert!(completed.contains(job), "round {round}: {job} of {delivery} is lost");
        }
        // Those of the last round and some of those before.
        for (delivery, job) in acknowledged.iter().rev().take(20).chain(acknowledged.iter().step_by(50)) {
            assert_eq!(self.post(exporter, delivery, job).await, Some(409), "round {round}: {delivery}");
        }
        for (delivery, job) in unsure {
            let status = self.post(exporter, &delivery, &job).await;
            assert!(matches!(status, Some(200 | 409)), "round {round}: {delivery} got {status:?}");
            assert_eq!(status == Some(409), completed.contains(&job), "round {round}: {delivery} and {job}");
            self.taken(&delivery, &job);
        }
    }

    fn taken(&self, delivery: &str, job: &str) {
        let mut sent = self.sent.lock().unwrap();
        sent.unsure.remove(delivery);
        sent.acknowledged.insert(delivery.to_owned(), job.to_owned());
    }

    pub(super) fn acknowledged(&self) -> usize {
        self.sent.lock().unwrap().acknowledged.len()
    }
}
