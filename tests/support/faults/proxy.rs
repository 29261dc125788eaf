//! A TCP proxy between the program and a server that knows where PostgreSQL's messages end, and fails the
//! connection at the very message or byte that a test names.
//!
//! A fault fires once and can prove it. Without faults the proxy changes nothing: bytes pass as they come,
//! the end of one side is told to the other. Every connection has two threads; all of them end with the proxy.

mod moment;
mod pump;
mod wire;

use std::{
    io::Read as _,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

pub(crate) use moment::{Action, Moment};
use moment::{Armed, as_u64};
use pump::Link;
pub(crate) use wire::Side;
use wire::{Encryption, Framer, Message, fatal_error};

/// More than any step of a test takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How connections are turned away.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refusal {
    Close,
    /// The connection is accepted, and nothing is ever said on it.
    Silence,
    /// A fatal error with this SQLSTATE.
    Error(&'static str),
}

/// What has passed so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) connections: u64,
    /// Of the frontend and the backend; rows that follow each other are one.
    pub(crate) messages: [u64; 2],
    pub(crate) bytes: [u64; 2],
    pub(crate) commits: u64,
    pub(crate) commit_answers: u64,
    pub(crate) turned_away: u64,
    /// How long messages were kept back because of a bound on the rate.
    pub(crate) delayed: Duration,
}

#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// A fault that was armed.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    index: usize,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    faults: Vec<Armed>,
    turn_away: Option<(u64, Refusal)>,
    silent: Vec<TcpStream>,
    bytes_per_second: Option<u64>,
    links: Vec<Arc<Link>>,
    is_closed: bool,
}

/// What is to be done with a message: the bytes that pass, then what happens.
struct Verdict {
    passing: usize,
    fault: Option<(usize, Action)>,
    delay: Duration,
}

impl Proxy {
    /// Listens at a port of its own for what is to go to `server`.
    pub(crate) fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared { server, state: Mutex::default(), changed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        let accepting = Some(thread::spawn(move || accept(&listener, &accepting)));
        Self { address, shared, accepting }
    }

    /// A URL for a database of the server behind it, as `--database-url` takes it.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{database}", self.address.port())
    }

    pub(crate) fn counts(&self) -> Counts {
        self.shared.lock().counts
    }

    pub(crate) fn arm(&self, moment: Moment, action: Action) -> Fault {
        self.push(None, moment, action)
    }

    /// One that counts only what comes once the other has fired.
    pub(crate) fn arm_after(&self, other: &Fault, moment: Moment, action: Action) -> Fault {
        self.push(Some(other.index), moment, action)
    }

    fn push(&self, after: Option<usize>, moment: Moment, action: Action) -> Fault {
        let mut state = self.shared.lock();
        state.faults.push(Armed::new(after, moment, action));
        Fault { index: state.faults.len() - 1, shared: Arc::clone(&self.shared) }
    }

    /// The next `count` connections are not let through; `counts().turned_away` tells how many came.
    pub(crate) fn turn_away(&self, count: u64, refusal: Refusal) {
        self.shared.lock().turn_away = Some((count, refusal));
    }

    /// All connections are let through again; those that meet silence stay as they are.
    pub(crate) fn let_through(&self) {
        self.shared.lock().turn_away = None;
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Bounds the rate of each direction of each connection.
    pub(crate) fn slow_down(&self, bytes_per_second: Option<u64>) {
        self.shared.lock().bytes_per_second = bytes_per_second;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let links = {
            let mut state = self.shared.lock();
            state.is_closed = true;
            state.silent.clear();
            std::mem::take(&mut state.links)
        };
        links.iter().for_each(|link| link.close());
        self.shared.changed.notify_all();
        // Wakes the one who accepts.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
    }
}

impl Fault {
    pub(crate) fn has_fired(&self) -> bool {
        self.shared.lock().faults[self.index].has_fired
    }

