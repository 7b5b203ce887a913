//! What became of the webhooks that came in. Built by `own`, counted by `web::webhook`.

use crate::telemetry::families;
use crate::telemetry::labelled::Counters;
use crate::telemetry::registering::Registering;

/// What became of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WebhookOutcome {
    /// A job's end was taken in.
    Accepted,
    /// Of another type, or a test.
    Ignored,
    /// The same delivery as one before.
    Duplicate,
    /// About a job that another shard watches.
    OtherShard,
    /// No signature of the configured keys.
    BadSignature,
    /// Too large, cut off, or not what a webhook looks like.
    BadBody,
}

impl WebhookOutcome {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Accepted, Self::Ignored, Self::Duplicate, Self::OtherShard, Self::BadSignature, Self::BadBody];

    /// The label's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Ignored => "ignored",
            Self::Duplicate => "duplicate",
            Self::OtherShard => "other_shard",
            Self::BadSignature => "bad_signature",
            Self::BadBody => "bad_body",
        }
    }
}

/// Webhooks by outcome.
#[derive(Clone, Debug)]
pub struct WebhookMetrics(Counters);

impl WebhookMetrics {
    /// Registers the counter, without series as long as no webhook is configured.
    pub(super) fn register(registry: &mut Registering) -> Result<Self, prometheus::Error> {
        registry.counters(families::WEBHOOKS).map(Self)
    }

    /// Webhooks are configured: each outcome is there from now on.
    pub fn configured(&self) {
        for outcome in WebhookOutcome::ALL {
            self.0.with(&[outcome.as_str()]);
        }
    }

    /// Counts a webhook that was answered.
    pub fn count(&self, outcome: WebhookOutcome) {
        self.0.with(&[outcome.as_str()]).inc();
    }
}
