//! A simulator on a free port, and a client that sees raw bytes.

use crate::support::PATIENCE;
use grid_bulk_exporter::clock::{TokioClock, UnixTime};
use grid_bulk_exporter::sim::{Fault, Scenario, SimHandle, SimJobSpec, SimOptions, Simulator};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes on a slow machine.
pub(super) const LONG: Duration = PATIENCE;

/// `Authorization` for demo:demo.
pub(super) const CREDENTIALS: &str = "authorization: Basic ZGVtbzpkZW1v\r\n";

/// A running simulator.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) handle: SimHandle,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

impl Running {
    pub(super) async fn start(options: SimOptions) -> Self {
        let simulator = Simulator::new(options).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, handle) = (CancellationToken::new(), simulator.handle());
        let stop = shutdown.clone();
        let serving = tokio::spawn(async move { simulator.serve(listener, stop).await });
        Self { address, handle, shutdown, serving }
    }

    /// A simulator with the jobs of a scenario, at 2025-08-15T14:32:00Z.
    pub(super) async fn with(scenario: &str) -> Self {
        Self::start(SimOptions {
            scenario: Scenario::from_yaml(scenario, "test").unwrap(),
            clock: Arc::new(TokioClock::starting_at(UnixTime::from_millis(1_755_268_320_000))),
            ..SimOptions::default()
        })
        .await
    }

    /// A simulator with one running job, `Job:a`, that has this fault.
    pub(super) async fn with_fault(fault: &str) -> Self {
        Self::with(&format!(
            "jobs: [{{id: 'Job:a', rows: 1000, rows_per_second: 10, failing_share: 0.5, starts_at: -20, \
             faults: [{{fault: {fault}}}]}}]"
        ))
        .await
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends a request for a job and reads what comes until the connection ends.
    pub(super) async fn ask(&self, id: &str, headers: &str) -> Exchange {
        let path = format!("/grid/2025-10-13/customers/bulk/jobs/{id}");
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: a\r\n{headers}connection: close\r\n\r\n")).await
    }

    pub(super) async fn ask_a(&self) -> Exchange {
        self.ask("Job:a", CREDENTIALS).await
    }

    pub(super) async fn send(&self, request: &str) -> Exchange {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        Exchange::read(stream).await
    }

    pub(super) fn heal(&self) {
        assert!(self.handle.set_fault("Job:a", None));
    }

    pub(super) fn give(&self, fault: Fault) {
        assert!(self.handle.set_fault("Job:a", Some(fault)));
    }

    pub(super) fn add(&self, job: SimJobSpec) {
        self.handle.add_job(job);
    }

    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        timeout(LONG, self.serving).await.unwrap().unwrap();
    }
}

/// What came back.
pub(super) struct Exchange {
    pub(super) bytes: Vec<u8>,
    /// The connection was reset rather than closed.
    pub(super) reset: bool,
}

impl Exchange {
    async fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        let ended = timeout(LONG, stream.read_to_end(&mut bytes)).await.expect("the connection ends");
        let reset = ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset);
        Self { bytes, reset }
    }

    fn split(&self) -> (String, &[u8]) {
        let at = self.bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head");
        (String::from_utf8(self.bytes[..at].to_vec()).unwrap().to_ascii_lowercase(), &self.bytes[at + 4..])
    }

    pub(super) fn head(&self) -> String {
        self.split().0
    }

    pub(super) fn status(&self) -> u16 {
        self.head().split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<String> {
        let head = self.head();
        let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")))?;
        Some(line.to_owned())
    }

    /// The body, put together if it came in chunks.
    pub(super) fn body(&self) -> Vec<u8> {
        let (head, body) = self.split();
        if !head.contains("transfer-encoding: chunked") {
            return body.to_vec();
        }
        let (mut rest, mut whole) = (body, Vec::new());
        loop {
            let at = rest.windows(2).position(|window| window == b"\r\n").expect("a whole chunk head");
            let length = usize::from_str_radix(std::str::from_utf8(&rest[..at]).unwrap(), 16).unwrap();
            if length == 0 {
                return whole;
            }
            whole.extend_from_slice(&rest[at + 2..at + 2 + length]);
            rest = &rest[at + 4 + length..];
        }
    }

    pub(super) fn json(&self) -> Value {
        let body = self.body();
        serde_json::from_slice(&body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&body)))
    }
}
