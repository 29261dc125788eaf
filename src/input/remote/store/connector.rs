//! What object_store asks of the network: credentials and listings are sent by our client; a request for an object is only
//! signed, and taken before it is sent.

use std::{
    future::{Future, ready},
    io::Read as _,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use futures_util::future::BoxFuture;
use object_store::{
    ClientOptions, Extensions,
    client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService},
};
use ureq::{
    Body,
    http::{Method, Request, Response, StatusCode},
};

use super::{
    super::{address::Address, client::Client, fault::RemoteFault},
    Kind, fault,
};

/// A listing of a thousand objects is shorter, and so is every token.
const BODY_BYTES_MAX: u64 = 16 << 20;

/// To whom what is signed may go unencrypted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Permission {
    pub(super) allow_http: bool,
}

impl Permission {
    pub(super) fn require(self, at: &Address) -> Result<(), RemoteFault> {
        if at.is_encrypted() || at.is_loopback() || self.allow_http {
            return Ok(());
        }
        Err(RemoteFault::Refused {
            what: format!(
                "its store at {} would be asked unencrypted, so that others on the way can read along",
                at.server()
            ),
            fix: "give the store's endpoint as https://, or allow it with --allow-http".to_owned(),
        })
    }
}

/// A request that was not sent yet.
pub(super) struct Signed {
    pub(super) at: Address,
    pub(super) request: Request<()>,
}

/// Where a request is put once it is signed.
#[derive(Debug, Clone, Default)]
struct Taken(Arc<Mutex<Option<Request<()>>>>);

/// Marks the requests of listings.
#[derive(Debug, Clone, Copy)]
struct OfListing;

pub(super) fn of_listing() -> Extensions {
    let mut extensions = Extensions::new();
    extensions.insert(OfListing);
    extensions
}

/// What `ask` would have sent, had it not been for these extensions; else its error, if it had one.
pub(super) fn signed(
    ask: impl FnOnce(Extensions) -> Option<object_store::Error>,
) -> Result<Signed, Option<object_store::Error>> {
    let taken = Taken::default();
    let mut extensions = Extensions::new();
    extensions.insert(taken.clone());
    let error = ask(extensions);
    let request = taken.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    let request = request.ok_or(error)?;
    let at = address(&request).ok_or(None)?;
    Ok(Signed { at, request })
}

/// Sends for one store.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    kind: Kind,
    client: Arc<Client>,
    permission: Permission,
}

/// Travels through the errors of object_store.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Carried(pub(super) RemoteFault);

/// In place of an answer to a request that was taken.
#[derive(Debug, thiserror::Error)]
#[error("it was not sent")]
struct NotSent;

impl Connector {
    pub(super) fn new(kind: Kind, client: Arc<Client>, permission: Permission) -> Self {
        Self { kind, client, permission }
    }

    fn answer(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (mut parts, body) = request.into_parts();
        let mut bare = Request::new(());
        *bare.method_mut() = parts.method;
        *bare.uri_mut() = parts.uri;
        *bare.headers_mut() = parts.headers;
        if let Some(Taken(taken)) = parts.extensions.remove() {
            *taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(bare);
            return Err(HttpError::new(HttpErrorKind::Unknown, NotSent));
        }
        let body = body.as_bytes().map(|bytes| bytes.to_vec()).unwrap_or_default();
        let answered = match parts.extensions.remove() {
            Some(OfListing) => self.list(bare),
            None => self.authenticate(bare, body),
        };
        // Nothing that is wrong is tried again by object_store.
        answered.map_err(|fault| HttpError::new(HttpErrorKind::Unknown, Carried(fault)))
    }

    fn list(&self, request: Request<()>) -> Result<HttpResponse, RemoteFault> {
        let at = address(&request).ok_or_else(|| fault::no_endpoint(self.kind))?;
        self.permission.require(&at)?;
        let response = self.client.send(&at, request)?;
        if response.status().is_success() {
            self.read(response)
        } else {
            Err(fault::of_response(self.kind, response))
        }
    }

    /// Credentials, of a server for them.
    fn authenticate(&self, request: Request<()>, body: Vec<u8>) -> Result<HttpResponse, RemoteFault> {
        let at = address(&request).ok_or_else(|| fault::no_endpoint(self.kind))?;
        if !at.is_metadata_service() {
            self.permission.require(&at)?;
        }
        let is_put = request.method() == Method::PUT;
        let sent = if request.method() == Method::GET {
            self.client.send(&at, request)
        } else {
            self.client.send(&at, request.map(|()| body))
        };
        let response = sent.map_err(|fault| fault::of_authentication(self.kind, &at, fault))?;
        // With AWS_IMDSV1_FALLBACK, another request follows where the first, a PUT, is forbidden.
        if response.status().is_success() || (is_put && response.status() == StatusCode::FORBIDDEN) {
            self.read(response)
        } else {
            Err(fault::of_credentials(self.kind, &at, &response))
        }
    }

    fn read(&self, response: Response<Body>) -> Result<HttpResponse, RemoteFault> {
        let (parts, body) = response.into_parts();
        let mut bytes = Vec::new();
        let read = body.into_reader().take(BODY_BYTES_MAX).read_to_end(&mut bytes);
        read.map_err(|error| self.client.broken(error))?;
        let mut response = Response::new(bytes.into());
        *response.status_mut() = parts.status;
        *response.headers_mut() = parts.headers;
        Ok(response)
    }
}

fn address(request: &Request<()>) -> Option<Address> {
    let uri = request.uri();
    Address::of_server(uri.scheme_str()?, uri.authority()?.as_str())
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for Connector {
    fn call<'s, 'f>(&'s self, request: HttpRequest) -> BoxFuture<'f, Result<HttpResponse, HttpError>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(ready(self.answer(request)))
    }
}

/// Ends a future on this thread. It waits for nothing but other threads that get the same credentials.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
