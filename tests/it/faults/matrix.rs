//! The course of a row: all jobs are read well, then each gets its fault, then they are healed.
//!
//! All rows of a table run side by side in one exporter, each beside a neighbour without fault: so every row is also
//! a test of what it does to others. `docs/simulator.md` describes the faults.

use crate::support::exporter::{Exporter, Start};
use crate::support::scrape::Scrape;
use crate::support::simulator::Simulated;
use crate::support::wait_for;
use grid_bulk_exporter::secret::Secret;
use grid_bulk_exporter::sim::{Fault, Scenario, SimOptions};

pub(super) const CLIENT: &str = "fault-client";
pub(super) const SECRET: &str = "planted-s3cret";
/// `user:secret` as HTTP Basic sends it.
const BASIC: &str = "ZmF1bHQtY2xpZW50OnBsYW50ZWQtczNjcmV0";

/// A job in the middle of its course, which stands still while we look: 400 of 1,000 rows are done.
const COURSE: &str =
    "rows: 1000, rows_per_second: 100, starts_at: -5, failing_share: 0.1, stalls: [{ at: 4 }]";

/// The four counts, as they are shown throughout.
const COUNTS: [&str; 4] = [
    "grid_bulk_job_total_rows",
    "grid_bulk_job_processed_rows",
    "grid_bulk_job_successful_rows",
    "grid_bulk_job_failed_rows",
];

/// One fault and what must be seen of it.
pub(super) struct Row {
    /// The job's id, after `Job:`.
    pub(super) name: &'static str,
    /// The fault, as a scenario writes it between `{ fault:` and `}`; several are parted by ` + `.
    pub(super) fault: String,
    pub(super) seen: Seen,
    /// The answer takes so long that the job is asked a tenth as often; healing it is another test's concern.
    pub(super) is_slow: bool,
}

/// What is seen of a fault.
pub(super) enum Seen {
    /// Polls fail with this reason; the one line of the log has this text.
    Fails(&'static str, String),
    /// Polls are good, and all is as before.
    Reads,
    /// Polls are good, but `errors` was not read to its end.
    Truncated,
}

/// Polls fail with this reason, and the one line of the log has this text.
pub(super) fn fails(name: &'static str, fault: &str, reason: &'static str, log: &str) -> Row {
    Row { name, fault: fault.to_owned(), seen: Seen::Fails(reason, log.to_owned()), is_slow: false }
}

/// Polls are good in spite of the fault.
pub(super) fn reads(name: &'static str, fault: &str) -> Row {
    Row { name, fault: fault.to_owned(), seen: Seen::Reads, is_slow: false }
}

impl Row {
    pub(super) fn slow(self) -> Self {
        Self { is_slow: true, ..self }
    }

    pub(super) fn truncated(self) -> Self {
        Self { seen: Seen::Truncated, ..self }
    }

    fn job(&self) -> String {
        format!("Job:{}", self.name)
    }

