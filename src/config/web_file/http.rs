//! `http_server_config.headers`, `basic_auth_users` and `rate_limit`. Called by `web_file`.

use super::go::parse_go_duration;
use crate::config::error::quoted;
use crate::config::section::{self, Findings, Section};
use crate::config::values;
use crate::config::yaml::{Node, Value};
use crate::secret::Secret;
use http::{HeaderName, HeaderValue};
use std::time::Duration;

/// Somebody who may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasicUser {
    /// The name; no colon, no control character.
    pub name: String,
    /// The bcrypt hash of the password, well-formed. It is secret: a weak password can be guessed from it.
    pub hash: Secret,
    /// What a check costs: 2 to this power rounds; 4 to 31.
    pub cost: u32,
}

/// How many requests are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The time between two requests on average; never zero.
    pub interval: Duration,
    /// Requests that may come at once; 0: every request is refused.
    pub burst: u64,
}

/// A check of a password by a hash of a higher cost takes so long that it is surely a mistake.
const MOST_COST: u32 = 20;

/// From this cost on a check takes a second or more.
const SLOW_COST: u32 = 14;

/// A user's name and hash are of some hundred bytes: this is a slip of a template.
const MOST_USERS: usize = 10_000;

/// The headers that may be set, with the values that are taken; none: any.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-XSS-Protection", &[]),
    ("Strict-Transport-Security", &[]),
];

/// The headers of every response. One without a value is not set.
pub(super) fn headers(findings: &mut Findings, section: &Section<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    for (name, values) in HEADERS {
        let blank = |text: &str| text.trim().is_empty();
        let Some(entry) = section.entry(name) else { continue };
        if matches!(&entry.node.value, Value::Null) {
            continue;
        }
        let expected = if values.is_empty() { "the header's value".to_owned() } else { values.join(" or ") };
        let parsed = section.parsed(findings, name, &expected, |text| {
            if !values.is_empty() && !values.contains(&text) && !blank(text) {
                return Err(format!("is {}; write {expected}", quoted(text)));
            }
            HeaderValue::from_str(text.trim()).map_err(|_| {
                "has characters that no header can have; write it on one line, in ASCII".to_owned()
            })
        });
        if let Some((value, _)) = parsed.filter(|(value, _)| !value.is_empty())
            && let Ok(name) = HeaderName::from_bytes(name.as_bytes())
        {
            headers.push((name, value));
        }
    }
    headers
}

/// The users.
pub(super) fn users(findings: &mut Findings, node: &Node<'_>) -> Vec<BasicUser> {
    const SECTION: &str = "basic_auth_users";
    let entries = match &node.value {
        Value::Mapping(entries) => entries,
        Value::Null => return Vec::new(),
        Value::Text(_) | Value::List(_) => {
            let message = format!(
                "is {}, not a mapping; write a line `name: bcrypt hash` for each user",
                node.value.kind()
            );
            findings.fault(node.line, SECTION, message);
            return Vec::new();
        }
    };
    if entries.len() > MOST_USERS {
        let message = format!("has {} users; at most {MOST_USERS} are taken", entries.len());
        findings.fault(node.line, SECTION, message);
        return Vec::new();
    }
    let path = |name: &str| format!("{SECTION}.{}", quoted(name).trim_matches('`'));
    section::check_written_once(findings, entries, path);
    let mut users = Vec::new();
    for entry in entries {
        let name = entry.key.as_ref();
        if name.contains(':') || name.contains(char::is_control) {
            let message = "has a `:` or a control character, which no user of HTTP Basic can have; rename it";
            findings.fault(entry.key_line, path(name), message);
        }
        let checked = match &entry.node.value {
            Value::Text(hash) => check_hash(hash).map(|cost| (hash, cost)),
            other => Err(format!("is {}, not a bcrypt hash; {MAKE_ONE}", other.kind())),
        };
        match checked {
            Ok((hash, cost)) => {
                if cost > SLOW_COST {
                    let message = format!(
                        "has cost {cost}: each first request of a user takes seconds of CPU; 10 to 12 is usual"
                    );
                    findings.warn(entry.line(), path(name), message);
                }
                users.push(BasicUser { name: name.to_owned(), hash: Secret::new(hash.to_string()), cost });
            }
            Err(message) => findings.fault(entry.line(), path(name), message),
        }
    }
    users
}

