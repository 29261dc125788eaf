//! TLS as libpq's parameters request it, and what the server's certificate is verified against.
//!
//! A mode means what it means in libpq, or more: nothing is verified below `require`, nor with it unless a root
//! certificate is named; and where a mode insists on something, nothing less is taken.

mod binding;
mod files;
mod fix;
mod keys;
mod mode;
mod names;
mod trusted;
mod verifier;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    client::{Resumption, WebPkiServerVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
    sign::SingleCertAndKey,
    version::{TLS12, TLS13},
};
use tokio_postgres::config::Host;

use super::{
    conninfo::{ConnectionSettings, Environment},
    hosts::TargetHost,
    target_error::TargetError,
};
use trusted::RootFile;
use verifier::{Trust, Verifier};

pub(crate) use binding::end_point;
pub(crate) use fix::fix_of;
pub(crate) use mode::SslMode;

const CA_VARIABLE: &str = "DATABASE_SSL_CA";

/// What connections are made with.
#[derive(Clone)]
pub(crate) struct Tls {
    /// None without a word, when each host has its own.
    mode: Option<SslMode>,
    pub(crate) is_direct: bool,
    /// None where no host may have TLS.
    client: Option<ClientConfig>,
    trust: Option<Trust>,
}

impl Tls {
    pub(super) const OFF: Self =
        Self { mode: Some(SslMode::Disable), is_direct: false, client: None, trust: None };

