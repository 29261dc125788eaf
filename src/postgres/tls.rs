//! TLS as libpq's parameters request it, and the certificates that the server's is verified against.
//!
//! The parameters are taken out of the connection string, because tokio-postgres knows only some of them.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::target_error::TargetError;

/// How TLS is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsRequest {
    Off,
    /// Off for sockets and the machine itself, else verified where the server offers it.
    Default,
    Verified,
}

pub(super) fn tls_of_sslmode(mode: &str, origin: &'static str) -> Result<TlsRequest, TargetError> {
    match mode {
        "disable" => Ok(TlsRequest::Off),
        "allow" | "prefer" => Ok(TlsRequest::Default),
        "require" | "verify-ca" | "verify-full" => Ok(TlsRequest::Verified),
        other => Err(TargetError::Value {
            origin,
            found: format!("sslmode={other}"),
            expected: "one of disable, allow, prefer, require, verify-ca, verify-full",
        }),
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TlsParameters {
    pub(super) mode: Option<String>,
    pub(super) root_certificates: Option<String>,
}

impl TlsParameters {
    /// Keeps a parameter that is ours to understand.
    fn take(&mut self, key: &str, value: &str) -> bool {
        match key {
            "sslmode" => self.mode = Some(value.to_owned()),
            "sslrootcert" if value == "system" => self.root_certificates = None,
            "sslrootcert" => self.root_certificates = Some(value.to_owned()),
            _ => return false,
        }
        true
    }
}

/// Takes the TLS parameters out of a URL.
pub(super) fn split_url(url: &str) -> (String, TlsParameters) {
    let mut parameters = TlsParameters::default();
    let Some((base, query)) = url.split_once('?') else {
        return (url.to_owned(), parameters);
    };
    let is_foreign = |pair: &&str| match pair.split_once('=') {
        Some((key, value)) => !parameters.take(key, &value.replace("%2F", "/").replace("%2f", "/")),
        None => true,
    };
    let kept: Vec<_> = query.split('&').filter(is_foreign).collect();
    let rest = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    (rest, parameters)
}

/// Takes the TLS parameters out of a keyword string (`host=… sslmode=…`); quoted values stay as they are.
pub(super) fn split_keywords(text: &str) -> (String, TlsParameters) {
    let mut parameters = TlsParameters::default();
    let (mut tokens, mut token) = (Vec::new(), String::new());
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if c.is_whitespace() && !quoted && !escaped {
            tokens.push(std::mem::take(&mut token));
            continue;
        }
        quoted ^= c == '\'' && !escaped;
        escaped = c == '\\' && !escaped;
        token.push(c);
    }
    tokens.push(token);
    let is_foreign = |token: &String| match token.split_once('=') {
        Some((key, value)) => !parameters.take(key, value.trim_matches('\'')),
        None => true,
    };
    tokens.retain(is_foreign);
    (tokens.join(" "), parameters)
}

pub(super) fn verifying(root_certificates: Option<String>) -> Result<ClientConfig, TargetError> {
    let mut roots = RootCertStore::empty();
    match root_certificates {
        Some(given) => {
            for certificate in given_certificates(&given)? {
                roots.add(certificate)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(TargetError::NoRoots);
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// The certificates of a PEM file, or of PEM text given directly, as variables of containers often hold it.
fn given_certificates(given: &str) -> Result<Vec<CertificateDer<'static>>, TargetError> {
    let (name, pem) = if given.contains("-----BEGIN") {
        ("DATABASE_SSL_CA".to_owned(), given.as_bytes().to_vec())
    } else {
        let pem = std::fs::read(given)
            .map_err(|source| TargetError::Certificates { path: given.to_owned(), source })?;
        (given.to_owned(), pem)
    };
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect();
    if certificates.is_empty() { Err(TargetError::NoCertificate(name)) } else { Ok(certificates) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyword_strings_keep_their_quotes() {
        let (rest, parameters) = split_keywords(r"host=a  password='a \' sslmode=x b' sslmode=require");
        assert_eq!(rest, r"host=a  password='a \' sslmode=x b'");
        assert_eq!(parameters.mode.as_deref(), Some("require"));
    }
}
