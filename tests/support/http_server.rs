//! A server of one file over HTTP/1.1 that can be told, request by request, to cut, to stall, to change and to lie; it
//! counts what it did.

use std::{
    fmt::Write as _,
    io::{self, BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::pem::PemObject as _};

/// What a request asks for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Of all requests to this server, from 1.
    pub(crate) number: u64,
    pub(crate) path: String,
    /// In lower case, with their values.
    headers: Vec<(String, String)>,
    pub(crate) at: Instant,
}

/// How the file is described.
#[derive(Debug, Clone)]
pub(crate) struct ServedFile {
    pub(crate) bytes: Vec<u8>,
    pub(crate) etag: Option<&'static str>,
    pub(crate) has_ranges: bool,
    pub(crate) length: Length,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Told,
    /// The body says where it ends.
    Chunked,
    /// It ends where the connection does.
    Untold,
    /// So many bytes more than there are.
    Lie(usize),
}

/// What becomes of a request.
pub(crate) enum Treat {
    Fine,
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// Nothing more comes after so many bytes of the body, until the client goes away.
    Stall(usize),
    /// Another file from now on, or for this request.
    Other(ServedFile),
    /// The same, whatever the request is conditional on.
    Careless(ServedFile),
    /// No file: a status, and lines of headers, each with its line end.
    Status(u16, String),
}

pub(crate) struct HttpServer {
    address: SocketAddr,
    scheme: &'static str,
    state: Arc<State>,
}

struct State {
    file: ServedFile,
    treat: Box<dyn Fn(&Request) -> Treat + Send + Sync>,
    requests: Mutex<Vec<Request>>,
    faults: AtomicU64,
}

impl ServedFile {
    /// As object stores serve files.
    pub(crate) fn of(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), etag: Some("\"first\""), has_ranges: true, length: Length::Told }
    }
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn unconditional(mut self) -> Self {
        self.headers.retain(|(name, _)| !name.starts_with("if-"));
        self
    }

    /// The first and the last byte that are asked for, the last as far as it is said.
    pub(crate) fn range(&self) -> Option<(usize, usize)> {
        let (first, last) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((first.parse().ok()?, last.parse().unwrap_or(usize::MAX)))
    }
}

impl HttpServer {
    pub(crate) fn start(file: ServedFile, treat: impl Fn(&Request) -> Treat + Send + Sync + 'static) -> Self {
        Self::serve(file, treat, "http", None)
    }

    /// With the certificate for `localhost` of `tests/support/tls`.
    pub(crate) fn start_tls(file: ServedFile) -> Self {
        let chain = rustls::pki_types::CertificateDer::from_pem_slice(include_bytes!("tls/server.pem"));
        let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_no_client_auth()
            .with_single_cert(vec![chain.expect("it is PEM")], key.expect("it is PEM"));
        let config = config.expect("they belong together");
        Self::serve(file, |_| Treat::Fine, "https", Some(Arc::new(config)))
    }

    fn serve(
        file: ServedFile,
        treat: impl Fn(&Request) -> Treat + Send + Sync + 'static,
        scheme: &'static str,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(State {
            file,
            treat: Box::new(treat),
            requests: Mutex::default(),
            faults: AtomicU64::new(0),
        });
        let served = Arc::clone(&state);
        // Ends with the test program.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, tls) = (Arc::clone(&served), tls.clone());
                thread::spawn(move || {
                    // Clients go away as they like.
                    let _ = match tls {
                        None => converse(stream, &state),
                        Some(config) => {
                            let tls = ServerConnection::new(config).expect("the configuration is sound");
                            converse(StreamOwned::new(tls, stream), &state)
                        }
                    };
                });
            }
        });
        Self { address, scheme, state }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        let host = if self.scheme == "https" { "localhost" } else { "127.0.0.1" };
        format!("{}://{host}:{}/{path}", self.scheme, self.address.port())
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().expect("no thread panics with it").clone()
    }

    /// How many requests were not treated as they should be.
    pub(crate) fn faults(&self) -> u64 {
        self.state.faults.load(Ordering::SeqCst)
    }
}

