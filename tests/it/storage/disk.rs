//! Disks that fail under the real binary: full, read-only, damaged. The exporter goes on in memory and comes back.

use super::{rows, start, storage_up};
use crate::support::exporter::{Exporter, Start, run};
use crate::support::scrape::Scrape;
use crate::support::simulator::Simulated;
use crate::support::wait_for;
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// One job that runs on and on.
const SCENARIO: &str =
    "jobs:\n  - { id: 'Job:runs', rows: 1000000, rows_per_second: 100, starts_at: 1, failing_share: 0.1 }\n";

const JOBS: &str = "jobs: [ 'Job:runs' ]";

/// A job with labels of some kilobytes.
async fn put_a_large_one(exporter: &Exporter, number: usize) -> u16 {
    let labels: Vec<String> =
        (0..8).map(|label| format!("\"text{label}\": \"{}\"", "x".repeat(500))).collect();
    let body = format!("{{\"labels\": {{{}}}}}", labels.join(", "));
    exporter.send("PUT", &format!("/api/v1/jobs/Job:large-{number}"), &body).await.status
}

/// Adds jobs until one is not acknowledged; tells how many were.
async fn fill_the_disk(exporter: &Exporter) -> usize {
    for number in 0..4000 {
        let status = put_a_large_one(exporter, number).await;
        if status != 201 {
            assert_eq!(status, 503, "{}", exporter.log());
            return number;
        }
    }
    panic!("the disk is not full");
}

/// It goes on in memory: gauges move, `storage_up` is 0, the counters stand, and the log has one line.
async fn goes_on_in_memory(exporter: &Exporter, why: &str) -> [f64; 2] {
    let line = exporter.log_until(&["level=error", "--storage.path: the file ", why]).await;
    assert!(line.contains("from now on what is learnt is in memory alone"), "{line}");
    let before = exporter.scrape_until("storage_up is 0", |scrape| storage_up(scrape) == Some(0.0)).await;
    let processed =
        |scrape: &Scrape| scrape.of_job("grid_bulk_job_processed_rows", "Job:runs").unwrap_or(0.0);
    let at_first = processed(&before);
    let after = exporter.scrape_until("the gauges move", |scrape| processed(scrape) > at_first).await;
    assert_eq!(rows(&after), rows(&before), "what is not on disk is not counted");
    let answer = exporter.send("PUT", "/api/v1/jobs/Job:unkept", "").await;
    assert_eq!(answer.status, 503);
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("Job:unkept is watched, but that is not on disk"), "{detail}");
    assert!(exporter.scrape().await.job_ids().contains(&"Job:unkept".to_owned()));
    let log = exporter.log();
    assert_eq!(log.lines().filter(|line| line.contains("level=error")).count(), 1, "{log}");
    assert!(!log.contains("panicked"), "{log}");
    rows(&after)
}

/// It writes again: all that was learnt meanwhile is there after a kill.
async fn comes_back(
    mut exporter: Exporter,
    simulated: &Simulated,
    folder: &Path,
    stood: [f64; 2],
    acknowledged: usize,
) {
    let is_back = |scrape: &Scrape| storage_up(scrape) == Some(1.0) && rows(scrape)[0] > stood[0];
    let back = exporter.scrape_until("it is stored and counted again", is_back).await;
    assert_eq!(put_a_large_one(&exporter, 5000).await, 201);
    exporter.signal(Signal::KILL);
    exporter.ended().await;
    let exporter = start(simulated, folder, JOBS).start().await;
    let scrape = exporter.scrape().await;
    let ids = scrape.job_ids();
    for number in (0..acknowledged).chain([5000]) {
        assert!(ids.contains(&format!("Job:large-{number}")), "Job:large-{number} of {acknowledged}");
    }
    assert!(ids.contains(&"Job:unkept".to_owned()), "it was watched in memory");
    assert!(rows(&scrape)[0] >= rows(&back)[0]);
}

#[tokio::test]
async fn a_limit_of_the_file_s_size_is_a_full_disk_until_it_is_lifted() {
    let simulated = Simulated::with_scenario(SCENARIO).await;
    let folder = TempDir::new().unwrap();
    let exporter = start(&simulated, folder.path(), JOBS);
    let limited = "ulimit -S -f 600; exec \"$0\" \"$@\"";
    let exporter =
        exporter.start_by("bash", &["-c", limited, env!("CARGO_BIN_EXE_grid-bulk-exporter")]).await;
    let acknowledged = fill_the_disk(&exporter).await;
    assert!(acknowledged > 5, "only {acknowledged} fit");
    let stood = goes_on_in_memory(&exporter, "can't be written").await;
    let id = exporter.id().to_string();
    let lifted = Command::new("prlimit").args(["--pid", &id, "--fsize=unlimited"]).status().unwrap();
    assert!(lifted.success());
    comes_back(exporter, &simulated, folder.path(), stood, acknowledged).await;
}

/// A file system of its own, in memory; unmounted with this.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Nothing where mounting is not permitted: said loudly, as it leaves something untested.
    #[expect(clippy::print_stderr, reason = "what is not tried is said loudly")]
    fn mount(size: &str) -> Option<Self> {
        let disk = Self { folder: TempDir::new().unwrap() };
        let options = format!("size={size}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(disk.path()).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(disk);
        }
        eprintln!("SKIPPED: no tmpfs can be mounted here, so full and read-only disks are not tried");
        None
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let status = Command::new("mount").args(["-o", &options]).arg(self.path()).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _not_mounted =
            Command::new("umount").arg("-l").arg(self.path()).stderr(std::process::Stdio::null()).status();
    }
}

