//! One connection through the proxy: two threads, each of which carries the messages of one side to the other.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    sync::atomic::{AtomicU8, Ordering},
    thread,
    time::Duration,
};

use super::{
    Action, Shared, Side,
    moment::as_u64,
    wire::{Encryption, Framer, Message, fatal_error},
};

/// As much as is read at once.
const READ_BYTES: usize = 64 * 1024;

/// How often one who holds a message looks whether it is released, or the sender gone.
const TICK: Duration = Duration::from_millis(2);

#[derive(Debug)]
pub(super) struct Link {
    client: TcpStream,
    server: TcpStream,
    encryption: Encryption,
    state: AtomicU8,
    pumps_ended: AtomicU8,
}

/// Both sides hear each other.
const OPEN: u8 = 0;
/// Both sides have been told of the end; what they still say goes nowhere.
const CUT: u8 = 1;
/// Nobody hears anything, not even an end.
const SILENT: u8 = 2;

impl Link {
    pub(super) fn new(client: TcpStream, server: TcpStream) -> Self {
        let (state, pumps_ended) = (AtomicU8::new(OPEN), AtomicU8::new(0));
        Self { client, server, encryption: Encryption::default(), state, pumps_ended }
    }

    /// Whether both its threads have come to their end.
    pub(super) fn is_over(&self) -> bool {
        self.pumps_ended.load(Ordering::SeqCst) == 2
    }

    pub(super) fn close(&self) {
        self.state.store(CUT, Ordering::SeqCst);
        // Either may be closed already.
        drop(self.client.shutdown(Shutdown::Both));
        drop(self.server.shutdown(Shutdown::Both));
    }

    /// Carries what `side` sends until it has ended.
    pub(super) fn pump(&self, side: Side, shared: &Shared) {
        let (mut from, mut to) = match side {
            Side::Frontend => (&self.client, &self.server),
            Side::Backend => (&self.server, &self.client),
        };
        let mut framer = Framer::new(side);
        let mut buffer = vec![0; READ_BYTES];
        'connection: while let Ok(length @ 1..) = from.read(&mut buffer) {
            framer.push(&buffer[..length]);
            while let Some(message) = framer.next(&self.encryption) {
                if self.is(OPEN) && self.pass(side, &message, &mut framer, shared).is_err() {
                    // The receiver is gone, or the sender while its message was held: it never arrives.
                    framer.rest();
                    drop(from.shutdown(Shutdown::Both));
                    break 'connection;
                }
            }
        }
        if self.is(OPEN) {
            let rest = framer.rest();
            shared.lock().counts.bytes[usize::from(side == Side::Backend)] += as_u64(rest.len());
            drop(to.write_all(&rest));
            drop(to.shutdown(Shutdown::Write));
        }
        self.pumps_ended.fetch_add(1, Ordering::SeqCst);
    }

    fn is(&self, state: u8) -> bool {
        self.state.load(Ordering::SeqCst) == state
    }

    fn pass(&self, side: Side, message: &Message, framer: &mut Framer, shared: &Shared) -> io::Result<()> {
        let verdict = shared.judge(side, message);
        thread::sleep(verdict.delay);
        let mut to = if side == Side::Frontend { &self.server } else { &self.client };
        let (passing, kept) = message.bytes.split_at(verdict.passing);
        match verdict.fault {
            None => to.write_all(passing),
            Some((fault, Action::Hold)) => {
                to.write_all(passing)?;
                self.hold(side, framer, || shared.is_released(fault))?;
                to.write_all(kept)
            }
            Some((_, action)) => {
                // What the other side says meanwhile comes too late.
                self.state.store(if action_is_cut(action) { CUT } else { SILENT }, Ordering::SeqCst);
                drop(to.write_all(passing));
                match action {
                    Action::Stall => {}
                    Action::Fail(sqlstate) => {
                        // What it still sends is read: unread, it would take the error's place.
                        drop((&self.client).write_all(&fatal_error(sqlstate)));
                        drop(self.client.shutdown(Shutdown::Write));
                    }
                    _ => drop(self.client.shutdown(Shutdown::Both)),
                }
                if action_is_cut(action) {
                    // What it was sent is read before the end is.
                    drop(self.server.shutdown(Shutdown::Write));
                }
                Ok(())
            }
        }
    }

    /// Keeps what the side sends meanwhile; an error when the side, or the connection, has ended.
    fn hold(&self, side: Side, framer: &mut Framer, is_released: impl Fn() -> bool) -> io::Result<()> {
        let mut from = if side == Side::Frontend { &self.client } else { &self.server };
        from.set_read_timeout(Some(TICK))?;
        let mut buffer = vec![0; READ_BYTES];
        while !is_released() {
            match from.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => framer.push(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        from.set_read_timeout(None)
    }
}

fn action_is_cut(action: Action) -> bool {
    matches!(action, Action::CutBefore | Action::CutAfter | Action::Fail(_))
}
