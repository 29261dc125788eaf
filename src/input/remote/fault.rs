//! Why a remote input can't be read: what is waited for, and what only a person can change. No text in here holds a query.

use std::{io, time::Duration};

use ureq::{Error, Timeout, http::StatusCode};

/// Why a remote input can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteFault {
    /// May pass by itself.
    #[error("{what}")]
    Unavailable { what: String, retry_after: Option<Duration> },
    /// Did not pass while it was waited for.
    #[error("{what}{}; run the same command again", waited_for(*waited))]
    GivenUp { what: String, waited: Duration },
    /// Does not pass by itself.
    #[error("{what}; {fix}")]
    Refused { what: String, fix: String },
    /// The file is another one than when its first bytes were asked for.
    #[error(
        "it was changed at the server while it was read: {how}; what is loaded so far may be of the former file: bring that \
         back and run the same command again, or abandon the run and load the new one"
    )]
    Changed { how: String },
    /// What the server says can't all be true, so that nobody knows whether a file is whole.
    #[error("{what}, so that nobody can tell whether it is whole; {fix}")]
    Contradiction { what: String, fix: &'static str },
}

fn waited_for(waited: Duration) -> String {
    if waited.is_zero() {
        return String::new();
    }
    let waited = Duration::from_secs(waited.as_secs().max(1));
    format!(", and nothing came for {} (--input-wait)", humantime::format_duration(waited))
}

impl RemoteFault {
    pub(super) fn unavailable(what: impl Into<String>) -> Self {
        Self::Unavailable { what: what.into(), retry_after: None }
    }

    pub(super) fn contradiction(what: impl Into<String>) -> Self {
        Self::Contradiction { what: what.into(), fix: "fetch it into a file and load that" }
    }

    /// An answer that brings nothing of the file. `retry_after` is what it asks for.
    pub(super) fn of_status(status: StatusCode, retry_after: Option<Duration>) -> Self {
        let what = match status.canonical_reason() {
            Some(reason) => format!("the server answers {} {reason}", status.as_u16()),
            None => format!("the server answers {}", status.as_u16()),
        };
        let fix = match status.as_u16() {
            408 | 425 | 429 | 500 | 502 | 503 | 504 => return Self::Unavailable { what, retry_after },
            401 => "give the token that it wants in a file to --header-file, or a URL that is signed",
            400 | 403 => {
                "a signed URL may have expired, or the token of --header-file may not read it: make a new one and run the \
                 command with it (an unfinished run is resumed, for it goes by the URL without its query)"
            }
            404 | 410 => {
                "nothing is there, or nothing that may be seen with this URL or token: correct the URL, or sign it anew"
            }
            _ => "fetch it into a file, or into a pipe and name - as the input",
        };
        Self::Refused { what, fix: fix.to_owned() }
    }

    /// `stall` is how long a silent connection is kept.
    pub(super) fn of_request(error: Error, stall: Duration) -> Self {
        match error {
            Error::Io(error) => Self::of_io(error, stall),
            Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
                Self::unavailable("no connection to the server comes about")
            }
            Error::Timeout(_) => Self::unavailable(format!(
                "nothing came from the server for {}",
                humantime::format_duration(stall)
            )),
            Error::HostNotFound => Self::unavailable("the server's name can't be resolved"),
            Error::Rustls(error) => Self::of_tls(&error),
            Error::ConnectProxyFailed(_) => Self::unavailable(
                "the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names refuses the connection",
            ),
            Error::InvalidProxyUrl => Self::Refused {
                what: "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY holds no URL of a proxy".to_owned(),
                fix: "correct it, or add the host to NO_PROXY".to_owned(),
            },
            Error::ConnectionFailed => Self::unavailable("no connection to the server comes about"),
            Error::BadUri(_) | Error::Http(_) => {
                Self::Refused { what: "the URL can't be asked for".to_owned(), fix: "correct it".to_owned() }
            }
            Error::LargeResponseHeader(..) => {
                Self::contradiction("the server's answer has a header without end")
            }
            // Texts of others may quote what was asked for.
            _ => Self::unavailable("the server's answer is no HTTP that can be understood"),
        }
    }

    pub(super) fn of_io(error: io::Error, stall: Duration) -> Self {
        if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Error>) {
            let inner = error.into_inner().and_then(|inner| inner.downcast::<Error>().ok());
            return Self::of_request(*inner.expect("it was just seen"), stall);
        }
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::of_tls(error);
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Self::unavailable("the connection broke"),
            io::ErrorKind::ConnectionRefused => Self::unavailable("the server refuses connections"),
            _ if is_unknown_name(&error) => Self::Refused {
                what: format!("the server's name can't be resolved: {error}"),
                fix: "correct it".to_owned(),
            },
            _ => Self::unavailable(format!("the connection failed: {error}")),
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        use rustls::{AlertDescription, CertificateError, Error as Tls};
        let fix = match error {
            Tls::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
                "it has to be renewed at the server; look at this machine's clock, too"
            }
            Tls::InvalidCertificate(CertificateError::UnknownIssuer) => {
                "name the certificate of its CA, as a file in PEM, in SSL_CERT_FILE"
            }
            Tls::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => "name the host as its certificate does",
            Tls::InvalidCertificate(_) | Tls::NoCertificatesPresented => {
                "a certificate that can be verified has to be installed at the server"
            }
            Tls::PeerIncompatible(_) | Tls::AlertReceived(AlertDescription::ProtocolVersion) => {
                "it has to be set up for TLS 1.2 or 1.3"
            }
            Tls::InvalidMessage(_) => "it may be a port without TLS",
            _ => return Self::unavailable(format!("the TLS connection failed: {error}")),
        };
        Self::Refused { what: format!("the server can't be trusted: {error}"), fix: fix.to_owned() }
    }

    /// The fault that a reader of a remote input has put into an error.
    pub(crate) fn within(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref::<Self>()
    }
}

/// As against a name server that can't be asked. getaddrinfo's codes are not passed on by the standard library, but their
/// messages are (those of glibc, musl and the BSDs).
fn is_unknown_name(error: &io::Error) -> bool {
    const UNKNOWN: [&str; 5] = [
        "Name or service not known",
        "No address associated with hostname",
        "Name does not resolve",
        "Name has no usable address",
        "nodename nor servname provided",
    ];
    let message = error.to_string();
    UNKNOWN.iter().any(|unknown| message.contains(unknown))
}
