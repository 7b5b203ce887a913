//! What a user gets who makes a mistake: one clear line, the right exit code, never a panic, nothing half started.

use crate::support::exporter::{Finished, run, run_in};
use tempfile::TempDir;
use tokio::net::TcpListener;

const CREDENTIALS: [(&str, &str); 2] = [("GRID_CLIENT_ID", "id"), ("GRID_CLIENT_SECRET", "hunter2-secret")];

/// Runs `serve` with this file; it must refuse to start.
async fn refused(yaml: &str, more: &[&str]) -> Finished {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("grid.yml"), yaml).unwrap();
    let mut arguments = vec!["--config.file=grid.yml", "--web.listen-address=127.0.0.1:0"];
    arguments.extend(more);
    let finished = run_in(&folder, &arguments, &CREDENTIALS).await;
    assert!(!finished.stderr.contains("panicked"), "{finished:?}");
    assert!(!finished.stderr.contains("hunter2"), "{finished:?}");
    assert!(!finished.stderr.contains("listening on"), "half started: {finished:?}");
    finished
}

#[tokio::test]
async fn each_mistake_in_the_file_is_one_line_with_its_place() {
    for (yaml, line) in [
        ("jobs: [ 'Job:a' ]\npoll: { interval: 30 }\n", "grid.yml:2: poll.interval: `30` has no unit"),
        ("jobs: [ 'Job:a' ]\npoll: { interval: 0s }\n", "grid.yml:2: poll.interval: "),
        ("jobs: [ 'Job:a' ]\npoll: { intervall: 30s }\n", "grid.yml:2: poll.intervall: "),
        ("jobs: [ 'Job:a', 'Job:a' ]\n", "grid.yml:1: jobs[1]: Job:a is there twice"),
        ("jobs: [ '' ]\n", "grid.yml:1: jobs[0]: "),
        ("jobs: [ { id: 'Job:a', labels: { job: x } } ]\n", "grid.yml:1: jobs[0].labels"),
        ("jobs: [ 'Job:a' ]\ngrid: { base_url: api.example.com }\n", "grid.yml:2: grid.base_url: "),
        (
            "jobs: [ 'Job:a' ]\ngrid: { base_url: 'https://api.example.com/?x=1' }\n",
            "grid.yml:2: grid.base_url: ",
        ),
        ("jobs:\n\t- Job:a\n", "grid.yml:2: "),
        ("", "jobs: no job is named"),
    ] {
        let finished = refused(yaml, &[]).await;
        assert_eq!(finished.code, Some(1), "{yaml:?}: {finished:?}");
        let told: Vec<_> = finished.stderr.lines().collect();
        assert_eq!(told.len(), 1, "{yaml:?}: {finished:?}");
        assert!(told[0].starts_with(line), "{yaml:?} should begin with {line:?}: {told:?}");
    }
}

#[tokio::test]
async fn all_faults_of_a_file_are_told_at_once() {
    let finished = refused("jobs: [ '' ]\npoll: { interval: 30, concurrency: 0 }\n", &[]).await;
    assert_eq!(finished.stderr.lines().count(), 3, "{finished:?}");
}

#[tokio::test]
async fn odd_files_are_told_as_what_they_are() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("grid.yml");
    for (content, piece) in [
        (vec![0, 159, 146, 150, 255, 0], "grid.yml"),
        (vec![b'x'; 50 << 20], "MiB"),
        (b"jobs: [ \xff\xfe ]".to_vec(), "UTF-8"),
    ] {
        std::fs::write(&path, content).unwrap();
        let finished = run_in(&folder, &["check-config", "grid.yml"], &[]).await;
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
        assert!(finished.stderr.contains(piece), "{finished:?}");
    }
    for argument in ["missing.yml", "."] {
        let finished = run_in(&folder, &["--config.file", argument], &CREDENTIALS).await;
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
    }
}

