//! TLS as libpq's parameters request it, and the certificates that the server's is verified against.
//!
//! With one difference to libpq: where TLS is used, the server's certificate and its name are always verified.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    client::WebPkiServerVerifier,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject},
    version::{TLS12, TLS13},
};
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    conninfo::{ConnectionSettings, Environment, shown},
    hosts::TargetHost,
    target_error::TargetError,
};
use crate::path_text::path_text;

const MODES: &str = "one of disable, allow, prefer, require, verify-ca, verify-full";

/// How TLS is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TlsRequest {
    Off,
    /// Off for sockets and the machine itself, else verified where the server offers it.
    Default,
    Verified,
}

const REQUESTS: [(&str, TlsRequest); 6] = [
    ("disable", TlsRequest::Off),
    ("allow", TlsRequest::Default),
    ("prefer", TlsRequest::Default),
    ("require", TlsRequest::Verified),
    ("verify-ca", TlsRequest::Verified),
    ("verify-full", TlsRequest::Verified),
];

/// What connections are made with.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) mode: SslMode,
    pub(super) negotiation: SslNegotiation,
    pub(super) connect: Option<MakeRustlsConnect>,
}

impl Tls {
    pub(super) const OFF: Self =
        Self { mode: SslMode::Disable, negotiation: SslNegotiation::Postgres, connect: None };

