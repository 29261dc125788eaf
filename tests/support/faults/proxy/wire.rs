//! PostgreSQL's messages, as far as their ends have to be known (manual, chapter "Frontend/Backend Protocol"):
//! a type byte and a length, but for the startup packets, which have no type, and the one byte that answers a
//! wish for encryption.

use std::sync::atomic::{AtomicU8, Ordering};

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The loader.
    Frontend,
    /// The server.
    Backend,
}

/// `SSLRequest` and `GSSENCRequest`.
const WISHES: [u32; 2] = [80_877_103, 80_877_104];

/// Which side speaks of encryption: the framers of both sides of one connection share it.
#[derive(Debug, Default)]
pub(super) struct Encryption(AtomicU8);

impl Encryption {
    const WISHED: u8 = 1;
    const AGREED: u8 = 2;

    fn is(&self, state: u8) -> bool {
        self.0.load(Ordering::SeqCst) == state
    }

    fn set(&self, state: u8) {
        self.0.store(state, Ordering::SeqCst);
    }
}

#[derive(Debug)]
pub(super) struct Message {
    /// The type byte; a startup packet has none.
    pub(super) kind: Option<u8>,
    /// All of it, header and all.
    pub(super) bytes: Vec<u8>,
    /// It comes with the one before it, and nothing is done or learnt in between: rows and descriptions that follow the
    /// beginning of an answer, and what asks for the description of a statement. What happens there happens at the one
    /// before it as well.
    pub(super) is_one_more: bool,
}

impl Message {
    /// A simple query that ends with COMMIT.
    pub(super) fn is_commit(&self) -> bool {
        self.kind == Some(b'Q') && self.text().trim_end_matches(';').ends_with("COMMIT")
    }

    /// A statement of the loader, whether it is sent at once or prepared.
    pub(super) fn asks(&self, words: &str) -> bool {
        matches!(self.kind, Some(b'Q' | b'P')) && String::from_utf8_lossy(&self.bytes).contains(words)
    }

    /// The server's word that a COMMIT was done.
    pub(super) fn is_commit_done(&self) -> bool {
        self.kind == Some(b'C') && self.text() == "COMMIT"
    }

    /// An `ErrorResponse` with this SQLSTATE.
    pub(super) fn is_error(&self, sqlstate: &str) -> bool {
        let is_code = |field: &[u8]| field.split_first() == Some((&b'C', sqlstate.as_bytes()));
        self.kind == Some(b'E')
            && self.bytes.get(5..).is_some_and(|body| body.split(|byte| *byte == 0).any(is_code))
    }

    /// The string that the body is, for those messages whose body is one.
    fn text(&self) -> &str {
        let body = self.bytes.get(5..).unwrap_or_default();
        str::from_utf8(body).unwrap_or_default().trim_end_matches('\0')
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Startup,
    Typed,
    /// Encrypted, or nothing that can be understood: whatever comes at once is a message.
    Opaque,
}

/// Cuts what one side of a connection sends into messages.
#[derive(Debug)]
pub(super) struct Framer {
    side: Side,
    phase: Phase,
    buffer: Vec<u8>,
    last_kind: Option<u8>,
}

impl Framer {
    pub(super) fn new(side: Side) -> Self {
        let phase = match side {
            Side::Frontend => Phase::Startup,
            Side::Backend => Phase::Typed,
        };
        Self { side, phase, buffer: Vec::new(), last_kind: None }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, if it has come.
    pub(super) fn next(&mut self, encryption: &Encryption) -> Option<Message> {
        if encryption.is(Encryption::AGREED) {
            self.phase = Phase::Opaque;
        }
        match self.phase {
            _ if self.buffer.is_empty() => None,
            Phase::Opaque => self.take(None, self.buffer.len()),
            Phase::Typed if self.side == Side::Backend && encryption.is(Encryption::WISHED) => {
                let is_agreed = matches!(self.buffer[0], b'S' | b'G');
                encryption.set(if is_agreed { Encryption::AGREED } else { 0 });
                self.take(None, 1)
            }
            Phase::Typed => {
                let length = self.length_at(1)?;
                self.take(Some(self.buffer[0]), 1 + length)
            }
            Phase::Startup => self.startup(encryption),
        }
    }

    fn startup(&mut self, encryption: &Encryption) -> Option<Message> {
        let length = self.length_at(0)?;
        let code = self.u32_at(4)?;
        let message = self.take(None, length)?;
        if WISHES.contains(&code) {
            encryption.set(Encryption::WISHED);
        } else if self.phase == Phase::Startup {
            self.phase = Phase::Typed;
        }
        Some(message)
    }

    /// What came of a message that will never be whole.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    /// A length counts itself.
    fn length_at(&mut self, at: usize) -> Option<usize> {
        let length = self.u32_at(at)?;
        if length < 4 {
            self.phase = Phase::Opaque;
        }
        usize::try_from(length.max(4)).ok()
    }

    fn u32_at(&self, at: usize) -> Option<u32> {
        let bytes = self.buffer.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().expect("four bytes were taken")))
    }

