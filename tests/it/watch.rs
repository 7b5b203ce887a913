//! `watch`, as somebody at a terminal and a script use it: the real binary against the simulator.

use crate::support::simulator::Simulated;
use crate::support::{PATIENCE, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::process::Stdio;
use tempfile::TempDir;
use tokio::process::Command;

const SCENARIO: &str = "jobs:
  - { id: 'Job:clean', rows: 40, rows_per_second: 40 }
  - { id: 'Job:rows', rows: 60, rows_per_second: 30, failing_share: 0.5 }
  - { id: 'Job:failed', rows: 20, rows_per_second: 100, ends: FAILED }
  - { id: 'Job:waits', ends: never starts }
";

/// What a command came to.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// The command, with this API's address and credentials in its environment.
fn command(base_url: &str, folder: &TempDir, program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().current_dir(folder.path()).kill_on_drop(true).stdin(Stdio::null());
    command.env("PATH", "/usr/bin:/bin").env("TERM", "xterm");
    command.env("GRID_CLIENT_ID", "demo").env("GRID_CLIENT_SECRET", "demo");
    command.env("LIGHTSPARK_GRID_BASE_URL", base_url).env("GRID_JOBS", "Job:never asked,Job:never asked");
    command
}

async fn ended(mut command: Command) -> Ended {
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.expect("it ends in time").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

const BINARY: &str = env!("CARGO_BIN_EXE_grid-bulk-exporter");

async fn watch(simulated: &Simulated, arguments: &[&str]) -> Ended {
    let folder = TempDir::new().unwrap();
    let mut command = command(&simulated.base_url, &folder, BINARY);
    command.args(["watch", "--interval=1s"]).args(arguments);
    ended(command).await
}

#[tokio::test]
async fn it_tells_lines_until_all_have_ended_and_its_code_is_what_fail_on_says() {
    let simulated = Simulated::with_scenario(SCENARIO).await;
    let clean = watch(&simulated, &["Job:clean"]).await;
    assert_eq!(clean.code, Some(0), "{}{}", clean.stdout, clean.stderr);
    assert!(clean.stdout.ends_with("Job:clean COMPLETED 40 of 40 rows (100 %)\n"), "{}", clean.stdout);
    let all = watch(&simulated, &["Job:clean", "Job:rows"]).await;
    assert_eq!(all.code, Some(1));
    let state = simulated.handle.state("Job:rows").unwrap();
    let line = format!("Job:rows COMPLETED 60 of 60 rows (100 %), {} failed; errors: ", state.failed);
    assert!(all.stdout.contains(&line), "{}", all.stdout);
    assert!(all.stdout.lines().count() <= 8, "one line a change of status: {}", all.stdout);
    for (job, fail_on, code) in [
        ("Job:rows", "never", 0),
        ("Job:rows", "job", 0),
        ("Job:failed", "job", 1),
        ("Job:failed", "rows", 1),
        ("Job:failed", "never", 0),
    ] {
        let told = watch(&simulated, &[job, &format!("--fail-on={fail_on}")]).await;
        assert_eq!(told.code, Some(code), "{job} {fail_on}: {}{}", told.stdout, told.stderr);
    }
}

#[tokio::test]
async fn json_is_an_object_a_line_for_each_change() {
    let simulated = Simulated::with_scenario(SCENARIO).await;
    let told = watch(&simulated, &["Job:rows", "Job:clean", "--json"]).await;
    assert_eq!((told.code, &*told.stderr), (Some(1), ""));
    let lines: Vec<Value> = told.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_job: Vec<_> = lines.iter().filter(|line| line["jobId"] == "Job:rows").collect();
    assert!(of_job.len() >= 2, "{lines:?}");
    let last = of_job.last().unwrap();
    assert_eq!((&last["status"], &last["progress"]["processed"]), (&"COMPLETED".into(), &60.into()));
    let entries: u64 = last["errorsByCode"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(last["progress"]["failed"], entries);
    assert!(of_job.windows(2).all(|pair| pair[0] != pair[1]), "{of_job:?}");
}

#[tokio::test]
async fn what_can_not_be_done_is_one_line_and_code_2() {
    let simulated = Simulated::with_scenario(SCENARIO).await;
    let unknown = watch(&simulated, &["Job:unknown"]).await;
    assert_eq!(unknown.code, Some(2));
    assert_eq!(unknown.stderr, "the Grid API knows no import Job:unknown; check the id and the account\n");
    let folder = TempDir::new().unwrap();
    let mut refused = command(&simulated.base_url, &folder, BINARY);
    refused.args(["watch", "Job:clean"]).env("GRID_CLIENT_SECRET", "s3cr3t-of-nobody");
    let refused = ended(refused).await;
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("refuses the credentials") && refused.stderr.contains("GRID_CLIENT_SECRET")
    );
    assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    assert!(!format!("{}{}", refused.stdout, refused.stderr).contains("s3cr3t"), "{}", refused.stderr);
    let mut nothing = command(&simulated.base_url, &folder, BINARY);
    nothing.args(["watch", "Job:clean"]).env_remove("GRID_CLIENT_ID");
    let nothing = ended(nothing).await;
    assert_eq!(nothing.code, Some(2));
    assert!(nothing.stderr.starts_with("grid.client_id: is not given"), "{}", nothing.stderr);
    std::fs::write(folder.path().join("grid.yml"), "grid: { base_urls: x }\n").unwrap();
    let mut file = command(&simulated.base_url, &folder, BINARY);
    file.args(["watch", "Job:clean", "--config.file=grid.yml"]);
    let file = ended(file).await;
    assert_eq!(file.code, Some(2));
    assert!(file.stderr.starts_with("grid.yml:1: "), "{}", file.stderr);
    for arguments in
        [&["Job:a", "Job:a"][..], &[], &["a b"], &["Job:a", "--interval=0s"], &["Job:a", "--fail-on=always"]]
    {
        assert_eq!(watch(&simulated, arguments).await.code, Some(2), "{arguments:?}");
    }
}

#[tokio::test]
async fn faults_that_pass_are_told_and_waited_for() {
    let simulated = Simulated::with_scenario(SCENARIO).await;
    assert!(
        simulated.handle.set_faults("Job:clean", crate::faults::matrix::faults("http_status, status: 500"))
    );
    let folder = TempDir::new().unwrap();
    let mut command = command(&simulated.base_url, &folder, BINARY);
    command.args(["watch", "Job:clean", "--interval=1s", "--json"]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines =
        tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stdout.take().unwrap()));
    let first = lines.next_line().await.unwrap().unwrap();
    let first: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(first["poll"]["reason"], "server_error", "{first}");
    assert!(simulated.handle.set_faults("Job:clean", Vec::new()));
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.expect("in time").unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn ctrl_c_ends_it_cleanly() {
    let simulated = Simulated::with_scenario(SCENARIO).await;
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let folder = TempDir::new().unwrap();
        let before = simulated.handle.requests_of("Job:waits");
        let mut command = command(&simulated.base_url, &folder, BINARY);
        command.args(["watch", "Job:waits", "--interval=1s"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        wait_for("it polls", || async {
            let polls = simulated.handle.requests_of("Job:waits");
            if polls > before { Ok(()) } else { Err(polls.to_string()) }
        })
        .await;
        kill_process(Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap(), signal).unwrap();
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
        let output = output.expect("it ends in time").unwrap();
        assert_eq!(output.status.code(), Some(code));
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(told, "stopped; 1 of 1 imports had not ended, and go on without us\n");
    }
}

#[tokio::test]
async fn in_a_usual_terminal_rate_and_time_left_fit_beside_a_usual_id() {
    let id = "Job:019542f5-b3e7-1d02-0000-000000000006";
    let scenario = format!("jobs:\n  - {{ id: '{id}', rows: 120, rows_per_second: 20 }}\n");
    let simulated = Simulated::with_scenario(&scenario).await;
    let folder = TempDir::new().unwrap();
    let mut command = command(&simulated.base_url, &folder, "script");
    let watch = format!("stty cols 80; exec {BINARY} watch {id} --interval=1s --fail-on=job");
    command.args(["-qec", &watch, "/dev/null"]);
    let told = ended(command).await;
    assert_eq!(told.code, Some(0), "{}", told.stdout);
    let is_whole = |line: &str| {
        line.contains("\u{2026}00-000000000006 [")
            && line.contains(" rows/s, ")
            && line.contains(" left, 0 failed")
    };
    assert!(told.stdout.split('\r').any(is_whole), "{}", told.stdout);
    assert!(told.stdout.contains(&format!("{id} COMPLETED 120 of 120 rows (100 %)")), "{}", told.stdout);
}

#[tokio::test]
async fn in_a_terminal_there_are_bars_which_leave_results_behind() {
    let simulated = Simulated::with_scenario(SCENARIO).await;
    let folder = TempDir::new().unwrap();
    // script(1) gives the command a terminal, and its code back.
    let mut command = command(&simulated.base_url, &folder, "script");
    let watch = format!("stty cols 100; exec {BINARY} watch Job:rows Job:clean --interval=1s");
    command.args(["-qec", &watch, "/dev/null"]);
    let told = ended(command).await;
    assert_eq!(told.code, Some(1), "{}", told.stdout);
    assert!(told.stdout.contains("Job:rows [") && told.stdout.contains("PROCESSING"), "{}", told.stdout);
    assert!(told.stdout.contains("rows/s"), "{}", told.stdout);
    assert!(told.stdout.contains("Job:clean COMPLETED 40 of 40 rows (100 %)"), "{}", told.stdout);
    assert!(told.stdout.contains("Job:rows COMPLETED 60 of 60 rows (100 %), "), "{}", told.stdout);
}
