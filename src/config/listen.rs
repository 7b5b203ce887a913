//! Texts of where we listen: addresses, and the segments of paths. Each error ends with what would be right.
//!
//! Called by `cli` for the flags of the web server, and by `webhook` for the file's.

use std::net::Ipv6Addr;

/// Checks `host:port`, `:port` or `[v6]:port` and gives it back.
pub(crate) fn parse_address(text: &str) -> Result<String, String> {
    split_address(text).map(|_| text.to_owned())
}

/// Host (without brackets; empty for all addresses) and port.
pub(crate) fn split_address(text: &str) -> Result<(&str, u16), String> {
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

/// Only what a path can hold unescaped, so that what is typed is what is compared with requests.
pub(crate) fn check_segments(path: &str, example: &str) -> Result<(), String> {
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
}
