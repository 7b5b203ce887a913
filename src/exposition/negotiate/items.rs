//! The list that `Accept` and `Accept-Encoding` hold: values with parameters, one of which is the quality.
//!
//! Prometheus's own headers are tame, but anybody may send one: a comma or semicolon within quotes separates nothing,
//! and what can't be read is an item that nothing matches.

/// One item of the list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    /// What is accepted: a media range, a coding, or `*`.
    pub(super) value: &'a str,
    parameters: &'a str,
}

/// The items, in their order.
pub(super) fn items(header: &str) -> impl Iterator<Item = Item<'_>> {
    split(header, ',').map(|item| {
        let value = split(item, ';').next().unwrap_or_default();
        Item { value: value.trim(), parameters: item.get(value.len() + 1..).unwrap_or_default() }
    })
}

impl<'a> Item<'a> {
    /// A parameter's value, without its quotes.
    pub(super) fn parameter(&self, wanted: &str) -> Option<&'a str> {
        split(self.parameters, ';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            let value = value.trim();
            let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            name.trim().eq_ignore_ascii_case(wanted).then(|| unquoted.unwrap_or(value))
        })
    }

    /// How much it is wanted, from 0 (not at all) to 1: 1 if it isn't said, 0 if it can't be read.
    pub(super) fn quality(&self) -> f32 {
        self.parameter("q")
            .map_or(1.0, |value| value.parse().ok().filter(|q| (0.0..=1.0).contains(q)).unwrap_or(0.0))
    }
}

/// The pieces between separators that don't stand within quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |character| {
        let is_plain = !std::mem::take(&mut is_escaped);
        match character {
            '"' if is_plain => is_quoted = !is_quoted,
            '\\' if is_plain && is_quoted => is_escaped = true,
            other => return other == separator && !is_quoted,
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_stands_in_quotes_separates_nothing() {
        let read: Vec<_> = items(r#"a/b;x="1,2;\"q=0\"" ;Q=0.5 , c ; q = 0.25,"#).collect();
        assert_eq!(read.iter().map(|item| item.value).collect::<Vec<_>>(), ["a/b", "c", ""]);
        assert_eq!(read[0].parameter("x"), Some(r#"1,2;\"q=0\""#));
        assert_eq!(read.iter().map(Item::quality).collect::<Vec<_>>(), [0.5, 0.25, 1.0]);
    }

    #[test]
    fn a_quality_that_cannot_be_read_is_0() {
        for q in ["", "x", "NaN", "-1", "1.5", "inf", "\"1"] {
            let header = format!("gzip;q={q}");
            assert!(items(&header).all(|item| item.quality() <= 0.0), "{header}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_panic_and_with_qualities_in_range(header in "\\PC{0,80}|[a-z/;,=\"\\\\q0-9. *]{0,80}") {
            for item in items(&header) {
                prop_assert!((0.0..=1.0).contains(&item.quality()));
                prop_assert!(header.contains(item.value));
                item.parameter("version");
            }
        }
    }
}