#[tokio::test]
async fn a_full_disk_until_there_is_room() {
    let Some(disk) = SmallDisk::mount("700k") else { return };
    let simulated = Simulated::with_scenario(SCENARIO).await;
    let exporter = start(&simulated, &disk.path(), JOBS).start().await;
    let acknowledged = fill_the_disk(&exporter).await;
    let stood = goes_on_in_memory(&exporter, "make room for it").await;
    disk.remount("size=50m");
    comes_back(exporter, &simulated, &disk.path(), stood, acknowledged).await;
}

/// Starts without success and returns the one line on standard error.
async fn refused(start: Start) -> String {
    let arguments: Vec<&str> = start.command.iter().map(String::as_str).collect();
    let finished = crate::support::exporter::run_in(&start.folder, &arguments, &[]).await;
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""), "{}", finished.stderr);
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    finished.stderr
}

#[tokio::test]
async fn a_disk_that_can_not_be_written_refuses_the_start_unless_memory_is_good_enough() {
    let Some(disk) = SmallDisk::mount("10m") else { return };
    let simulated = Simulated::with_scenario(SCENARIO).await;
    let mut exporter = start(&simulated, &disk.path(), JOBS).start().await;
    exporter.scrape_until("it is read", |scrape| scrape.status("Job:runs").is_some()).await;
    exporter.signal(Signal::TERM);
    exporter.ended().await;
    disk.remount("ro");
    let line = refused(start(&simulated, &disk.path(), JOBS)).await;
    assert!(line.contains("name a folder on a disk that can be written"), "{line}");
    let line = refused(start(&simulated, &disk.path().join("new"), JOBS)).await;
    assert!(line.contains("can't be used"), "{line}");
    let exporter = start(&simulated, &disk.path(), JOBS).argument("--storage.on-error=memory").start().await;
    assert_eq!(storage_up(&exporter.scrape().await), Some(0.0));
    assert_eq!(exporter.send("PUT", "/api/v1/jobs/Job:a", "").await.status, 201, "memory is good enough");
    exporter.log_until(&["level=error", "--storage.path: the file "]).await;
}

#[tokio::test]
async fn damaged_files_refuse_the_start_by_one_line_or_give_the_right_answer() {
    let simulated = Simulated::with_scenario(SCENARIO).await;
    let folder = TempDir::new().unwrap();
    let mut exporter = start(&simulated, folder.path(), JOBS).start().await;
    let shown = exporter.scrape_until("rows are counted", |scrape| rows(scrape)[0] > 0.0).await;
    exporter.signal(Signal::KILL);
    exporter.ended().await;
    let file = folder.path().join("grid-bulk-exporter.redb");
    let bytes = std::fs::read(&file).unwrap();
    // The storage's own tests cut at each page; here it is shown what the binary says of it.
    for length in [0, 4096, bytes.len() / 8192 * 4096, bytes.len() - 4096] {
        std::fs::write(&file, &bytes[..length]).unwrap();
        let line = refused(start(&simulated, folder.path(), JOBS)).await;
        assert!(
            line.starts_with("--storage.path: the file ") && !line.contains("panicked"),
            "{length}: {line}"
        );
        assert_eq!(std::fs::metadata(&file).unwrap().len(), length as u64);
    }
    let mut zeroed = bytes.clone();
    zeroed[4096..].fill(0);
    std::fs::write(&file, &zeroed).unwrap();
    let line = refused(start(&simulated, folder.path(), JOBS)).await;
    assert!(line.contains("is damaged") && line.contains("move it away"), "{line}");
    std::fs::write(&file, &bytes).unwrap();
    let exporter = start(&simulated, folder.path(), JOBS).start().await;
    assert!(rows(&exporter.scrape().await)[0] >= rows(&shown)[0]);
}

#[tokio::test]
async fn a_file_that_is_removed_while_it_runs_is_noticed_and_made_anew() {
    let simulated = Simulated::with_scenario(SCENARIO).await;
    let folder = TempDir::new().unwrap();
    let exporter = start(&simulated, folder.path(), JOBS).start().await;
    exporter.scrape_until("rows are counted", |scrape| rows(scrape)[0] > 0.0).await;
    std::fs::remove_file(folder.path().join("grid-bulk-exporter.redb")).unwrap();
    let stood = goes_on_in_memory(&exporter, "was removed or replaced while it was in use").await;
    comes_back(exporter, &simulated, folder.path(), stood, 0).await;
}

#[tokio::test]
async fn flags_that_are_wrong_are_refused() {
    for (argument, what) in [
        ("--storage.path=", "--storage.path"),
        ("--storage.on-error=ignore", "[possible values: exit, memory]"),
    ] {
        let finished = run(&[argument], &[]).await;
        assert_eq!(finished.code, Some(2));
        assert!(finished.stderr.contains(what), "{}", finished.stderr);
    }
    let refused = wait_for("it ends", || async {
        Ok(run(
            &["--job=Job:a"],
            &[
                ("GRID_EXPORTER_STORAGE_PATH", "/proc/no"),
                ("GRID_CLIENT_ID", "a"),
                ("GRID_CLIENT_SECRET", "b"),
            ],
        )
        .await)
    })
    .await;
    assert!(
        refused.stderr.starts_with("--storage.path: the folder /proc/no can't be used"),
        "{}",
        refused.stderr
    );
}
