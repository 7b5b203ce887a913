//! `job_files` against the ways in which files are really written.

use super::{api, config};
use crate::support::PATIENCE;
use crate::support::exporter::{Exporter, Start};
use crate::support::scrape::Scrape;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

const FAILURES: &str = "grid_bulk_exporter_sd_refresh_failures_total";
const SUCCESS: &str = "grid_bulk_exporter_sd_last_success_timestamp_seconds";
const FILE: [(&str, &str); 1] = [("source", "file")];

/// An exporter that watches `jobs/*.yml` and `jobs/*.json`, and files that are there before it starts.
async fn start(files: &[(&str, &str)]) -> Exporter {
    let simulated = api().await;
    let start = Start::with_config(&config(&simulated, "job_files: [ 'jobs/*.yml', 'jobs/*.json' ]"));
    fs::create_dir(start.folder.path().join("jobs")).unwrap();
    for (name, text) in files {
        fs::write(start.folder.path().join("jobs").join(name), text).unwrap();
    }
    start.start().await
}

fn path(exporter: &Exporter, name: &str) -> PathBuf {
    exporter.folder.path().join("jobs").join(name)
}

async fn shows(exporter: &Exporter, ids: &[&str]) -> Scrape {
    exporter.scrape_until(&format!("the jobs are {ids:?}"), |scrape| scrape.job_ids() == ids).await
}

#[tokio::test]
async fn jobs_of_files_are_there_at_the_first_scrape_with_labels_and_source() {
    let exporter = start(&[(
        "a.yml",
        "- targets: [ 'Job:x', 'Job:y' ]\n  labels: { team: payments, __meta_region: eu }\n",
    )])
    .await;
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.job_ids(), ["Job:x", "Job:y"]);
    assert_eq!(scrape.value("grid_bulk_job_info", &[("jobId", "Job:x"), ("team", "payments")]), Some(1.0));
    assert_eq!(scrape.value(FAILURES, &FILE), Some(0.0));
    assert!(scrape.value(SUCCESS, &FILE).unwrap() > 1e9);
    assert_eq!(scrape.value(SUCCESS, &[("source", "http")]), None, "only what is configured");
    let json = exporter.get("/api/v1/jobs").await.json();
    assert_eq!(json["jobs"][0]["sources"], serde_json::json!(["job_files"]));
    assert!(exporter.get("/").await.text().contains("job_files"));
}

#[tokio::test]
async fn changes_are_seen_at_once_however_they_are_written() {
    let exporter = start(&[]).await;
    assert!(exporter.scrape().await.job_ids().is_empty());
    // In place, as `>` and many editors do it.
    let began = Instant::now();
    fs::write(path(&exporter, "a.yml"), "- targets: [ 'Job:1' ]\n").unwrap();
    shows(&exporter, &["Job:1"]).await;
    assert!(began.elapsed() < Duration::from_secs(45), "by notice, not by the look of each minute");
    // A file beside it, then `mv`.
    fs::write(path(&exporter, "a.tmp"), "- targets: [ 'Job:2' ]\n").unwrap();
    fs::rename(path(&exporter, "a.tmp"), path(&exporter, "a.yml")).unwrap();
    shows(&exporter, &["Job:2"]).await;
    // As vim: the old one becomes a backup, a new one is written.
    fs::rename(path(&exporter, "a.yml"), path(&exporter, "a.yml~")).unwrap();
    fs::write(path(&exporter, "a.yml"), "- targets: [ 'Job:3' ]\n").unwrap();
    shows(&exporter, &["Job:3"]).await;
    // A line more.
    let mut file = fs::OpenOptions::new().append(true).open(path(&exporter, "a.yml")).unwrap();
    file.write_all(b"- targets: [ 'Job:4' ]\n").unwrap();
    drop(file);
    shows(&exporter, &["Job:3", "Job:4"]).await;
    fs::remove_file(path(&exporter, "a.yml")).unwrap();
    shows(&exporter, &[]).await;
}

