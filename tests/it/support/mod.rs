//! What the integration tests share: the real binary, the simulated API, a scraper, and waiting for conditions.

pub mod alertmanager;
pub mod browser;
pub mod exporter;
pub mod http;
pub mod prometheus;
pub mod scrape;
pub mod simulator;

use std::time::Duration;
use tokio::time::Instant;

/// How long a condition may take to come true. Far more than it ever does: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Asks `check` again and again until it gives a value; panics with what it said last when patience ends.
pub async fn wait_for<T, F>(what: &str, mut check: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let end = Instant::now() + PATIENCE;
    loop {
        match check().await {
            Ok(value) => return value,
            Err(state) if Instant::now() > end => panic!("{what}: not within {PATIENCE:?}; at last: {state}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
