//! HTTP Basic: client id and secret.

use crate::secret::Secret;

/// The credentials that the simulated API takes.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// The whole value of `Authorization` after the scheme.
    expected: Secret,
}

impl Credentials {
    pub(crate) fn new(client_id: &str, client_secret: &Secret) -> Self {
        let pair = Secret::new(format!("{client_id}:{}", client_secret.expose()));
        Self { expected: Secret::new(base64(pair.expose().as_bytes())) }
    }

    /// True if the header's value names them. Takes the same time wherever the first difference stands.
    pub(crate) fn accept(&self, authorization: Option<&[u8]>) -> bool {
        let Some((scheme, given)) = authorization.and_then(|value| value.split_at_checked(6)) else {
            return false;
        };
        let expected = self.expected.expose().as_bytes();
        let differences = given.iter().zip(expected).fold(0_u8, |found, (one, other)| found | (one ^ other));
        scheme.eq_ignore_ascii_case(b"basic ") && given.len() == expected.len() && differences == 0
    }
}

/// Base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits =
            (0..3).fold(0_usize, |bits, at| bits << 8 | usize::from(group.get(at).copied().unwrap_or(0)));
        for place in 0..4 {
            let letter = ALPHABET.get(bits >> (18 - 6 * place) & 63).copied().unwrap_or(b'=');
            out.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn only_the_right_pair_is_accepted() {
        let credentials = Credentials::new("demo", &Secret::new("demo".to_owned()));
        assert!(credentials.accept(Some(b"Basic ZGVtbzpkZW1v")));
        assert!(credentials.accept(Some(b"bAsIc ZGVtbzpkZW1v")));
        for wrong in
            [&b"Basic ZGVtbzpkZW1x"[..], b"Basic ZGVtbzpkZW1", b"Basic ", b"Bearer ZGVtbzpkZW1v", b""]
        {
            assert!(!credentials.accept(Some(wrong)));
        }
        assert!(!credentials.accept(None));
    }
}
