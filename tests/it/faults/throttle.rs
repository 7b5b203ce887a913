//! 429: all polling obeys it, not only the job that got it, and what was known stays.

use super::matrix::{
    SHORT_LIMITS, all_are_read, assert_last_known, config, faults, lines_of, simulator, success,
};
use crate::support::exporter::{Exporter, Start};
use crate::support::simulator::Simulated;
use crate::support::wait_for;
use grid_bulk_exporter::clock::{Clock as _, SystemClock};
use rustix::process::Signal;
use std::time::{Duration, UNIX_EPOCH};

/// An exporter whose job `Job:a` is throttled after all were read well.
async fn throttled(fault: &str) -> (Simulated, Exporter) {
    let jobs = ["Job:a", "Job:b", "Job:c"].map(str::to_owned);
    let simulated = simulator(&jobs).await;
    let exporter = Start::with_config(&config(&simulated.base_url, SHORT_LIMITS, &jobs)).start().await;
    exporter.scrape_until("all jobs are read", all_are_read).await;
    assert!(simulated.handle.set_faults("Job:a", faults(fault)));
    exporter.scrape_until("Job:a is throttled", |scrape| success(scrape, "Job:a") == 0.0).await;
    assert!(simulated.handle.set_faults("Job:a", Vec::new()));
    (simulated, exporter)
}

/// A pause of at least so many seconds after the 429, then all jobs are read again.
async fn obeys(fault: &str, seconds: f64) {
    let (simulated, exporter) = throttled(fault).await;
    let scrape = exporter.scrape_until("Job:a is read again", |scrape| success(scrape, "Job:a") == 1.0).await;
    for job in ["Job:a", "Job:b", "Job:c"] {
        let polls = simulated.handle.requests_of(job);
        wait_for("all go on", || async {
            if simulated.handle.requests_of(job) > polls { Ok(()) } else { Err(job.to_owned()) }
        })
        .await;
        assert_last_known(&scrape, job);
    }
    let records = simulated.handle.requests().records;
    let refused = records.iter().position(|record| record.status == Some(429)).expect("a 429");
    let pause = records[refused + 1].at.checked_sub(records[refused].at).expect("in order").as_secs_f64();
    assert!(pause >= seconds - 0.1, "{pause} s without a request to any job, where {seconds} were wanted");
    assert_eq!(scrape.value("grid_bulk_poll_failures_total", &[("reason", "rate_limited")]), Some(1.0));
    assert_eq!(scrape.value("grid_bulk_api_requests_total", &[("code", "429")]), Some(1.0));
    let waited = scrape.value("grid_bulk_api_throttled_seconds_total", &[]).unwrap();
    assert!(waited >= seconds - 1.5, "{waited} s are counted");
    assert_eq!(scrape.value("grid_bulk_up", &[]), Some(1.0), "an API that throttles works");
    let told = lines_of(&exporter.log(), "Job:a", "can't be read");
    assert!(told.len() == 1 && told[0].contains("reason=rate_limited "), "{told:?}");
    for job in ["Job:b", "Job:c"] {
        assert_eq!(lines_of(&exporter.log(), job, "can't be read"), [""; 0]);
    }
}

#[tokio::test]
async fn retry_after_in_seconds_and_milliseconds_is_obeyed_by_all() {
    tokio::join!(
        obeys("http_status, status: 429, retry_after: '4'", 4.0),
        obeys("http_status, status: 429, retry_after_ms: 2500, retry_after: '0'", 2.5),
    );
}

#[tokio::test]
async fn retry_after_as_a_date_is_obeyed_by_all() {
    // Dates have whole seconds, and time passes until the job is asked.
    let now = u64::try_from(SystemClock.now().as_millis() / 1000).unwrap();
    let until = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now + 40));
    let (simulated, exporter) = throttled(&format!("http_status, status: 429, retry_after: '{until}'")).await;
    stands_still(&simulated, &exporter).await;
}

/// Nothing is asked any more, and the exporter says so, and does all else.
async fn stands_still(simulated: &Simulated, exporter: &Exporter) {
    let asked = simulated.handle.requests().total;
    let before = exporter.scrape().await;
    let cycles = |scrape: &crate::support::scrape::Scrape| {
        scrape.value("grid_bulk_exporter_poll_cycles_total", &[]).unwrap()
    };
    let after = exporter.scrape_until("cycles go on", |scrape| cycles(scrape) >= cycles(&before) + 3.0).await;
    assert_eq!(simulated.handle.requests().total, asked, "nobody is asked");
    for job in ["Job:a", "Job:b", "Job:c"] {
        assert_last_known(&after, job);
        let last = |scrape| {
            crate::support::scrape::Scrape::of_job(
                scrape,
                "grid_bulk_job_last_poll_success_timestamp_seconds",
                job,
            )
        };
        assert_eq!(last(&before), last(&after), "timestamps age");
    }
    let waited = |scrape: &crate::support::scrape::Scrape| {
        scrape.value("grid_bulk_api_throttled_seconds_total", &[]).unwrap()
    };
    assert!(waited(&after) > waited(&before) + 1.0);
    assert_eq!(exporter.get("/-/ready").await.status, 200);
}

#[tokio::test]
async fn an_absurd_retry_after_stops_polls_and_nothing_else() {
    let (simulated, mut exporter) =
        throttled("http_status, status: 429, retry_after: '99999999999999999999'").await;
    stands_still(&simulated, &exporter).await;
    exporter.signal(Signal::TERM);
    assert_eq!(exporter.ended().await.code(), Some(0));
}

#[tokio::test]
async fn nonsense_as_retry_after_is_as_none_and_polls_come_back() {
    let (simulated, exporter) = throttled("http_status, status: 429, retry_after: 'soon'").await;
    let asked = simulated.handle.requests().total;
    exporter.scrape_until("Job:a is read again", |scrape| success(scrape, "Job:a") == 1.0).await;
    assert!(simulated.handle.requests().total > asked);
}