    fn take(&mut self, kind: Option<u8>, length: usize) -> Option<Message> {
        if self.buffer.len() < length {
            return None;
        }
        let rest = self.buffer.split_off(length);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        let is_one_more = matches!(
            (self.side, self.last_kind, kind),
            // A parameter after a parameter.
            (Side::Backend, Some(b'S'), Some(b'S'))
                // After ParseComplete, BindComplete, ParameterDescription, RowDescription, NoData or DataRow.
                | (Side::Backend, Some(b'1' | b'2' | b't' | b'T' | b'n' | b'D'), Some(b't' | b'T' | b'n' | b'D'))
                // Describe after Parse.
                | (Side::Frontend, Some(b'P'), Some(b'D'))
        );
        self.last_kind = kind;
        Some(Message { kind, bytes, is_one_more })
    }
}

/// A fatal `ErrorResponse`, as a server sends it that takes no sessions.
pub(super) fn fatal_error(sqlstate: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{sqlstate}\0Mmade by a test\0\0");
    let length = u32::try_from(4 + fields.len()).expect("it is short");
    [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(4 + body.len()).expect("it is short");
        [&[kind], &length.to_be_bytes()[..], body].concat()
    }

    fn startup(code: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(8 + body.len()).expect("it is short");
        [&length.to_be_bytes()[..], &code.to_be_bytes(), body].concat()
    }

    /// The messages that are found when the bytes come in pieces of any size.
    fn check(side: Side, encryption: u8, bytes: &[u8], expected: &[(Option<u8>, usize)]) {
        for piece in [1, 2, 3, 7, bytes.len()] {
            let state = Encryption::default();
            state.set(encryption);
            let mut framer = Framer::new(side);
            let mut found = Vec::new();
            let mut joined = Vec::new();
            for piece in bytes.chunks(piece) {
                framer.push(piece);
                while let Some(message) = framer.next(&state) {
                    found.push((message.kind, message.bytes.len()));
                    joined.extend(message.bytes);
                }
            }
            joined.extend(framer.rest());
            assert_eq!((found.as_slice(), joined.as_slice()), (expected, bytes), "pieces of {piece}");
        }
    }

    #[test]
    fn messages_end_where_their_headers_say() {
        let hello = startup(196_608, b"user\0x\0\0");
        let query = typed(b'Q', b"SELECT 1\0");
        let frontend = [&hello[..], &query, &typed(b'S', b""), &query[..7]].concat();
        let expected = [(None, hello.len()), (Some(b'Q'), query.len()), (Some(b'S'), 5)];
        check(Side::Frontend, 0, &frontend, &expected);
        let wishes =
            [startup(WISHES[0], b""), startup(WISHES[1], b""), hello.clone(), query.clone()].concat();
        check(Side::Frontend, 0, &wishes, &[(None, 8), (None, 8), expected[0], expected[1]]);
        let backend = [typed(b'R', &[0; 4]), typed(b'Z', b"I")].concat();
        check(Side::Backend, 0, &backend, &[(Some(b'R'), 9), (Some(b'Z'), 6)]);
        let refused = [b"N", &backend[..]].concat();
        check(Side::Backend, Encryption::WISHED, &refused, &[(None, 1), (Some(b'R'), 9), (Some(b'Z'), 6)]);
    }

    #[test]
    fn what_is_encrypted_or_nonsense_passes_as_it_comes() {
        let encryption = Encryption::default();
        let (mut frontend, mut backend) = (Framer::new(Side::Frontend), Framer::new(Side::Backend));
        let take = |framer: &mut Framer, bytes: &[u8]| {
            framer.push(bytes);
            framer.next(&encryption).map(|message| message.bytes.len())
        };
        assert_eq!(take(&mut frontend, &startup(WISHES[0], b"")), Some(8));
        assert_eq!(take(&mut backend, b"S"), Some(1));
        assert_eq!(take(&mut frontend, &[22, 3, 1, 0, 5]), Some(5));
        assert_eq!(take(&mut backend, &[22, 3, 3]), Some(3));
        let mut nonsense = Framer::new(Side::Backend);
        nonsense.push(&[b'Z', 0, 0, 0, 0, 1, 2]);
        let plain = Encryption::default();
        assert_eq!(nonsense.next(&plain).map(|message| message.bytes.len()), Some(5));
        assert_eq!(nonsense.next(&plain).map(|message| message.bytes.len()), Some(2));
    }

    #[test]
    fn statements_and_answers_are_told_from_all_else() {
        let message = |kind: u8, body: &[u8]| Message {
            kind: Some(kind),
            bytes: typed(kind, body),
            is_one_more: false,
        };
        for (text, expected) in
            [("COMMIT", true), ("UPDATE x; COMMIT;", true), ("ROLLBACK", false), ("COMMITTED ", false)]
        {
            assert_eq!(message(b'Q', format!("{text}\0").as_bytes()).is_commit(), expected, "{text}");
        }
        assert!(
            message(b'Q', b"CREATE INDEX i\0").asks("CREATE")
                && message(b'P', b"s\0COPY t\0\0\0").asks("COPY t")
        );
        assert!(!message(b'Q', b"CREATE INDEX i\0").asks("COPY") && !message(b'd', b"COPY t").asks("COPY"));
        assert!(message(b'C', b"COMMIT\0").is_commit_done());
        assert!(!message(b'C', b"ROLLBACK\0").is_commit_done());
        let error = |kind| Message {
            kind: Some(kind),
            bytes: typed(kind, &fatal_error("25006")[5..]),
            is_one_more: false,
        };
        assert!(
            error(b'E').is_error("25006") && !error(b'E').is_error("57P01") && !error(b'N').is_error("25006")
        );
        assert!(!message(b'd', b"COMMIT\0").is_commit() && !message(b'd', b"COMMIT\0").is_commit_done());
    }
}
