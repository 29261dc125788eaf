//! How much TLS is asked for: `sslmode`, `DATABASE_SSL`, and what holds without a word.

use super::super::{
    conninfo::{ConnectionSettings, Environment},
    hosts::TargetHost,
    target_error::TargetError,
};

/// libpq's modes, and `no-verify` of the API's, from the weakest to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SslMode {
    Disable,
    /// Without TLS, and with it where the server does not take that.
    Allow,
    /// TLS where the server offers it.
    Prefer,
    /// Encrypted, whoever it is.
    NoVerify,
    /// Encrypted; where a root certificate is named, as `VerifyCa`.
    Require,
    VerifyCa,
    VerifyFull,
}

const MODES: [(&str, SslMode); 6] = [
    ("disable", SslMode::Disable),
    ("allow", SslMode::Allow),
    ("prefer", SslMode::Prefer),
    ("require", SslMode::Require),
    ("verify-ca", SslMode::VerifyCa),
    ("verify-full", SslMode::VerifyFull),
];
const WORDS: &str = "one of disable, allow, prefer, require, verify-ca, verify-full";
const VARIABLE: &str = "DATABASE_SSL";

impl SslMode {
    /// Whether nothing goes over the network unencrypted.
    pub(crate) fn insists(self) -> bool {
        self >= Self::NoVerify
    }

    /// That of a host for which nobody says anything.
    pub(crate) fn default_of(host: &TargetHost) -> Self {
        if host.is_local() { Self::Prefer } else { Self::VerifyFull }
    }

    pub(crate) fn word(self) -> &'static str {
        let known = MODES.into_iter().find(|(_, mode)| *mode == self);
        known.map_or("no-verify", |(word, _)| word)
    }
}

/// The strongest of what is asked for, if anything is: no place lowers what another asks for. As in libpq, a variable
/// of libpq's counts only where the connection string says nothing.
pub(super) fn requested(
    settings: &ConnectionSettings,
    env: &Environment<'_>,
) -> Result<Option<SslMode>, TargetError> {
    let of_variable = of_variable(env)?;
    let explicit = settings.one_of("sslmode", WORDS, &MODES)?;
    // libpq would take the last one without a word.
    let is_lowered = |other: &Vec<u8>| {
        let other = MODES.iter().find(|(word, _)| word.as_bytes() == other).map(|(_, mode)| *mode);
        other.is_some_and(|other| other.insists() && explicit < Some(other))
    };
    if settings.replaced("sslmode").iter().any(is_lowered) {
        return Err(settings.unsupported(
            "sslmode",
            "is given more than once, and the last one asks for less than another; leave one of them out",
        ));
    }
    if explicit == Some(SslMode::Disable)
        && of_variable.is_some_and(SslMode::insists)
        && !settings.is_from_libpq_variable("sslmode")
    {
        return Err(TargetError::Contradiction { origin: settings.origin("sslmode"), other: VARIABLE });
    }
    let mode = explicit.max(of_variable);
    if settings.bytes("sslrootcert") != Some(b"system") {
        return Ok(mode);
    }
    match mode {
        None | Some(SslMode::VerifyFull) => Ok(Some(SslMode::VerifyFull)),
        Some(_) => Err(settings.unsupported(
            "sslrootcert",
            "is system, where anybody may have a certificate, and needs sslmode=verify-full",
        )),
    }
}

fn of_variable(env: &Environment<'_>) -> Result<Option<SslMode>, TargetError> {
    let Some(text) = env.variable(VARIABLE)? else { return Ok(None) };
    let mode = match text.trim() {
        "true" | "1" | "on" | "yes" => Some(SslMode::VerifyFull),
        "false" | "0" | "off" | "no" => Some(SslMode::Disable),
        "no-verify" => Some(SslMode::NoVerify),
        word => MODES.iter().find(|(known, _)| *known == word).map(|(_, mode)| *mode),
    };
    let expected = "true, false, no-verify or a mode of libpq's (disable, prefer, require, verify-full)";
    let wrong = TargetError::Value { origin: VARIABLE, keyword: "sslmode", expected };
    mode.map(Some).ok_or(wrong)
}