#[tokio::test]
async fn a_config_map_of_kubernetes_is_followed_through_its_swaps() {
    let exporter = start(&[]).await;
    let version = |number: usize| {
        let folder = path(&exporter, &format!("..{number}"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("jobs.yml"), format!("- targets: [ 'Job:{number}' ]\n")).unwrap();
        symlink(format!("..{number}"), path(&exporter, "..data_tmp")).unwrap();
        fs::rename(path(&exporter, "..data_tmp"), path(&exporter, "..data")).unwrap();
    };
    version(1);
    symlink("..data/jobs.yml", path(&exporter, "jobs.yml")).unwrap();
    shows(&exporter, &["Job:1"]).await;
    for number in 2..5 {
        version(number);
        fs::remove_dir_all(path(&exporter, &format!("..{}", number - 1))).unwrap();
        shows(&exporter, &[&format!("Job:{number}")]).await;
    }
}

#[tokio::test]
async fn a_file_that_is_half_written_keeps_its_jobs_and_is_told_once() {
    let exporter = start(&[("a.json", "[{\"targets\": [\"Job:1\"]}]"), ("b.json", "[]")]).await;
    shows(&exporter, &["Job:1"]).await;
    fs::write(path(&exporter, "a.json"), "[{\"targets\": [\"Job:1\", \"Jo").unwrap();
    exporter.log_until(&["a.json", "no list of target groups"]).await;
    let scrape =
        exporter.scrape_until("it is counted", |scrape| scrape.value(FAILURES, &FILE) >= Some(1.0)).await;
    assert_eq!(scrape.job_ids(), ["Job:1"]);
    // Another look at it, as another file changes.
    fs::write(path(&exporter, "b.json"), "[{\"targets\": [\"Job:9\"]}]").unwrap();
    shows(&exporter, &["Job:1", "Job:9"]).await;
    assert_eq!(exporter.log().matches("no list of target groups").count(), 1, "{}", exporter.log());
    fs::write(path(&exporter, "a.json"), "[{\"targets\": [\"Job:1\", \"Job:2\"]}]").unwrap();
    shows(&exporter, &["Job:1", "Job:2", "Job:9"]).await;
    exporter.log_until(&["can be read again"]).await;
    fs::write(path(&exporter, "a.json"), "[{\"targets\": [], \"labels\": {\"status\": \"x\"}}]").unwrap();
    exporter.log_until(&["a.json", "is set by Prometheus or the exporter itself"]).await;
    assert_eq!(exporter.scrape().await.job_ids().len(), 3);
}

#[tokio::test]
async fn a_folder_that_comes_later_is_seen_and_a_reload_applies_other_patterns() {
    let simulated = api().await;
    let lines = |pattern: &str| config(&simulated, &format!("job_files: [ '{pattern}' ]"));
    let exporter = Start::with_config(&lines("later/*.yml")).argument("--web.enable-lifecycle").start().await;
    let folder = exporter.folder.path().join("later");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a.yml"), "- targets: [ 'Job:1', 'Job:2' ]\n").unwrap();
    shows(&exporter, &["Job:1", "Job:2"]).await;
    fs::write(exporter.folder.path().join("other.json"), "[{\"targets\": [\"Job:2\", \"Job:3\"]}]").unwrap();
    exporter.write_config(&lines("other.json"));
    assert_eq!(exporter.request("POST", "/-/reload", &[]).await.status, 200);
    assert_eq!(exporter.scrape().await.job_ids(), ["Job:2", "Job:3"], "the answer comes once it shows");
    exporter.write_config(&config(&simulated, "jobs: [ 'Job:3' ]"));
    assert_eq!(exporter.request("POST", "/-/reload", &[]).await.status, 200);
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.job_ids(), ["Job:3"]);
    assert_eq!(scrape.value(SUCCESS, &FILE), None, "the source is no longer configured");
}