    fn neighbour(&self) -> String {
        format!("Job:beside-{}", self.name)
    }
}

/// Faults as a scenario writes them.
pub fn faults(text: &str) -> Vec<Fault> {
    let list: Vec<_> = text.split(" + ").map(|fault| format!("{{ fault: {fault} }}")).collect();
    let yaml = format!("jobs: [ {{ id: 'Job:x', faults: [ {} ] }} ]", list.join(", "));
    let scenario = Scenario::from_yaml(&yaml, "fault").unwrap_or_else(|error| panic!("{text}: {error}"));
    scenario.jobs.into_iter().next().unwrap().faults
}

/// A simulator with these jobs in the middle of their course.
pub async fn simulator(jobs: &[String]) -> Simulated {
    let jobs: Vec<_> = jobs.iter().map(|id| format!("  - {{ id: '{id}', {COURSE} }}\n")).collect();
    let scenario = Scenario::from_yaml(&format!("jobs:\n{}", jobs.concat()), "scenario").unwrap();
    let client_secret = Secret::new(SECRET.to_owned());
    Simulated::start(SimOptions {
        scenario,
        client_id: CLIENT.to_owned(),
        client_secret,
        ..SimOptions::default()
    })
    .await
}

/// The configuration of an exporter with short limits.
pub fn config(base_url: &str, grid: &str, jobs: &[String]) -> String {
    format!(
        "grid:\n  base_url: {base_url}\n  client_id: {CLIENT}\n  client_secret: {SECRET}\n{grid}\
         poll: {{ interval: 1s }}\njobs: {jobs:?}\n"
    )
}

/// Limits that a busy machine keeps where nothing is wrong.
pub(super) const SHORT_LIMITS: &str =
    "  connect_timeout: 2s\n  timeout: 2s\n  read_idle_timeout: 2s\n  max_duration: 4s\n";

pub fn all_are_read(scrape: &Scrape) -> bool {
    scrape.value("grid_bulk_jobs", &[("status", "UNPOLLED")]) == Some(0.0)
}

fn last_success(scrape: &Scrape, job: &str) -> f64 {
    scrape.of_job("grid_bulk_job_last_poll_success_timestamp_seconds", job).expect(job)
}

pub(super) fn success(scrape: &Scrape, job: &str) -> f64 {
    scrape.of_job("grid_bulk_job_poll_success", job).expect(job)
}

/// Status and counts of a job are those of [`COURSE`].
pub(super) fn assert_last_known(scrape: &Scrape, job: &str) {
    assert_eq!(scrape.status(job).as_deref(), Some("PROCESSING"), "{job}");
    let counts = COUNTS.map(|name| scrape.of_job(name, job).expect(job));
    assert_eq!((counts[0], counts[1], counts[2] + counts[3]), (1000.0, 400.0, 400.0), "{job}");
}

/// Scrapes until a job has been read well after `moment` (Unix seconds).
async fn read_after(exporter: &Exporter, job: &str, moment: f64) -> Scrape {
    exporter
        .scrape_until(&format!("{job} is read well"), |scrape| {
            success(scrape, job) == 1.0 && last_success(scrape, job) > moment
        })
        .await
}

/// Lines of the log that say a job can't be read.
pub(super) fn lines_of(log: &str, job: &str, what: &str) -> Vec<String> {
    let text = format!("job {job} {what}");
    log.lines().filter(|line| line.contains(&text)).map(str::to_owned).collect()
}

/// No credential in what was put out.
pub(super) fn assert_no_secret(text: &str) {
    for secret in [SECRET, BASIC] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// Runs a table. `grid` holds the lines of the configuration's `grid` section that matter to it.
pub(super) async fn run(grid: &str, rows: &[Row]) {
    let jobs: Vec<String> = rows.iter().flat_map(|row| [row.job(), row.neighbour()]).collect();
    let simulated = simulator(&jobs).await;
    let exporter = Start::with_config(&config(&simulated.base_url, grid, &jobs)).start().await;
    let before = exporter.scrape_until("all jobs are read", all_are_read).await;
    for row in rows {
        assert!(simulated.handle.set_faults(&row.job(), faults(&row.fault)), "{}", row.name);
    }
    let asked: Vec<u64> = rows.iter().map(|row| simulated.handle.requests_of(&row.job())).collect();
    for (row, asked) in rows.iter().zip(asked) {
        wait_until_seen(&exporter, row, last_success(&before, &row.job())).await;
        // A second poll at least, so that what is told once would show if it were told twice.
        let enough = asked + if row.is_slow { 1 } else { 3 };
        wait_for(&format!("{} is asked again", row.name), || async {
            let asked = simulated.handle.requests_of(&row.job());
            if asked >= enough { Ok(()) } else { Err(asked.to_string()) }
        })
        .await;
    }
    check_what_is_shown(&exporter, rows).await;
    for row in rows {
        assert!(simulated.handle.set_faults(&row.job(), Vec::new()));
    }
    for row in rows.iter().filter(|row| !row.is_slow) {
        let healed = exporter.scrape_until(row.name, |scrape| success(scrape, &row.job()) == 1.0).await;
        assert_last_known(&healed, &row.job());
        if let Seen::Fails(..) = row.seen {
            exporter.log_until(&["level=info", &format!("job {} is read again", row.job())]).await;
        }
    }
    assert_no_secret(&exporter.log());
}

/// Waits until the fault shows on the job; a failure as its reason, a good answer as a later poll.
async fn wait_until_seen(exporter: &Exporter, row: &Row, read_before: f64) {
    let job = row.job();
    match &row.seen {
        Seen::Fails(reason, _) => {
            wait_for(&format!("{job} fails as {reason}"), || async {
                let document = exporter.get("/api/v1/jobs").await.json();
                let jobs = document["jobs"].as_array().unwrap();
                let poll = &jobs.iter().find(|found| found["jobId"] == *job).unwrap()["poll"];
                if poll["reason"] == *reason { Ok(()) } else { Err(poll.to_string()) }
            })
            .await;
            // `/metrics` follows a moment later.
            exporter.scrape_until(&job, |scrape| success(scrape, &job) == 0.0).await;
        }
        Seen::Reads => {
            read_after(exporter, &job, read_before + 1.0).await;
        }
        Seen::Truncated => {
            exporter
                .scrape_until(&format!("{job} is cut"), |scrape| {
                    scrape.of_job("grid_bulk_job_errors_truncated", &job) == Some(1.0)
                })
                .await;
        }
    }
}

/// Everything that must be seen while the faults are there.
async fn check_what_is_shown(exporter: &Exporter, rows: &[Row]) {
    let during = exporter.scrape().await;
    assert_eq!(during.value("grid_bulk_up", &[]), Some(1.0));
    assert_eq!(exporter.get("/-/ready").await.status, 200);
    let mut reasons = Vec::new();
    for row in rows {
        let job = row.job();
        assert_last_known(&during, &job);
        let truncated = during.of_job("grid_bulk_job_errors_truncated", &job);
        assert_eq!(truncated, Some(f64::from(matches!(row.seen, Seen::Truncated))), "{job}");
        let log = exporter.log();
        let told = lines_of(&log, &job, "can't be read");
        if let Seen::Fails(reason, text) = &row.seen {
            assert_eq!(success(&during, &job), 0.0, "{job}: {log}");
            assert_eq!(told.len(), 1, "{job} is told once: {log}");
            for piece in ["level=warn", &format!("reason={reason} "), text] {
                assert!(told[0].contains(piece), "{piece} is not in {}", told[0]);
            }
            reasons.push(*reason);
        } else {
            assert_eq!(success(&during, &job), 1.0, "{job}: {log}");
            assert_eq!(told, [""; 0]);
        }
    }
    for sample in during.series("grid_bulk_poll_failures_total", &[]) {
        let expected = reasons.iter().filter(|reason| **reason == sample.labels["reason"]).count();
        let counted = if expected == 0 { sample.value == 0.0 } else { sample.value >= expected as f64 };
        assert!(counted, "{sample:?}, with {expected} jobs of this reason: {}", exporter.log());
    }
    let counted: f64 = during.series("grid_bulk_poll_failures_total", &[]).map(|sample| sample.value).sum();
    assert!(during.value("grid_bulk_polls_total", &[]).unwrap() > counted);
    assert_eq!(during.value("grid_bulk_rows_total", &[("result", "failed")]), Some(0.0), "no jump");
    for row in rows {
        let neighbour = row.neighbour();
        let later = read_after(exporter, &neighbour, last_success(&during, &neighbour)).await;
        assert_last_known(&later, &neighbour);
        assert_eq!(lines_of(&exporter.log(), &neighbour, "can't be read"), [""; 0]);
    }
    assert!(!exporter.log().contains("the API as a whole fails"), "{}", exporter.log());
    assert_no_secret(&exporter.get("/metrics").await.text());
    assert_no_secret(&exporter.get("/api/v1/jobs").await.text());
    assert_no_secret(&exporter.get("/").await.text());
}
