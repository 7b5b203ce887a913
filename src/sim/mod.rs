//! The simulated Grid API: jobs that advance with time, rows that fail, and every fault that an API can have.
//!
//! Used by `cli` (`simulate`, `demo`), by tests and by benchmarks. It takes nothing from `grid`: what both
//! understood wrongly would otherwise look right.
//!
//! A request goes `server` (socket) → `service` (route, credentials, limit) → `fleet` (which job) → `course`
//! (its state at this moment) → `answer` (the JSON) → `spoil` (faults), and back through `wire`, which can break
//! the connection; `webhook` sends what Grid would send at a job's end. No state ticks: everything follows from the time, the seed and the scenario.

mod answer;
mod body;
mod broken;
mod credentials;
mod entry;
mod problem;
mod service;
mod spoil;
mod upload;
mod webhook;
mod wire;

pub mod course;
pub mod demo;
pub mod fault;
pub mod fleet;
pub mod handle;
pub mod options;
pub mod requests;
pub mod scenario;
pub mod seed;
pub mod server;
pub mod throttle;

pub use course::{Course, Ending, Failing, JobState, Spike, Stall};
pub use fault::{
    Fault, FaultKind, HttpStatusFault, OddCounts, Oddity, RedirectTarget, ResetPoint, StringPlace, Window,
};
pub use fleet::{SimJobSpec, generated_job};
pub use handle::SimHandle;
pub use options::{BASE_PATH, SimError, SimOptions};
pub use requests::{RequestRecord, Requests};
pub use scenario::{Scenario, ScenarioError};
pub use seed::{Series, job_id};
pub use server::Simulator;
pub use throttle::{RateLimit, RetryAfterForm};
pub use upload::UploadPlan;
pub use webhook::{SignatureForm, WebhookPlan, WebhookRecord, WebhookSigner, WebhookTarget};
