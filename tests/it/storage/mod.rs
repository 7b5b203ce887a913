//! What outlives a restart, with the real binary: restarts, kills at random moments, disks that fail.

mod crash;
mod disk;
mod restart;
mod size;

use crate::support::exporter::Start;
use crate::support::scrape::Scrape;
use crate::support::simulator::Simulated;
use std::path::Path;

/// An exporter that polls this API each second and keeps what it learns in this folder.
fn start(simulated: &Simulated, folder: &Path, lines: &str) -> Start {
    let config = format!(
        "grid:\n  base_url: {}\n  client_id: demo\n  client_secret: demo\npoll: {{ interval: 1s, max_requests_per_second: 1000 }}\n{lines}\n",
        simulated.base_url
    );
    Start::with_config(&config)
        .argument("--web.enable-admin-api")
        .argument(&format!("--storage.path={}", folder.display()))
}

/// `grid_bulk_rows_total`: successful and failed.
fn rows(scrape: &Scrape) -> [f64; 2] {
    ["successful", "failed"]
        .map(|result| scrape.value("grid_bulk_rows_total", &[("result", result)]).unwrap())
}

fn storage_up(scrape: &Scrape) -> Option<f64> {
    scrape.value("grid_bulk_exporter_storage_up", &[])
}
