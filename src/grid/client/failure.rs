//! Says what went wrong, in one line, and as which [`PollFailure`] it counts.
//!
//! Called by `client` and its `body`. The HTTP library's own texts are not shown, as they hold URLs: the causes that
//! we know are searched for in the chain of sources, by type.

use super::resolver::UnknownHost;
use crate::config::GridConfig;
use crate::grid::error::{ApiError, causes};
use crate::grid::parse::ParseError;
use crate::job::{Inconsistency, PollFailure};
use std::error::Error;
use std::io;
use std::time::Duration;
use url::Url;

/// Knows the limits and the host that errors name.
#[derive(Clone, Debug)]
pub(super) struct Failures {
    host: String,
    has_proxy: bool,
    connect_timeout: Duration,
    timeout: Duration,
    idle_limit: Duration,
    duration_limit: Duration,
    size_limit: u64,
}

impl Failures {
    pub(super) fn new(grid: &GridConfig) -> Self {
        let host = grid.base_url.host_str().unwrap_or_default();
        let host = match grid.base_url.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Self {
            host,
            has_proxy: grid.proxy_url.is_some(),
            connect_timeout: grid.connect_timeout,
            timeout: grid.timeout,
            idle_limit: grid.read_idle_timeout,
            duration_limit: grid.max_duration,
            size_limit: grid.max_response_bytes,
        }
    }

    /// `api.lightspark.com:443`, and whether a proxy lies between.
    fn target(&self) -> String {
        if self.has_proxy { format!("{} through grid.proxy_url", self.host) } else { self.host.clone() }
    }

    /// The request could not be sent, or its answer has no head.
    pub(super) fn of_request(&self, error: &reqwest::Error) -> ApiError {
        let target = self.target();
        if error.is_connect() && error.is_timeout() {
            let limit = self.connect_timeout;
            let text = format!("no connection to {target} within {limit:?} (grid.connect_timeout)");
            return ApiError::new(PollFailure::Timeout, text);
        }
        if let Some(UnknownHost { .. }) = find::<UnknownHost>(error) {
            let which = if self.has_proxy { "grid.proxy_url" } else { "grid.base_url" };
            let text =
                format!("the host of {which} can't be resolved; check its name and this machine's DNS");
            return ApiError::new(PollFailure::Dns, text);
        }
        if let Some(tls) = find::<rustls::Error>(error) {
            return ApiError::new(
                PollFailure::Tls,
                format!("TLS with {target} failed: {tls}{}", tls_remedy(tls)),
            );
        }
        if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
            let text =
                format!("what {target} answers is not HTTP; check the scheme and port of grid.base_url");
            return ApiError::new(PollFailure::BadResponse, text);
        }
        let what =
            if error.is_connect() { "no connection to" } else { "the connection broke before the answer of" };
        let cause = cause(error);
        if error.is_connect() || error.is_request() {
            return ApiError::new(PollFailure::Connect, format!("{what} {target}{cause}"));
        }
        ApiError::new(PollFailure::Other, format!("the request to {target} failed{cause}"))
    }

    /// The body broke after `length` bytes.
    pub(super) fn of_body(&self, error: &reqwest::Error, length: u64) -> ApiError {
        let target = self.target();
        if let Some(tls) = find::<rustls::Error>(error) {
            return ApiError::new(
                PollFailure::Tls,
                format!("TLS with {target} failed within the answer: {tls}"),
            );
        }
        if find::<hyper::Error>(error).is_none() && error.is_decode() {
            let text = format!("the body of {target} is broken gzip after {length} unpacked bytes");
            return ApiError::new(PollFailure::BadResponse, text);
        }
        let cause = cause(error);
        let text = format!("the answer of {target} broke off after {length} bytes of its body{cause}");
        ApiError::new(PollFailure::Connect, text)
    }

    /// No head in time.
    pub(super) fn no_head(&self) -> ApiError {
        let text = format!("no answer from {} within {:?} (grid.timeout)", self.target(), self.timeout);
        ApiError::new(PollFailure::Timeout, text)
    }

    /// The body stood still.
    pub(super) fn idle(&self, length: u64) -> ApiError {
        let limit = self.idle_limit;
        let text =
            format!("the body stood still for {limit:?} after {length} bytes (grid.read_idle_timeout)");
        ApiError::new(PollFailure::Timeout, text)
    }

    /// The body took too long.
    pub(super) fn too_long(&self, length: u64) -> ApiError {
        let limit = self.duration_limit;
        let text =
            format!("the body was not whole within {limit:?}, after {length} bytes (grid.max_duration)");
        ApiError::new(PollFailure::Timeout, text)
    }

    /// The body is too large.
    pub(super) fn too_large(&self) -> ApiError {
        let text = format!("the body exceeds {} bytes (grid.max_response_bytes)", self.size_limit);
        ApiError::new(PollFailure::TooLarge, text)
    }

    /// The body is packed in a way that was not asked for.
    pub(super) fn unknown_encoding(&self) -> ApiError {
        let text = format!("{} answered 200 with a Content-Encoding other than gzip", self.target());
        ApiError::new(PollFailure::BadResponse, text)
    }

    /// The body is not this job's JSON. `media_type`: what it claims to be instead of JSON.
    pub(super) fn not_a_job(&self, error: &ParseError, media_type: Option<&str>) -> ApiError {
        let text = match media_type {
            Some(media_type) => format!(
                "{} answered 200 with {media_type} instead of JSON; is a proxy or a sign-in page in between? ({error})",
                self.target()
            ),
            None => format!("{} answered 200, but {error}", self.target()),
        };
        // A count that is no number contradicts what counts are; all else is no job at all.
        let is_count = matches!(
            error,
            ParseError::TooLarge(_)
                | ParseError::WrongType { key: "total" | "processed" | "successful" | "failed", .. }
        );
        ApiError::new(PollFailure::BadResponse, text)
            .with_inconsistency(is_count.then_some(Inconsistency::Counts))
    }
}

