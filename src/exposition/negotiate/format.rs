//! Which format a scraper gets, and the exact `Content-Type` that says so.

use super::items::{Item, items};

/// A format of the exposition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's text format 0.0.4: what a browser and everything that says nothing gets.
    #[default]
    Text004,
    /// Text 1.0.0. It differs in the names that it permits, and ours are plain: the same bytes.
    Text100,
    /// OpenMetrics 0.0.1, for us the same bytes as 1.0.0.
    OpenMetrics001,
    /// OpenMetrics 1.0.0.
    OpenMetrics100,
    /// `MetricFamily` messages, each behind its length.
    Protobuf,
}

/// How names beyond `[a-zA-Z0-9_:]` are to be written. We have none, so that every scheme gives the same bytes; it is
/// repeated to who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escaping {
    /// As they are.
    AllowUtf8,
    /// With `_` in place of what is not permitted.
    Underscores,
    /// Dots as `_dot_`.
    Dots,
    /// As code points behind `U__`.
    Values,
}

/// What a scraper gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The format.
    pub format: Format,
    /// The escaping that it asked for with this format, if any.
    pub escaping: Option<Escaping>,
}

const PROTOBUF: &str = "application/vnd.google.protobuf";
const METRIC_FAMILY: &str = "io.prometheus.client.MetricFamily";

impl Format {
    /// The content type, without escaping.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text004 => "text/plain; version=0.0.4; charset=utf-8",
            Self::Text100 => "text/plain; version=1.0.0; charset=utf-8",
            Self::OpenMetrics001 => "application/openmetrics-text; version=0.0.1; charset=utf-8",
            Self::OpenMetrics100 => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    /// The format that an item asks for, and whether it names it.
    fn of(item: &Item<'_>) -> Option<(Self, bool)> {
        let is = |media_type: &str| item.value.eq_ignore_ascii_case(media_type);
        let version = item.parameter("version");
        if is("*/*") || is("text/*") {
            return Some((Self::Text004, false));
        }
        if is(PROTOBUF) {
            let is_ours = item.parameter("proto") == Some(METRIC_FAMILY)
                && item.parameter("encoding") == Some("delimited");
            return is_ours.then_some((Self::Protobuf, true));
        }
        let format = if is("text/plain") {
            match version {
                None | Some("" | "0.0.4") => Self::Text004,
                Some("1.0.0") => Self::Text100,
                Some(_) => return None,
            }
        } else if is("application/openmetrics-text") {
            match version {
                // Client libraries take the older one where none is said.
                None | Some("" | "0.0.1") => Self::OpenMetrics001,
                Some("1.0.0") => Self::OpenMetrics100,
                Some(_) => return None,
            }
        } else {
            return None;
        };
        Some((format, true))
    }
}

impl Escaping {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::AllowUtf8, Self::Underscores, Self::Dots, Self::Values];

    /// Its name in the headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }
}

impl Accepted {
    /// The best that `accept`, the header's value, permits: the highest quality, of equal ones what names a format
    /// before a wildcard, then the first. Without a match text 0.0.4, never a refusal.
    #[must_use]
    pub fn negotiate(accept: Option<&str>) -> Self {
        let mut best = (Self::default(), 0.0, false);
        for item in items(accept.unwrap_or_default()) {
            let Some((format, is_named)) = Format::of(&item) else { continue };
            let quality = item.quality();
            let (_, best_quality, best_named) = best;
            if quality > best_quality || (quality > 0.0 && quality >= best_quality && is_named && !best_named)
            {
                let asked = item.parameter("escaping");
                let escaping = Escaping::ALL.into_iter().find(|escaping| asked == Some(escaping.as_str()));
                best = (Self { format, escaping }, quality, is_named);
            }
        }
        best.0
    }

    /// The exact `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> String {
        let format = self.format.content_type();
        match self.escaping {
            None => format.to_owned(),
            Some(escaping) => format!("{format}; escaping={}", escaping.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT_004: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// Headers as they are sent, and the content type of the answer.
    #[test]
    fn each_scraper_gets_what_it_likes_best() {
        let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        let open_metrics_utf8 =
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8";
        let protobuf =
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
        for (accept, expected) in [
            // Prometheus 2.42 to 2.48.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                open_metrics,
            ),
            // The same with native histograms.
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                protobuf,
            ),
            // 2.49 and later.
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                open_metrics,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.5,application/openmetrics-text;version=1.0.0;q=0.4,application/openmetrics-text;version=0.0.1;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                protobuf,
            ),
            // 2.55 with utf8-names.
            (
                "application/openmetrics-text;version=1.0.0;validchars=utf8;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                open_metrics,
            ),
            // 3.x.
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                open_metrics_utf8,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                protobuf,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping=underscores;q=0.6,*/*;q=0.1",
                &format!("{protobuf}; escaping=underscores"),
            ),
            (
                "text/plain;version=1.0.0;escaping=dots;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.4",
                "text/plain; version=1.0.0; charset=utf-8; escaping=dots",
            ),
            (
                "text/plain;version=1.0.0;escaping=values",
                "text/plain; version=1.0.0; charset=utf-8; escaping=values",
            ),
            (
                "text/plain;version=0.0.4;escaping=values",
                "text/plain; version=0.0.4; charset=utf-8; escaping=values",
            ),
            ("text/plain;version=1.0.0;escaping=backwards", "text/plain; version=1.0.0; charset=utf-8"),
            ("application/openmetrics-text", "application/openmetrics-text; version=0.0.1; charset=utf-8"),
            ("application/openmetrics-text; version=\"1.0.0\"; charset=utf-8", open_metrics),
            ("APPLICATION/OpenMetrics-Text;VERSION=1.0.0", open_metrics),
            // A named format before a wildcard, and the first of equals.
            ("*/*, application/openmetrics-text;version=1.0.0", open_metrics),
            ("text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0", TEXT_004),
            ("text/plain;q=0, application/openmetrics-text;version=1.0.0;q=0.1", open_metrics),
            ("text/plain;q=0.1, application/openmetrics-text;version=1.0.0;q=0.2", open_metrics),
            // Browsers, curl, and what we don't have.
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
                TEXT_004,
            ),
            ("*/*", TEXT_004),
            ("text/*;q=0.5", TEXT_004),
            ("", TEXT_004),
            ("application/json", TEXT_004),
            ("text/plain;q=0", TEXT_004),
            ("text/plain;version=9.0.0", TEXT_004),
            ("application/openmetrics-text;version=2.0.0", TEXT_004),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
                TEXT_004,
            ),
            ("application/vnd.google.protobuf;encoding=delimited", TEXT_004),
            ("application/vnd.google.protobuf", TEXT_004),
            (";;;,,,=;q", TEXT_004),
        ] {
            assert_eq!(Accepted::negotiate(Some(accept)).content_type(), expected, "{accept}");
        }
        assert_eq!(Accepted::negotiate(None).content_type(), TEXT_004);
    }

    proptest! {
        #[test]
        fn any_header_gets_an_answer(header in "\\PC{0,200}|((text/plain|application/openmetrics-text|\\*/\\*|application/vnd.google.protobuf)(;(version|q|escaping|proto|encoding)=[a-z0-9.\"\\\\]{0,6}){0,4},?){0,6}") {
            let accepted = Accepted::negotiate(Some(&header));
            prop_assert!(accepted.content_type().starts_with(accepted.format.content_type()));
            prop_assert!(http::HeaderValue::try_from(accepted.content_type()).is_ok());
        }
    }
}
