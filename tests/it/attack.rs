//! `tests/attack/`: ill-behaved clients of every kind, with a well-behaved scraper beside them.

use crate::support::exporter::{Exporter, Start};
use crate::support::simulator::Simulated;
use crate::web_config::support::{hash, self_signed, tls};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// All attacks together have to end in this time.
const TIME_LIMIT: Duration = Duration::from_secs(150);

async fn exporter(more: &[&str], web: Option<&str>) -> (Simulated, Exporter) {
    let ids: Vec<_> = (0..200).map(|number| format!("Job:{number:03}")).collect();
    let scenario: Vec<_> = ids.iter().map(|id| format!("{{ id: '{id}', ends: never starts }}")).collect();
    let simulated = Simulated::with_scenario(&format!("jobs: [ {} ]", scenario.join(", "))).await;
    let config = format!(
        "grid: {{ base_url: '{}', client_id: demo, client_secret: demo }}\npoll: {{ interval: 10s }}\njobs: [ '{}' ]\n",
        simulated.base_url,
        ids.join("', '")
    );
    let mut start = Start::with_config(&config);
    for argument in more {
        start = start.argument(argument);
    }
    if let Some(web) = web {
        self_signed(start.folder.path(), "server", "").await;
        std::fs::write(start.folder.path().join("web.yml"), web).unwrap();
    }
    (simulated, start.start().await)
}

/// Runs all attacks, and shows what the scraper saw meanwhile.
#[expect(clippy::print_stdout, reason = "the scraper's p99 is for whoever reads the test's output")]
async fn attack(exporter: &Exporter, more: &[&str]) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/attack/run.py");
    let (address, id) = (exporter.address().to_string(), exporter.id().to_string());
    let mut command = Command::new("python3");
    command.args([script, "--address", &address, "--pid", &id, "--seconds", "1.5"]).args(more);
    // The binary of a debug build, on a machine that others use.
    command.args(["--p99", "4"]).kill_on_drop(true).stdin(Stdio::null());
    let done = tokio::time::timeout(TIME_LIMIT, command.output()).await.expect("it ends in time").unwrap();
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    println!("{out}");
    assert!(done.status.success(), "{out}{err}{}", exporter.log());
    assert!(out.lines().filter(|line| line.contains(" 0 failed ")).count() >= 3, "{out}");
    let log = exporter.log();
    assert!(log.len() < 100_000, "clients write into the log: {log}");
}

// One test, since they use the whole machine.
#[tokio::test]
#[ignore = "tests/run runs it by itself, without other tests beside it"]
async fn attacks_keep_no_scraper_out() {
    let (simulated, plain) = exporter(&["--web.enable-admin-api"], None).await;
    attack(&plain, &[]).await;
    assert_eq!(plain.get("/-/healthy").await.status, 200);
    drop((plain, simulated));
    let web = tls("") + &format!("basic_auth_users: {{ prometheus: '{}' }}\n", hash("right"));
    let (_simulated, guarded) = exporter(&["--web.config.file=web.yml"], Some(&web)).await;
    attack(&guarded, &["--tls", "--user", "prometheus:right"]).await;
}
