//! Whose numbers a file holds: numbers of two accounts are never mixed.
//!
//! The API's address decides, without a version at its end (`…/grid/2025-10-13`), which changes while the account
//! stays: a file of another API is refused. Which account a token belongs to nobody can see; tokens are replaced now
//! and then, and refusing them would mean an outage after each. So under another token the row counters begin at 0,
//! which `increase()` understands, and the jobs stay: their ids are unique, and those that the new account does not
//! know are answered with 404.

use url::Url;

/// Whose numbers they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The API's address, without version.
    pub api: String,
    /// A checksum of the token's id.
    pub token: u32,
}

impl Identity {
    /// Of this address and token.
    #[must_use]
    pub fn new(base_url: &Url, token: u32) -> Self {
        Self { api: without_version(base_url), token }
    }
}

/// The address without a date as the last part of its path.
#[must_use]
pub fn without_version(base_url: &Url) -> String {
    let text = base_url.as_str().trim_end_matches('/');
    match text.rsplit_once('/') {
        Some((before, last)) if is_date(last) => before.to_owned(),
        Some(_) | None => text.to_owned(),
    }
}

/// `2025-10-13`
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_number =
        |part: &str, digits: usize| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
    matches!(parts.as_slice(), [year, month, day] if is_number(year, 4) && is_number(month, 2) && is_number(day, 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_the_api_is_no_other_api() {
        for (url, api) in [
            ("https://api.lightspark.com/grid/2025-10-13", "https://api.lightspark.com/grid"),
            ("https://api.lightspark.com/grid/2026-01-01/", "https://api.lightspark.com/grid"),
            ("http://127.0.0.1:8080/grid/rc", "http://127.0.0.1:8080/grid/rc"),
            ("http://proxy/2025-10-13/b", "http://proxy/2025-10-13/b"),
            ("http://proxy", "http://proxy"),
        ] {
            assert_eq!(without_version(&url.parse().unwrap()), api);
        }
    }
}
