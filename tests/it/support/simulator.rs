//! The simulated API on a free port of loopback, in a thread of the test's own process: what it sends must not keep the
//! test from asking.

use grid_bulk_exporter::sim::{Scenario, SimHandle, SimOptions, Simulator};
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A simulator that ends with the test.
pub struct Simulated {
    pub handle: SimHandle,
    pub address: SocketAddr,
    pub base_url: String,
    _stop: DropGuard,
}

impl Simulated {
    /// With the jobs and faults of a scenario (YAML).
    pub async fn with_scenario(yaml: &str) -> Self {
        let scenario = Scenario::from_yaml(yaml, "scenario.yml").unwrap_or_else(|error| panic!("{error}"));
        Self::start(SimOptions { scenario, ..SimOptions::default() }).await
    }

    pub async fn start(options: SimOptions) -> Self {
        let simulator = Simulator::new(options).expect("options");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let listener = listener.into_std().expect("a socket");
        let handle = simulator.handle();
        let shutdown = stop.clone();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                simulator.serve(TcpListener::from_std(listener).expect("a socket"), shutdown).await;
            });
        });
        Self { base_url: handle.base_url(address), handle, address, _stop: stop.drop_guard() }
    }
}
