//! URLs of inputs: what is asked for, and what is shown of it. The query is never shown, for it may be a credential.

use std::{borrow::Cow, fmt, net::IpAddr};

use fluent_uri::{Uri, UriRef};

use super::fault::RemoteFault;
use crate::path_text::visible;

/// Schemes of what an input may be, here or in other programs; none of a database.
const SCHEMES: [&str; 12] =
    ["http", "https", "s3", "s3a", "gs", "az", "abfs", "abfss", "file", "ftp", "ftps", "sftp"];

/// A URL without credentials before the host, and without a fragment.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address(Uri<String>);

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

/// What is wrong with a URL that can't be an address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoAddress {
    pub(super) problem: String,
    pub(super) fix: &'static str,
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self, NoAddress> {
        let wrong = |problem: String, fix| Err(NoAddress { problem, fix });
        let Ok(uri) = Uri::parse(text) else {
            let fix = "write every other character than letters, digits and -._~:/?#[]@!$&'()*+,;= as % and two digits";
            return wrong("is no URL".to_owned(), fix);
        };
        let Some(authority) = uri.authority().filter(|authority| !authority.host().is_empty()) else {
            return wrong("names no host".to_owned(), "write https://HOST/PATH");
        };
        if authority.has_userinfo() {
            return wrong(
                "holds a user or password before the host, which other users of this machine can see"
                    .to_owned(),
                "write 'Authorization: Basic …' or the header that the server takes into a file and name it with \
                 --header-file",
            );
        }
        if authority.port_to_u16().is_err() {
            return wrong("names a port that there can't be".to_owned(), "correct it");
        }
        if uri.path().as_str().contains('*') {
            return wrong(
                "holds a pattern, and over HTTP nobody can be asked which files match one".to_owned(),
                "name each URL (a * that belongs to a name is written %2A)",
            );
        }
        Ok(Self(uri.strip_fragment().to_owned()))
    }

    /// With what may be a credential.
    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// None where it has a query, which may be a credential.
    pub(super) fn plain(&self) -> Option<&str> {
        self.0.query().is_none().then(|| self.as_str())
    }

    pub(super) fn shown(&self) -> String {
        shown(self.0.as_str()).into_owned()
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.0.scheme().as_str().eq_ignore_ascii_case("https")
    }

    /// Whether what is sent stays on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.0.authority().expect("it has a host").host();
        let number = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost") || number.is_ok_and(|address| address.is_loopback())
    }

    /// The server that a request of a library goes to: names of objects may hold what no URL of ours may.
    #[cfg(feature = "cloud")]
    pub(super) fn of_server(scheme: &str, authority: &str) -> Option<Self> {
        Self::parse(&format!("{scheme}://{authority}/")).ok()
    }

    /// Whether it is a machine's own server of what is known of it, its credentials among that.
    pub(super) fn is_metadata_service(&self) -> bool {
        let host = self.0.authority().expect("it has a host").host();
        let number = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host.eq_ignore_ascii_case("metadata.google.internal")
            || number.is_ok_and(|address| match address {
                IpAddr::V4(address) => address.is_link_local(),
                // AWS has fd00:ec2::254 for it.
                IpAddr::V6(address) => address.segments()[..2] == [0xfd00, 0xec2],
            })
    }

    /// Scheme, host and port.
    #[cfg(feature = "cloud")]
    pub(super) fn server(&self) -> String {
        let authority = self.0.authority().expect("it has a host");
        let authority = authority.as_str().rsplit('@').next().unwrap_or_default();
        format!("{}://{}", self.0.scheme(), visible(authority))
    }

    /// Whether both are of one server: scheme, host and port (RFC 6454, section 4).
    pub(super) fn is_of_same_origin(&self, other: &Self) -> bool {
        self.origin() == other.origin()
    }

    fn origin(&self) -> (bool, String, u16) {
        let authority = self.0.authority().expect("it has a host");
        let default = if self.is_encrypted() { 443 } else { 80 };
        let port = authority.port_to_u16().ok().flatten().unwrap_or(default);
        (self.is_encrypted(), authority.host().to_ascii_lowercase(), port)
    }

    /// Where a redirect leads (RFC 9110, section 10.2.2).
    pub(super) fn redirected(&self, location: &str) -> Result<Self, RemoteFault> {
        let wrong = |why: &str| RemoteFault::Refused {
            what: format!("the server redirects to {why}"),
            fix: "name the URL of the file itself".to_owned(),
        };
        let reference = UriRef::parse(location).map_err(|_| wrong("what is no URL"))?;
        let resolved = reference.resolve_against(&self.0).map_err(|_| wrong("what is no URL"))?;
        let scheme = resolved.scheme().as_str().to_ascii_lowercase();
        if !["http", "https"].contains(&&*scheme) {
            return Err(wrong("something else than HTTP"));
        }
        let next = match Self::parse(resolved.as_str()) {
            Ok(next) => next,
            Err(NoAddress { problem, .. }) => return Err(wrong(&format!("a URL that {problem}"))),
        };
        // Who names a server of this machine has not said that others may be asked in clear.
        let leaves_in_clear = self.is_loopback() && !next.is_loopback();
        if (self.is_encrypted() || leaves_in_clear) && !next.is_encrypted() {
            return Err(wrong(&format!("{}, which is not encrypted", next.shown())));
        }
        Ok(next)
    }
}

/// The scheme of a word that may be the URL of an input, in lower case; of others none.
pub(crate) fn input_scheme(word: &str) -> Option<&'static str> {
    // One slash is a slip, and what follows may be a credential all the same.
    let (scheme, _) = word.split_once(":/")?;
    SCHEMES.into_iter().find(|known| known.eq_ignore_ascii_case(scheme))
}

