//! Inputs over the network: a stream of stored bytes that survives broken connections, and never mixes two versions of a file.
//!
//! Where the server gives ranges and a strong ETag, several ranges are fetched ahead, each only of the version that the first
//! answer was of. Otherwise it is one stream; where it breaks, it goes on by a range of the same version, or from the
//! beginning, and then what was handed out already has to come again byte for byte.

mod address;
mod client;
mod fault;
mod header_file;
mod patience;
mod place;
mod ranges;
#[cfg(feature = "cloud")]
mod store;
mod version;
mod whole;

use std::{
    fmt,
    io::{self, Read},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use address::{Address, NoAddress};
use client::{Answer, Client, Condition, Wanted};
use header_file::Headers;
use patience::{Patience, Stop};
use place::Place;
use ranges::Ranges;
use version::ContentRange;
use whole::Whole;

use super::InputError;
use crate::{path_text::path_text, settings::NetworkSettings};

pub(crate) use address::{input_scheme, shown};
pub use fault::RemoteFault;
#[cfg(feature = "cloud")]
pub(super) use store::resolve as resolve_store_url;
pub(crate) use version::Version;

/// What is read of a file at first, for most that look at it want no more.
const FIRST_BYTES: u64 = 256 << 10;

/// Who is told that a server is waited for.
type Listener = Box<dyn Fn(String) + Send>;

/// What the remote inputs of a command share.
pub(crate) struct Network {
    settings: NetworkSettings,
    client: Arc<Client>,
    #[cfg(feature = "cloud")]
    stores: store::Stores,
    listener: Mutex<Listener>,
}

/// A file behind a URL, or an object in a store.
pub struct Remote {
    place: Place,
    /// Without what may be a credential.
    name: String,
    network: Arc<Network>,
    /// As the plan has it, or else the first answer; others have to be of the same one.
    version: OnceLock<Version>,
    is_planned: bool,
}

/// A file whose first bytes were asked for.
enum Begun {
    Ranges { etag: String, length: u64, first: Answer },
    Whole(Answer),
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Network {
    pub(crate) fn new(
        settings: NetworkSettings,
        listener: impl Fn(String) + Send + 'static,
    ) -> Result<Arc<Self>, InputError> {
        let headers = headers_of(&settings)?;
        let client = Arc::new(Client::new(headers, settings.stall));
        Ok(Arc::new(Self {
            settings,
            client,
            #[cfg(feature = "cloud")]
            stores: store::Stores::default(),
            listener: Mutex::new(Box::new(listener)),
        }))
    }

    pub(crate) fn has_headers(&self) -> bool {
        self.settings.header_file.is_some()
    }

    fn listen(&self, listener: Listener) {
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = listener;
    }

    fn tell(&self, words: String) {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)(words);
    }

    fn patience(&self) -> Patience {
        Patience::new(self.settings.input_wait)
    }

    /// Before what is called `name` is asked for once more.
    fn wait(
        &self,
        name: &str,
        patience: &mut Patience,
        fault: RemoteFault,
        stop: &Stop,
    ) -> Result<(), RemoteFault> {
        patience.wait(fault, stop, |what, left| {
            let left = humantime::format_duration(Duration::from_secs(left.as_secs().max(1)));
            self.tell(format!("waiting for {name}: {what}; up to {left} (--input-wait)"));
        })
    }
}

fn headers_of(settings: &NetworkSettings) -> Result<Headers, InputError> {
    match &settings.header_file {
        None => Ok(Headers::default()),
        Some(path) => {
            Headers::read(path).map_err(|problem| InputError::HeaderFile { name: path_text(path), problem })
        }
    }
}

/// Refuses a file of headers that can't be used, though no input asks for it.
pub(super) fn refuse_unusable_headers(settings: &NetworkSettings) -> Result<(), InputError> {
    headers_of(settings).map(drop)
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PartialEq for Remote {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Eq for Remote {}

impl Remote {
    /// Of a URL with the scheme `https` or `http`.
    pub(crate) fn new(url: &str, network: &Arc<Network>) -> Result<Self, InputError> {
        let refuse = |problem: String, fix: &str| InputError::Url {
            name: shown(url).into_owned(),
            problem,
            fix: fix.to_owned(),
        };
        let address = Address::parse(url).map_err(|NoAddress { problem, fix }| refuse(problem, fix))?;
        if !address.is_encrypted() && !address.is_loopback() && !network.settings.allow_http {
            return Err(refuse(
                "would come unencrypted, so that others on the way can read and change it".to_owned(),
                "write https://, or allow it with --allow-http",
            ));
        }
        let name = address.shown();
        Ok(Self::at(Place::of_url(address), name, network))
    }

    /// `name` may be shown.
    fn at(place: Place, name: String, network: &Arc<Network>) -> Self {
        let (network, version) = (Arc::clone(network), OnceLock::new());
        Self { place, name, network, version, is_planned: false }
    }

    /// As a plan has it: the same that [`Remote::plain_url`] gave, and no other version of it.
    pub(crate) fn planned(url: &str, version: Version, network: &Arc<Network>) -> Result<Self, InputError> {
        let remote = match input_scheme(url) {
            Some("https" | "http") => Self::new(url, network)?,
            #[cfg(feature = "cloud")]
            _ => store::object(url, network)?,
            #[cfg(not(feature = "cloud"))]
            _ => return Err(no_stores(url)),
        };
        Ok(Self { version: version.into(), is_planned: true, ..remote })
    }

    /// What a plan names it by; none where that is, or may be, a credential.
    pub(crate) fn plain_url(&self) -> Option<String> {
        self.place.plain_url()
    }

    /// Without what may be a credential.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Known once it was opened.
    pub(crate) fn version(&self) -> Option<&Version> {
        self.version.get()
    }

    /// Known once it was opened, where the server says it.
    pub(crate) fn length(&self) -> Option<u64> {
        self.version().and_then(|version| version.length)
    }

    /// Known once it was opened, where the server gives one.
    pub(crate) fn etag(&self) -> Option<&str> {
        self.version().and_then(|version| version.etag.as_deref())
    }

    /// Whether tokens of a file are sent to its server.
    pub(crate) fn takes_headers(&self) -> bool {
        matches!(self.place, Place::Url(_))
    }

    /// Whether tokens of a file would be sent to the same server for both.
    pub(crate) fn is_of_same_server(&self, other: &Self) -> bool {
        self.place.is_of_same_server(&other.place)
    }

    /// Who hears from now on that a server is waited for; one for all inputs of a command.
    pub(crate) fn listen(&self, listener: impl Fn(String) + Send + 'static) {
        self.network.listen(Box::new(listener));
    }

    /// From its beginning; waits for the server.
    pub(crate) fn open(self: &Arc<Self>) -> io::Result<Box<dyn Read + Send>> {
        let stop = Stop::default();
        let mut patience = self.patience();
        loop {
            match self.begin() {
                Ok(Begun::Ranges { etag, length, first }) => {
                    return Ok(Box::new(Ranges::new(Arc::clone(self), etag, length, first)));
                }
                Ok(Begun::Whole(answer)) => return Ok(Box::new(Whole::start(Arc::clone(self), answer)?)),
                Err(fault) => self.wait(&mut patience, fault, &stop).map_err(io::Error::other)?,
            }
        }
    }

    fn first_bytes(&self) -> u64 {
        FIRST_BYTES.min(self.network.settings.range_bytes)
    }

    fn begin(&self) -> Result<Begun, RemoteFault> {
        let last = Some(self.first_bytes() - 1);
        let first = self.get(Wanted::Part { first: 0, last, condition: Condition::None })?;
        if first.status.as_u16() == 200 {
            return self.begin_whole(first);
        }
        if first.status.as_u16() == 206
            && matches!(first.range, Some(ContentRange::Part { first: 0, .. }))
            && let (Some(etag), Some(length)) = (first.version.strong_etag(), first.version.length)
        {
            self.pin(&first.version)?;
            return Ok(Begun::Ranges { etag: etag.to_owned(), length, first });
        }
        // Parts that nobody can tell the version of, or an empty file, which has no first byte.
        drop(first);
        let whole = self.get(Wanted::Whole)?;
        self.begin_whole(whole)
    }

    fn begin_whole(&self, answer: Answer) -> Result<Begun, RemoteFault> {
        if answer.status.as_u16() != 200 {
            return Err(unasked(&answer));
        }
        if !answer.has_end {
            return Err(RemoteFault::contradiction(
                "the server does not say how long it is or where it ends",
            ));
        }
        self.pin(&answer.version)?;
        Ok(Begun::Whole(answer))
    }

    /// Whatever is read of it has to be of this version.
    fn pin(&self, version: &Version) -> Result<(), RemoteFault> {
        let first = self.version.get_or_init(|| version.clone());
        match first.difference(version) {
            Some(how) => Err(RemoteFault::Changed { how }),
            None if self.is_planned && first.strong_etag().is_some() && version.strong_etag().is_none() => {
                Err(RemoteFault::contradiction(
                    "the server gave an ETag when the plan was made, and gives none",
                ))
            }
            None => Ok(()),
        }
    }

    fn get(&self, wanted: Wanted<'_>) -> Result<Answer, RemoteFault> {
        self.place.get(&self.network.client, wanted)
    }

    fn patience(&self) -> Patience {
        self.network.patience()
    }

    fn wait(&self, patience: &mut Patience, fault: RemoteFault, stop: &Stop) -> Result<(), RemoteFault> {
        self.network.wait(&self.name, patience, fault, stop)
    }

    fn broken(&self, error: io::Error) -> RemoteFault {
        self.network.client.broken(error)
    }
}

/// Of a URL of a store.
#[cfg(not(feature = "cloud"))]
pub(super) fn no_stores(url: &str) -> InputError {
    InputError::Url {
        name: shown(url).into_owned(),
        problem: "is in a bucket, which this build can't read directly".to_owned(),
        fix: "take a package of profile-loader, or build it with --features cloud, or name its URL over https://, signed where \
              it is not public (aws s3 presign, gcloud storage sign-url, az storage blob generate-sas)"
            .to_owned(),
    }
}

/// An answer to something else than what was asked.
fn unasked(answer: &Answer) -> RemoteFault {
    RemoteFault::contradiction(format!(
        "the server answers with other bytes than asked for ({})",
        answer.status
    ))
}
