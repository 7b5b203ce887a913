//! What a simulator is made from.

use crate::clock::{SharedClock, SystemClock};
use crate::secret::Secret;
use crate::sim::scenario::Scenario;
use crate::sim::webhook::WebhookTarget;
use std::sync::Arc;

/// The path under which the API answers, as at the real one.
pub const BASE_PATH: &str = "/grid/2025-10-13";

/// As many jobs are generated at most.
const MAX_JOBS: u64 = 1_000_000;

/// What a simulator is made from.
#[derive(Clone)]
pub struct SimOptions {
    /// User name of HTTP Basic; no `:`.
    pub client_id: String,
    /// Password of HTTP Basic.
    pub client_secret: Secret,
    /// The path under which the API answers; begins with `/`, doesn't end with one; or empty.
    pub base_path: String,
    /// Number of generated jobs, at most 1,000,000.
    pub jobs: u64,
    /// Simulated seconds a real second, above 0.
    pub speed: f64,
    /// What sizes, fates and failing rows follow from.
    pub seed: u64,
    /// The imports of [`crate::sim::demo`] exist as well.
    pub demo: bool,
    /// Jobs with a course of their own, and the API's own behaviour.
    pub scenario: Scenario,
    /// Where webhooks go; nothing: none are sent.
    pub webhook: Option<WebhookTarget>,
    /// The wall clock, for `completedAt`.
    pub clock: SharedClock,
}

impl Default for SimOptions {
    /// No jobs, real time, credentials `demo` and `demo`.
    fn default() -> Self {
        Self {
            client_id: "demo".to_owned(),
            client_secret: Secret::new("demo".to_owned()),
            base_path: BASE_PATH.to_owned(),
            jobs: 0,
            speed: 1.0,
            seed: 1,
            demo: false,
            scenario: Scenario::default(),
            webhook: None,
            clock: Arc::new(SystemClock),
        }
    }
}

/// Why a simulator can't be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SimError {
    /// Not a number above 0.
    #[error("speed {0} is not possible; write a number above 0, such as 10 for ten times real time")]
    Speed(f64),
    /// More than a million.
    #[error("{0} jobs are too many; at most {MAX_JOBS} are simulated")]
    TooManyJobs(u64),
    /// A client id that HTTP Basic can't carry.
    #[error("client id {0:?} can't be used; it needs a character at least and no `:`")]
    ClientId(String),
    /// An address for webhooks that can't be.
    #[error("webhooks can't go to {0}; write a URL such as http://127.0.0.1:10311/webhooks/grid")]
    WebhookUrl(String),
    /// A base path of another form.
    #[error("base path {0:?} can't be used; write one such as {BASE_PATH}")]
    BasePath(String),
}

impl SimOptions {
    pub(crate) fn check(&self) -> Result<(), SimError> {
        if !(self.speed > 0.0 && self.speed.is_finite()) {
            return Err(SimError::Speed(self.speed));
        }
        if self.jobs > MAX_JOBS {
            return Err(SimError::TooManyJobs(self.jobs));
        }
        if self.client_id.is_empty() || self.client_id.contains(':') {
            return Err(SimError::ClientId(self.client_id.clone()));
        }
        if let Some(webhook) = &self.webhook
            && (webhook.url.scheme() != "http" || webhook.url.host_str().is_none())
        {
            return Err(SimError::WebhookUrl(webhook.url.to_string()));
        }
        let path = &self.base_path;
        if !path.is_empty() && (!path.starts_with('/') || path.ends_with('/')) {
            return Err(SimError::BasePath(path.clone()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_cannot_be_are_refused() {
        let good = SimOptions::default();
        assert_eq!(good.check(), Ok(()));
        for speed in [0.0, -1.0, f64::INFINITY] {
            assert_eq!(SimOptions { speed, ..good.clone() }.check(), Err(SimError::Speed(speed)));
        }
        let many = SimOptions { jobs: 1_000_001, ..good.clone() };
        assert_eq!(many.check(), Err(SimError::TooManyJobs(1_000_001)));
        let colon = SimOptions { client_id: "a:b".to_owned(), ..good.clone() };
        assert_eq!(colon.check(), Err(SimError::ClientId("a:b".to_owned())));
        let path = SimOptions { base_path: "grid/".to_owned(), ..good };
        assert_eq!(path.check(), Err(SimError::BasePath("grid/".to_owned())));
    }
}