/// A URL as it may be shown: without query, fragment, and what stands before the host; scheme and host in lower case.
/// By this name reports and the ledger know the input: a URL that is signed anew is the same input.
pub(crate) fn shown(url: &str) -> Cow<'_, str> {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let Some((scheme, rest)) = url[..end].split_once("://") else { return visible(&url[..end]) };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (authority, path) = match (authority.rsplit_once(':'), rest.rsplit_once('@')) {
        // No port, so it may be the beginning of a password with a slash in it.
        (Some((_, port)), Some((_, after)))
            if !port.bytes().all(|byte| byte.is_ascii_digit()) && !authority.ends_with(']') =>
        {
            after.split_at(after.find('/').unwrap_or(after.len()))
        }
        _ => (authority, path),
    };
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let [scheme, host] = [scheme, host].map(str::to_ascii_lowercase);
    Cow::Owned(visible(&format!("{scheme}://{host}{path}")).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"))
    }

    #[test]
    fn what_may_be_a_credential_is_not_shown() {
        for (url, expected) in [
            ("https://h/a.ndjson?X-Amz-Signature=s3cret#x", "https://h/a.ndjson"),
            ("HTTPS://Bucket.Example:8443/A%20b", "https://bucket.example:8443/A%20b"),
            ("https://u:s3cret@h/a", "https://h/a"),
            ("https://u:s3cret@x@h", "https://h"),
            ("https://h?s3cret", "https://h"),
            ("https://u:s3c/ret@h/a", "https://h/a"),
            ("https://u:s3c/r@et@h", "https://h"),
            ("https://h:8443/me@example.org/a", "https://h:8443/me@example.org/a"),
            ("https://[::1]:8443/a@b", "https://[::1]:8443/a@b"),
            ("https://[::1]/a@b", "https://[::1]/a@b"),
            ("https:/h/a?s3cret", "https:/h/a"),
            ("s3://bucket/key?s3cret", "s3://bucket/key"),
            ("https://h/a\u{1b}[2J", "https://h/a\\u{1b}[2J"),
        ] {
            assert_eq!(shown(url), expected);
        }
        assert_eq!(format!("{:?}", address("https://h/a?s3cret")), "https://h/a");
    }

    #[test]
    fn what_can_be_no_address_is_told() {
        for (url, expected) in [
            ("https://", "names no host"),
            ("https:///a", "names no host"),
            ("https:/h/a", "names no host"),
            ("https://h/a b", "is no URL"),
            ("https://h/ä", "is no URL"),
            ("https://u:p@h/a", "before the host"),
            ("https://h:99999/a", "a port"),
            ("https://h/*.ndjson", "a pattern"),
        ] {
            let error = Address::parse(url).expect_err(url);
            assert!(error.problem.contains(expected), "{url}: {error:?}");
        }
        assert_eq!(address("https://h/a?b=*#c").as_str(), "https://h/a?b=*");
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (url, expected) in [
            ("http://localhost/a", true),
            ("http://LOCALHOST:80/a", true),
            ("http://127.1.2.3:8000/a", true),
            ("http://[::1]:9/a", true),
            ("http://localhost.example/a", false),
            ("http://127.0.0.1.example/a", false),
            ("http://10.0.0.1/a", false),
            ("http://[fe80::1]/a", false),
        ] {
            assert_eq!(address(url).is_loopback(), expected, "{url}");
        }
        for (url, expected) in [
            ("http://169.254.169.254/latest", true),
            ("http://169.254.170.2/v2", true),
            ("http://[fd00:ec2::254]/latest", true),
            ("http://metadata.google.internal/computeMetadata", true),
            ("http://metadata.example/a", false),
            ("http://169.253.1.1/a", false),
        ] {
            assert_eq!(address(url).is_metadata_service(), expected, "{url}");
        }
    }

    #[test]
    fn redirects_are_resolved_and_never_lose_encryption() {
        let from = address("https://h/dir/a?x=1");
        for (location, expected) in [
            ("b", "https://h/dir/b"),
            ("/b?y", "https://h/b?y"),
            ("//other/b", "https://other/b"),
            ("https://other/b#c", "https://other/b"),
            ("../../b", "https://h/b"),
        ] {
            assert_eq!(from.redirected(location).expect(location).as_str(), expected);
        }
        for location in ["http://h/a", "ftp://h/a", "https://u:s3cret@h/a", "a b", "https://"] {
            let fault = from.redirected(location).expect_err(location).to_string();
            assert!(fault.starts_with("the server redirects to ") && !fault.contains("s3cret"), "{fault}");
        }
        assert!(address("http://h/a").redirected("https://h/a").is_ok());
        let local = address("http://127.0.0.1:1/a");
        assert!(local.redirected("http://localhost:2/b").is_ok() && local.redirected("https://h/a").is_ok());
        let fault = local.redirected("http://h/a").expect_err("it leaves the machine in clear").to_string();
        assert!(fault.contains("http://h/a, which is not encrypted"), "{fault}");
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let is_same = |a, b| address(a).is_of_same_origin(&address(b));
        assert!(is_same("https://h/a", "https://H:443/b?c") && is_same("http://h:80/", "http://h/a"));
        assert!(!is_same("https://h/a", "http://h/a") && !is_same("https://h/a", "https://h:8443/a"));
        assert!(!is_same("https://h/a", "https://h.example/a"));
    }
}