#[tokio::test]
async fn without_credentials_it_does_not_start_and_says_how_to_give_them() {
    let finished = run(&["--job=Job:a", "--web.listen-address=127.0.0.1:0"], &[]).await;
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.contains("GRID_CLIENT_ID") && finished.stderr.contains("GRID_CLIENT_SECRET"));
    assert_eq!(finished.stderr.lines().count(), 2, "{finished:?}");
}

#[tokio::test]
async fn a_secret_file_that_is_missing_or_empty_stops_the_start() {
    let folder = TempDir::new().unwrap();
    std::fs::write(
        folder.path().join("grid.yml"),
        "jobs: [ 'Job:a' ]\ngrid: { client_secret_file: secret }\n",
    )
    .unwrap();
    let arguments = ["--config.file=grid.yml", "--web.listen-address=127.0.0.1:0"];
    let missing = run_in(&folder, &arguments, &CREDENTIALS[..1]).await;
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert_eq!(missing.stderr.lines().count(), 1, "{missing:?}");
    assert!(missing.stderr.contains("secret"), "{missing:?}");
    std::fs::write(folder.path().join("secret"), "\n").unwrap();
    let empty = run_in(&folder, &arguments, &CREDENTIALS[..1]).await;
    assert_eq!(empty.code, Some(1), "{empty:?}");
    assert!(empty.stderr.contains("empty"), "{empty:?}");
}

#[tokio::test]
async fn a_port_in_use_is_told_and_nothing_starts() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let flag = format!("--web.listen-address={}", taken.local_addr().unwrap());
    let finished = run(&["--job=Job:a", &flag], &CREDENTIALS).await;
    assert_eq!(finished.code, Some(1));
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
    assert!(finished.stderr.contains("the port is in use, by another process"), "{finished:?}");
}

#[tokio::test]
async fn flags_that_do_not_exist_or_are_wrong_are_usage_errors() {
    for arguments in [
        vec!["--web.listen-adress=:1"],
        vec!["--web.listen-address=nonsense"],
        vec!["--job="],
        vec!["--job=a b"],
        vec!["--log.level=loud"],
        vec!["--web.telemetry-path=metrics"],
        vec!["--web.max-requests=-1"],
        vec!["nonsense"],
        vec!["check-config"],
    ] {
        let finished = run(&arguments, &CREDENTIALS).await;
        assert_eq!(finished.code, Some(2), "{arguments:?}: {finished:?}");
        assert!(finished.stderr.starts_with("error: "), "{arguments:?}: {finished:?}");
        assert!(!finished.stderr.contains("panicked"), "{finished:?}");
    }
    let typo = run(&["--web.listen-adress=:1"], &CREDENTIALS).await;
    assert!(typo.stderr.contains("--web.listen-address"), "the nearest one is named: {typo:?}");
}

#[tokio::test]
async fn check_config_says_what_it_read_and_not_the_secret() {
    let folder = TempDir::new().unwrap();
    let yaml = "grid: { client_id: me, client_secret: hunter2-secret }\njobs: [ 'Job:a', { id: 'Job:b', labels: { team: x } } ]\n";
    std::fs::write(folder.path().join("grid.yml"), yaml).unwrap();
    let finished = run_in(&folder, &["check-config", "grid.yml"], &[]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stdout.contains('2') && finished.stdout.contains("team"), "{finished:?}");
    assert!(!finished.stdout.contains("hunter2"), "{finished:?}");
}

#[tokio::test]
async fn certificates_that_can_not_be_used_are_told_with_their_line_by_check_config_too() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("ca.pem"), "no certificate").unwrap();
    let yaml =
        "grid:\n  client_id: me\n  client_secret: x\n  tls_config:\n    ca_file: ca.pem\njobs: [ 'Job:a' ]\n";
    std::fs::write(folder.path().join("grid.yml"), yaml).unwrap();
    for arguments in
        [vec!["check-config", "grid.yml"], vec!["--config.file=grid.yml", "--web.listen-address=127.0.0.1:0"]]
    {
        let finished = run_in(&folder, &arguments, &[]).await;
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
        let expected = "grid.yml:5: grid.tls_config.ca_file: file ";
        assert!(finished.stderr.starts_with(expected), "{finished:?}");
    }
}
