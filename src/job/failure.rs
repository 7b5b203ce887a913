//! Why a poll failed: the values of `reason` in `grid_bulk_poll_failures_total`.

/// Why a job could not be read. A new reason is added here; the compiler then asks for its label, and a test for
/// its place in the README and in an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PollFailure {
    /// No answer, or not the whole of it, in time.
    Timeout,
    /// The host's name could not be resolved.
    Dns,
    /// No connection, or it broke.
    Connect,
    /// The server's certificate or the TLS handshake was not accepted.
    Tls,
    /// A redirect to another host, or too many.
    Redirect,
    /// 401: the credentials are refused.
    Unauthorized,
    /// 403: the credentials may not read this job.
    Forbidden,
    /// 404: no such job.
    NotFound,
    /// 429: too many requests.
    RateLimited,
    /// 5xx or 408.
    ServerError,
    /// Not the job's JSON.
    BadResponse,
    /// Larger than `grid.max_response_bytes`.
    TooLarge,
    /// Anything else.
    Other,
}

impl PollFailure {
    /// All reasons, in the order in which they are documented.
    pub const ALL: [Self; 13] = [
        Self::Timeout,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Redirect,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::RateLimited,
        Self::ServerError,
        Self::BadResponse,
        Self::TooLarge,
        Self::Other,
    ];

    /// The label's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Redirect => "redirect",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::BadResponse => "bad_response",
            Self::TooLarge => "too_large",
            Self::Other => "other",
        }
    }

    /// True if the failure itself shows that the API works and takes our credentials (404 and 429): such an answer
    /// counts for `grid_bulk_up`.
    #[must_use]
    pub const fn shows_api_up(self) -> bool {
        matches!(self, Self::NotFound | Self::RateLimited)
    }
}
