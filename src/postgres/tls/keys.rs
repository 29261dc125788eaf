//! Signatures by keys of certificates that webpki does not read, those of X.509 version 1; and whether a certificate may
//! sign others.

use std::sync::Arc;

use rustls::{
    DigitallySignedStruct, Error, InconsistentKeys, PeerMisbehaved,
    client::danger::HandshakeSignatureValid,
    crypto::{
        WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
        verify_tls13_signature_with_raw_key,
    },
    pki_types::{CertificateDer, SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer},
    sign::{CertifiedKey, SigningKey},
};
use x509_cert::{
    Certificate, Version,
    der::{Decode, Encode, Header, Reader, SliceReader},
    ext::pkix::{BasicConstraints, KeyUsage},
    spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned},
};

/// A client's own certificate with its key; that they belong together can't be told of version 1, and the server will.
pub(super) fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn SigningKey>,
) -> Result<CertifiedKey, Error> {
    let is_readable = chain.first().is_some_and(|own| key_of_version_1(own).is_none());
    let own = CertifiedKey::new(chain, key);
    match own.keys_match() {
        Err(error) if is_readable && error != InconsistentKeys::Unknown.into() => Err(error),
        _ => Ok(own),
    }
}

/// That the server has the key of the certificate that it showed, in a handshake of TLS 1.2.
pub(super) fn verify_tls12(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    supported: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let Some(key) = key_of_version_1(certificate) else {
        return verify_tls12_signature(message, certificate, signed, supported);
    };
    let fitting = supported.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
    let (_, algorithms) = fitting.ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    if algorithms.iter().any(|algorithm| is_signed(*algorithm, &key, message, signed.signature())) {
        Ok(HandshakeSignatureValid::assertion())
    } else {
        Err(rustls::CertificateError::BadSignature.into())
    }
}

/// The same in TLS 1.3.
pub(super) fn verify_tls13(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    supported: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    match key_of_version_1(certificate).and_then(|key| key.to_der().ok()) {
        Some(key) => verify_tls13_signature_with_raw_key(
            message,
            &SubjectPublicKeyInfoDer::from(key),
            signed,
            supported,
        ),
        None => verify_tls13_signature(message, certificate, signed, supported),
    }
}

/// Whether one certificate is signed with the key of another.
pub(super) fn is_signed_by(
    certificate: &Certificate,
    issuer: &Certificate,
    supported: &WebPkiSupportedAlgorithms,
) -> bool {
    let (Ok(message), Some(signature)) =
        (certificate.tbs_certificate.to_der(), certificate.signature.as_bytes())
    else {
        return false;
    };
    let key = &issuer.tbs_certificate.subject_public_key_info;
    let is_of_signature = |algorithm: &&&dyn SignatureVerificationAlgorithm| {
        contents(&certificate.signature_algorithm).is_some_and(|id| id == *algorithm.signature_alg_id())
    };
    supported
        .all
        .iter()
        .filter(is_of_signature)
        .any(|algorithm| is_signed(*algorithm, key, &message, signature))
}

pub(super) fn is_authority(certificate: &Certificate) -> bool {
    let certificate = &certificate.tbs_certificate;
    if certificate.version == Version::V1 {
        return true;
    }
    match certificate.get::<BasicConstraints>() {
        Ok(Some((_, constraints))) => constraints.ca,
        Ok(None) => certificate
            .get::<KeyUsage>()
            .is_ok_and(|usage| usage.is_some_and(|(_, usage)| usage.key_cert_sign())),
        Err(_) => false,
    }
}

fn key_of_version_1(certificate: &CertificateDer<'_>) -> Option<SubjectPublicKeyInfoOwned> {
    let certificate = Certificate::from_der(certificate).ok()?.tbs_certificate;
    (certificate.version == Version::V1).then_some(certificate.subject_public_key_info)
}

fn is_signed(
    algorithm: &dyn SignatureVerificationAlgorithm,
    key: &SubjectPublicKeyInfoOwned,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let is_of_key = contents(&key.algorithm).is_some_and(|id| id == *algorithm.public_key_alg_id());
    let bytes = key.subject_public_key.as_bytes().filter(|_| is_of_key);
    bytes.is_some_and(|bytes| algorithm.verify_signature(bytes, message, signature).is_ok())
}

/// What stands within the sequence, which is how rustls has them.
fn contents(algorithm: &AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    let der = algorithm.to_der().ok()?;
    let mut reader = SliceReader::new(&der).ok()?;
    let header = Header::decode(&mut reader).ok()?;
    reader.read_vec(header.length).ok()
}
