//! A file as one stream, from a server that gives no ranges, or no ETag that a range could be guarded by. A thread reads
//! ahead of the reader, as far as a bounded queue has room.
//!
//! Where it has to begin anew, what was handed out already is read again, and has to be the same: its digest says so.

use std::{
    io::{self, Cursor, Read},
    sync::{
        Arc,
        mpsc::{self, Receiver, SyncSender},
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

const BLOCK_BYTES: usize = 256 << 10;

/// Besides the one that is read and the one that is filled.
const BLOCKS_AHEAD: usize = 14;

type Block = Result<Vec<u8>, RemoteFault>;

pub(super) struct Whole {
    blocks: Receiver<Block>,
    block: Cursor<Vec<u8>>,
    failed: Option<RemoteFault>,
    has_ended: bool,
    stop: Arc<Stop>,
}

/// The thread's side.
struct Stream {
    remote: Arc<Remote>,
    blocks: SyncSender<Block>,
    /// How many bytes were handed out, and their digest.
    position: u64,
    digest: blake3::Hasher,
    stop: Arc<Stop>,
}

enum Passed {
    /// All there is.
    All,
    /// The reader is gone.
    Unwanted,
}

impl Whole {
    /// `answer` begins at the first byte.
    pub(super) fn start(remote: Arc<Remote>, answer: Answer) -> io::Result<Self> {
        let (blocks, received) = mpsc::sync_channel(BLOCKS_AHEAD);
        let stop = Arc::new(Stop::default());
        let stream =
            Stream { remote, blocks, position: 0, digest: blake3::Hasher::new(), stop: Arc::clone(&stop) };
        thread::Builder::new().name("fetch".to_owned()).spawn(move || stream.run(answer))?;
        Ok(Self { blocks: received, block: Cursor::default(), failed: None, has_ended: false, stop })
    }
}

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(fault) = &self.failed {
                return Err(io::Error::other(fault.clone()));
            }
            let count = self.block.read(buffer)?;
            if count > 0 || buffer.is_empty() || self.has_ended {
                return Ok(count);
            }
            match self.blocks.recv().expect("the stream says how it ended") {
                Ok(block) if block.is_empty() => self.has_ended = true,
                Ok(block) => self.block = Cursor::new(block),
                Err(fault) => self.failed = Some(fault),
            }
        }
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        self.stop.set();
    }
}

impl Stream {
    fn run(mut self, answer: Answer) {
        let mut patience = self.remote.patience();
        let mut answer = Ok(answer);
        let end = loop {
            let before = self.position;
            let fault = match answer.and_then(|answer| self.pass_on(answer)) {
                Ok(Passed::All) => break Ok(Vec::new()),
                Ok(Passed::Unwanted) => return,
                Err(fault) => fault,
            };
            if self.position > before {
                patience.progressed();
            }
            if let Err(fault) = self.remote.wait(&mut patience, fault, &self.stop) {
                break Err(fault);
            }
            answer = self.resume();
        };
        // The reader may be gone.
        drop(self.blocks.send(end));
    }

    /// Hands out what comes.
    fn pass_on(&mut self, mut answer: Answer) -> Result<Passed, RemoteFault> {
        loop {
            let mut block = vec![0; BLOCK_BYTES];
            let mut filled = 0;
            let mut end = None;
            while filled < block.len() && end.is_none() {
                match answer.body.read(&mut block[filled..]) {
                    Ok(0) => end = Some(self.end(filled)),
                    Ok(count) => filled += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => end = Some(Err(self.remote.broken(error))),
                }
            }
            block.truncate(filled);
            if filled > 0 {
                self.digest.update(&block);
                self.position += to_u64(filled);
                if self.blocks.send(Ok(block)).is_err() {
                    return Ok(Passed::Unwanted);
                }
            }
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// Whether the file ends so many bytes behind what was handed out.
    fn end(&self, more: usize) -> Result<Passed, RemoteFault> {
        match self.remote.length() {
            Some(length) if length != self.position + to_u64(more) => {
                Err(RemoteFault::unavailable("the connection broke"))
            }
            _ => Ok(Passed::All),
        }
    }

    /// An answer that begins where the one before broke off.
    fn resume(&mut self) -> Result<Answer, RemoteFault> {
        let remote = Arc::clone(&self.remote);
        let etag = remote.version.get().and_then(|version| version.strong_etag());
        let answer = match etag {
            Some(etag) if self.position > 0 => {
                let condition = Condition::IfRange(etag);
                remote.get(Wanted::Part { first: self.position, last: None, condition })?
            }
            _ => remote.get(Wanted::Whole)?,
        };
        remote.pin(&answer.version)?;
        match (answer.status.as_u16(), answer.range, etag) {
            (206, Some(ContentRange::Part { first, .. }), Some(etag))
                if first == self.position && answer.version.strong_etag() == Some(etag) =>
            {
                Ok(answer)
            }
            (200, ..) => self.skip(answer),
            (416, ..) => Err(RemoteFault::contradiction(format!(
                "the server said that it has more than {} bytes, and has not",
                self.position
            ))),
            _ => Err(unasked(&answer)),
        }
    }

    /// Over what was handed out already, if it is the same.
    fn skip(&self, mut answer: Answer) -> Result<Answer, RemoteFault> {
        let mut digest = blake3::Hasher::new();
        let mut piece = vec![0; BLOCK_BYTES];
        let mut left = self.position;
        while left > 0 {
            let most = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
            let count = match answer.body.read(&mut piece[..most]) {
                Ok(0) => return Err(RemoteFault::unavailable("the connection broke")),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.remote.broken(error)),
            };
            if self.stop.is_set() {
                return Err(RemoteFault::unavailable("nobody wants it any more"));
            }
            digest.update(&piece[..count]);
            left -= to_u64(count);
        }
        if digest.finalize() == self.digest.finalize() {
            Ok(answer)
        } else {
            let how = format!("its first {} bytes are not what they were", self.position);
            Err(RemoteFault::Changed { how })
        }
    }
}

fn to_u64(length: usize) -> u64 {
    u64::try_from(length).expect("a length has 64 bits")
}
