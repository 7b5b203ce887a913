//! Texts of the web flags: listen addresses, telemetry path, route prefix. Each error ends with what would be right.

use std::net::Ipv6Addr;

/// Paths that the exporter has itself, and below which the metrics can't lie.
const TAKEN: [&str; 6] = ["/-", "/api", "/jobs", "/probe", "/webhooks", "/static"];

/// Checks `host:port`, `:port` or `[v6]:port` and gives it back.
pub(super) fn parse_address(text: &str) -> Result<String, String> {
    split_address(text).map(|_| text.to_owned())
}

/// Host (without brackets; empty for all addresses) and port.
pub(super) fn split_address(text: &str) -> Result<(&str, u16), String> {
    let example = "write host:port, :port or [::]:port, such as :10310";
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(format!("it has no port; {example}"));
    };
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let Some(port) = port.parse::<u16>().ok().filter(|_| is_number) else {
        return Err(format!("its port is not a number from 0 to 65535; {example}"));
    };
    if let Some(inner) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return match inner.parse::<Ipv6Addr>() {
            Ok(_) => Ok((inner, port)),
            Err(_) => Err(format!("what is in brackets is not an IPv6 address; {example}")),
        };
    }
    if host.contains(':') {
        return Err("an IPv6 address needs brackets, as in [::1]:10310".to_owned());
    }
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')) {
        return Err(format!("its host is not a name or address; {example}"));
    }
    Ok((host, port))
}

/// A path for the metrics: below `/`, and not one of the exporter's own.
pub(super) fn parse_telemetry_path(text: &str) -> Result<String, String> {
    let example = "write a path such as /metrics";
    if !text.starts_with('/') {
        return Err(format!("it does not begin with `/`; {example}"));
    }
    if text == "/" {
        return Err(format!("`/` is the exporter's own page; {example}"));
    }
    if text.ends_with('/') {
        return Err(format!("it ends with `/`; {example}"));
    }
    check_segments(text, example)?;
    let taken = TAKEN.iter().find(|taken| {
        text.strip_prefix(**taken).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    match taken {
        Some(taken) => Err(format!("{taken} is the exporter's own; {example}")),
        None => Ok(text.to_owned()),
    }
}

/// A prefix of all paths, as Prometheus normalises it: `grid`, `/grid` and `/grid/` are `/grid`; `/` is none.
pub(super) fn parse_route_prefix(text: &str) -> Result<String, String> {
    let inner = text.trim_matches('/');
    if inner.is_empty() {
        return Ok(String::new());
    }
    let prefix = format!("/{inner}");
    check_segments(&prefix, "write a path such as /grid")?;
    Ok(prefix)
}

/// Only what a path can hold unescaped, so that what is typed is what is compared with requests.
fn check_segments(path: &str, example: &str) -> Result<(), String> {
    let permitted =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b'~' | b'+');
    if !path.bytes().all(permitted) {
        return Err(format!("it has characters other than letters, digits and `/.-_~+`; {example}"));
    }
    if path.split('/').skip(1).any(|segment| matches!(segment, "" | "." | "..")) {
        return Err(format!("it has an empty or relative part; {example}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_of_an_address_are_taken() {
        for (text, host, port) in [
            (":10310", "", 10310),
            ("127.0.0.1:0", "127.0.0.1", 0),
            ("localhost:65535", "localhost", 65535),
            ("[::]:10310", "::", 10310),
            ("[fe80::1]:1", "fe80::1", 1),
        ] {
            assert_eq!(split_address(text), Ok((host, port)), "{text}");
        }
    }

    #[test]
    fn other_addresses_are_refused() {
        for (text, part) in [
            ("10310", "no port"),
            ("", "no port"),
            ("host:", "not a number"),
            (":65536", "not a number"),
            (":+1", "not a number"),
            ("::1:10310", "needs brackets"),
            ("[::g]:1", "not an IPv6"),
            ("http://h:1", "needs brackets"),
            ("a b:1", "not a name"),
        ] {
            let message = split_address(text).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn the_telemetry_path_is_none_of_ours() {
        for text in [
            "metrics",
            "/",
            "/metrics/",
            "/-/healthy",
            "/api/v1/jobs",
            "/probe",
            "/a b",
            "/a//b",
            "/../x",
            "/a?b",
        ] {
            assert!(parse_telemetry_path(text).is_err(), "{text}");
        }
        for text in ["/metrics", "/metrics/grid", "/apix", "/m-1"] {
            assert_eq!(parse_telemetry_path(text), Ok(text.to_owned()));
        }
    }

    #[test]
    fn the_route_prefix_is_normalised_as_in_prometheus() {
        for text in ["grid", "/grid", "/grid/", "//grid//"] {
            assert_eq!(parse_route_prefix(text), Ok("/grid".to_owned()), "{text}");
        }
        assert_eq!(parse_route_prefix("/"), Ok(String::new()));
        assert!(parse_route_prefix("/a/../b").is_err());
    }
}
