//! What systemd hears (`Type=notify`, watchdog), with a socket in its place.

use crate::support::exporter::Start;
use crate::support::simulator::Simulated;
use crate::support::{PATIENCE, http};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::net::UnixDatagram;

/// systemd's end of the socket.
struct ServiceManager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl ServiceManager {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        Self { socket, folder }
    }

    fn path(&self) -> String {
        self.folder.path().join("notify").to_str().unwrap().to_owned()
    }

    /// The next message but signs of life, its fields a line each.
    async fn next(&self) -> String {
        loop {
            let message = self.next_of_all().await;
            if message != "WATCHDOG=1\n" {
                return message;
            }
        }
    }

    async fn next_of_all(&self) -> String {
        let mut buffer = [0; 4096];
        let received = tokio::time::timeout(PATIENCE, self.socket.recv(&mut buffer));
        let length = received.await.expect("a message in time").unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }
}

fn config(base_url: &str) -> String {
    format!(
        "grid: {{ base_url: '{base_url}', client_id: demo, client_secret: demo }}\n\
         poll: {{ interval: 1s }}\njobs: [ 'Job:a' ]\n"
    )
}

const JOBS: &str = "jobs: [ { id: 'Job:a', rows: 1000, rows_per_second: 1 } ]";

#[tokio::test]
async fn systemd_is_told_of_start_reload_and_stop() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let manager = ServiceManager::new();
    let mut exporter = Start::with_config(&config(&simulated.base_url))
        .variable("NOTIFY_SOCKET", &manager.path())
        .start()
        .await;
    assert_eq!(manager.next().await, "READY=1\nSTATUS=serving\n");
    let healthy = http::get(exporter.address(), "/-/healthy").await.expect("it listens before it is ready");
    assert_eq!(healthy.status, 200);

    exporter.signal(Signal::HUP);
    let reloading = manager.next().await;
    let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect(&reloading);
    assert!(time.trim_end().parse::<u64>().expect(time) > 0);
    assert_eq!(manager.next().await, "READY=1\nSTATUS=serving; the configuration was reloaded\n");

    exporter.write_config("jobs: [ 'Job:a' ]\npoll: { interval: often }\nretention: never\n");
    exporter.signal(Signal::HUP);
    assert!(manager.next().await.starts_with("RELOADING=1\n"));
    let refused = manager.next().await;
    let expected =
        "READY=1\nSTATUS=serving by the configuration before; refused: grid.yml:2: poll.interval: ";
    assert!(refused.starts_with(expected), "{refused}");
    assert_eq!(refused.lines().count(), 2, "two faults are no two fields: {refused}");

    exporter.signal(Signal::TERM);
    assert_eq!(manager.next().await, "STOPPING=1\n");
    assert!(exporter.ended().await.success());
}

#[tokio::test]
async fn the_watchdog_hears_signs_of_life_only_where_it_asks_for_them() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let manager = ServiceManager::new();
    let exporter = Start::with_config(&config(&simulated.base_url))
        .variable("NOTIFY_SOCKET", &manager.path())
        .variable("WATCHDOG_USEC", "300000")
        .start()
        .await;
    let mut signs = 0;
    while signs < 3 {
        signs += usize::from(manager.next_of_all().await == "WATCHDOG=1\n");
    }
    exporter.log_until(&["watchdog is told every 100 ms"]).await;

    let other = ServiceManager::new();
    let _unwatched = Start::with_config(&config(&simulated.base_url))
        .variable("NOTIFY_SOCKET", &other.path())
        .variable("WATCHDOG_USEC", "300000")
        // Meant for another process, such as the shell that started this one.
        .variable("WATCHDOG_PID", "1")
        .start()
        .await;
    assert_eq!(other.next_of_all().await, "READY=1\nSTATUS=serving\n");
    for _ in 0..5 {
        assert_eq!(manager.next_of_all().await, "WATCHDOG=1\n");
    }
    assert!(other.socket.try_recv(&mut [0; 64]).is_err(), "no sign of life was asked for");
}

#[tokio::test]
async fn a_socket_that_is_not_there_is_told_and_no_reason_to_stop() {
    let simulated = Simulated::with_scenario(JOBS).await;
    let exporter = Start::with_config(&config(&simulated.base_url))
        .variable("NOTIFY_SOCKET", "/nonexistent/notify")
        .start()
        .await;
    exporter.log_until(&["systemd is not told", "NOTIFY_SOCKET names no socket"]).await;
    assert_eq!(exporter.get("/-/healthy").await.status, 200);
}
