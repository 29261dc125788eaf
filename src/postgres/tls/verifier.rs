//! What of a server's certificate is verified: nothing, the chain to a root, or the host's name besides.
//!
//! Whatever is verified, the server has to prove that it has the key of the certificate: channel binding rests on that.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use x509_cert::{Certificate, der::Decode};

use super::{keys, names, trusted::RootFile};

/// The roots that chains have to end at.
#[derive(Debug, Clone)]
pub(super) struct Trust {
    /// None where no root may sign others.
    pub(super) chains: Option<Arc<WebPkiServerVerifier>>,
    /// Empty where the roots are the system's, or where revocation lists say who is trusted.
    pub(super) file: RootFile,
    /// Whether a root limits the names of those that it signs.
    pub(super) limits_names: bool,
}

#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) supported: WebPkiSupportedAlgorithms,
    pub(super) trust: Option<Trust>,
    /// As it was typed.
    pub(super) host: Option<String>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(trust) = &self.trust else { return Ok(ServerCertVerified::assertion()) };
        let chain = match &trust.chains {
            Some(chains) => {
                chains.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        match chain {
            // It looks at the name last.
            Ok(_)
            | Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => {}
            Err(_) if trust.file.trusts(end_entity, now, &self.supported) => {}
            Err(error) => return Err(error),
        }
        let certificate = Certificate::from_der(end_entity).map_err(|_| CertificateError::BadEncoding)?;
        let limits = trust.limits_names || intermediates.iter().any(|one| names::limits_names(one));
        if limits && !names::has_alternatives(&certificate) {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        match &self.host {
            Some(host) if !names::is_for_host(&certificate, host, !limits) => {
                Err(CertificateError::NotValidForName.into())
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        keys::verify_tls12(message, certificate, signed, &self.supported)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        keys::verify_tls13(message, certificate, signed, &self.supported)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.supported.supported_schemes()
    }
}
