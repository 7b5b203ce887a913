//! Texts of the web flags: telemetry path, route prefix; listen addresses are as in the file. Each error ends with what would be right.

use crate::config::listen::check_segments;

pub(super) use crate::config::listen::{parse_address, split_address};

/// Paths that the exporter has itself, and below which the metrics can't lie.
const TAKEN: [&str; 6] = ["/-", "/api", "/jobs", "/probe", "/webhooks", "/static"];

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

#[cfg(test)]
mod tests {
    use super::*;

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
