//! A file in ranges, some of them fetched ahead, each by a thread of its own that waits for the server where it has to.

use std::{
    collections::VecDeque,
    io::{self, Read},
    mem,
    ops::Range,
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
    thread,
};

use super::{
    Remote,
    client::{Answer, Condition, Wanted},
    fault::RemoteFault,
    patience::Stop,
    unasked,
    version::ContentRange,
};

/// How many ranges are fetched at the same time, and wait for the reader when they are there.
const AHEAD: usize = 4;

type Fetched = Result<Vec<u8>, RemoteFault>;

pub(super) struct Ranges {
    file: Arc<File>,
    /// The answer that the file was begun with, until it was read.
    first: Option<Answer>,
    block: io::Cursor<Vec<u8>>,
    /// Blocks that were read: memory that threads come and go with is not given back for a while.
    spare: Vec<Vec<u8>>,
    /// Where the range begins that is asked for next.
    next: u64,
    ahead: VecDeque<Receiver<Fetched>>,
    failed: Option<RemoteFault>,
}

/// One version of a file.
struct File {
    remote: Arc<Remote>,
    etag: String,
    length: u64,
    stop: Stop,
}

impl Ranges {
    /// `first` begins at the first byte.
    pub(super) fn new(remote: Arc<Remote>, etag: String, length: u64, first: Answer) -> Self {
        let next = match first.range {
            // Whatever the server gives, no more is taken at once than was asked for.
            Some(ContentRange::Part { last, .. }) => (last + 1).min(remote.first_bytes()),
            _ => unreachable!("it is of a part"),
        };
        let file = Arc::new(File { remote, etag, length, stop: Stop::default() });
        Self {
            file,
            first: Some(first),
            block: io::Cursor::default(),
            spare: Vec::new(),
            next,
            ahead: VecDeque::new(),
            failed: None,
        }
    }

    /// `None` at the end of the file.
    fn next_block(&mut self) -> Option<Fetched> {
        if let Some(first) = self.first.take() {
            return Some(self.file.fetch(0..self.next, Some(first), Vec::new()));
        }
        self.fetch_ahead();
        let block = self.ahead.pop_front()?;
        self.fetch_ahead();
        Some(block.recv().expect("a thread that fetches says how it ended"))
    }

    fn fetch_ahead(&mut self) {
        while self.ahead.len() < AHEAD && self.next < self.file.length {
            let end = self.file.length.min(self.next.saturating_add(self.file.range_bytes()));
            let (range, file) = (self.next..end, Arc::clone(&self.file));
            let (report, fetched) = mpsc::sync_channel(1);
            let buffer = self.spare.pop().unwrap_or_default();
            let fetch = {
                let (range, report) = (range.clone(), report.clone());
                // The reader may be gone.
                move || drop(report.send(file.fetch(range, None, buffer)))
            };
            if thread::Builder::new().name("fetch".to_owned()).spawn(fetch).is_err() {
                if !self.ahead.is_empty() {
                    return;
                }
                // Without threads it goes on by itself, one range after another.
                drop(report.send(self.file.fetch(range, None, Vec::new())));
            }
            self.ahead.push_back(fetched);
            self.next = end;
        }
    }
}

impl Read for Ranges {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(fault) = &self.failed {
                return Err(io::Error::other(fault.clone()));
            }
            let count = self.block.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            match self.next_block() {
                None => return Ok(0),
                Some(Ok(block)) => {
                    let read = mem::replace(&mut self.block, io::Cursor::new(block));
                    self.spare.push(read.into_inner());
                }
                Some(Err(fault)) => self.failed = Some(fault),
            }
        }
    }
}

impl Drop for Ranges {
    fn drop(&mut self) {
        self.file.stop.set();
    }
}

impl File {
    fn range_bytes(&self) -> u64 {
        self.remote.network.settings.range_bytes
    }

    /// All bytes of a range, however often it has to be asked for; `answer` is one that was asked for before. They are put
    /// in place of what is in the buffer.
    fn fetch(&self, range: Range<u64>, mut answer: Option<Answer>, mut bytes: Vec<u8>) -> Fetched {
        let wanted = usize::try_from(range.end - range.start).expect("a range fits into memory");
        bytes.clear();
        bytes.reserve_exact(wanted);
        let mut patience = self.remote.patience();
        loop {
            let before = bytes.len();
            let from = range.start + u64::try_from(before).expect("a length has 64 bits");
            let asked = match answer.take() {
                Some(answer) => Ok(answer),
                None => self.ask(from, range.end),
            };
            let fault = match asked.and_then(|answer| self.receive(answer, wanted, &mut bytes)) {
                Ok(()) if bytes.len() == wanted => return Ok(bytes),
                // A server may give less than was asked for.
                Ok(()) if bytes.len() > before => continue,
                Ok(()) => RemoteFault::unavailable("the server gives nothing of what is asked for"),
                Err(fault) => fault,
            };
            if bytes.len() > before {
                patience.progressed();
            }
            self.remote.wait(&mut patience, fault, &self.stop)?;
        }
    }

    /// An answer that begins at `from`.
    fn ask(&self, from: u64, end: u64) -> Result<Answer, RemoteFault> {
        let condition = Condition::IfMatch(&self.etag);
        let mut answer = self.remote.get(Wanted::Part { first: from, last: Some(end - 1), condition })?;
        self.remote.pin(&answer.version)?;
        match (answer.status.as_u16(), answer.range) {
            (412, _) => {
                return Err(RemoteFault::Changed { how: format!("it no longer has the ETag {}", self.etag) });
            }
            (416, _) => {
                return Err(RemoteFault::contradiction(format!(
                    "the server said that it has {} bytes, and has none at {from}",
                    self.length
                )));
            }
            (206, Some(ContentRange::Part { first, .. })) if first == from => {}
            // More of the file, or all of it.
            (206, Some(ContentRange::Part { first, .. })) if first < from => {
                skip(&mut answer, from - first).map_err(|error| self.remote.broken(error))?;
            }
            (200, _) => skip(&mut answer, from).map_err(|error| self.remote.broken(error))?,
            _ => return Err(unasked(&answer)),
        }
        if answer.version.strong_etag() != Some(&*self.etag) {
            return Err(RemoteFault::contradiction(
                "the server gives parts of it with an ETag and others without",
            ));
        }
        Ok(answer)
    }

    fn receive(&self, answer: Answer, wanted: usize, bytes: &mut Vec<u8>) -> Result<(), RemoteFault> {
        if let (Some(ContentRange::Part { first, last, .. }), Some(length)) =
            (answer.range, answer.body_length)
            && length != last - first + 1
        {
            return Err(RemoteFault::contradiction("the server says its length in two ways that differ"));
        }
        let missing = u64::try_from(wanted - bytes.len()).expect("a length has 64 bits");
        let mut body = answer.body.take(missing);
        let mut piece = [0; 16 << 10];
        while !self.stop.is_set() {
            match body.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(count) => bytes.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.remote.broken(error)),
            }
        }
        Err(RemoteFault::unavailable("nobody wants it any more"))
    }
}

/// Over the beginning of a file to this byte.
fn skip(answer: &mut Answer, bytes: u64) -> io::Result<()> {
    let skipped = io::copy(&mut (&mut answer.body).take(bytes), &mut io::sink())?;
    if skipped == bytes { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
