//! One request and its answer, wherever redirects lead. Knows nothing of files, retries and threads.

use std::{
    env,
    io::{self, Read},
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use ureq::{
    Agent, AsSendBody, Body, Proxy,
    http::{HeaderMap, Request, Response as HttpResponse, StatusCode, header},
    tls::{Certificate, RootCerts, TlsConfig},
};
use x509_cert::der::DateTime;

use super::{
    address::Address,
    fault::RemoteFault,
    header_file::Headers,
    version::{ContentRange, Version},
};

const CONNECT_WITHIN: Duration = Duration::from_secs(20);

/// A machine's own metadata service is there at once, or not at all.
const METADATA_WITHIN: Duration = Duration::from_secs(3);

/// More lead nowhere.
const REDIRECTS_MAX: usize = 5;

#[derive(Debug)]
pub(super) struct Client {
    /// Of the file that `--header-file` names; for the host that was named, and no other.
    headers: Headers,
    stall: Duration,
    /// Through a proxy, where the environment names one.
    agent: OnceLock<Agent>,
    /// For this machine.
    local_agent: OnceLock<Agent>,
    /// For its metadata service.
    metadata_agent: OnceLock<Agent>,
}

/// What is asked for of a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'a> {
    Whole,
    /// The bytes from the first to the last; `None` to its end.
    Part {
        first: u64,
        last: Option<u64>,
        condition: Condition<'a>,
    },
}

/// What is to be done where the file is another one by now.
#[derive(Debug, Clone, Copy)]
pub(super) enum Condition<'a> {
    None,
    /// Refuse (412).
    IfMatch(&'a str),
    /// Give all of it (200).
    IfRange(&'a str),
}

/// An answer that brings something of the file, or says that it can't.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) range: Option<ContentRange>,
    /// Whether the answer says where it ends. Otherwise a connection that breaks looks like its end.
    pub(super) has_end: bool,
    /// How many bytes the answer says that it has.
    pub(super) body_length: Option<u64>,
    pub(super) body: Box<dyn Read + Send>,
}

/// Where a request went at last.
pub(super) struct Answered {
    pub(super) answer: Answer,
    /// None where there was no redirect.
    pub(super) moved_to: Option<Address>,
}

impl Client {
    pub(super) fn new(headers: Headers, stall: Duration) -> Self {
        let (agent, local_agent, metadata_agent) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self { headers, stall, agent, local_agent, metadata_agent }
    }

    /// Asks `start`, and where it redirects to; headers of the file go only to the server of `named`.
    pub(super) fn get(
        &self,
        start: &Address,
        named: &Address,
        wanted: Wanted<'_>,
    ) -> Result<Answered, RemoteFault> {
        let mut moved_to: Option<Address> = None;
        for _ in 0..=REDIRECTS_MAX {
            let at = moved_to.as_ref().unwrap_or(start);
            let response = self.ask(at, at.is_of_same_origin(named), wanted)?;
            let status = response.status();
            if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
                let location = location.ok_or_else(|| RemoteFault::of_status(status, None))?;
                moved_to = Some(at.redirected(location)?);
                continue;
            }
            if !brings_something(status) {
                return Err(RemoteFault::of_status(status, retry_after(response.headers())));
            }
            return Ok(Answered { answer: answer(response)?, moved_to });
        }
        Err(RemoteFault::Refused {
            what: format!("the server redirects more than {REDIRECTS_MAX} times"),
            fix: "name the URL of the file itself".to_owned(),
        })
    }

    fn ask(
        &self,
        at: &Address,
        with_headers: bool,
        wanted: Wanted<'_>,
    ) -> Result<HttpResponse<Body>, RemoteFault> {
        // Stored bytes as they are: what is compressed on the way has another ETag and no ranges.
        let mut request = Request::get(at.as_str()).header(header::ACCEPT_ENCODING, "identity");
        if let Wanted::Part { first, last, condition } = wanted {
            let last = last.map(|last| last.to_string()).unwrap_or_default();
            request = request.header(header::RANGE, format!("bytes={first}-{last}"));
            request = match condition {
                Condition::None => request,
                Condition::IfMatch(etag) => request.header(header::IF_MATCH, etag),
                Condition::IfRange(etag) => request.header(header::IF_RANGE, etag),
            };
        }
        for (name, value) in self.headers.iter().filter(|_| with_headers) {
            request = request.header(name, value);
        }
        let request = request.body(()).map_err(|error| RemoteFault::of_request(error.into(), self.stall))?;
        self.send(at, request)
    }

    /// Sends a request to `at`, as it is; whatever is answered comes back, redirects too.
    pub(super) fn send(
        &self,
        at: &Address,
        request: Request<impl AsSendBody>,
    ) -> Result<HttpResponse<Body>, RemoteFault> {
        let (agent, has_proxy, connect_within, stall) = if at.is_loopback() {
            (&self.local_agent, false, CONNECT_WITHIN, self.stall)
        } else if at.is_metadata_service() {
            (&self.metadata_agent, false, METADATA_WITHIN, METADATA_WITHIN)
        } else {
            (&self.agent, true, CONNECT_WITHIN, self.stall)
        };
        if has_proxy && agent.get().is_none() {
            refuse_unusable_proxy()?;
        }
        let agent = agent.get_or_init(|| new_agent(has_proxy, connect_within, stall));
        agent.run(request).map_err(|error| RemoteFault::of_request(error, self.stall))
    }

    pub(super) fn broken(&self, error: io::Error) -> RemoteFault {
        RemoteFault::of_io(error, self.stall)
    }
}