    /// What the settings and `DATABASE_SSL` ask for; a warning where not all of it can be had.
    pub(super) fn of(
        settings: &ConnectionSettings,
        hosts: &[TargetHost],
        env: &Environment<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Self, TargetError> {
        let requested = mode::requested(settings, env)?;
        let words = [("postgres", false), ("direct", true)];
        let is_direct =
            settings.one_of("sslnegotiation", "one of postgres, direct", &words)?.unwrap_or(false);
        let versions = versions(settings)?;
        let files = Files { settings, env, home: env.home()?.map(|home| home.join(".postgresql")) };
        let mut tls = Self { mode: requested, is_direct, client: None, trust: None };
        let mode_of = |tls: &Self| hosts.iter().map(|host| tls.mode_of(host)).max();
        let strongest = mode_of(&tls).unwrap_or(SslMode::Disable);
        if is_direct && hosts.iter().any(|host| !host.is_socket() && !tls.mode_of(host).insists()) {
            return Err(settings.unsupported("sslnegotiation", "needs sslmode=verify-full or require"));
        }
        if requested.is_some_and(SslMode::insists)
            && let Some(socket) = hosts.iter().find(|host| host.is_socket())
        {
            warnings.push(format!(
                "TLS is asked for and not used over the socket {socket}: sockets have none, as in libpq; name a host to have \
                 it, or leave sslmode and DATABASE_SSL out"
            ));
        }
        if strongest == SslMode::Disable {
            return Ok(tls);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        if strongest >= SslMode::Require {
            let roots = files.roots()?;
            if requested == Some(SslMode::Require) && roots.is_some() {
                tls.mode = Some(SslMode::VerifyCa);
            }
            tls.trust = match (roots, mode_of(&tls)) {
                (Some(roots), _) => Some(files.trust(&roots, &provider)?),
                (None, Some(SslMode::VerifyFull)) => Some(files.trust_of_system(&provider)?),
                (None, Some(SslMode::VerifyCa)) => {
                    return Err(settings.unsupported(
                        "sslmode",
                        "is verify-ca and needs sslrootcert=FILE, for the system's CAs sign for anybody; name the \
                         certificate of the server's CA, or use verify-full",
                    ));
                }
                (None, _) => None,
            };
        }
        tls.warn_of_unverified(settings, warnings);
        tls.client = Some(files.client(&provider, &versions, strongest, warnings)?);
        if is_direct && let Some(client) = &mut tls.client {
            client.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(tls)
    }

    pub(crate) fn mode_of(&self, host: &TargetHost) -> SslMode {
        // As in libpq, a socket never has TLS, whatever was asked for.
        if host.is_socket() { SslMode::Disable } else { self.mode.unwrap_or(SslMode::default_of(host)) }
    }

    /// Whether nobody said how much TLS there has to be.
    pub(crate) fn is_default(&self) -> bool {
        self.mode.is_none()
    }

    /// For a handshake with one of the hosts, at this address; none where TLS is off.
    pub(crate) fn client(
        &self,
        host: &TargetHost,
        address: IpAddr,
    ) -> Option<(ClientConfig, ServerName<'static>)> {
        let mut client = self.client.clone()?;
        let mode = self.mode_of(host);
        let trust = self.trust.clone().filter(|_| mode >= SslMode::VerifyCa);
        // Never without what is to be verified.
        if mode >= SslMode::VerifyCa && trust.is_none() {
            return None;
        }
        let name = match &host.host {
            Some(Host::Tcp(name)) => name.clone(),
            _ => address.to_string(),
        };
        // What is no name for a handshake, such as an address with a zone, is not sent.
        let server_name =
            ServerName::try_from(name.clone()).unwrap_or_else(|_| ServerName::IpAddress(address.into()));
        let verifier = Verifier {
            supported: client.crypto_provider().signature_verification_algorithms,
            trust,
            host: (mode == SslMode::VerifyFull).then_some(name),
        };
        client.dangerous().set_certificate_verifier(Arc::new(verifier));
        Some((client, server_name))
    }

    fn warn_of_unverified(&self, settings: &ConnectionSettings, warnings: &mut Vec<String>) {
        let Some(mode) = self.mode.filter(|mode| *mode < SslMode::VerifyCa) else { return };
        if mode.insists() {
            let word = if mode == SslMode::NoVerify { "DATABASE_SSL=no-verify" } else { "sslmode=require" };
            warnings.push(format!(
                "{word} encrypts and verifies nothing: whoever stands between can pose as the server, read all that is \
                 sent and change it; verify it with sslmode=verify-full and sslrootcert=FILE, the certificate of its CA \
                 (sslrootcert=system for a public one)"
            ));
        }
        for keyword in ["sslrootcert", "sslcrl", "sslcrldir"] {
            let is_given = settings.bytes(keyword).is_some_and(|value| !value.is_empty());
            if is_given && !settings.is_from_libpq_variable(keyword) {
                warnings.push(format!(
                    "{} has {keyword}, which is not used: {} verifies nothing; use sslmode=verify-full",
                    settings.origin(keyword),
                    mode.word()
                ));
            }
        }
    }
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

/// Where the files of TLS are.
struct Files<'f> {
    settings: &'f ConnectionSettings,
    env: &'f Environment<'f>,
    home: Option<PathBuf>,
}

impl Files<'_> {
    /// What libpq finds in the user's own folder by itself.
    fn of_home(&self, name: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|dir| dir.join(name)).filter(|path| path.exists())
    }

    /// Those of `sslrootcert`, of `DATABASE_SSL_CA` or of the user's own file, if there are any.
    fn roots(&self) -> Result<Option<Vec<CertificateDer<'static>>>, TargetError> {
        let given = self.settings.given("sslrootcert")?;
        let of_variable = self.env.variable(CA_VARIABLE)?;
        let is_before = given.is_none() || self.settings.is_from_libpq_variable("sslrootcert");
        Ok(match (of_variable.filter(|_| is_before), given) {
            // PEM text, as variables of containers often hold it, at times with its line ends written as \n.
            (Some(text), _) if text.contains("-----BEGIN") => {
                Some(files::certificates(CA_VARIABLE, text.replace("\\n", "\n").as_bytes())?)
            }
            (Some(path), _) => Some(files::certificates_of(Path::new(&path))?),
            (None, Some("system")) => None,
            (None, Some(path)) => Some(files::certificates_of(Path::new(path))?),
            (None, None) => self.of_home("root.crt").map(|path| files::certificates_of(&path)).transpose()?,
        })
    }