fn converse(stream: impl Read + Write, state: &State) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read_request(&mut stream, state)? {
        let treat = (state.treat)(&request);
        if !matches!(treat, Treat::Fine) {
            state.faults.fetch_add(1, Ordering::SeqCst);
        }
        let out = stream.get_mut();
        let is_careless = matches!(treat, Treat::Careless(_));
        let request = if is_careless { request.unconditional() } else { request };
        let file = match &treat {
            Treat::Other(other) | Treat::Careless(other) => other,
            _ => &state.file,
        };
        match treat {
            Treat::Status(status, headers) => {
                write!(out, "HTTP/1.1 {status} As told\r\n{headers}Content-Length: 2\r\n\r\nno")?;
            }
            Treat::Fine | Treat::Other(_) | Treat::Careless(_) => {
                answer(out, file, &request, usize::MAX)?;
                if matches!(file.length, Length::Untold | Length::Lie(_)) {
                    return out.flush();
                }
            }
            Treat::Cut(bytes) => {
                answer(out, file, &request, bytes)?;
                return out.flush();
            }
            Treat::Stall(bytes) => {
                answer(out, file, &request, bytes)?;
                out.flush()?;
                return stream.read_to_end(&mut Vec::new()).map(|_| ());
            }
        }
        stream.get_mut().flush()?;
    }
    Ok(())
}

fn read_request(stream: &mut BufReader<impl Read>, state: &State) -> io::Result<Option<Request>> {
    let mut first = String::new();
    if stream.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let path = first.split(' ').nth(1).expect("it is a request").to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut requests = state.requests.lock().expect("no thread panics with it");
    let number = requests.len() as u64 + 1;
    let request = Request { number, path, headers, at: Instant::now() };
    requests.push(request.clone());
    Ok(Some(request))
}

/// The file or a part of it, of which at most so many bytes are sent.
fn answer(out: &mut impl Write, file: &ServedFile, request: &Request, most: usize) -> io::Result<()> {
    let etag = file.etag.map(|etag| format!("ETag: {etag}\r\n")).unwrap_or_default();
    if let (Some(wanted), Some(etag)) = (request.header("if-match"), file.etag)
        && wanted != etag
    {
        return write!(out, "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n");
    }
    let is_same = request.header("if-range").is_none_or(|wanted| Some(wanted) == file.etag);
    let range = request.range().filter(|_| file.has_ranges && is_same);
    let told = file.bytes.len() + if let Length::Lie(more) = file.length { more } else { 0 };
    let mut head = String::new();
    let part = match range {
        Some((first, _)) if first >= file.bytes.len() => {
            let length = file.bytes.len();
            return write!(
                out,
                "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{length}\r\nContent-Length: 0\r\n\r\n"
            );
        }
        Some((first, last)) => {
            let last = last.min(told - 1);
            write!(head, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {first}-{last}/{told}\r\n")
                .expect("writing to a String");
            let part = &file.bytes[first..(last + 1).min(file.bytes.len())];
            write!(head, "Content-Length: {}\r\n", last + 1 - first).expect("writing to a String");
            part
        }
        None => {
            head.push_str("HTTP/1.1 200 OK\r\n");
            let _ = match file.length {
                Length::Told | Length::Lie(_) => write!(head, "Content-Length: {told}\r\n"),
                Length::Chunked => write!(head, "Transfer-Encoding: chunked\r\n"),
                Length::Untold => write!(head, "Connection: close\r\n"),
            };
            &file.bytes[..]
        }
    };
    write!(out, "{head}{etag}\r\n")?;
    let sent = &part[..part.len().min(most)];
    if range.is_some() || file.length != Length::Chunked {
        return out.write_all(sent);
    }
    for chunk in sent.chunks(10_000) {
        write!(out, "{:x}\r\n", chunk.len())?;
        out.write_all(chunk)?;
        write!(out, "\r\n")?;
    }
    if sent.len() == part.len() { write!(out, "0\r\n\r\n") } else { Ok(()) }
}