/// Those that name a proxy, in the order in which `ureq` takes the first one that it can read.
const PROXY_VARIABLES: [&str; 6] =
    ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// What can't be read would be passed over, and another way be taken than was meant. The value may hold a password.
fn refuse_unusable_proxy() -> Result<(), RemoteFault> {
    let named = PROXY_VARIABLES.map(|variable| (variable, env::var_os(variable).unwrap_or_default()));
    let Some((variable, value)) = named.into_iter().find(|(_, value)| !value.is_empty()) else {
        return Ok(());
    };
    if value.to_str().is_some_and(|value| Proxy::new(value).is_ok()) {
        return Ok(());
    }
    Err(RemoteFault::Refused {
        what: format!("the variable {variable} does not hold the address of a proxy"),
        fix: format!("set {variable} to something like http://proxy.example:3128, or unset it"),
    })
}

/// `stall` is how long a silent connection is kept.
fn new_agent(has_proxy: bool, connect_within: Duration, stall: Duration) -> Agent {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = rustls_native_certs::load_native_certs().certs;
    let roots: Vec<_> = roots.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(provider)
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(connect_within))
        .timeout_resolve(Some(connect_within))
        .timeout_per_read(Some(stall))
        .timeout_per_write(Some(stall));
    if has_proxy { config.build().new_agent() } else { config.proxy(None).build().new_agent() }
}

/// Whether an answer may be made of it.
pub(super) fn brings_something(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 206 | 412 | 416)
}

pub(super) fn answer(response: HttpResponse<Body>) -> Result<Answer, RemoteFault> {
    let status = response.status();
    let headers = response.headers();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let is_chunked = text(header::TRANSFER_ENCODING)
        .is_some_and(|codings| codings.to_ascii_lowercase().trim_end().ends_with("chunked"));
    let body_length = if is_chunked {
        None
    } else {
        text(header::CONTENT_LENGTH).and_then(|length| length.trim().parse::<u64>().ok())
    };
    let range = text(header::CONTENT_RANGE).and_then(ContentRange::parse);
    let length = match (status.as_u16(), range) {
        (206, Some(ContentRange::Part { length, .. })) => length,
        (416, Some(ContentRange::Unsatisfied { length })) => Some(length),
        (200, _) => body_length,
        _ => None,
    };
    // Where it is gzip or zstd its first bytes say so.
    if let Some(coding) = text(header::CONTENT_ENCODING).filter(|coding| *coding == "br") {
        return Err(RemoteFault::Refused {
            what: format!("the server compresses it ({coding}), though it is asked not to"),
            fix: "let 'curl --compressed' fetch it into a file, or into a pipe and name - as the input"
                .to_owned(),
        });
    }
    let version = Version { etag: text(header::ETAG).map(str::to_owned), length };
    let has_end = is_chunked || body_length.is_some();
    let body = Box::new(response.into_body().into_reader());
    Ok(Answer { status, version, range, has_end, body_length, body })
}

/// How long the server asks to wait.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    retry_after_at(headers, SystemTime::now())
}

/// In seconds, or as a time (RFC 9110, section 10.2.3).
fn retry_after_at(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(http_date(text)?.duration_since(now).unwrap_or(Duration::ZERO)),
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn http_date(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(", ")?.1.strip_suffix(" GMT")?.split([' ', ':']);
    let day = words.next()?.parse().ok()?;
    let name = words.next()?;
    let month = (1..).zip(MONTHS).find_map(|(number, month)| (month == name).then_some(number))?;
    let year = words.next()?.parse().ok()?;
    let mut number = || words.next()?.parse().ok();
    let time = DateTime::new(year, month, day, number()?, number()?, number()?).ok()?;
    Some(time.to_system_time())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_say_in_two_ways_when_to_come_again() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        for (text, expected) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994", None),
            ("soon", None),
            ("-1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, text.parse().expect("it is a value"));
            assert_eq!(retry_after_at(&headers, now), expected.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after_at(&HeaderMap::new(), now), None);
    }
}
