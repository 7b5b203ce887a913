//! Memory while bodies of any size are polled: the real binary's high-water mark, as the kernel counts it.
//!
//! A test build is slow, so bodies have a tenth of the size that the bounds are promised for; memory that grew with
//! them would exceed the bounds all the same. `GRID_TEST_ENTRIES=1000000 cargo test --release --test it memory` has
//! the full size, as `tests/soak/run` does.

use crate::faults::matrix::{all_are_read, config, faults, simulator};
use crate::support::exporter::{Exporter, Start};
use crate::support::simulator::Simulated;
use crate::support::wait_for;

pub const MIB: u64 = 1 << 20;

/// Error entries of a body, of 132 bytes each; `usually` where nothing else is wanted.
pub fn entries(usually: u64) -> u64 {
    std::env::var("GRID_TEST_ENTRIES").map_or(usually, |text| text.parse().expect("a number"))
}

/// A line of the kernel's on the process, in bytes.
pub fn status_line(exporter: &Exporter, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", exporter.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Sets the high-water mark back to what is resident now.
pub fn forget_the_high_water_mark(exporter: &Exporter) {
    std::fs::write(format!("/proc/{}/clear_refs", exporter.id()), "5").unwrap();
}

/// An exporter that has polled these jobs for a while, each with a small answer.
async fn idle(jobs: &[String], limits: &str) -> (Simulated, Exporter) {
    let simulated = simulator(jobs).await;
    let exporter = Start::with_config(&config(&simulated.base_url, limits, jobs)).start().await;
    exporter.scrape_until("all jobs are read", all_are_read).await;
    wait_for("all jobs are polled three times", || async {
        let least = jobs.iter().map(|job| simulated.handle.requests_of(job)).min();
        if least >= Some(3) { Ok(()) } else { Err(format!("{least:?}")) }
    })
    .await;
    (simulated, exporter)
}

/// How far memory rises above idle, at any moment, until `done` of all jobs.
async fn rise(count: usize, fault: &str, done: impl Fn(f64, f64) -> bool) -> u64 {
    let jobs: Vec<_> = (0..count).map(|number| format!("Job:{number}")).collect();
    // Other tests keep the machine busy: nothing here is about time.
    let limits = "  timeout: 10m\n  read_idle_timeout: 10m\n  max_duration: 1h\n";
    let (simulated, exporter) = idle(&jobs, limits).await;
    let before = status_line(&exporter, "VmRSS:");
    forget_the_high_water_mark(&exporter);
    for job in &jobs {
        assert!(simulated.handle.set_faults(job, faults(fault)));
    }
    let asked: Vec<_> = jobs.iter().map(|job| simulated.handle.requests_of(job)).collect();
    for (job, asked) in jobs.iter().zip(asked) {
        wait_for(&format!("{job} was read with {fault}"), || async {
            let scrape = exporter.scrape().await;
            let of_this_job = [("jobId", job.as_str())];
            let entries = scrape.series("grid_bulk_job_error_entries", &of_this_job);
            let entries = entries.map(|sample| sample.value).sum();
            let success = scrape.of_job("grid_bulk_job_poll_success", job).unwrap();
            let is_asked = simulated.handle.requests_of(job) > asked;
            if is_asked && done(entries, success) { Ok(()) } else { Err(format!("{entries} {success}")) }
        })
        .await;
    }
    status_line(&exporter, "VmHWM:").saturating_sub(before)
}

#[tokio::test]
async fn a_body_of_a_million_entries_costs_less_than_8_mib() {
    let entries = entries(100_000);
    let fault = format!("error_entries, entries: {entries}");
    let rise = rise(1, &fault, |seen, success| seen == entries as f64 && success == 1.0).await;
    assert!(rise < 8 * MIB, "{rise} bytes above idle");
}

#[tokio::test]
async fn sixteen_such_bodies_at_once_cost_less_than_64_mib() {
    // Kept whole, they would take 80 MiB together; they need not all be there at the same moment.
    let entries = entries(40_000);
    let fault = format!("error_entries, entries: {entries}");
    let rise = rise(16, &fault, |seen, success| seen == entries as f64 && success == 1.0).await;
    println!("{rise} bytes above idle");
    assert!(rise < 24 * MIB, "{rise} bytes above idle");
}

#[tokio::test]
async fn a_string_of_100_mb_or_a_deep_nesting_costs_no_memory_of_its_size() {
    for (fault, success_after) in [
        ("no_errors + huge_string, bytes: 100000000, in: message", 1.0),
        ("no_errors + huge_string, bytes: 100000000, in: code", 1.0),
        ("huge_string, bytes: 100000000, in: unknown", 1.0),
        ("no_status + huge_string, bytes: 100000000, in: status", 1.0),
        ("deep_nesting, depth: 1000000", 0.0),
    ] {
        let rise = rise(1, fault, |_, success| success == success_after).await;
        assert!(rise < 8 * MIB, "{rise} bytes above idle for {fault}");
    }
}