/// What a status code other than 200 says; 304 only where no version was sent along.
pub(super) fn of_status(code: u16) -> ApiError {
    let (reason, text) = match code {
        401 => (
            PollFailure::Unauthorized,
            ": the credentials are refused; check grid.client_id and grid.client_secret",
        ),
        403 => (PollFailure::Forbidden, ": the credentials may not read this job"),
        404 => (PollFailure::NotFound, ": it knows no such job under grid.base_url"),
        429 => (PollFailure::RateLimited, ": too many requests"),
        407 => (PollFailure::Other, ": the proxy wants credentials; write them into grid.proxy_url"),
        408 => (PollFailure::ServerError, ": it waited too long for the request"),
        500..=599 => (PollFailure::ServerError, ""),
        304 => (PollFailure::BadResponse, ", unchanged, although no version was sent along"),
        200..=299 => (PollFailure::BadResponse, ", which brings no job; 200 would be right"),
        300..=399 => (PollFailure::Redirect, ", a redirect that can't be followed"),
        _ => (PollFailure::Other, ", which is not expected for a job"),
    };
    ApiError::new(reason, format!("the API answered {code}{text}"))
}

pub(super) fn too_many_redirects(limit: usize) -> ApiError {
    ApiError::new(
        PollFailure::Redirect,
        format!("the API redirected more than {limit} times; check grid.base_url"),
    )
}

pub(super) fn redirect_without_target() -> ApiError {
    ApiError::new(PollFailure::Redirect, "the API redirected without a Location that can be read")
}

/// Names the other host, which is not secret; never the rest of the URL.
pub(super) fn redirect_elsewhere(target: &Url) -> ApiError {
    let whereto = match (target.host_str(), target.port_or_known_default()) {
        (Some(host), Some(port)) if host.len() <= 253 => format!("{}://{host}:{port}", target.scheme()),
        _ => format!("a {}: URL", target.scheme().get(..16).unwrap_or(target.scheme())),
    };
    let text = format!(
        "the API redirected to {whereto}, where the credentials must not go; if that is right, set grid.base_url"
    );
    ApiError::new(PollFailure::Redirect, text)
}

/// What would help against a failure of TLS, where we know.
fn tls_remedy(error: &rustls::Error) -> &'static str {
    use rustls::CertificateError as Certificate;
    match error {
        rustls::Error::InvalidCertificate(Certificate::UnknownIssuer) => {
            "; if its authority is your own, set grid.tls_config.ca_file"
        }
        rustls::Error::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => "; if its name is right, set grid.tls_config.server_name",
        rustls::Error::AlertReceived(_) => "; the server may want grid.tls_config.cert_file and key_file",
        rustls::Error::InvalidMessage(_) => "; does this port speak TLS?",
        _ => "",
    }
}

/// The cause in a few words that hold nothing of the request: `: connection refused`.
fn cause(error: &reqwest::Error) -> String {
    if let Some(io) = find::<io::Error>(error)
        && io.get_ref().is_none()
    {
        return format!(": {}", io.kind());
    }
    match find::<hyper::Error>(error) {
        // Its own text is one of a fixed list, without its sources.
        Some(hyper) => format!(": {hyper}"),
        None => String::new(),
    }
}

/// The first cause of this type.
fn find<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}
