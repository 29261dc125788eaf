//! Certificates that OpenSSL trusts by a root file, and webpki does not take for a server's: one that is in the file
//! itself and signed by itself, be it a CA's (what `openssl req -x509` makes), and one of X.509 version 1 that a CA of
//! the file has signed (what `openssl x509 -req` made for decades).

use rustls::{crypto::WebPkiSupportedAlgorithms, pki_types::UnixTime};
use x509_cert::{
    Certificate, Version,
    der::{Decode, asn1::ObjectIdentifier},
    ext::pkix::{ExtendedKeyUsage, KeyUsage},
};

use super::keys::{is_authority, is_signed_by};

const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const ANY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");

/// The certificates of a root file.
#[derive(Debug, Clone, Default)]
pub(super) struct RootFile(Vec<(Vec<u8>, Certificate)>);

impl RootFile {
    pub(super) fn new<'c>(certificates: impl Iterator<Item = &'c [u8]>) -> Self {
        let parsed = certificates.filter_map(|der| Some((der.to_vec(), Certificate::from_der(der).ok()?)));
        Self(parsed.collect())
    }

    pub(super) fn has_valid(&self, now: UnixTime) -> bool {
        self.0.iter().any(|(_, one)| is_valid(one, now))
    }

    /// Those that may sign others and are valid now: webpki looks at neither.
    pub(super) fn authorities(&self, now: UnixTime) -> impl Iterator<Item = &[u8]> {
        let fit = self.0.iter().filter(move |(_, one)| is_authority(one) && is_valid(one, now));
        fit.map(|(der, _)| &**der)
    }

    /// Whether a certificate that webpki refuses is trusted all the same.
    pub(super) fn trusts(&self, server: &[u8], now: UnixTime, supported: &WebPkiSupportedAlgorithms) -> bool {
        let Ok(certificate) = Certificate::from_der(server) else { return false };
        if !is_valid(&certificate, now) || !is_for_servers(&certificate) {
            return false;
        }
        let (subject, issuer) = (&certificate.tbs_certificate.subject, &certificate.tbs_certificate.issuer);
        if subject == issuer {
            return self.0.iter().any(|(der, _)| der == server);
        }
        certificate.tbs_certificate.version == Version::V1
            && self.0.iter().any(|(_, root)| {
                root.tbs_certificate.subject == *issuer
                    && root.tbs_certificate.issuer == *issuer
                    && is_authority(root)
                    && is_valid(root, now)
                    && is_signed_by(&certificate, root, supported)
            })
    }
}

fn is_valid(certificate: &Certificate, now: UnixTime) -> bool {
    let validity = &certificate.tbs_certificate.validity;
    let range =
        validity.not_before.to_unix_duration().as_secs()..=validity.not_after.to_unix_duration().as_secs();
    range.contains(&now.as_secs())
}

fn is_for_servers(certificate: &Certificate) -> bool {
    let certificate = &certificate.tbs_certificate;
    let signs = certificate.get::<KeyUsage>().is_ok_and(|usage| {
        usage.is_none_or(|(_, usage)| {
            usage.digital_signature() || usage.key_encipherment() || usage.key_agreement()
        })
    });
    let serves = certificate.get::<ExtendedKeyUsage>().is_ok_and(|usage| {
        usage.is_none_or(|(_, usage)| usage.0.iter().any(|one| [SERVER_AUTH, ANY_USAGE].contains(one)))
    });
    signs && serves
}