#[tokio::test]
async fn a_thousand_files_are_one_set() {
    let exporter = start(&[]).await;
    for number in 0..1000 {
        let text = format!("- targets: [ 'Job:{number:04}' ]\n");
        fs::write(path(&exporter, &format!("{number}.yml")), text).unwrap();
    }
    let all = |scrape: &Scrape| scrape.job_ids().len() == 1000;
    exporter.scrape_until("all are there", all).await;
    for number in 0..1000 {
        if number % 100 != 0 {
            fs::remove_file(path(&exporter, &format!("{number}.yml"))).unwrap();
        }
    }
    exporter.scrape_until("a tenth of a tenth is left", |scrape| scrape.job_ids().len() == 10).await;
}

#[tokio::test]
async fn more_jobs_than_the_limit_are_counted_and_told_and_none_is_evicted() {
    let simulated = api().await;
    let lines = "limits: { jobs: 3 }\njobs: [ 'Job:a' ]\njob_files: [ 'j.yml' ]";
    let start = Start::with_config(&config(&simulated, lines));
    let file = start.folder.path().join("j.yml");
    fs::write(&file, "- targets: [ 'Job:1', 'Job:2', 'Job:3', 'Job:4' ]\n").unwrap();
    let exporter = start.start().await;
    let scrape = shows(&exporter, &["Job:1", "Job:2", "Job:a"]).await;
    assert_eq!(scrape.value("grid_bulk_exporter_jobs_rejected_total", &FILE), Some(2.0));
    exporter.log_until(&["2 jobs of job_files are not watched: limits.jobs is reached"]).await;
    fs::write(&file, "- targets: [ 'Job:4', 'Job:3', 'Job:2' ]\n").unwrap();
    shows(&exporter, &["Job:2", "Job:4", "Job:a"]).await;
}

#[tokio::test]
async fn a_hundred_thousand_jobs_in_one_file_pause_no_scrape() {
    let exporter = start(&[]).await;
    let targets: Vec<_> = (0..100_000).map(|n| format!("\"Job:019542f5-b3e7-1d02-0000-{n:012}\"")).collect();
    let text = format!("[{{\"targets\": [{}], \"labels\": {{\"team\": \"x\"}}}}]", targets.join(","));
    fs::write(path(&exporter, "all.tmp"), text).unwrap();
    fs::rename(path(&exporter, "all.tmp"), path(&exporter, "all.json")).unwrap();
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    loop {
        let asked = Instant::now();
        assert_eq!(exporter.get("/-/healthy").await.status, 200);
        slowest = slowest.max(asked.elapsed());
        let answer = exporter.get("/api/v1/jobs?limit=1").await.json();
        if answer["total"] == 100_000 {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = began.elapsed();
    println!("100,000 jobs in {took:?}; slowest answer meanwhile {slowest:?}");
    // A machine that other tests keep busy makes all of it slow alike; an answer that waited for the file would take as
    // long as the file. Optimized and alone, both have 2 s.
    assert!(cfg!(debug_assertions) || took < Duration::from_secs(2), "{took:?}");
    assert!(
        slowest < (took / 2).clamp(Duration::from_secs(2), Duration::from_secs(10)),
        "{slowest:?} of {took:?}"
    );
    exporter.scrape_until("all are published", |scrape| scrape.job_ids().len() == 100_000).await;
}

#[tokio::test]
async fn a_pipe_among_the_files_is_told_and_holds_nothing_up() {
    let simulated = api().await;
    let start = Start::with_config(&config(&simulated, "job_files: [ 'jobs/*.yml' ]"));
    let folder = start.folder.path().join("jobs");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a.yml"), "- targets: [ 'Job:1' ]\n").unwrap();
    let made = std::process::Command::new("mkfifo").arg(folder.join("pipe.yml")).status().unwrap();
    assert!(made.success());
    let exporter = start.start().await;
    exporter.log_until(&["pipe.yml", "is a pipe, a socket or a device"]).await;
    let scrape = shows(&exporter, &["Job:1"]).await;
    assert!(scrape.value(FAILURES, &FILE) >= Some(1.0));
    fs::remove_file(folder.join("pipe.yml")).unwrap();
    fs::write(folder.join("b.yml"), "- targets: [ 'Job:2' ]\n").unwrap();
    shows(&exporter, &["Job:1", "Job:2"]).await;
}
