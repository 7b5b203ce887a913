//! URLs that the configuration gives: the API's, the proxy's, the exporter's own.
//!
//! Called by `file`, `merge` and `cli`. A URL that could hold a password is never quoted in a message.

use super::error::quoted;
use url::{Host, Url};

/// The API's address: http or https, a host, no user, no query, no fragment; the slash at its end is taken off.
pub fn parse_base_url(text: &str) -> Result<Url, String> {
    let mut url = parse_http(text, "https://api.lightspark.com/grid/2025-10-13")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "has a user or password in it; leave them out and give client_id and client_secret".to_owned()
        );
    }
    without_query(&url)?;
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// An HTTP proxy's address: http or https, may have user and password, no path.
pub fn parse_proxy_url(text: &str) -> Result<Url, String> {
    let url = parse_http(text, "http://proxy:3128")?;
    without_query(&url)?;
    if url.path() != "/" {
        return Err("has a path; a proxy is scheme, host and port, such as http://proxy:3128".to_owned());
    }
    Ok(url)
}

/// The address of a list of jobs; may have a query, which may hold a token.
pub fn parse_list_url(text: &str) -> Result<Url, String> {
    let url = parse_http(text, "https://imports.example.com/jobs")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user or password in it; leave them out and give basic_auth".to_owned());
    }
    if url.fragment().is_some() {
        return Err("has a fragment (`#…`); write the URL without it".to_owned());
    }
    Ok(url)
}

/// The address under which users reach the exporter.
pub fn parse_external_url(text: &str) -> Result<Url, String> {
    let url = parse_http(text, "https://example.com/grid")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user or password in it; leave them out".to_owned());
    }
    without_query(&url)?;
    Ok(url)
}

/// True if what is sent to `url` leaves this machine unencrypted.
#[must_use]
pub fn is_plain_over_network(url: &Url) -> bool {
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    };
    url.scheme() == "http" && !is_local
}

fn parse_http(text: &str, example: &str) -> Result<Url, String> {
    if text.is_empty() {
        return Err(format!("is empty; write a whole URL such as {example}"));
    }
    let harmless = !text.contains(['@', '?', '#']);
    let subject = if harmless { quoted(text) } else { "the URL".to_owned() };
    if text.trim() != text || text.contains(char::is_control) {
        return Err(format!("{subject} has white space or control characters; write {example}"));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(format!("{subject} has no scheme; write a whole URL such as {example}"));
    };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(format!(
            "{subject} does not begin with http:// or https://; write one such as {example}"
        ));
    }
    if rest.is_empty() || rest.starts_with(['/', '?', '#']) {
        return Err(format!("{subject} has no host; write a whole URL such as {example}"));
    }
    Url::parse(text).map_err(|error| format!("{subject} is not a URL ({error}); write one such as {example}"))
}

fn without_query(url: &Url) -> Result<(), String> {
    if url.query().is_some() {
        return Err("has a query (`?…`); write the URL without it".to_owned());
    }
    if url.fragment().is_some() {
        return Err("has a fragment (`#…`); write the URL without it".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slash_at_the_end_goes() {
        for text in ["https://h/grid/v1/", "https://h/grid/v1", "HTTPS://h/grid/v1//"] {
            assert_eq!(parse_base_url(text).unwrap().as_str(), "https://h/grid/v1");
        }
        assert_eq!(parse_base_url("http://127.0.0.1:8080").unwrap().path(), "/");
    }

    #[test]
    fn what_is_no_http_address_is_refused() {
        for (text, part) in [
            ("api.lightspark.com/grid", "has no scheme"),
            ("localhost:8080", "has no scheme"),
            ("", "is empty"),
            ("ftp://h", "does not begin with http"),
            ("file:///etc/passwd", "does not begin with http"),
            ("https://", "has no host"),
            ("https:///grid", "has no host"),
            ("https://h:99999", "is not a URL"),
            ("https://h/?a=b", "has a query"),
            ("https://h/?", "has a query"),
            ("https://h/#a", "has a fragment"),
            (" https://h", "white space"),
        ] {
            let message = parse_base_url(text).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn passwords_in_urls_are_never_shown() {
        for text in
            ["https://user:hunter2@h", "ftp://user:hunter2@h", "user:hunter2@h", "https://h/?key=hunter2"]
        {
            let lists = text.contains('@').then(|| parse_list_url(text));
            let parsed = [parse_base_url(text), parse_external_url(text)].into_iter().chain(lists);
            for message in parsed.map(Result::unwrap_err) {
                assert!(!message.contains("hunter2"), "{message}");
            }
        }
        assert!(!parse_proxy_url("socks5://user:hunter2@h").unwrap_err().contains("hunter2"));
        assert_eq!(parse_proxy_url("http://user:pass@proxy:3128").unwrap().username(), "user");
    }

    #[test]
    fn only_http_beyond_this_machine_is_plain() {
        for (text, plain) in [
            ("http://api.example.com", true),
            ("https://api.example.com", false),
            ("http://localhost:1", false),
            ("http://127.9.9.9", false),
            ("http://[::1]:1", false),
            ("http://10.0.0.1", true),
        ] {
            assert_eq!(is_plain_over_network(&Url::parse(text).unwrap()), plain, "{text}");
        }
    }
}
