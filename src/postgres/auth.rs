//! What a server may ask for before it lets a session in: read from its messages before anything answers them, for
//! tokio-postgres sends a password in clear to whoever asks.
//!
//! Pure. Messages are framed as in the manual, section "Message Formats"; they may arrive in any pieces.

use std::fmt;

use super::{conninfo::ConnectionSettings, target_error::TargetError};

/// How a server authenticates a session, in libpq's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthMethod {
    None,
    Password,
    Md5,
    Scram,
    Gss,
    Sspi,
    OAuth,
}

const METHODS: [(&str, AuthMethod); 7] = [
    ("none", AuthMethod::None),
    ("password", AuthMethod::Password),
    ("md5", AuthMethod::Md5),
    ("scram-sha-256", AuthMethod::Scram),
    ("gss", AuthMethod::Gss),
    ("sspi", AuthMethod::Sspi),
    ("oauth", AuthMethod::OAuth),
];

/// Those of `require_auth`; all of them where it says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AllowedMethods(Vec<AuthMethod>);

impl AllowedMethods {
    pub(super) fn all() -> Self {
        Self(METHODS.map(|(_, method)| method).to_vec())
    }

    pub(super) fn of(settings: &ConnectionSettings) -> Result<Self, TargetError> {
        const KEYWORD: &str = "require_auth";
        let Some(text) = settings.given(KEYWORD)? else { return Ok(Self::all()) };
        let wrong = || settings.wrong(KEYWORD, "a list of authentication methods as libpq takes it");
        let words: Vec<_> = text.split(',').map(str::trim).collect();
        let negated = words.iter().filter(|word| word.starts_with('!')).count();
        if negated != 0 && negated != words.len() {
            return Err(wrong());
        }
        let mut named = Vec::new();
        for word in words {
            let word = word.strip_prefix('!').unwrap_or(word);
            let (_, method) = METHODS.iter().find(|(known, _)| *known == word).ok_or_else(wrong)?;
            named.push(*method);
        }
        if negated == 0 {
            return Ok(Self(named));
        }
        let Self(mut all) = Self::all();
        all.retain(|method| !named.contains(method));
        Ok(Self(all))
    }
}

/// Why a server is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthRefusal {
    ClearText,
    NotAllowed(AuthMethod),
    Garbled,
}

impl fmt::Display for AuthRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClearText => f.write_str(
                "the server asks for the password in clear, which is sent over a socket or verified TLS only; have its \
                 pg_hba.conf ask for scram-sha-256, or verify the server with sslmode=verify-full and sslrootcert=FILE",
            ),
            Self::NotAllowed(AuthMethod::None) => {
                f.write_str("the server lets the session in without authentication, which require_auth does not allow")
            }
            Self::NotAllowed(method) => {
                let known = METHODS.iter().find(|(_, one)| one == method);
                let word = known.map_or("another method", |(word, _)| *word);
                write!(f, "the server asks for the authentication method {word}, which require_auth does not allow")
            }
            Self::Garbled => f.write_str("what answers does not speak PostgreSQL's protocol"),
        }
    }
}

impl std::error::Error for AuthRefusal {}

/// Looks at what a server sends until the session is authenticated and its process is named (BackendKeyData).
#[derive(Debug)]
pub(crate) struct AuthGuard {
    allowed: AllowedMethods,
    may_be_clear: bool,
    /// The method that was asked for.
    method: Option<AuthMethod>,
    is_authenticated: bool,
    /// The process that a request to cancel would name.
    pid: Option<i32>,
    /// Type, length and the first four bytes of a message, as far as they have come.
    head: Vec<u8>,
    /// Bytes of a message that do not matter.
    skip: usize,
    is_done: bool,
}

impl AuthGuard {
    /// `may_be_clear`: whether nobody but the right server can read what is sent.
    pub(crate) fn new(allowed: AllowedMethods, may_be_clear: bool) -> Self {
        Self {
            allowed,
            may_be_clear,
            method: None,
            is_authenticated: false,
            pid: None,
            head: Vec::new(),
            skip: 0,
            is_done: false,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.is_done
    }

    pub(crate) fn method(&self) -> Option<AuthMethod> {
        self.method
    }

    /// Of the server's process, as far as it was named.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.pid
    }

