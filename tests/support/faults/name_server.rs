//! A DNS server for one program, which finds names here and nowhere else.
//!
//! It listens at an address of the loopback network that is its own. The program runs in a mount namespace with
//! another /etc/resolv.conf; nothing else on the machine notices. Both take root.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    process::{self, Command},
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use rustix::process::geteuid;
use tempfile::TempDir;

/// What is said of every name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is 127.0.0.1.
    Found,
    /// There is no such name: getaddrinfo's `EAI_NONAME`.
    NoSuchName,
    /// The server can't say just now: `EAI_AGAIN`.
    TryAgain,
    /// Nothing; the program waits for half a minute.
    Silence,
}

/// A port that only root may listen at; a resolver knows no other.
const PORT: u16 = 53;

/// Silence lasts long enough to tell waiting for it from not waiting. A server that can't say is asked once.
const RESOLV_CONF: &str = "options timeout:30 attempts:1\n";
const NSSWITCH_CONF: &str = "hosts: files dns\n";

#[derive(Debug)]
pub(crate) struct NameServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    answering: Option<JoinHandle<()>>,
    /// The files that the program finds in place of the system's.
    dir: TempDir,
}

#[derive(Debug)]
struct Shared {
    answer: AtomicU8,
    queries: AtomicU64,
}

/// Ends the server; no resolver sends it.
const LAST_WORD: &[u8] = b"end";

impl NameServer {
    /// Without the rights that it takes the test fails; it never passes unrun.
    pub(crate) fn start(answer: Answer) -> Self {
        assert!(geteuid().is_root(), "names are looked up in a mount namespace, and only root may make one");
        let socket = own_socket();
        let address = socket.local_addr().expect("it is bound");
        let shared = Arc::new(Shared { answer: AtomicU8::new(code(answer)), queries: AtomicU64::new(0) });
        let dir = tempfile::tempdir().expect("a folder can be made");
        let resolv_conf = format!("nameserver {}\n{RESOLV_CONF}", address.ip());
        for (name, text) in [("resolv.conf", resolv_conf.as_str()), ("nsswitch.conf", NSSWITCH_CONF)] {
            fs::write(dir.path().join(name), text).expect("the folder is writable");
        }
        let answering = Arc::clone(&shared);
        let answering = Some(thread::spawn(move || serve(&socket, &answering)));
        Self { address, shared, answering, dir }
    }

    /// Says something else from now on.
    pub(crate) fn set(&self, answer: Answer) {
        self.shared.answer.store(code(answer), Ordering::SeqCst);
    }

    /// How often it was asked.
    pub(crate) fn queries(&self) -> u64 {
        self.shared.queries.load(Ordering::SeqCst)
    }

    /// The same command, for which this is the only name server.
    pub(crate) fn command(&self, command: &Command) -> Command {
        let mut wrapped = Command::new("unshare");
        wrapped.args(["--mount", "sh", "-c", include_str!("name_server.sh"), "name_server.sh"]);
        wrapped.arg(self.dir.path()).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => wrapped.env(name, value),
                None => wrapped.env_remove(name),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            wrapped.current_dir(dir);
        }
        wrapped
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        let sent = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(LAST_WORD, self.address));
        if let Some(answering) = self.answering.take().filter(|_| sent.is_ok()) {
            drop(answering.join());
        }
    }
}

fn code(answer: Answer) -> u8 {
    match answer {
        Answer::Found => 0,
        Answer::NoSuchName => 3,
        Answer::TryAgain => 2,
        Answer::Silence => u8::MAX,
    }
}

/// At the first address that no other test has.
fn own_socket() -> UdpSocket {
    let [.., first] = process::id().to_be_bytes();
    let sockets = (0..=u8::MAX).flat_map(|second| (1..u8::MAX).map(move |third| [127, 53, second, third]));
    let mut sockets = sockets.skip(usize::from(first) * 100);
    sockets
        .find_map(|address| UdpSocket::bind((Ipv4Addr::from(address), PORT)).ok())
        .expect("some address of the loopback network is free")
}

fn serve(socket: &UdpSocket, shared: &Shared) {
    let mut buffer = [0; 512];
    while let Ok((length, sender)) = socket.recv_from(&mut buffer) {
        let query = &buffer[..length];
        if query == LAST_WORD {
            return;
        }
        let answer = shared.answer.load(Ordering::SeqCst);
        shared.queries.fetch_add(1, Ordering::SeqCst);
        if answer != code(Answer::Silence) {
            // Whoever asked may have gone.
            drop(socket.send_to(&response(query, answer), sender));
        }
    }
}

/// RFC 1035, section 4.1: the header with the answer's code, the question, and an address where one was asked for.
fn response(query: &[u8], code: u8) -> Vec<u8> {
    const HEADER_BYTES: usize = 12;
    const TYPE_A: [u8; 2] = [0, 1];
    let name = query.iter().skip(HEADER_BYTES).position(|byte| *byte == 0).expect("a name has an end");
    let end = HEADER_BYTES + name + 5;
    let has_address = code == 0 && query[end - 4..end - 2] == TYPE_A;
    // An answer, recursion desired and available; counts of questions, answers, authorities, others.
    let header = [0x81, 0x80 | code, 0, 1, 0, u8::from(has_address), 0, 0, 0, 0];
    let mut response = [&query[..2], &header, &query[HEADER_BYTES..end]].concat();
    if has_address {
        // The name of the question, an address of the Internet, good for no time, four bytes of it.
        response.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
    }
    response
}
