//! `upload --register URL`: names the import to a running exporter by its admin API. Called by `upload`.
//!
//! A `PUT` says the same each time, so that it is tried again where the upload itself never is. Where the exporter is one
//! of several shards, `{shard}` in the URL stands for the number that the 421 tells.

use crate::config::TlsConfig;
use crate::grid::error::causes;
use crate::job::{JobId, Labels};
use crate::telemetry::own::build;
use crate::tls;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;
use tokio::time::sleep;
use url::Url;

/// Stands in a URL for the number of the shard.
const SHARD: &str = "{shard}";

/// Of one request, its answer included.
const TIME_LIMIT: Duration = Duration::from_secs(15);

/// How often it is tried, and how long between.
const ATTEMPTS: u32 = 3;
const WAIT: Duration = Duration::from_secs(1);

/// Where the exporter is. It may hold a password: there is no `Display`, and `Debug` shows nothing.
#[derive(Clone)]
pub(in crate::cli) struct Target(String);

impl std::fmt::Debug for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("<URL>")
    }
}

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let target = Self(text.to_owned());
        let wrong = "it is not the URL of an exporter; write one such as http://localhost:10310";
        let url = target.url(0).ok_or(wrong)?;
        let is_whole = matches!(url.scheme(), "http" | "https") && url.has_host();
        if is_whole && url.query().is_none() && url.fragment().is_none() { Ok(target) } else { Err(wrong) }
    }
}

impl Target {
    fn url(&self, shard: u64) -> Option<Url> {
        self.0.replace(SHARD, &shard.to_string()).parse().ok()
    }

    /// The address without user and password.
    fn shown(url: &Url) -> String {
        let mut url = url.clone();
        // An error means that it can have none.
        let _none = (url.set_username(""), url.set_password(None));
        url.to_string()
    }

    /// Names the import there; gives the exporter's address, or why it is not watched now.
    pub(super) async fn register(&self, id: &JobId, labels: &Labels) -> Result<String, String> {
        let tls =
            tls::client_config(&TlsConfig::default(), "--register").map_err(|error| error.to_string())?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(format!("grid-bulk-exporter/{}", build::VERSION))
            .timeout(TIME_LIMIT)
            .no_proxy()
            .build()
            .map_err(|_| "the HTTP client can't be set up".to_owned())?;
        let labels: BTreeMap<_, _> = labels.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let body = serde_json::json!({ "labels": labels }).to_string();
        let mut shard = 0;
        let mut attempt = 0;
        let mut moved = false;
        loop {
            let Some(mut url) = self.url(shard) else { return Err("the URL can't be used".to_owned()) };
            let shown = Self::shown(&url);
            let prefix = url.path().trim_end_matches('/').to_owned();
            url.set_path(&format!(
                "{prefix}/api/v1/jobs/{}",
                utf8_percent_encode(id.as_str(), NON_ALPHANUMERIC)
            ));
            let sent = http.put(url).header(CONTENT_TYPE, "application/json").body(body.clone()).send().await;
            let fault = match sent {
                Ok(answer) if answer.status().is_success() => return Ok(shown),
                Ok(answer) => {
                    let status = answer.status();
                    let problem = problem(answer).await;
                    if status == StatusCode::MISDIRECTED_REQUEST
                        && let Some(right) = problem.shard
                        && self.0.contains(SHARD)
                        && !moved
                    {
                        (shard, moved) = (right, true);
                        continue;
                    }
                    let fault = format!("{shown} answers {}{}", status.as_u16(), problem.in_words());
                    if !status.is_server_error() {
                        return Err(fault);
                    }
                    fault
                }
                Err(error) if error.is_timeout() => format!("{shown} does not answer within {TIME_LIMIT:?}"),
                Err(error) if error.is_connect() => format!("{shown} can't be reached{}", cause(&error)),
                Err(error) => format!("{shown} does not answer as an exporter does{}", cause(&error)),
            };
            attempt += 1;
            if attempt == ATTEMPTS {
                return Err(fault);
            }
            sleep(WAIT).await;
        }
    }
}

/// What the fault came from, such as a certificate that nobody vouches for. The outermost text has the URL, and is left out.
fn cause(error: &reqwest::Error) -> String {
    causes(error).skip(1).last().map(|cause| format!(": {cause}")).unwrap_or_default()
}

/// What the exporter says is wrong.
#[derive(Default, serde::Deserialize)]
struct Problem {
    detail: Option<String>,
    shard: Option<u64>,
}

impl Problem {
    fn in_words(&self) -> String {
        let detail = self.detail.as_deref().unwrap_or_default();
        let shown: String = detail.chars().filter(|c| !c.is_control()).take(300).collect();
        let shard = if self.shard.is_some() {
            " Where shards have hosts of their own, write {shard} for the number in --register."
        } else {
            ""
        };
        if shown.is_empty() { String::new() } else { format!(": {shown}{shard}") }
    }
}

async fn problem(mut answer: reqwest::Response) -> Problem {
    let mut body = Vec::new();
    while let Ok(Some(piece)) = answer.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() > 64 << 10 {
            break;
        }
    }
    serde_json::from_slice(&body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_with_shard_and_user_and_its_password_is_not_shown() {
        for text in ["http://h:10310", "https://u:pw@h/prefix/", "http://exporter-{shard}.exporter:10310"] {
            let target: Target = text.parse().unwrap();
            let shown = Target::shown(&target.url(7).unwrap());
            assert!(!shown.contains("pw") && !format!("{target:?}").contains("pw"), "{shown}");
        }
        let target: Target = "http://exporter-{shard}.exporter:10310".parse().unwrap();
        assert_eq!(target.url(7).unwrap().host_str(), Some("exporter-7.exporter"));
        for text in ["", "h:10310", "ftp://h", "http://h/?a=b", "file:///x", "http://"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