    /// Takes the next bytes; none of them may be answered where this fails.
    pub(crate) fn read(&mut self, mut bytes: &[u8]) -> Result<(), AuthRefusal> {
        while !self.is_done && !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head.push(bytes[0]);
            bytes = &bytes[1..];
            self.take_message()?;
        }
        Ok(())
    }

    /// Once enough of a message is there to know what it is.
    fn take_message(&mut self) -> Result<(), AuthRefusal> {
        let Some(([kind, length @ ..], code)) = self.head.split_first_chunk::<5>() else { return Ok(()) };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let body = length.checked_sub(4).ok_or(AuthRefusal::Garbled)?;
        // Requests, and then the key of the process.
        let matters = if self.is_authenticated { b'K' } else { b'R' };
        match *kind {
            kind if kind == matters => {
                let rest = body.checked_sub(4).ok_or(AuthRefusal::Garbled)?;
                let Ok(code) = <[u8; 4]>::try_from(code) else { return Ok(()) };
                self.skip = rest;
                self.head.clear();
                if !self.is_authenticated {
                    return self.take_request(u32::from_be_bytes(code));
                }
                self.pid = Some(i32::from_be_bytes(code));
                self.is_done = true;
                return Ok(());
            }
            b'E' => self.is_done = true,
            // The session is ready.
            b'Z' => self.is_done = self.is_authenticated,
            _ => {}
        }
        self.skip = body;
        self.head.clear();
        Ok(())
    }

    fn take_request(&mut self, code: u32) -> Result<(), AuthRefusal> {
        let method = match code {
            0 => {
                self.is_authenticated = true;
                match self.method {
                    Some(_) => return Ok(()),
                    None => AuthMethod::None,
                }
            }
            3 => AuthMethod::Password,
            5 => AuthMethod::Md5,
            2 | 7 => AuthMethod::Gss,
            9 => AuthMethod::Sspi,
            10 => AuthMethod::Scram,
            // What follows one of them.
            _ => return Ok(()),
        };
        self.method = Some(method);
        if method == AuthMethod::Password && !self.may_be_clear {
            Err(AuthRefusal::ClearText)
        } else if self.allowed.0.contains(&method) {
            Ok(())
        } else {
            Err(AuthRefusal::NotAllowed(method))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: &[u8] = b"R\0\0\0\x08\0\0\0\0";
    const CLEAR: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
    const MD5: &[u8] = b"R\0\0\0\x0c\0\0\0\x05salt";
    const SASL: &[u8] = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";
    const NOTICE: &[u8] = b"N\0\0\0\x0dR\0\0\0\x08\0\0\0\x03";
    const ERROR: &[u8] = b"E\0\0\0\x05\0";

    /// In one piece, and byte by byte.
    fn check(messages: &[&[u8]], allowed: &str, may_be_clear: bool, expected: Result<(), AuthRefusal>) {
        let settings = ConnectionSettings::parse(&format!("require_auth='{allowed}'"), "X").unwrap();
        let allowed = AllowedMethods::of(&settings).unwrap();
        let all = messages.concat();
        let mut guard = AuthGuard::new(allowed.clone(), may_be_clear);
        assert_eq!(guard.read(&all), expected, "{messages:?}");
        let mut guard = AuthGuard::new(allowed, may_be_clear);
        let read = all.iter().try_for_each(|byte| guard.read(&[*byte]));
        assert_eq!(read, expected, "{messages:?}");
    }

    #[test]
    fn a_password_goes_in_clear_to_the_right_server_only() {
        check(&[CLEAR, OK], "", true, Ok(()));
        check(&[CLEAR], "", false, Err(AuthRefusal::ClearText));
        check(&[NOTICE, CLEAR], "", false, Err(AuthRefusal::ClearText));
        check(&[NOTICE, SASL, OK, CLEAR], "", false, Ok(()));
        check(&[MD5, OK], "", false, Ok(()));
        check(&[ERROR, CLEAR], "", false, Ok(()));
        check(&[b"R\0\0\0\x04"], "", false, Err(AuthRefusal::Garbled));
        check(&[b"N\0\0\0\x01"], "", false, Err(AuthRefusal::Garbled));
        check(&[b"HTTP/1.1 400"], "", false, Ok(()));
    }

    #[test]
    fn the_process_of_the_session_is_the_one_that_is_named_first() {
        const KEY: &[u8] = b"K\0\0\0\x0c\0\0\x01\x02keys";
        const READY: &[u8] = b"Z\0\0\0\x05I";
        let check = |messages: &[&[u8]], expected| {
            let all = messages.concat();
            for piece in [1, 7, all.len()] {
                let mut guard = AuthGuard::new(AllowedMethods::all(), false);
                assert_eq!(all.chunks(piece).try_for_each(|bytes| guard.read(bytes)), Ok(()));
                assert_eq!((guard.pid(), guard.is_done()), (expected, true), "{messages:?}");
            }
        };
        check(&[OK, NOTICE, KEY, READY], Some(258));
        check(&[SASL, OK, READY, KEY], None);
        check(&[KEY, OK, READY], None);
        check(&[OK, ERROR], None);
    }

    #[test]
    fn require_auth_means_what_libpq_means() {
        check(&[SASL, OK], "scram-sha-256", false, Ok(()));
        check(&[OK], "scram-sha-256", false, Err(AuthRefusal::NotAllowed(AuthMethod::None)));
        check(&[MD5], "scram-sha-256,none", false, Err(AuthRefusal::NotAllowed(AuthMethod::Md5)));
        check(&[OK], "scram-sha-256,none", false, Ok(()));
        check(&[OK], "!none", false, Err(AuthRefusal::NotAllowed(AuthMethod::None)));
        check(&[MD5, OK], "!none", false, Ok(()));
        check(&[MD5, OK], "!password,!md5", false, Err(AuthRefusal::NotAllowed(AuthMethod::Md5)));
        for wrong in ["s3cret", "none,!md5", "!", ","] {
            let settings = ConnectionSettings::parse(&format!("require_auth='{wrong}'"), "X").unwrap();
            let error = AllowedMethods::of(&settings).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