/// How people make a hash; the command asks for the password.
const MAKE_ONE: &str = "make one by `htpasswd -nBC 10 \"\" | tr -d ':\\n'`, and put it in quotes";

/// The cost of a bcrypt hash. Its text is never quoted: it may be the password itself.
fn check_hash(hash: &str) -> Result<u32, String> {
    let none = || format!("is not a bcrypt hash; {MAKE_ONE}");
    let mut parts = hash.split('$');
    let (Some(""), Some(version), Some(cost), Some(rest), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(none());
    };
    if !matches!(version, "2a" | "2b" | "2x" | "2y") {
        return Err(none());
    }
    let is_two_digits = cost.len() == 2 && cost.bytes().all(|byte| byte.is_ascii_digit());
    let Some(cost) = cost.parse::<u32>().ok().filter(|_| is_two_digits) else { return Err(none()) };
    if !(4..=31).contains(&cost) {
        return Err(format!("has cost {cost}; a bcrypt hash has one from 4 to 31; {MAKE_ONE}"));
    }
    if cost > MOST_COST {
        return Err(format!("has cost {cost}, with which a check takes minutes; {MAKE_ONE}"));
    }
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/');
    if rest.len() != 53 || !rest.bytes().all(is_letter) {
        return Err(format!(
            "is a bcrypt hash that was cut or changed: 53 letters must follow the cost; {MAKE_ONE}"
        ));
    }
    Ok(cost)
}

/// The limit; nothing if the interval is 0 or not given.
pub(super) fn rate_limit(findings: &mut Findings, section: &Section<'_>) -> Option<RateLimit> {
    let interval = section.parsed(findings, "interval", "a duration such as 100ms", parse_go_duration);
    let burst = section.parsed(findings, "burst", "a whole number", |text| {
        if text.starts_with('-') {
            return Err(format!("{} is negative; write how many requests may come at once", quoted(text)));
        }
        values::parse_count(text)
    });
    let limit = interval.filter(|(interval, _)| !interval.is_zero());
    let Some((interval, line)) = limit else {
        if let (false, Some((_, line))) = (section.entry("interval").is_some(), burst) {
            let message = "has no effect without rate_limit.interval";
            findings.warn(line, "rate_limit.burst", message);
        }
        return None;
    };
    let burst = burst.map_or(0, |(burst, _)| burst);
    if burst == 0 {
        let message = "permits no request at all, as rate_limit.burst is 0: all get 429";
        findings.warn(line, "rate_limit.interval", message);
    }
    Some(RateLimit { interval, burst })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";

    #[test]
    fn hashes_of_all_makers_are_taken() {
        assert_eq!(check_hash(GOOD), Ok(10));
        for version in ["2a", "2b", "2x"] {
            assert_eq!(check_hash(&GOOD.replace("2y", version)), Ok(10));
        }
    }

    #[test]
    fn what_is_no_hash_is_refused_and_never_shown() {
        let wrong_cost = GOOD.replace("$10$", "$03$");
        let slow = GOOD.replace("$10$", "$31$");
        for text in
            ["hunter2", "", "$2y$10$", "$1$abc$def", "$2y$1$x", &wrong_cost, &slow, &GOOD[..59], "$5$a$b$c"]
        {
            let message = check_hash(text).unwrap_err();
            assert!(
                message.contains("htpasswd") && (text.is_empty() || !message.contains(text)),
                "{text}: {message}"
            );
        }
    }
}