    /// Waits for it; false when it has not fired before `is_over` says that it will not any more.
    pub(crate) fn fires_unless(&self, mut is_over: impl FnMut() -> bool) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while !self.has_fired() {
            if is_over() {
                return self.has_fired();
            }
            assert!(Instant::now() < deadline, "neither a fault nor an end comes");
            let state = self.shared.lock();
            drop(self.shared.changed.wait_timeout(state, Duration::from_millis(5)));
        }
        true
    }

    /// Lets the message go on that is held.
    pub(crate) fn release(&self) {
        self.shared.lock().faults[self.index].is_released = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn is_released(&self, fault: usize) -> bool {
        let state = self.lock();
        state.faults[fault].is_released || state.is_closed
    }

    /// Counts a message, and says what becomes of it.
    fn judge(&self, side: Side, message: &Message) -> Verdict {
        let mut state = self.lock();
        let length = message.bytes.len();
        state.count(side, message);
        let fired = state.fired(side, message);
        let delay = state.delay(length);
        state.counts.delayed += delay;
        drop(state);
        self.changed.notify_all();
        match fired {
            None | Some((_, Action::Pass, _)) => Verdict { passing: length, fault: None, delay },
            Some((index, action, passing)) => Verdict { passing, fault: Some((index, action)), delay },
        }
    }
}

impl State {
    fn count(&mut self, side: Side, message: &Message) {
        let counts = &mut self.counts;
        let index = usize::from(side == Side::Backend);
        counts.messages[index] += u64::from(!message.is_one_more);
        counts.bytes[index] += as_u64(message.bytes.len());
        match side {
            Side::Frontend => counts.commits += u64::from(message.is_commit()),
            Side::Backend => counts.commit_answers += u64::from(message.is_commit_done()),
        }
    }

    /// The fault that fires at this message, and how many of its bytes pass.
    fn fired(&mut self, side: Side, message: &Message) -> Option<(usize, Action, usize)> {
        for index in 0..self.faults.len() {
            let is_due = self.faults[index].after.is_none_or(|other| self.faults[other].has_fired);
            if is_due && let Some(passing) = self.faults[index].fires_at(side, message) {
                return Some((index, self.faults[index].action, passing));
            }
        }
        None
    }

    fn delay(&self, length: usize) -> Duration {
        let seconds = |rate| Duration::from_micros(as_u64(length) * 1_000_000 / rate);
        self.bytes_per_second.map_or(Duration::ZERO, seconds)
    }

    /// How the connection that has just come is refused, if it is.
    fn refusal(&mut self) -> Option<Refusal> {
        let (left, refusal) = self.turn_away.take()?;
        self.turn_away = (left > 1).then(|| (left - 1, refusal));
        self.counts.turned_away += 1;
        Some(refusal)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        let mut state = shared.lock();
        if state.is_closed {
            return;
        }
        let Ok(client) = client else { continue };
        match state.refusal() {
            Some(Refusal::Close) => {}
            Some(Refusal::Silence) => state.silent.push(client),
            Some(Refusal::Error(sqlstate)) => {
                thread::spawn(move || refuse(client, sqlstate));
            }
            None => {
                drop(state);
                connect(client, shared);
            }
        }
    }
}

/// A server that can't be reached is a connection that ends at once.
fn connect(client: TcpStream, shared: &Arc<Shared>) {
    let Ok(server) = TcpStream::connect(shared.server) else { return };
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("it is a TCP stream");
    }
    let link = Arc::new(Link::new(client, server));
    let mut state = shared.lock();
    state.counts.connections += 1;
    state.links.push(Arc::clone(&link));
    drop(state);
    for side in [Side::Frontend, Side::Backend] {
        let (shared, link) = (Arc::clone(shared), Arc::clone(&link));
        thread::spawn(move || {
            link.pump(side, &shared);
            shared.lock().links.retain(|other| !(Arc::ptr_eq(other, &link) && link.is_over()));
        });
    }
}

/// Hears the client out before it answers: an answer is lost when a connection ends with unread words.
fn refuse(mut client: TcpStream, sqlstate: &str) {
    let mut framer = Framer::new(Side::Frontend);
    let mut buffer = [0; 1024];
    while framer.next(&Encryption::default()).is_none() {
        match client.read(&mut buffer) {
            Ok(1..) => framer.push(&buffer),
            _ => return,
        }
    }
    drop(std::io::Write::write_all(&mut client, &fatal_error(sqlstate)));
    drop(client.shutdown(Shutdown::Write));
    // Until the client goes.
    while matches!(client.read(&mut buffer), Ok(1..)) {}
}