    /// What the settings and `DATABASE_SSL` ask for; a warning where not all of it can be had.
    pub(super) fn of(
        settings: &ConnectionSettings,
        hosts: &[TargetHost],
        env: &Environment<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Self, TargetError> {
        let request = request(settings, env)?;
        let words = [("postgres", SslNegotiation::Postgres), ("direct", SslNegotiation::Direct)];
        let negotiation = settings.one_of("sslnegotiation", "one of postgres, direct", &words)?;
        let negotiation = negotiation.unwrap_or(SslNegotiation::Postgres);
        let versions = versions(settings)?;
        if negotiation == SslNegotiation::Direct && request != TlsRequest::Verified {
            return Err(settings.unsupported("sslnegotiation", "needs sslmode=verify-full or require"));
        }
        if request == TlsRequest::Verified
            && let Some(socket) = hosts.iter().find(|host| host.is_socket())
        {
            warnings.push(format!(
                "TLS is asked for and not used over the socket {socket}: sockets have none, as in libpq; name a host to have \
                 it, or leave sslmode and DATABASE_SSL out"
            ));
        }
        // As in libpq, a socket never has TLS, whatever was asked for.
        let mode = match request {
            _ if hosts.iter().all(TargetHost::is_socket) => SslMode::Disable,
            TlsRequest::Off => SslMode::Disable,
            TlsRequest::Default if hosts.iter().all(TargetHost::is_local) => SslMode::Disable,
            TlsRequest::Default => SslMode::Prefer,
            TlsRequest::Verified => SslMode::Require,
        };
        if mode == SslMode::Disable {
            return Ok(Self::OFF);
        }
        let mut client = client_config(settings, env, &versions)?;
        let words = [("1", true), ("0", false), ("", true)];
        client.enable_sni = settings.one_of("sslsni", "1 or 0", &words)?.unwrap_or(true);
        if negotiation == SslNegotiation::Direct {
            client.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(Self { mode, negotiation, connect: Some(MakeRustlsConnect::new(client)) })
    }
}

/// The strongest of what is requested: none of the places lowers what another asks for, but an explicit mode comes
/// before that of a variable of libpq's, as in libpq.
fn request(settings: &ConnectionSettings, env: &Environment<'_>) -> Result<TlsRequest, TargetError> {
    const VARIABLE: &str = "DATABASE_SSL";
    let of_variable = match env.variable(VARIABLE)?.as_deref().map(str::trim) {
        None => None,
        Some("true" | "1" | "on" | "yes") => Some(TlsRequest::Verified),
        Some("false" | "0" | "off" | "no") => Some(TlsRequest::Off),
        Some(mode) => {
            let known = REQUESTS.iter().find(|(word, _)| *word == mode).map(|(_, request)| *request);
            let expected = "true, false or a mode of libpq's (disable, prefer, require, verify-full)";
            let wrong = TargetError::Value { origin: VARIABLE, keyword: "sslmode", expected };
            Some(known.ok_or(wrong)?)
        }
    };
    let mode = settings.one_of("sslmode", MODES, &REQUESTS)?;
    // libpq would take the last one without a word.
    if mode != Some(TlsRequest::Verified) && settings.replaced("sslmode").iter().any(|mode| is_verified(mode))
    {
        return Err(settings.unsupported(
            "sslmode",
            "is given more than once, and the last one asks for less than another; leave one of them out",
        ));
    }
    let is_system = settings.bytes("sslrootcert") == Some(b"system");
    let is_last = settings.is_from_libpq_variable("sslmode");
    let request = match (mode, of_variable) {
        (Some(TlsRequest::Off), Some(TlsRequest::Verified)) if !is_last => {
            return Err(TargetError::Contradiction { origin: settings.origin("sslmode"), other: VARIABLE });
        }
        (Some(TlsRequest::Verified), _) | (_, Some(TlsRequest::Verified)) => TlsRequest::Verified,
        (Some(_), Some(of_variable)) if is_last => of_variable,
        (Some(mode), _) => mode,
        (None, Some(of_variable)) => of_variable,
        (None, None) if is_system => TlsRequest::Verified,
        (None, None) => TlsRequest::Default,
    };
    if is_system && request != TlsRequest::Verified && !settings.is_from_libpq_variable("sslrootcert") {
        return Err(settings.unsupported("sslrootcert", "is system and needs sslmode=verify-full"));
    }
    Ok(request)
}

fn is_verified(mode: &[u8]) -> bool {
    REQUESTS.iter().any(|(word, request)| word.as_bytes() == mode && *request == TlsRequest::Verified)
}

fn versions(settings: &ConnectionSettings) -> Result<Vec<&'static SupportedProtocolVersion>, TargetError> {
    let number = |keyword: &'static str, default| -> Result<u8, TargetError> {
        let Some(text) = settings.given(keyword)? else { return Ok(default) };
        match &*text.to_ascii_lowercase() {
            "tlsv1" => Ok(0),
            "tlsv1.1" => Ok(1),
            "tlsv1.2" => Ok(2),
            "tlsv1.3" => Ok(3),
            _ => Err(settings.wrong(keyword, "one of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3")),
        }
    };
    let range = number("ssl_min_protocol_version", 2)?..=number("ssl_max_protocol_version", 3)?;
    let all = [(2, &TLS12), (3, &TLS13)];
    let versions: Vec<_> =
        all.into_iter().filter(|(number, _)| range.contains(number)).map(|(_, version)| version).collect();
    if versions.is_empty() {
        return Err(settings.unsupported(
            "ssl_max_protocol_version",
            "leaves no version of TLS, of which 1.2 and 1.3 are used; raise it",
        ));
    }
    Ok(versions)
}

