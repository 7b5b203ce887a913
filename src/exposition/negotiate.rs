//! What the scraper accepts: `Accept-Encoding` with its q-values (RFC 9110, section 12.5.3). Called by `web`.

/// How a body is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// Gzip.
    Gzip,
}

impl Encoding {
    /// The best encoding that `accept_encoding`, the header's value, permits. Without the header, or with one that
    /// can't be read: as it is.
    #[must_use]
    pub fn negotiate(accept_encoding: Option<&str>) -> Self {
        let Some(header) = accept_encoding else { return Self::Identity };
        let mut gzip = None;
        let mut any = None;
        let mut identity = None;
        for item in header.split(',') {
            let mut parts = item.split(';').map(str::trim);
            let coding = parts.next().unwrap_or_default();
            let quality = quality(parts);
            if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
                gzip = Some(quality);
            } else if coding.eq_ignore_ascii_case("identity") {
                identity = Some(quality);
            } else if coding == "*" {
                any = Some(quality);
            }
        }
        let gzip = gzip.or(any).unwrap_or(0.0);
        // Identity is always acceptable unless refused; whoever names gzip alone prefers it.
        if gzip > 0.0 && gzip >= identity.unwrap_or(0.0) { Self::Gzip } else { Self::Identity }
    }
}

/// The `q` among an item's parameters: 1 if there is none, 0 if it can't be read.
fn quality<'a>(mut parameters: impl Iterator<Item = &'a str>) -> f32 {
    let q = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    q.map_or(1.0, |value| value.parse().ok().filter(|q| (0.0..=1.0).contains(q)).unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_only_to_who_takes_it() {
        for header in
            ["gzip", "GZIP", "deflate, gzip;q=0.5", "*", "gzip, identity", "br;q=1.0, gzip;q=0.8, *;q=0.1"]
        {
            assert_eq!(Encoding::negotiate(Some(header)), Encoding::Gzip, "{header}");
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
            assert_eq!(Encoding::negotiate(Some(header)), Encoding::Identity, "{header}");
        }
        assert_eq!(Encoding::negotiate(None), Encoding::Identity);
    }
}
