//! Versions, cipher suites and curves of `tls_server_config`. Called by `tls_server`.

use super::names::{self, CipherSuite, Curve, Named, TlsVersion};
use super::tls_server::{Item, Reader};
use crate::config::error::quoted;
use crate::config::section::Findings;

impl Reader<'_> {
    pub(super) fn versions(&self, findings: &mut Findings) -> (TlsVersion, TlsVersion) {
        let mut old = false;
        let min = self.section.parsed(findings, "min_version", "TLS12 or TLS13", |text| match text {
            "TLS13" => Ok(TlsVersion::Tls13),
            "TLS12" => Ok(TlsVersion::Tls12),
            "TLS11" | "TLS10" => {
                old = true;
                Ok(TlsVersion::Tls12)
            }
            _ => Err(format!("{} is not a version; write TLS12 or TLS13", quoted(text))),
        });
        if let (true, Some((_, line))) = (old, min) {
            let message = "is older than TLS12, the oldest version that is spoken; TLS12 is taken";
            findings.warn(line, self.path("min_version"), message);
        }
        let max = self.section.parsed(findings, "max_version", "TLS12 or TLS13", |text| match text {
            "TLS13" => Ok(TlsVersion::Tls13),
            "TLS12" => Ok(TlsVersion::Tls12),
            "TLS11" | "TLS10" => Err(format!(
                "{} is older than TLS12, the oldest version that is spoken (RFC 8996 forbids older ones), so nobody \
                 could connect; write TLS12 or TLS13",
                quoted(text)
            )),
            _ => Err(format!("{} is not a version; write TLS12 or TLS13", quoted(text))),
        });
        let (min, max_found) =
            (min.map_or(TlsVersion::Tls12, |(version, _)| version), max.map(|(version, _)| version));
        let newest = max_found.unwrap_or(TlsVersion::Tls13);
        if let (true, Some((_, line))) = (min > newest, max) {
            let message = "is older than min_version, so nobody could connect; write TLS13, or leave it out";
            findings.fault(line, self.path("max_version"), message);
        }
        (min, newest)
    }

    pub(super) fn cipher_suites(&self, findings: &mut Findings, max: TlsVersion) -> Option<Vec<CipherSuite>> {
        let entry = self.section.entry("cipher_suites")?;
        let items = self.items(findings, "cipher_suites", "`[ TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 ]`");
        let (mut ours, mut of_tls13, mut refused) = (Vec::new(), false, false);
        for item in &items {
            match names::cipher_suite(item.text) {
                Named::Ours(suite) if ours.contains(&suite) => {
                    findings.warn(item.line, &item.path, "is there twice; the second one has no effect");
                }
                Named::Ours(suite) => ours.push(suite),
                Named::OfTls13 => of_tls13 = true,
                Named::OnlyGo => skip(findings, item, "cipher suite"),
                Named::Unknown => {
                    refused = true;
                    unknown(findings, item, "cipher suite", names::CIPHER_SUITES.map(|(name, _)| name));
                }
            }
        }
        if items.is_empty() || refused || !ours.is_empty() {
            return (!ours.is_empty()).then_some(ours);
        }
        let path = self.path("cipher_suites");
        if of_tls13 && max == TlsVersion::Tls13 {
            let message = "names no suite of TLS 1.2 that is supported, so only TLS 1.3 is spoken";
            findings.warn(entry.key_line, path, message);
            return Some(Vec::new());
        }
        let known = names::CIPHER_SUITES.map(|(name, _)| name).join(", ");
        findings.fault(entry.key_line, path, format!("names none that is supported; there are {known}"));
        None
    }

    pub(super) fn curves(&self, findings: &mut Findings) -> Option<Vec<Curve>> {
        let entry = self.section.entry("curve_preferences")?;
        let items = self.items(findings, "curve_preferences", "`[ X25519, CurveP256 ]`");
        let (mut ours, mut refused) = (Vec::new(), false);
        for item in &items {
            match names::curve(item.text) {
                Named::Ours(curve) if ours.contains(&curve) => {
                    findings.warn(item.line, &item.path, "is there twice; the second one has no effect");
                }
                Named::Ours(curve) => ours.push(curve),
                Named::OnlyGo | Named::OfTls13 => skip(findings, item, "curve"),
                Named::Unknown => {
                    refused = true;
                    unknown(findings, item, "curve", names::CURVES.map(|(name, _)| name));
                }
            }
        }
        if ours.is_empty() && !items.is_empty() && !refused {
            let known = names::CURVES.map(|(name, _)| name).join(", ");
            let message = format!("names none that is supported; there are {known}");
            findings.fault(entry.key_line, self.path("curve_preferences"), message);
        }
        (!ours.is_empty()).then_some(ours)
    }
}

fn skip(findings: &mut Findings, item: &Item<'_>, what: &str) {
    let message =
        format!("{} is a {what} of Go that is not supported here; it is left out", quoted(item.text));
    findings.warn(item.line, &item.path, message);
}

fn unknown<const N: usize>(findings: &mut Findings, item: &Item<'_>, what: &str, known: [&str; N]) {
    let nearest = known
        .iter()
        .map(|known| (strsim::jaro_winkler(known, item.text), known))
        .filter(|(likeness, _)| *likeness > 0.9)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let message = match nearest {
        Some((_, nearest)) => format!("{} is not a {what}; did you mean `{nearest}`?", quoted(item.text)),
        None => format!("{} is not a {what}; there are {}", quoted(item.text), known.join(", ")),
    };
    findings.fault(item.line, &item.path, message);
}
