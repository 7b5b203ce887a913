//! Every key of the configuration file: type, default, bounds, meaning. The one home of these facts.
//!
//! `file` reads by it, unknown keys are measured against it, and the table in `docs/configuration.md` is printed
//! from it (a test compares).

use super::values::{show_duration, show_size};
use std::time::Duration;

/// A key whose value has a default and bounds.
#[derive(Debug)]
pub struct Bounded<T> {
    /// Full name, with dots.
    pub path: &'static str,
    /// The value where the file has none.
    pub default: T,
    /// The least that is taken.
    pub least: T,
    /// The most that is taken.
    pub most: T,
    /// What it is for.
    pub meaning: &'static str,
}

/// A key without bounds.
#[derive(Debug)]
pub struct Plain {
    /// Full name, with dots; `[]` stands for each item of a list.
    pub path: &'static str,
    /// The type in words.
    pub type_name: &'static str,
    /// The default in words; empty if there is none.
    pub default: &'static str,
    /// What it is for.
    pub meaning: &'static str,
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const DAY: u64 = 24 * 3600;

/// `grid.connect_timeout`
pub const CONNECT_TIMEOUT: Bounded<Duration> = Bounded {
    path: "grid.connect_timeout",
    default: seconds(5),
    least: Duration::from_millis(1),
    most: seconds(600),
    meaning: "Time until a connection to the API stands, TLS included.",
};
/// `grid.timeout`
pub const TIMEOUT: Bounded<Duration> = Bounded {
    path: "grid.timeout",
    default: seconds(10),
    least: Duration::from_millis(1),
    most: seconds(600),
    meaning: "Time until the head of an answer is there.",
};
/// `grid.read_idle_timeout`
pub const READ_IDLE_TIMEOUT: Bounded<Duration> = Bounded {
    path: "grid.read_idle_timeout",
    default: seconds(10),
    least: Duration::from_millis(1),
    most: seconds(600),
    meaning: "Time between two pieces of an answer's body.",
};
/// `grid.max_duration`
pub const MAX_DURATION: Bounded<Duration> = Bounded {
    path: "grid.max_duration",
    default: seconds(300),
    least: Duration::from_millis(1),
    most: seconds(DAY),
    meaning: "Time for a whole answer, from request to last byte.",
};
/// `grid.max_response_bytes`
pub const MAX_RESPONSE_BYTES: Bounded<u64> = Bounded {
    path: "grid.max_response_bytes",
    default: 1 << 30,
    least: 1 << 10,
    most: 1 << 40,
    meaning: "The most bytes of an answer's body, unpacked.",
};
/// `poll.interval`
pub const INTERVAL: Bounded<Duration> = Bounded {
    path: "poll.interval",
    default: seconds(30),
    least: seconds(1),
    most: seconds(DAY),
    meaning: "How often each job is polled. Make it no longer than Prometheus's `scrape_interval`.",
};
/// `poll.concurrency`
pub const CONCURRENCY: Bounded<u64> = Bounded {
    path: "poll.concurrency",
    default: 16,
    least: 1,
    most: 1024,
    meaning: "Polls under way at once.",
};
/// `poll.max_requests_per_second`
pub const MAX_REQUESTS_PER_SECOND: Bounded<f64> = Bounded {
    path: "poll.max_requests_per_second",
    default: 50.0,
    least: 0.001,
    most: 100_000.0,
    meaning: "Requests sent to the API a second, over all jobs; may have a fraction.",
};
/// `limits.jobs`
pub const JOBS_LIMIT: Bounded<u64> = Bounded {
    path: "limits.jobs",
    default: 100_000,
    least: 1,
    most: 1_000_000,
    meaning: "Jobs watched at once.",
};
/// `limits.error_codes_per_job`
pub const ERROR_CODES_LIMIT: Bounded<u64> = Bounded {
    path: "limits.error_codes_per_job",
    default: 20,
    least: 1,
    most: 1000,
    meaning: "Error codes told apart in a job's series; later ones are counted as `other`.",
};
/// `job_http[].refresh_interval`
pub const HTTP_REFRESH_INTERVAL: Bounded<Duration> = Bounded {
    path: "job_http[].refresh_interval",
    default: seconds(60),
    least: seconds(1),
    most: seconds(DAY),
    meaning: "How often the list is asked for.",
};
/// `job_http[].timeout`
pub const HTTP_TIMEOUT: Bounded<Duration> = Bounded {
    path: "job_http[].timeout",
    default: seconds(10),
    least: Duration::from_millis(1),
    most: seconds(600),
    meaning: "Time for a whole answer; `refresh_interval` if that is shorter.",
};
/// `job_http[].max_response_bytes`
pub const HTTP_MAX_RESPONSE_BYTES: Bounded<u64> = Bounded {
    path: "job_http[].max_response_bytes",
    default: 32 << 20,
    least: 1 << 10,
    most: 1 << 30,
    meaning: "The most bytes of an answer.",
};
/// `retention`
pub const RETENTION: Bounded<Duration> = Bounded {
    path: "retention",
    default: seconds(DAY),
    least: Duration::ZERO,
    most: seconds(365 * DAY),
    meaning: "How long a job that only the admin API or a webhook names stays published after the exporter saw it end, or after \
              the API began to answer 404 for it. All others stay as long as they are named, and go at once after.",
};

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub enum Key {
    /// A duration.
    Duration(&'static Bounded<Duration>),
    /// A number of bytes.
    Size(&'static Bounded<u64>),
    /// A whole number.
    Count(&'static Bounded<u64>),
    /// A number.
    Number(&'static Bounded<f64>),
    /// Anything else.
    Plain(&'static Plain),
}

pub(super) const fn plain(
    path: &'static str,
    type_name: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Plain {
    Plain { path, type_name, default, meaning }
}

/// All keys, in the order of the documentation.
pub const KEYS: [Key; 54] = [
    Key::Plain(&plain("grid", "mapping", "", "How to reach the Grid API.")),
    Key::Plain(&plain(
        "grid.base_url",
        "URL",
        "`https://api.lightspark.com/grid/2025-10-13`",
        "`http://` or `https://`, host and path under which the API lies; no query, no user. The variable `LIGHTSPARK_GRID_BASE_URL` beats it.",
    )),
    Key::Plain(&plain(
        "grid.client_id",
        "text",
        "",
        "Id of the API token. The variable `GRID_CLIENT_ID` beats it.",
    )),
    Key::Plain(&plain(
        "grid.client_id_file",
        "path",
        "",
        "File that holds the id, instead of `client_id`. Read again when it changes; white space at its end is ignored.",
    )),
    Key::Plain(&plain(
        "grid.client_secret",
        "secret",
        "",
        "Secret of the API token. The variable `GRID_CLIENT_SECRET` beats it.",
    )),
    Key::Plain(&plain(
        "grid.client_secret_file",
        "path",
        "",
        "File that holds the secret, instead of `client_secret`. Read again when it changes; white space at its end is ignored.",
    )),
    Key::Duration(&CONNECT_TIMEOUT),
    Key::Duration(&TIMEOUT),
    Key::Duration(&READ_IDLE_TIMEOUT),
    Key::Duration(&MAX_DURATION),
    Key::Size(&MAX_RESPONSE_BYTES),
    Key::Plain(&plain("grid.tls_config", "mapping", "", "TLS towards the API.")),
    Key::Plain(&plain(
        "grid.tls_config.ca_file",
        "path",
        "the system's authorities",
        "Authorities to trust instead of the system's (PEM).",
    )),
    Key::Plain(&plain(
        "grid.tls_config.cert_file",
        "path",
        "",
        "Our certificate and its chain (PEM); together with `key_file`.",
    )),
    Key::Plain(&plain(
        "grid.tls_config.key_file",
        "path",
        "",
        "The certificate's private key (PEM); together with `cert_file`.",
    )),
    Key::Plain(&plain(
        "grid.tls_config.server_name",
        "host name",
        "the host of `base_url`",
        "The name that the API's certificate must have.",
    )),
    Key::Plain(&plain(
        "grid.tls_config.insecure_skip_verify",
        "boolean",
        "`false`",
        "Accept any certificate. For tests only: whoever is in between can read the secret.",
    )),
    Key::Plain(&plain(
        "grid.proxy_url",
        "URL",
        "",
        "HTTP proxy for all requests (`http://` or `https://`, may have user and password).",
    )),
    Key::Plain(&plain("poll", "mapping", "", "When and how fast to poll.")),
    Key::Duration(&INTERVAL),
    Key::Count(&CONCURRENCY),
    Key::Number(&MAX_REQUESTS_PER_SECOND),
    Key::Plain(&plain("limits", "mapping", "", "What bounds memory and the number of series.")),
    Key::Count(&JOBS_LIMIT),
    Key::Count(&ERROR_CODES_LIMIT),
    Key::Plain(&plain(
        "jobs",
        "list",
        "",
        "Jobs to watch: ids, or mappings of `id` and `labels`. Adds up with `--job` and `GRID_JOBS`.",
    )),
    Key::Plain(&plain("jobs[].id", "text", "", "The job's id as the API gave it.")),
    Key::Plain(&plain(
        "jobs[].labels",
        "mapping",
        "",
        "Labels of the job's `grid_bulk_job_info`, such as `name` and `team`.",
    )),
    Key::Plain(&plain(
        "job_files",
        "list of paths",
        "",
        "Files of jobs in Prometheus's `file_sd` format, ending in `.json`, `.yml` or `.yaml`; `*` may stand once, in the file's name. Changes are seen at once.",
    )),
    Key::Plain(&plain(
        "job_http",
        "list",
        "",
        "Servers that answer with jobs in Prometheus's `http_sd` format.",
    )),
    Key::Plain(&plain(
        "job_http[].url",
        "URL",
        "",
        "Where the list is; `http://` or `https://`, no user, may have a query.",
    )),
    Key::Duration(&HTTP_REFRESH_INTERVAL),
    Key::Duration(&HTTP_TIMEOUT),
    Key::Size(&HTTP_MAX_RESPONSE_BYTES),
    Key::Plain(&plain("job_http[].basic_auth", "mapping", "", "HTTP Basic; excludes `authorization`.")),
    Key::Plain(&plain("job_http[].basic_auth.username", "text", "", "The user's name.")),
    Key::Plain(&plain("job_http[].basic_auth.password", "secret", "", "The user's password.")),
    Key::Plain(&plain(
        "job_http[].basic_auth.password_file",
        "path",
        "",
        "File that holds the password, instead of `password`. Read for each request; white space at its end is ignored.",
    )),
    Key::Plain(&plain(
        "job_http[].authorization",
        "mapping",
        "",
        "A header `Authorization`; excludes `basic_auth`.",
    )),
    Key::Plain(&plain("job_http[].authorization.type", "text", "`Bearer`", "The scheme.")),
    Key::Plain(&plain("job_http[].authorization.credentials", "secret", "", "What follows the scheme.")),
    Key::Plain(&plain(
        "job_http[].authorization.credentials_file",
        "path",
        "",
        "File that holds it, instead of `credentials`. Read for each request; white space at its end is ignored.",
    )),
    Key::Plain(&plain(
        "job_http[].tls_config",
        "mapping",
        "",
        "TLS towards the server, with the keys of `grid.tls_config`.",
    )),
    Key::Plain(&plain(
        "job_http[].tls_config.ca_file",
        "path",
        "the system's authorities",
        "Authorities to trust instead of the system's (PEM).",
    )),
    Key::Plain(&plain(
        "job_http[].tls_config.cert_file",
        "path",
        "",
        "Our certificate and its chain (PEM); together with `key_file`.",
    )),
    Key::Plain(&plain(
        "job_http[].tls_config.key_file",
        "path",
        "",
        "The certificate's private key (PEM); together with `cert_file`.",
    )),
    Key::Plain(&plain(
        "job_http[].tls_config.server_name",
        "host name",
        "the host of `url`",
        "The name that the server's certificate must have.",
    )),
    Key::Plain(&plain(
        "job_http[].tls_config.insecure_skip_verify",
        "boolean",
        "`false`",
        "Accept any certificate. For tests only.",
    )),
    Key::Plain(&plain(
        "webhook",
        "mapping",
        "",
        "Takes Grid's webhooks in, on a port of its own. The limits of `grid` on size and time hold for their bodies, too.",
    )),
    Key::Plain(&plain(
        "webhook.listen_address",
        "address",
        "",
        "Where they are taken in, and nothing else: `host:port`, `:port` or `[::]:port`. Must be given.",
    )),
    Key::Plain(&plain("webhook.path", "path", "`/webhooks/grid`", "Where they are posted to.")),
    Key::Plain(&plain(
        "webhook.public_key_files",
        "list of paths",
        "",
        "Files of P-256 public keys (PEM), from Grid's dashboard; a webhook must be signed by one of them. There may be several in a file. Read again when they change. Must be given.",
    )),
    Key::Plain(&plain(
        "webhook.tls_server_config",
        "mapping",
        "",
        "TLS on that port, with the keys that `tls_server_config` of the web configuration file has ([docs/security.md](security.md)). Without it plain HTTP, for a proxy on the same host.",
    )),
    Key::Duration(&RETENTION),
];

impl Key {
    /// Full name, with dots; `[]` stands for each item of a list.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Duration(key) => key.path,
            Self::Size(key) | Self::Count(key) => key.path,
            Self::Number(key) => key.path,
            Self::Plain(key) => key.path,
        }
    }

    /// The type, with its bounds, in words.
    #[must_use]
    pub fn type_name(self) -> String {
        match self {
            Self::Duration(key) => {
                format!("duration, {} to {}", show_duration(key.least), show_duration(key.most))
            }
            Self::Size(key) => format!("size, {} to {}", show_size(key.least), show_size(key.most)),
            Self::Count(key) => format!("whole number, {} to {}", key.least, key.most),
            Self::Number(key) => format!("number, {} to {}", key.least, key.most),
            Self::Plain(key) => key.type_name.to_owned(),
        }
    }

    /// The default, as it would be written; empty if there is none.
    #[must_use]
    pub fn default_text(self) -> String {
        match self {
            Self::Duration(key) => format!("`{}`", show_duration(key.default)),
            Self::Size(key) => format!("`{}`", show_size(key.default)),
            Self::Count(key) => format!("`{}`", key.default),
            Self::Number(key) => format!("`{}`", key.default),
            Self::Plain(key) => key.default.to_owned(),
        }
    }

    /// What it is for.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Duration(key) => key.meaning,
            Self::Size(key) | Self::Count(key) => key.meaning,
            Self::Number(key) => key.meaning,
            Self::Plain(key) => key.meaning,
        }
    }
}

/// The keys of `table` that stand directly under `section` (empty for the top level), by their last name.
pub(super) fn under(table: &'static [Key], section: &str) -> impl Iterator<Item = &'static str> {
    table.iter().filter_map(move |key| {
        let (parent, name) = split(key.path());
        (parent == section).then_some(name)
    })
}

/// The sections of `table` in which a key of this last name stands.
pub(super) fn sections_of(table: &'static [Key], name: &str) -> impl Iterator<Item = &'static str> {
    table.iter().filter_map(move |key| {
        let (parent, last) = split(key.path());
        (last == name && !parent.contains('[')).then_some(parent)
    })
}

/// Section and last name of a path.
pub(super) fn split(path: &'static str) -> (&'static str, &'static str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_stands_in_the_table_once_and_under_a_section_of_it() {
        let paths: Vec<_> = KEYS.iter().map(|key| key.path()).collect();
        for path in &paths {
            assert_eq!(paths.iter().filter(|other| *other == path).count(), 1, "{path}");
            let parent = split(path).0.trim_end_matches("[]");
            assert!(parent.is_empty() || paths.contains(&parent), "{path}");
        }
    }

    #[test]
    fn defaults_lie_within_their_bounds() {
        for key in KEYS {
            match key {
                Key::Duration(key) => assert!((key.least..=key.most).contains(&key.default), "{}", key.path),
                Key::Size(key) | Key::Count(key) => {
                    assert!((key.least..=key.most).contains(&key.default), "{}", key.path);
                }
                Key::Number(key) => assert!((key.least..=key.most).contains(&key.default), "{}", key.path),
                Key::Plain(key) => assert!(!key.meaning.is_empty(), "{}", key.path),
            }
        }
    }
}
