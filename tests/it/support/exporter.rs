//! The real binary as a process of its own: started, scraped, signalled, its log read, ended by its process id.

use super::http::{self, Response};
use super::scrape::Scrape;
use super::wait_for;
use rustix::process::{Pid, Signal, kill_process};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

/// The binary under test.
pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grid-bulk-exporter"));
    command.kill_on_drop(true).stdin(Stdio::null());
    for variable in [
        "GRID_CLIENT_ID",
        "GRID_CLIENT_SECRET",
        "GRID_CLIENT_SECRET_FILE",
        "GRID_JOBS",
        "LIGHTSPARK_GRID_BASE_URL",
    ] {
        command.env_remove(variable);
    }
    command
}

/// What a command that ends by itself leaves.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end, in an empty folder.
pub async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Finished {
    let folder = TempDir::new().expect("a folder");
    run_in(&folder, arguments, environment).await
}

pub async fn run_in(folder: &TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> Finished {
    let mut command = binary();
    command.args(arguments).envs(environment.iter().copied()).current_dir(folder.path());
    let output =
        tokio::time::timeout(super::PATIENCE, command.output()).await.expect("it ends").expect("it runs");
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// An exporter that runs.
pub struct Exporter {
    child: Child,
    pub addresses: Vec<SocketAddr>,
    log: Arc<Mutex<String>>,
    stdout: Arc<Mutex<String>>,
    pub folder: TempDir,
}

/// How an exporter is started.
pub struct Start {
    pub command: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub folder: TempDir,
}

impl Start {
    /// `serve` on a free port of loopback, with this configuration file.
    pub fn with_config(yaml: &str) -> Self {
        let start = Self::without_config();
        std::fs::write(start.config_path(), yaml).expect("a file");
        start.argument("--config.file=grid.yml")
    }

    /// `serve` on a free port of loopback, without a file.
    pub fn without_config() -> Self {
        let folder = TempDir::new().expect("a folder");
        Self { command: Vec::new(), environment: Vec::new(), folder }
            .argument("--web.listen-address=127.0.0.1:0")
    }

    pub fn config_path(&self) -> PathBuf {
        self.folder.path().join("grid.yml")
    }

    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.command.push(argument.to_owned());
        self
    }

    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it and waits until it listens.
    pub async fn start(self) -> Exporter {
        self.spawn(binary()).await
    }

    /// Starts it by another program, which gets these arguments before the exporter's.
    pub async fn start_by(self, program: &str, arguments: &[&str]) -> Exporter {
        let mut command = Command::new(program);
        command.args(arguments).kill_on_drop(true).stdin(Stdio::null());
        self.spawn(command).await
    }

    /// Starts it with a listening socket, as systemd does it: the socket is file descriptor 3, and two variables say so.
    pub async fn start_by_systemd(self) -> Exporter {
        let script = "
import os, socket, sys
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen()
if listener.fileno() != 3:
    os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[1], sys.argv[1:])
";
        self.start_by("python3", &["-c", script, env!("CARGO_BIN_EXE_grid-bulk-exporter")]).await
    }

    async fn spawn(self, mut command: Command) -> Exporter {
        command.args(&self.command).current_dir(self.folder.path());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let (log, stdout) = (Arc::default(), Arc::default());
        collect(child.stderr.take().expect("piped"), Arc::clone(&log));
        collect(child.stdout.take().expect("piped"), Arc::clone(&stdout));
        let mut exporter = Exporter { child, addresses: Vec::new(), log, stdout, folder: self.folder };
        let id = exporter.id();
        let mut had_ended = false;
        exporter.addresses = wait_for("the exporter listens", || {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            let log = exporter.log();
            // Seen twice, as its last words may still be on their way here.
            let is_over = std::mem::replace(&mut had_ended, stat.contains(") Z ")) && had_ended;
            async move {
                let found: Vec<SocketAddr> = log.lines().filter_map(listening_address).collect();
                assert!(!found.is_empty() || !is_over, "the exporter has ended: {log}");
                if found.is_empty() { Err(log) } else { Ok(found) }
            }
        })
        .await;
        exporter
    }
}

/// The address in a line such as `… message="listening on http://127.0.0.1:1234/" address=…`, or the same in JSON.
fn listening_address(line: &str) -> Option<SocketAddr> {
    let (_, after) = line.split_once("listening on http")?;
    let (_, after) = after.split_once("://")?;
    after.split(['/', '"']).next()?.parse().ok()
}

/// Gathers a stream's lines; the task ends with the process.
fn collect(stream: impl AsyncRead + Unpin + Send + 'static, into: Arc<Mutex<String>>) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut text = into.lock().unwrap();
            text.push_str(&line);
            text.push('\n');
        }
    });
}

impl Exporter {
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// All that it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// All that it printed on standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.lock().unwrap().clone()
    }

    pub async fn get(&self, path: &str) -> Response {
        http::get(self.address(), path)
            .await
            .unwrap_or_else(|error| panic!("GET {path}: {error}\n{}", self.log()))
    }

    pub async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        let response = http::request(self.address(), method, path, headers).await;
        response.unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.log()))
    }

    pub async fn send(&self, method: &str, path: &str, body: &str) -> Response {
        let response = http::request_with_body(self.address(), method, path, &[], body).await;
        response.unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.log()))
    }

    pub async fn scrape(&self) -> Scrape {
        let response = self.get("/metrics").await;
        assert_eq!(response.status, 200, "{}", response.text());
        Scrape::parse(&response.text())
    }

    /// Scrapes until `check` holds, and returns that scrape.
    pub async fn scrape_until(&self, what: &str, check: impl Fn(&Scrape) -> bool) -> Scrape {
        wait_for(what, || async {
            let text = self.get("/metrics").await.text();
            let scrape = Scrape::parse(&text);
            if check(&scrape) { Ok(scrape) } else { Err(format!("{text}\n{}", self.log())) }
        })
        .await
    }

    /// Waits until a line of the log has all these pieces, and returns that line.
    pub async fn log_until(&self, pieces: &[&str]) -> String {
        wait_for(&format!("a log line with {pieces:?}"), || async {
            let log = self.log();
            let line = log.lines().find(|line| pieces.iter().all(|piece| line.contains(piece)));
            line.map(str::to_owned).ok_or(log)
        })
        .await
    }

    pub fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(id.expect("it runs"), signal).expect("signalled");
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(super::PATIENCE, self.child.wait())
            .await
            .expect("it ends in time")
            .expect("waited for")
    }

    pub fn write_config(&self, yaml: &str) {
        std::fs::write(self.folder.path().join("grid.yml"), yaml).expect("written");
    }
}
