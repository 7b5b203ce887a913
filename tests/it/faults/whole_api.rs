//! Faults that strike all jobs at once: the host is away or can't be found, its certificate is no good, HTTP/2
//! connections end. Neighbours share them here, and must come back with them.

use super::matrix::{
    SHORT_LIMITS, all_are_read, assert_last_known, assert_no_secret, config, faults, lines_of, simulator,
    success,
};
use super::proxy::{Authority, Manner, Proxy};
use crate::support::exporter::{Exporter, Start};
use crate::support::simulator::Simulated;
use crate::support::wait_for;
use grid_bulk_exporter::sim::BASE_PATH;

fn jobs() -> [String; 3] {
    ["Job:a", "Job:b", "Job:c"].map(str::to_owned)
}

/// An exporter that read all jobs well through a proxy.
struct Course {
    simulated: Simulated,
    proxy: Proxy,
    exporter: Exporter,
}

impl Course {
    /// Over `http` or `https`; `ca` is the authority that the exporter trusts.
    async fn begin(scheme: &str, first: &Manner, ca: &Authority) -> Self {
        let simulated = simulator(&jobs()).await;
        let proxy = Proxy::start(simulated.address, first.clone()).await;
        let base_url = format!("{scheme}://localhost:{}{BASE_PATH}", proxy.port);
        let grid = format!("{SHORT_LIMITS}  tls_config: {{ ca_file: ca.pem }}\n");
        let start = Start::with_config(&config(&base_url, &grid, &jobs()));
        std::fs::write(start.folder.path().join("ca.pem"), &ca.pem).unwrap();
        let exporter = start.start().await;
        exporter.scrape_until("all jobs are read", all_are_read).await;
        Self { simulated, proxy, exporter }
    }

    /// The fault comes, is seen, and goes.
    async fn strike(&self, fault: Manner, healed: &Manner, reason: &str, text: &str) {
        let Self { proxy, exporter, .. } = self;
        proxy.become_(fault);
        let during = exporter
            .scrape_until(reason, |scrape| {
                jobs().iter().all(|job| success(scrape, job) == 0.0)
                    && scrape.value("grid_bulk_up", &[]) == Some(0.0)
            })
            .await;
        assert!(during.value("grid_bulk_poll_failures_total", &[("reason", reason)]) >= Some(3.0));
        assert_eq!(exporter.get("/-/ready").await.status, 200);
        for job in jobs() {
            assert_last_known(&during, &job);
        }
        let whole = exporter.log_until(&["level=warn", "the API as a whole fails", text]).await;
        assert!(whole.contains(&format!("reason={reason}")), "{whole}");
        for job in jobs() {
            let told = lines_of(&exporter.log(), &job, "can't be read");
            assert!(told.len() == 1 && told[0].contains(text), "{told:?}");
        }
        proxy.become_(healed.clone());
        let after = exporter
            .scrape_until("all are read again", |scrape| {
                jobs().iter().all(|job| success(scrape, job) == 1.0)
                    && scrape.value("grid_bulk_up", &[]) == Some(1.0)
            })
            .await;
        for job in jobs() {
            assert_last_known(&after, &job);
        }
        exporter.log_until(&["level=info", "the API answers again"]).await;
        assert_no_secret(&exporter.log());
    }
}

#[tokio::test]
async fn a_refused_connection_is_an_outage_that_ends_when_the_api_is_back() {
    let course = Course::begin("http", &Manner::Plain, &Authority::new()).await;
    course.strike(Manner::Away, &Manner::Plain, "connect", "connection refused").await;
}

/// A certificate for `name` by `whose` authority, after a good one by `authority`; then the good one again.
async fn bad_certificate(authority: &Authority, whose: &Authority, name: &str, is_expired: bool, text: &str) {
    let protocols = ["h2", "http/1.1"];
    let good = authority.server("localhost", false, &protocols);
    let course = Course::begin("https", &good, authority).await;
    course.strike(whose.server(name, is_expired, &protocols), &good, "tls", text).await;
}

#[tokio::test]
async fn a_certificate_that_is_no_good_is_an_outage_until_it_is_right() {
    let (authority, unknown) = (Authority::new(), Authority::new());
    tokio::join!(
        bad_certificate(&authority, &authority, "localhost", true, "certificate expired"),
        bad_certificate(&authority, &authority, "grid.example", false, "grid.tls_config.server_name"),
        bad_certificate(&authority, &unknown, "localhost", false, "grid.tls_config.ca_file"),
    );
}

#[tokio::test]
async fn a_host_that_cannot_be_found_is_told_as_dns() {
    let exporter = Start::with_config(&config("http://grid.invalid/v1", SHORT_LIMITS, &jobs())).start().await;
    let scrape = exporter
        .scrape_until("all polls failed", |scrape| {
            jobs().iter().all(|job| scrape.of_job("grid_bulk_job_poll_success", job) == Some(0.0))
        })
        .await;
    assert!(scrape.value("grid_bulk_poll_failures_total", &[("reason", "dns")]) >= Some(3.0));
    assert_eq!(scrape.value("grid_bulk_up", &[]), Some(0.0));
    assert_eq!(scrape.value("grid_bulk_jobs", &[("status", "UNPOLLED")]), Some(3.0));
    assert_eq!(scrape.status("Job:a"), None, "0 would be a lie");
    for job in jobs() {
        let told = lines_of(&exporter.log(), &job, "can't be read");
        assert!(told.len() == 1 && told[0].contains("can't be resolved"), "{told:?}");
    }
}

/// The fault ends the connection that all jobs share, in the middle of their requests.
#[tokio::test]
async fn a_goaway_costs_one_job_its_polls_and_the_others_none() {
    let authority = Authority::new();
    let good = authority.server("localhost", false, &["h2"]);
    let course = Course::begin("https", &good, &authority).await;
    let Course { simulated, exporter, .. } = &course;
    assert!(simulated.handle.set_faults("Job:a", faults("goaway")));
    exporter.scrape_until("Job:a fails", |scrape| success(scrape, "Job:a") == 0.0).await;
    let asked = simulated.handle.requests_of("Job:b");
    wait_for("Job:b goes on", || async {
        let now = simulated.handle.requests_of("Job:b");
        if now >= asked + 3 { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
    let during = exporter.scrape().await;
    assert!(during.value("grid_bulk_poll_failures_total", &[("reason", "connect")]) >= Some(1.0));
    for job in jobs() {
        assert_last_known(&during, &job);
    }
    for job in ["Job:b", "Job:c"] {
        assert_eq!(
            lines_of(&exporter.log(), job, "can't be read"),
            [""; 0],
            "retries within the poll: {}",
            exporter.log()
        );
    }
    assert!(simulated.handle.set_faults("Job:a", Vec::new()));
    exporter.scrape_until("Job:a is read again", |scrape| success(scrape, "Job:a") == 1.0).await;
}