fn client_config(
    settings: &ConnectionSettings,
    env: &Environment<'_>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ClientConfig, TargetError> {
    let home = env.home()?.map(|home| home.join(".postgresql"));
    // What libpq finds there by itself.
    let of_home = |name: &str| home.as_ref().map(|dir| dir.join(name)).filter(|path| path.exists());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = roots(settings, env, of_home("root.crt"))?;
    let verifier = verifier(settings, roots, of_home("root.crl"), &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .with_webpki_verifier(verifier);
    let words = [("disable", false), ("allow", true), ("require", true)];
    let may_identify = settings.one_of("sslcertmode", "one of disable, allow, require", &words)?;
    let certificate = settings.given("sslcert")?.map(PathBuf::from).or_else(|| of_home("postgresql.crt"));
    let Some(certificate) = certificate.filter(|_| may_identify.unwrap_or(true)) else {
        return Ok(builder.with_no_client_auth());
    };
    let default_key = || home.as_ref().map(|dir| dir.join("postgresql.key"));
    let key = settings.given("sslkey")?.map(PathBuf::from).or_else(default_key);
    let key =
        key.ok_or_else(|| settings.unsupported("sslcert", "needs sslkey, the file of its private key"))?;
    let chain = certificates(&path_text(&certificate), &read_certificates(&certificate)?)?;
    Ok(builder.with_client_auth_cert(chain, private_key(&key)?)?)
}

/// Those of `sslrootcert`, of `DATABASE_SSL_CA`, of the user's own file, or of the system.
fn roots(
    settings: &ConnectionSettings,
    env: &Environment<'_>,
    of_home: Option<PathBuf>,
) -> Result<RootCertStore, TargetError> {
    const VARIABLE: &str = "DATABASE_SSL_CA";
    let given = settings.given("sslrootcert")?;
    let of_variable = env.variable(VARIABLE)?;
    let is_before = given.is_none() || settings.is_from_libpq_variable("sslrootcert");
    let found = match (of_variable.filter(|_| is_before), given) {
        // PEM text, as variables of containers often hold it, at times with its line ends written as \n.
        (Some(text), _) if text.contains("-----BEGIN") => {
            certificates(VARIABLE, text.replace("\\n", "\n").as_bytes())?
        }
        (Some(path), _) => certificates(&path, &read_certificates(Path::new(&path))?)?,
        (None, Some("system")) => Vec::new(),
        (None, Some(path)) => certificates(path, &read_certificates(Path::new(path))?)?,
        (None, None) => match of_home {
            Some(path) => certificates(&path_text(&path), &read_certificates(&path)?)?,
            None => Vec::new(),
        },
    };
    let mut roots = RootCertStore::empty();
    if found.is_empty() {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    for certificate in found {
        roots.add(certificate)?;
    }
    if roots.is_empty() { Err(TargetError::NoRoots) } else { Ok(roots) }
}

fn verifier(
    settings: &ConnectionSettings,
    roots: RootCertStore,
    of_home: Option<PathBuf>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, TargetError> {
    let mut paths: Vec<_> = settings.given("sslcrl")?.map(PathBuf::from).or(of_home).into_iter().collect();
    if let Some(dir) = settings.given("sslcrldir")? {
        let unreadable =
            |source| TargetError::File { what: REVOCATION_LISTS, path: shown(dir).to_owned(), source };
        for entry in fs::read_dir(dir).map_err(unreadable)? {
            paths.push(entry.map_err(unreadable)?.path());
        }
    }
    let mut lists = Vec::new();
    for path in paths {
        let (name, pem) = (shown_path(&path), read(REVOCATION_LISTS, &path)?);
        let found = CertificateRevocationListDer::pem_slice_iter(&pem).filter_map(Result::ok);
        let before = lists.len();
        lists.extend(found);
        if lists.len() == before {
            return Err(TargetError::NoPem { what: REVOCATION_LISTS, path: name });
        }
    }
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    Ok(builder.with_crls(lists).build()?)
}

const REVOCATION_LISTS: &str = "the file of revocation lists";
const PRIVATE_KEY: &str = "the file of the private key";

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TargetError> {
    let pem = read(PRIVATE_KEY, path)?;
    let of_others = |metadata: fs::Metadata| {
        let allowed = if metadata.uid() == 0 { 0o037 } else { 0o077 };
        metadata.mode() & allowed != 0
    };
    if fs::metadata(path).is_ok_and(of_others) {
        return Err(TargetError::ReadableByOthers { what: PRIVATE_KEY, path: shown_path(path) });
    }
    PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| TargetError::NoPem { what: PRIVATE_KEY, path: shown_path(path) })
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TargetError> {
    fs::read(path).map_err(|source| TargetError::File { what, path: shown_path(path), source })
}

fn read_certificates(path: &Path) -> Result<Vec<u8>, TargetError> {
    fs::read(path).map_err(|source| TargetError::Certificates { path: shown_path(path), source })
}

fn certificates(name: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TargetError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
    if certificates.is_empty() {
        Err(TargetError::NoCertificate(shown(name).to_owned()))
    } else {
        Ok(certificates)
    }
}

fn shown_path(path: &Path) -> String {
    shown(&path_text(path)).to_owned()
}
