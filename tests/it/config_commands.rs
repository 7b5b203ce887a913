//! `check-config` and `healthcheck` as processes: output and exit code.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is the report of a failure")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn exporter(arguments: &[&str], folder: &Path, variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_grid-bulk-exporter"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn check_config_says_what_it_read_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), "hunter2\n").unwrap();
    let file = "grid:\n  base_url: http://grid.example/v1\n  client_id: hunter1\n  client_secret_file: secret\n  \
                proxy_url: http://u:hunter3@proxy:3128\npoll: { interval: 90s }\n\
                jobs: [ Job:a, { id: Job:b, labels: { team: x, name: y } } ]\n";
    fs::write(folder.path().join("grid.yml"), file).unwrap();
    let output = exporter(&["check-config", "grid.yml"], folder.path(), &[("GRID_JOBS", "Job:b,Job:c")]);
    let expected = "\
configuration is good
base URL: http://grid.example/v1 (from grid.base_url of grid.yml)
client id: from grid.client_id of grid.yml
client secret: from the file secret
proxy: proxy
polls: each job every 1m30s, 16 at once, at most 50 requests a second
jobs: 3 (2 from jobs, 2 from GRID_JOBS)
labels: name, team
warning: grid.yml:2: grid.base_url: is plain http to another machine: whoever is in between can read the secret; use https
";
    assert_eq!(told(&output), (Some(0), expected.to_owned(), String::new()));
}

#[test]
fn check_config_mentions_what_the_environment_may_bring() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("grid.yml"), "").unwrap();
    let (code, out, err) = told(&exporter(&["check-config", "grid.yml"], folder.path(), &[]));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("\nwarning: grid.yml: is empty: "), "{out}");
    for key in ["grid.client_id", "grid.client_secret", "jobs"] {
        assert!(out.contains(&format!("\nnote, as serve would refuse: {key}: ")), "{out}");
    }
    let (code, out, err) = told(&exporter(&["serve", "--config.file=grid.yml"], folder.path(), &[]));
    assert_eq!((code, out.as_str(), err.lines().count()), (Some(1), "", 3), "{err}");
}

#[test]
fn check_config_tells_every_fault_and_exits_with_1() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("grid.yml"), "poll: { interval: 30 }\njob: []\n").unwrap();
    let output = exporter(&["check-config", "grid.yml"], folder.path(), &[]);
    let expected = "\
grid.yml:1: poll.interval: `30` has no unit; write a duration such as 30s
grid.yml:2: job: is not a key here; did you mean `jobs`?
";
    assert_eq!(told(&output), (Some(1), String::new(), expected.to_owned()));
}

#[test]
fn the_file_of_the_working_directory_is_taken_if_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("grid-bulk-exporter.yml"), "retention: 5\n").unwrap();
    let (code, _, err) = told(&exporter(&[], folder.path(), &[]));
    assert_eq!(code, Some(1));
    assert_eq!(err, "grid-bulk-exporter.yml:1: retention: `5` has no unit; write a duration such as 5s\n");
}

#[test]
fn a_bad_flag_exits_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, err) = told(&exporter(&["--web.listn-address=:1"], folder.path(), &[]));
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("--web.listen-address"), "{err}");
}

/// Answers one request with `answer`; gives back what was asked.
async fn answer_once(listener: TcpListener, answer: &str) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
    }
    stream.write_all(answer.as_bytes()).await.unwrap();
    String::from_utf8(request).unwrap()
}

/// Runs `healthcheck` against a server that gives `answer`: exit code, both outputs, what was asked.
async fn healthcheck(answer: &'static str, prefix: &'static str) -> (Option<i32>, String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let check = tokio::task::spawn_blocking(move || {
        let variables = [
            ("GRID_EXPORTER_WEB_LISTEN_ADDRESS", format!(":{port}")),
            ("GRID_EXPORTER_WEB_ROUTE_PREFIX", prefix.to_owned()),
        ];
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        told(&exporter(&["healthcheck"], Path::new("."), &variables))
    });
    let request = answer_once(listener, answer).await;
    let (code, out, err) = check.await.unwrap();
    (code, (out + &err).replace(&port.to_string(), "PORT"), request)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn healthcheck_asks_the_exporter_on_loopback() {
    let (code, said, request) =
        healthcheck("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nOK\n", "/grid").await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said, "healthy: http://127.0.0.1:PORT/grid/-/healthy answers 200\n");
    assert!(request.starts_with("GET /grid/-/healthy HTTP/1.1\r\n"), "{request}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn healthcheck_fails_on_another_status_or_none() {
    let (code, said, _) =
        healthcheck("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "").await;
    assert_eq!(code, Some(1));
    assert_eq!(said, "unhealthy: http://127.0.0.1:PORT/-/healthy answers 503 Service Unavailable, not 200\n");
    let (code, said, _) = healthcheck("SSH-2.0-OpenSSH\r\n", "").await;
    assert_eq!(code, Some(1));
    assert!(
        said.starts_with("unhealthy: http://127.0.0.1:PORT/-/healthy does not answer in HTTP; "),
        "{said}"
    );
    let (code, said, _) = healthcheck("", "").await;
    assert_eq!(code, Some(1), "{said}");
}

#[tokio::test]
async fn healthcheck_fails_where_nobody_listens() {
    // Bound and let go: nobody else is given the port so soon.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let address = format!("--web.listen-address=127.0.0.1:{port}");
    let (code, out, err) = told(&exporter(&["healthcheck", &address], Path::new("."), &[]));
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.starts_with(&format!("unhealthy: can't connect to 127.0.0.1:{port}: ")), "{err}");
}

#[test]
fn healthcheck_needs_a_port_that_is_known() {
    let (code, _, err) = told(&exporter(&["healthcheck", "--web.listen-address=:0"], Path::new("."), &[]));
    assert_eq!(code, Some(1));
    assert_eq!(
        err,
        "unhealthy: --web.listen-address :0 does not say which port to ask; give the port that serve listens on\n"
    );
}
