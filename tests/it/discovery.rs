//! Jobs that come and go by themselves: lists in files and over HTTP, the admin API, retention.

mod admin;
mod files;
mod openapi;
mod readme;
mod servers;

use crate::support::simulator::Simulated;

/// An API that knows many jobs that never start.
async fn api() -> Simulated {
    Simulated::with_scenario("jobs:\n  - { id: 'Job:a', ends: never starts }\n").await
}

/// A configuration that polls this API, with these lines more.
fn config(simulated: &Simulated, lines: &str) -> String {
    format!(
        "grid:\n  base_url: {}\n  client_id: demo\n  client_secret: demo\npoll: {{ interval: 1s }}\n{lines}\n",
        simulated.base_url
    )
}
