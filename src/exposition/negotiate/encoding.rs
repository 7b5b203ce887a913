//! How a body is compressed.

use super::items::items;

/// How a body is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// As it is.
    #[default]
    Identity,
    /// Gzip, one member.
    Gzip,
    /// Zstandard, several frames.
    Zstd,
}

impl Encoding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Identity, Self::Gzip, Self::Zstd];

    /// The word of `Content-Encoding`; nothing for a body as it is.
    #[must_use]
    pub const fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// The best of these compressions that `accept_encoding`, the header's value, permits; of equal ones the first of
    /// `offered`. Without the header, or with one that can't be read: as it is.
    #[must_use]
    pub fn negotiate(accept_encoding: Option<&str>, offered: &[Self]) -> Self {
        let header = accept_encoding.unwrap_or_default();
        let (mut named, mut any, mut identity) = ([None; Self::ALL.len()], None, None);
        for item in items(header) {
            let is = |coding: &str| item.value.eq_ignore_ascii_case(coding);
            if item.value == "*" {
                any = Some(item.quality());
            } else if is("identity") {
                identity = Some(item.quality());
            } else if let Some(quality) = offered
                .iter()
                .position(|offer| offer.is_named(item.value))
                .and_then(|place| named.get_mut(place))
            {
                *quality = Some(item.quality());
            }
        }
        // Identity is always acceptable unless refused; whoever names a compression prefers it.
        let mut best = (Self::Identity, identity.unwrap_or(0.0));
        for (offer, quality) in offered.iter().zip(named) {
            let quality = quality.or(any).unwrap_or(0.0);
            if quality > best.1 || (quality > 0.0 && quality >= best.1 && best.0 == Self::Identity) {
                best = (*offer, quality);
            }
        }
        best.0
    }

    fn is_named(self, coding: &str) -> bool {
        let is = |name: &str| coding.eq_ignore_ascii_case(name);
        match self {
            Self::Identity => is("identity"),
            // RFC 9110: `x-gzip` is the same.
            Self::Gzip => is("gzip") || is("x-gzip"),
            Self::Zstd => is("zstd"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Encoding; 2] = [Encoding::Gzip, Encoding::Zstd];

    #[test]
    fn gzip_is_sent_only_to_who_takes_it() {
        for header in
            ["gzip", "GZIP", "deflate, gzip;q=0.5", "*", "gzip, identity", "br;q=1.0, gzip;q=0.8, *;q=0.1"]
        {
            assert_eq!(Encoding::negotiate(Some(header), &BOTH), Encoding::Gzip, "{header}");
        }
        for header in [
            "",
            "identity",
            "gzip;q=0",
            "*;q=0",
            "gzip;q=0.2, identity",
            "br",
            "gzip;q=nonsense",
            "gzip;q=NaN",
        ] {
            assert_eq!(Encoding::negotiate(Some(header), &BOTH), Encoding::Identity, "{header}");
        }
        assert_eq!(Encoding::negotiate(None, &BOTH), Encoding::Identity);
    }

    #[test]
    fn of_two_compressions_the_preferred_one_is_sent_and_of_equals_gzip() {
        for (header, expected) in [
            ("zstd", Encoding::Zstd),
            ("gzip, deflate, br, zstd", Encoding::Gzip),
            ("zstd, gzip", Encoding::Gzip),
            ("zstd;q=0.9, gzip;q=0.8", Encoding::Zstd),
            ("zstd;q=0.7, gzip;q=0.8", Encoding::Gzip),
            ("gzip;q=0, *", Encoding::Zstd),
            ("zstd;q=0, identity", Encoding::Identity),
            ("identity;q=0.5, zstd;q=0.4", Encoding::Identity),
            ("identity;q=0, zstd;q=0.001", Encoding::Zstd),
        ] {
            assert_eq!(Encoding::negotiate(Some(header), &BOTH), expected, "{header}");
        }
        assert_eq!(
            Encoding::negotiate(Some("zstd"), &BOTH[..1]),
            Encoding::Identity,
            "where it is not offered"
        );
    }
}
