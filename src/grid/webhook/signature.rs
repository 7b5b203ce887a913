//! The header `X-Grid-Signature`: a signature in DER, then base64, bare or within a small JSON document.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use serde::Deserialize;

/// The header's name.
pub const SIGNATURE_HEADER: &str = "x-grid-signature";

/// A header that is longer, in bytes, holds no signature: one has some 100 characters.
const MOST_BYTES: usize = 1024;

/// The usual alphabet; some senders leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The second form of the header.
#[derive(Deserialize)]
struct Versioned<'a> {
    v: &'a str,
    s: &'a str,
}

/// A signature that can be checked.
#[derive(Debug)]
pub(super) struct Signature(pub(super) p256::ecdsa::Signature);

impl Signature {
    /// The signature in these headers; nothing if there is none, several, or one that can't be read.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(SIGNATURE_HEADER).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        let text = value.to_str().ok().filter(|text| text.len() <= MOST_BYTES)?.trim();
        if text.starts_with('{') {
            let versioned: Versioned<'_> = serde_json::from_str(text).ok()?;
            (versioned.v == "1").then(|| Self::from_base64(versioned.s))?
        } else {
            Self::from_base64(text)
        }
    }

    fn from_base64(text: &str) -> Option<Self> {
        let der = BASE64.decode(text).ok()?;
        p256::ecdsa::Signature::from_der(&der).ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    /// The smallest signature: r = 1, s = 1.
    const SMALLEST: &str = "MAYCAQECAQE=";

    fn is_read(values: &[&str]) -> bool {
        let values = values.iter().map(|value| {
            (http::HeaderName::from_static(SIGNATURE_HEADER), HeaderValue::from_str(value).unwrap())
        });
        let mut headers = HeaderMap::new();
        values.for_each(|(name, value)| _ = headers.append(name, value));
        Signature::of(&headers).is_some()
    }

    #[test]
    fn both_forms_are_read() {
        let json = format!(r#"{{"v": "1", "s": "{SMALLEST}"}}"#);
        let more = format!(r#" {{"s":"{SMALLEST}","v":"1","t":[1]}} "#);
        for value in [SMALLEST, "MAYCAQECAQE", json.as_str(), more.as_str()] {
            assert!(is_read(&[value]), "{value}");
        }
    }

    #[test]
    fn everything_else_is_no_signature() {
        let raw = BASE64.encode([1; 64]);
        let json = |v: &str, s: &str| format!(r#"{{"v":{v},"s":"{s}"}}"#);
        for value in [
            "",
            "=",
            "{",
            "{}",
            "MAYCAQECAQ",
            "MAYCAQACAQE=", // r = 0
            "MAYCAf8CAQE=", // r = -1
            "MAcCAgABAgEB", // r = 1 with a zero too many
            "MAYCAQECAQEA", // a byte too many
            "MAYC AQECAQE=",
            raw.as_str(),
            json("\"2\"", SMALLEST).as_str(),
            json("1", SMALLEST).as_str(),
            json("\"1\"", &raw).as_str(),
            format!("{SMALLEST}{}", " ".repeat(2000)).as_str(),
        ] {
            assert!(!is_read(&[value]), "{value}");
        }
        assert!(!is_read(&[]));
        assert!(!is_read(&[SMALLEST, SMALLEST]), "which of the two is meant?");
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_it_panic(text in "\\PC{0,200}", json in "[{}\"vs:,1a\\\\ ]{0,40}") {
            for text in [text, json] {
                let value = HeaderValue::from_str(&text);
                let headers = value.map(|value| {
                    HeaderMap::from_iter([(http::HeaderName::from_static(SIGNATURE_HEADER), value)])
                });
                let _ = headers.map(|headers| Signature::of(&headers));
            }
        }
    }
}
