//! Reads the body of an answer piece by piece into the parser, within the limits on size and time.
//!
//! Called by `client`. No piece is kept: memory is one piece of the connection's buffer, whatever the body's size.

use super::failure::Failures;
use crate::config::GridConfig;
use crate::grid::JobQuery;
use crate::grid::error::ApiError;
use crate::grid::parse::{JobParser, ParseError};
use crate::job::JobReading;
use crate::telemetry::own::ApiMetrics;
use http::header::{self, HeaderValue};
use reqwest::Response;
use std::time::Duration;
use tokio::time::Instant;

/// Bodies that nobody reads are read so far, as their connection can then be used again.
const DISCARDED_BYTES: u64 = 65_536;

/// And for so long: the next poll must not wait for them.
const DISCARDING_TIME: Duration = Duration::from_secs(1);

/// A limit further away than this is none: a century, which no clock arithmetic fears.
pub(super) const FOREVER: Duration = Duration::from_hours(876_600);

/// Reads bodies.
pub(super) struct BodyReader {
    idle_limit: Duration,
    duration_limit: Duration,
    size_limit: u64,
    failures: Failures,
    metrics: ApiMetrics,
}

/// The limit that broke a body off.
enum Limit {
    Size,
    Idle,
    Duration,
}

impl BodyReader {
    pub(super) fn new(grid: &GridConfig, metrics: ApiMetrics) -> Self {
        Self {
            idle_limit: grid.read_idle_timeout.min(FOREVER),
            duration_limit: grid.max_duration.min(FOREVER),
            size_limit: grid.max_response_bytes,
            failures: Failures::new(grid),
            metrics,
        }
    }

    /// When an answer must be whole whose request is sent at `started`.
    pub(super) fn deadline(&self, started: Instant) -> Instant {
        started + self.duration_limit
    }

    /// Reads the job in the body of a 200.
    pub(super) async fn read(
        &self,
        mut response: Response,
        query: JobQuery,
        deadline: Instant,
    ) -> Result<JobReading, ApiError> {
        let content_type = response.headers().get(header::CONTENT_TYPE).cloned();
        let not_a_job =
            |error: &ParseError| self.failures.not_a_job(error, media_type(content_type.as_ref()).as_deref());
        // reqwest takes gzip away with its header; what is still there was not asked for.
        let encodings = response.headers().get_all(header::CONTENT_ENCODING);
        if encodings.iter().any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(self.failures.unknown_encoding());
        }
        let mut parser = JobParser::new(query.id, query.tally);
        let mut length: u64 = 0;
        let limit = loop {
            let now = Instant::now();
            let idle_end = now + self.idle_limit;
            let piece = match tokio::time::timeout_at(idle_end.min(deadline), response.chunk()).await {
                Ok(Ok(Some(piece))) => piece,
                Ok(Ok(None)) => {
                    return parser.finish().map_err(|error| not_a_job(&error));
                }
                Ok(Err(error)) => return Err(self.failures.of_body(&error, length)),
                Err(_) if idle_end < deadline => break Limit::Idle,
                Err(_) => break Limit::Duration,
            };
            length = length.saturating_add(piece.len() as u64);
            self.metrics.response_bytes.inc_by(piece.len() as u64);
            if length > self.size_limit {
                break Limit::Size;
            }
            parser.feed(&piece).map_err(|error| not_a_job(&error))?;
            // A body that is always there at once, unpacked from little, must not keep others from running.
            tokio::task::consume_budget().await;
        };
        parser.finish_truncated().ok_or_else(|| match limit {
            Limit::Size => self.failures.too_large(),
            Limit::Idle => self.failures.idle(length),
            Limit::Duration => self.failures.too_long(length),
        })
    }

    /// Reads a body that says nothing to us, within bounds, so that its connection can be used again.
    pub(super) async fn discard(&self, mut response: Response) {
        let discarding = async {
            let mut length: u64 = 0;
            while let Ok(Some(piece)) = response.chunk().await {
                length = length.saturating_add(piece.len() as u64);
                self.metrics.response_bytes.inc_by(piece.len() as u64);
                if length > DISCARDED_BYTES {
                    break;
                }
            }
        };
        // What is not done by then is dropped, and the connection with it.
        let _ = tokio::time::timeout(DISCARDING_TIME.min(self.idle_limit), discarding).await;
    }
}

/// The type that the answer claims to have, for errors: nothing if it is JSON, is not told, or is no plain text.
fn media_type(content_type: Option<&HeaderValue>) -> Option<String> {
    let value = content_type?.to_str().ok()?;
    let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_plain = media_type.len() <= 64
        && media_type.split('/').count() == 2
        && media_type.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/+-.".contains(&byte));
    let is_json = media_type == "application/json" || media_type.ends_with("+json");
    (is_plain && !is_json).then_some(media_type)
}
