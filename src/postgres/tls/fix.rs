//! What to do about a server whose certificate can't be verified; pure. The words of rustls name the cause only.

use std::{error::Error, io};

use rustls::CertificateError;

/// Of one error of a chain, if it is that of rustls; it comes wrapped in an I/O error.
pub(crate) fn fix_of(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let error = match wrapped {
        Some(inner) => inner.downcast_ref::<rustls::Error>(),
        None => error.downcast_ref::<rustls::Error>(),
    };
    match error? {
        rustls::Error::InvalidCertificate(error) => fix_of_certificate(error),
        _ => None,
    }
}

fn fix_of_certificate(error: &CertificateError) -> Option<&'static str> {
    Some(match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "it is signed by none of the CAs that are trusted here; name the certificate of its CA with sslrootcert (or \
             DATABASE_SSL_CA)"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name; connect to the host by a name that is among its subjectAltName entries, or have one \
             made for this name"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired; have the server's certificate renewed (or set this machine's clock)"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet; set the clock of this machine, or have the server's certificate made anew"
        }
        CertificateError::ApplicationVerificationFailure => {
            "its CA limits the names that it may be for, and it has a common name only; have one made with a \
             subjectAltName entry"
        }
        CertificateError::Revoked => {
            "its CA has revoked it, by the revocation list of sslcrl or sslcrldir; have a new one made"
        }
        CertificateError::UnknownRevocationStatus | CertificateError::ExpiredRevocationListContext { .. } => {
            "the revocation lists of sslcrl and sslcrldir have none of its CA that is valid now; get the CA's newest list"
        }
        // Of a crate that is not ours to name.
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "it is the certificate of a CA, as 'openssl req -x509' makes it, which a server may not show; have one made \
             with basicConstraints=CA:FALSE ('openssl req -x509 -addext basicConstraints=critical,CA:FALSE \
             -addext subjectAltName=DNS:HOST …') or signed by the CA, or name this very certificate with sslrootcert (or \
             DATABASE_SSL_CA)"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::{fmt, sync::Arc};

    use rustls::OtherError;

    use super::*;

    #[derive(Debug)]
    struct CaUsedAsEndEntity;

    impl fmt::Display for CaUsedAsEndEntity {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("CaUsedAsEndEntity")
        }
    }

    impl Error for CaUsedAsEndEntity {}

    #[test]
    fn the_cause_leads_to_its_fix() {
        let check = |certificate: CertificateError, expected: &str| {
            let error = rustls::Error::InvalidCertificate(certificate);
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            assert!(fix_of(&error).is_some_and(|fix| fix.contains(expected)), "{error}");
        };
        check(CertificateError::UnknownIssuer, "sslrootcert");
        check(CertificateError::NotValidForName, "subjectAltName");
        check(CertificateError::Expired, "renewed");
        check(CertificateError::Other(OtherError(Arc::new(CaUsedAsEndEntity))), "CA:FALSE");
        assert_eq!(fix_of(&io::Error::other("else")), None);
    }
}
