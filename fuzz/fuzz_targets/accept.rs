//! `Accept` and `Accept-Encoding`: no value breaks them, each gets an answer, and refused compressions are not sent.
//!
//! The first line is the one header, the rest the other.
#![no_main]

use grid_bulk_exporter::exposition::negotiate::{Accepted, Encoding};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &str| {
    let (accept, accept_encoding) = data.split_once('\n').unwrap_or((data, ""));
    let accepted = Accepted::negotiate(Some(accept));
    assert!(http::HeaderValue::try_from(accepted.content_type()).is_ok());
    if let Some(escaping) = accepted.escaping {
        assert!(accept.contains(escaping.as_str()), "it was asked for");
    }
    let encoding = Encoding::negotiate(Some(accept_encoding), &[Encoding::Gzip, Encoding::Zstd]);
    if let Some(coding) = encoding.as_str() {
        let named = accept_encoding.to_ascii_lowercase();
        assert!(named.contains(coding) || named.contains('*'), "{coding} was not asked for");
    }
});
