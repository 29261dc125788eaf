//! Reads a stream on a thread of its own, ahead of who wants its bytes, and no further than a few blocks.
//!
//! What is counted along the way belongs to the bytes: it is handed over with the block that it was counted up to. The
//! thread ends with its stream, or soon after nobody wants its blocks any more; whoever drops the stream waits for it.

use std::{
    io::{self, Read},
    mem,
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread::{self, JoinHandle},
};

use super::buffer::Buffer;

const BLOCK_BYTES: usize = 256 * 1024;

/// So much of a stream is read before it is wanted: enough to go on while the reader is held up.
const BLOCKS_MAX: usize = 8;

/// How far a stream was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Counters {
    /// Its stored bytes.
    pub(super) consumed: Arc<AtomicU64>,
    /// The text of the members before the one at hand.
    pub(super) text_before_member: Arc<AtomicU64>,
}

impl Counters {
    fn values(&self) -> [u64; 2] {
        [&self.consumed, &self.text_before_member].map(|counter| counter.load(Ordering::Relaxed))
    }

    fn set(&self, [consumed, text_before_member]: [u64; 2]) {
        self.consumed.store(consumed, Ordering::Relaxed);
        self.text_before_member.store(text_before_member, Ordering::Relaxed);
    }
}

/// What the thread says, and what its stream's counters were then.
struct Message {
    what: What,
    counted: [u64; 2],
}

enum What {
    Block(Buffer),
    Failed(io::Error),
    Ended,
}

/// A stream that is read ahead.
pub(super) struct Ahead {
    /// `None` once the stream has ended.
    messages: Option<Receiver<Message>>,
    /// Takes back what was read.
    spares: Sender<Buffer>,
    block: Buffer,
    /// How much of the block was read.
    taken: usize,
    /// What was counted up to its end, and goes into the counters there.
    counted: [u64; 2],
    counters: Counters,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    /// Goes on reading `stream`, which counts in `counted`; gives the counters for what is read of the blocks, too.
    pub(super) fn start(stream: Box<dyn Read + Send>, counted: Counters) -> (Self, Counters) {
        let counters = Counters::default();
        counters.set(counted.values());
        let (out, messages) = sync_channel(BLOCKS_MAX);
        let (spares, returned) = channel();
        let read = move || read_blocks(stream, &counted, &out, &returned);
        let thread = thread::Builder::new().name("inflate".to_owned()).spawn(read);
        let ahead = Self {
            messages: Some(messages),
            spares,
            block: Buffer::reusing(Vec::new()),
            taken: 0,
            counted: counters.values(),
            counters: counters.clone(),
            thread: Some(thread.expect("threads can be started")),
        };
        (ahead, counters)
    }

    /// Takes the thread's end in; its panic goes on here.
    fn join(&mut self) {
        self.messages = None;
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            resume_unwind(panic);
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = &self.block.filled()[self.taken..];
            if !left.is_empty() || buffer.is_empty() {
                let count = left.len().min(buffer.len());
                buffer[..count].copy_from_slice(&left[..count]);
                self.taken += count;
                if self.taken == self.block.filled().len() {
                    self.counters.set(self.counted);
                }
                return Ok(count);
            }
            let Some(messages) = &self.messages else { return Ok(0) };
            let Ok(Message { what, counted }) = messages.recv() else {
                self.join();
                unreachable!("the thread says that its stream has ended, or panics");
            };
            match what {
                What::Block(block) => {
                    (self.taken, self.counted) = (0, counted);
                    // The thread may have come to the end.
                    let _ = self.spares.send(mem::replace(&mut self.block, block));
                }
                What::Failed(error) => {
                    self.counters.set(counted);
                    self.join();
                    return Err(error);
                }
                What::Ended => {
                    self.counters.set(counted);
                    self.join();
                }
            }
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.messages = None;
        // A panic of a thread whose blocks are not wanted any more is nobody's concern.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn read_blocks(
    mut stream: Box<dyn Read + Send>,
    counted: &Counters,
    out: &SyncSender<Message>,
    returned: &Receiver<Buffer>,
) {
    loop {
        let mut block = returned.try_recv().unwrap_or_else(|_| Buffer::reusing(Vec::new()));
        block.clear();
        let result = block.fill(&mut stream, BLOCK_BYTES);
        let say = |what| out.send(Message { what, counted: counted.values() });
        let wanted = block.filled().is_empty() || say(What::Block(block)).is_ok();
        match result {
            Ok(false) if wanted => continue,
            Ok(false) => {}
            // Whether it is heard makes no difference here.
            Ok(true) => drop(say(What::Ended)),
            Err(error) => drop(say(What::Failed(error))),
        }
        return;
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    /// Counts what it gives: so many bytes, then what `end` says.
    struct Stream {
        left: usize,
        end: fn() -> io::Result<usize>,
        counted: Counters,
    }

    impl Read for Stream {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.left == 0 {
                return (self.end)();
            }
            let count = self.left.min(buffer.len()).min(1000);
            buffer[..count].fill(b'x');
            self.left -= count;
            self.counted.consumed.fetch_add(count as u64, Ordering::Relaxed);
            Ok(count)
        }
    }

    fn start(bytes: usize, end: fn() -> io::Result<usize>) -> (Ahead, Counters, Counters) {
        let counted = Counters::default();
        let stream = Stream { left: bytes, end, counted: counted.clone() };
        let (ahead, counters) = Ahead::start(Box::new(stream), counted.clone());
        (ahead, counters, counted)
    }

    #[test]
    fn all_bytes_come_and_what_was_counted_comes_with_them() {
        for bytes in [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, 20 * BLOCK_BYTES + 7] {
            let (mut ahead, counters, _) = start(bytes, || Ok(0));
            let mut text = Vec::new();
            ahead.read_to_end(&mut text).unwrap();
            assert_eq!(text.len(), bytes);
            assert_eq!(counters.values(), [bytes as u64, 0]);
            assert_eq!(ahead.read(&mut [0]).unwrap(), 0);
        }
    }

    #[test]
    fn what_came_before_an_error_is_read_first() {
        let (mut ahead, counters, _) = start(3 * BLOCK_BYTES + 5, || Err(ErrorKind::InvalidData.into()));
        let mut text = Vec::new();
        let error = ahead.read_to_end(&mut text).unwrap_err();
        assert_eq!((error.kind(), text.len()), (ErrorKind::InvalidData, 3 * BLOCK_BYTES + 5));
        assert_eq!(counters.values()[0], text.len() as u64);
    }

    #[test]
    fn no_more_is_read_than_some_blocks_and_a_reader_that_goes_ends_the_thread() {
        let endless = usize::MAX;
        let (mut ahead, counters, counted) = start(endless, || Ok(0));
        ahead.read_exact(&mut vec![0; BLOCK_BYTES + 10]).unwrap();
        let most = (BLOCKS_MAX + 4) * BLOCK_BYTES;
        assert!(counted.values()[0] <= most as u64);
        assert_eq!(counters.values()[0], BLOCK_BYTES as u64, "not what the thread is at");
        drop(ahead);
        assert!(counted.values()[0] <= (most + BLOCK_BYTES) as u64, "it has ended");
    }

    #[test]
    fn a_panic_of_the_thread_is_one_of_the_reader() {
        let (mut ahead, ..) = start(5, || panic!("a bug"));
        let caught =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ahead.read_to_end(&mut Vec::new())));
        assert!(caught.is_err());
    }
}
