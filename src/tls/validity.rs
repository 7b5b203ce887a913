//! Whether the time of a server's own certificate has come, and not passed. Called by `server`.
//!
//! Neither we nor the TLS library refuse such a certificate: each client does, Prometheus first of all, and says so where
//! nobody looks. So it is told here.

use rustls::pki_types::{CertificateDer, UnixTime};
use std::path::PathBuf;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

/// From when to when a certificate is valid, and where it comes from.
#[derive(Debug)]
pub(super) struct Validity {
    begins: ASN1Time,
    ends: ASN1Time,
    key: String,
    file: Option<PathBuf>,
}

impl Validity {
    /// That of the first certificate of a chain; nothing if its times can't be read. `key` names it in messages.
    pub(super) fn of(chain: &[CertificateDer<'_>], key: String, file: Option<PathBuf>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(chain.first()?).ok()?;
        let validity = certificate.validity();
        Some(Self { begins: validity.not_before, ends: validity.not_after, key, file })
    }

    /// Why clients refuse the certificate at this moment; nothing if they don't. Begins with the key.
    pub(super) fn fault_at(&self, now: UnixTime) -> Option<String> {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let (what, moment) = if now > self.ends.timestamp() {
            ("has expired", &self.ends)
        } else if now < self.begins.timestamp() {
            ("is not valid yet", &self.begins)
        } else {
            return None;
        };
        let file = self.file.as_ref().map(|file| format!(" in {}", file.display())).unwrap_or_default();
        let (date, time) = (moment.to_datetime().date(), moment.to_datetime().time());
        Some(format!(
            "{}: the certificate{file} {what} ({date} {:02}:{:02} UTC), so that clients refuse it; renew it, or set this \
             machine's clock",
            self.key,
            time.hour(),
            time.minute(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use std::time::Duration;

    #[test]
    fn a_certificate_is_told_of_before_and_after_its_time_only() {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let chain = [certificate.der().clone()];
        let validity = Validity::of(&chain, "web.cert_file".to_owned(), Some("a.crt".into())).unwrap();
        let at = |seconds| validity.fault_at(UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
        let (begins, ends) = (1_577_836_800, 1_609_459_200);
        assert_eq!([at(begins), at(ends)], [None, None]);
        assert!(at(begins - 1).unwrap().contains("is not valid yet (2020-01-01 00:00 UTC)"));
        let fault = at(ends + 1).unwrap();
        assert!(
            fault.starts_with("web.cert_file: the certificate in a.crt has expired (2021-01-01 00:00 UTC)")
        );
        assert!(Validity::of(&[CertificateDer::from(vec![1])], String::new(), None).is_none());
    }
}