    fn trust(
        &self,
        roots: &[CertificateDer<'_>],
        provider: &Arc<CryptoProvider>,
    ) -> Result<Trust, TargetError> {
        let file = RootFile::new(roots.iter().map(|root| &**root));
        let mut store = RootCertStore::empty();
        for authority in file.authorities(UnixTime::now()) {
            store.add(CertificateDer::from(authority.to_vec()))?;
        }
        if store.is_empty() && !file.has_valid(UnixTime::now()) {
            return Err(TargetError::ExpiredRoots);
        }
        let limits_names = roots.iter().any(|root| names::limits_names(root));
        self.trust_in(store, file, limits_names, provider)
    }

    fn trust_of_system(&self, provider: &Arc<CryptoProvider>) -> Result<Trust, TargetError> {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            return Err(TargetError::NoRoots);
        }
        self.trust_in(store, RootFile::default(), false, provider)
    }

    fn trust_in(
        &self,
        store: RootCertStore,
        file: RootFile,
        limits_names: bool,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Trust, TargetError> {
        let list = self.settings.given("sslcrl")?.map(PathBuf::from).or_else(|| self.of_home("root.crl"));
        let lists = files::revocation_lists(list, self.settings.given("sslcrldir")?)?;
        let file = if lists.is_empty() { file } else { RootFile::default() };
        let chains = if store.is_empty() {
            None
        } else {
            let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider));
            Some(builder.with_crls(lists).enforce_revocation_expiration().build()?)
        };
        Ok(Trust { chains, file, limits_names })
    }

    /// Without its verifier, which is that of a host.
    fn client(
        &self,
        provider: &Arc<CryptoProvider>,
        versions: &[&'static SupportedProtocolVersion],
        mode: SslMode,
        warnings: &mut Vec<String>,
    ) -> Result<ClientConfig, TargetError> {
        let verifier =
            Verifier { supported: provider.signature_verification_algorithms, trust: None, host: None };
        let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
            .with_protocol_versions(versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut client = match self.own_certificate(mode, warnings)? {
            Some((chain, key)) => {
                let own = keys::certified(chain, provider.key_provider.load_private_key(key)?)?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own)))
            }
            None => builder.with_no_client_auth(),
        };
        let words = [("1", true), ("0", false), ("", true)];
        client.enable_sni = self.settings.one_of("sslsni", "1 or 0", &words)?.unwrap_or(true);
        // Sessions that are resumed are not verified again.
        client.resumption = Resumption::disabled();
        Ok(client)
    }

    fn own_certificate(
        &self,
        mode: SslMode,
        warnings: &mut Vec<String>,
    ) -> Result<Option<OwnCertificate>, TargetError> {
        let settings = self.settings;
        let words = [("disable", Some(false)), ("allow", Some(true)), ("require", None)];
        let may_identify = settings.one_of("sslcertmode", "one of disable, allow, require", &words)?;
        let Some(may_identify) = may_identify.unwrap_or(Some(true)) else {
            return Err(
                settings.unsupported("sslcertmode", "is require, which is not checked here; use allow")
            );
        };
        let given = settings.given("sslcert")?.map(PathBuf::from);
        let is_given = given.is_some();
        let Some(certificate) = given.or_else(|| self.of_home("postgresql.crt")).filter(|_| may_identify)
        else {
            return Ok(None);
        };
        let read = || {
            let default_key = || self.home.as_ref().map(|dir| dir.join("postgresql.key"));
            let key = settings.given("sslkey")?.map(PathBuf::from).or_else(default_key);
            let key = key.ok_or_else(|| {
                settings.unsupported("sslcert", "needs sslkey, the file of its private key")
            })?;
            Ok((files::certificates_of(&certificate)?, files::private_key(&key)?))
        };
        match read() {
            Ok(own) => Ok(Some(own)),
            // Nobody asked for it, nor for TLS.
            Err(error) if !is_given && !mode.insists() => {
                warnings.push(format!("the client certificate of ~/.postgresql is not used: {error}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

type OwnCertificate = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);
