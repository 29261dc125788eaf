//! How much of the input is under way at once: between whoever reads it, who takes room, and the collector that gives it
//! back. This is what keeps memory constant, whatever the input holds.
//!
//! A chunk enters with the most that it may come to hold, and is charged with what it does hold once it is checked. Where several
//! sources are read at the same time, the collector waits for the first of them, so the others have room of their own: however
//! far ahead they are, the first gets on.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeBounds,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// One that is being checked and one that comes next.
const CHUNKS_PER_WORKER: usize = 2;

/// How many times less room there is for what is read ahead than for the first source.
const AHEAD: usize = 2;

/// Bounds of what is between the reader and the collector.
#[derive(Debug, Clone, Copy)]
pub(super) struct WindowLimits {
    /// What chunks are charged; passed by at most one chunk, which may hold a line of 16 MiB.
    pub(super) bytes: usize,
    pub(super) chunks: usize,
    /// A buffer that has grown beyond this is not kept.
    pub(super) buffer_bytes: usize,
}

#[derive(Debug)]
pub(super) struct Window {
    limits: WindowLimits,
    state: Mutex<State>,
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What is in of each source; all of them are the first where they are read one after another.
    inside: BTreeMap<usize, Charge>,
    /// The first source that is not read to its end.
    first: usize,
    /// Those after it that are.
    ended: BTreeSet<usize>,
    /// Chunks that ever went in, of the first source and those after it.
    entered: BTreeMap<usize, u64>,
    /// Chunks that are in and not checked yet.
    unchecked: usize,
    closed: bool,
    buffers: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Charge {
    bytes: usize,
    chunks: usize,
}

impl State {
    fn charged(&self, sources: impl RangeBounds<usize>) -> Charge {
        self.inside.range(sources).fold(Charge::default(), |sum, (_, one)| Charge {
            bytes: sum.bytes + one.bytes,
            chunks: sum.chunks + one.chunks,
        })
    }

    /// Whether there is no room for chunks of this source.
    fn is_full(&self, source: usize, limits: WindowLimits) -> bool {
        let (inside, share) = if source <= self.first {
            (self.charged(..=self.first), 1)
        } else {
            (self.charged(self.first + 1..), AHEAD)
        };
        share * inside.bytes >= limits.bytes || share * inside.chunks >= limits.chunks
    }

    fn keep(&mut self, buffer: Vec<u8>, buffer_bytes: usize) {
        if (1..=buffer_bytes).contains(&buffer.capacity()) {
            self.buffers.push(buffer);
        }
    }
}

impl Window {
    pub(super) fn new(limits: WindowLimits) -> Self {
        Self { limits, state: Mutex::default(), room: Condvar::new() }
    }

    /// Waits for room; gives a buffer to read into, or `None` when nothing more is wanted. `is_verified`: the lanes
    /// may load. Until then they wait for the watermarks of an earlier attempt to be read, however much they hold: it
    /// was in the window of that attempt, so one chunk at a time gets in beyond the limit.
    pub(super) fn wait_for_room(&self, source: usize, is_verified: bool) -> Option<Vec<u8>> {
        let is_full =
            |state: &State| state.is_full(source, self.limits) && (is_verified || state.unchecked > 0);
        let mut state = self.wait_while(is_full);
        if state.closed { None } else { Some(state.buffers.pop().unwrap_or_default()) }
    }

    /// Waits until all sources before this one are read and there is room, or nothing more is wanted.
    pub(super) fn wait_for_turn(&self, source: usize) {
        drop(self.wait_while(|state| state.first < source || state.is_full(source, self.limits)));
    }

    fn wait_while(&self, is_to_wait: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while !state.closed && is_to_wait(&state) {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    /// Counts a chunk in; `false` when the window was closed while it was read.
    pub(super) fn enter(&self, source: usize, bytes: usize) -> bool {
        let mut state = self.lock();
        if !state.closed {
            let inside = state.inside.entry(source).or_default();
            inside.bytes += bytes;
            inside.chunks += 1;
            state.unchecked += 1;
            *state.entered.entry(source).or_default() += 1;
        }
        !state.closed
    }

    /// Whether so many workers have enough to do without the chunk that has just entered: each has another one to check next,
    /// or there is no room for more, and whoever reads would wait for them.
    pub(super) fn has_enough_for(&self, workers: usize) -> bool {
        let state = self.lock();
        let per_worker = if state.is_full(0, self.limits) { 1 } else { CHUNKS_PER_WORKER };
        state.unchecked > per_worker * workers
    }

    /// Charges a chunk that was checked with what it holds, in place of what it entered with.
    pub(super) fn recharge(&self, source: usize, entered_with: usize, holds: usize) {
        let mut state = self.lock();
        let inside = state.inside.get_mut(&source).expect("a chunk of it is in");
        inside.bytes = inside.bytes - entered_with + holds;
        state.unchecked -= 1;
        self.room.notify_all();
    }

    /// Counts a chunk out, with what it was charged last, and keeps its buffer for the reader.
    pub(super) fn leave(&self, source: usize, bytes: usize, buffer: Vec<u8>) {
        let mut state = self.lock();
        let inside = state.inside.get_mut(&source).expect("a chunk of it is in");
        inside.bytes -= bytes;
        inside.chunks -= 1;
        if inside.chunks == 0 {
            state.inside.remove(&source);
        }
        state.keep(buffer, self.limits.buffer_bytes);
        self.room.notify_all();
    }

    /// Keeps a buffer that nobody needs any more.
    pub(super) fn keep(&self, buffer: Vec<u8>) {
        self.lock().keep(buffer, self.limits.buffer_bytes);
    }

    /// Takes in that a source was read to its end.
    pub(super) fn end_source(&self, source: usize) {
        let mut state = self.lock();
        state.ended.insert(source);
        loop {
            let first = state.first;
            if !state.ended.remove(&first) {
                break;
            }
            state.entered.remove(&first);
            state.first += 1;
        }
        self.room.notify_all();
    }

    /// Lets nothing more in; says which source is not read to its end, and how many chunks of it ever went in.
    pub(super) fn close(&self) -> (usize, u64) {
        let mut state = self.lock();
        state.closed = true;
        self.room.notify_all();
        (state.first, state.entered.get(&state.first).copied().unwrap_or_default())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is plain counters; a panic elsewhere leaves them whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(window: &Window) -> (usize, usize) {
        let Charge { bytes, chunks } = window.lock().charged(..);
        (bytes, chunks)
    }

    #[test]
    fn room_is_bounded_and_closing_wakes_the_reader() {
        let window = Window::new(WindowLimits { bytes: 10, chunks: 3, buffer_bytes: 8 });
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut read = 0;
                while let Some(buffer) = window.wait_for_room(0, true) {
                    assert!(buffer.capacity() <= 8);
                    if !window.enter(0, 6) {
                        break;
                    }
                    read += 1;
                }
                read
            });
            for _ in 0..5 {
                while inside(&window).0 < 10 {
                    std::thread::yield_now();
                }
                assert_eq!(inside(&window), (12, 2));
                window.leave(0, 6, vec![0; 6]);
            }
            while inside(&window).0 < 10 {
                std::thread::yield_now();
            }
            assert_eq!(window.close(), (0, 7));
            assert_eq!(reader.join().unwrap(), 7);
        });
    }

    #[test]
    fn a_checked_chunk_is_charged_with_what_it_holds() {
        let window = Window::new(WindowLimits { bytes: 10, chunks: 3, buffer_bytes: 8 });
        assert!(window.wait_for_room(0, true).is_some() && window.enter(0, 9));
        window.recharge(0, 9, 2);
        assert_eq!(inside(&window).0, 2);
        assert!(window.enter(0, 1) && window.lock().unchecked == 1);
        window.recharge(0, 1, 30);
        // Over the limit, and nothing is being checked: who waits for a watermark gets another chunk.
        assert!(window.wait_for_room(0, false).is_some());
        window.leave(0, 30, Vec::new());
        window.leave(0, 2, Vec::new());
        assert_eq!(inside(&window), (0, 0));
    }

    #[test]
    fn workers_have_enough_with_two_chunks_each_or_one_where_there_is_no_more_room() {
        for (bytes, expected) in
            [(1, [false, false, false, false, true]), (9, [false, false, true, true, true])]
        {
            let window = Window::new(WindowLimits { bytes: 20, chunks: 30, buffer_bytes: 8 });
            let enough = expected.map(|_| {
                assert!(window.enter(0, bytes));
                window.has_enough_for(2)
            });
            assert_eq!(enough, expected);
            window.recharge(0, bytes, bytes);
            assert_eq!(window.has_enough_for(2), bytes > 1);
        }
    }

    #[test]
    fn what_is_read_ahead_takes_no_room_of_the_first_source() {
        let window = Window::new(WindowLimits { bytes: 10, chunks: 3, buffer_bytes: 8 });
        for (source, bytes) in [(1, 3), (2, 2)] {
            assert!(window.wait_for_room(source, true).is_some() && window.enter(source, bytes));
        }
        std::thread::scope(|scope| {
            let ahead = scope.spawn(|| window.wait_for_room(2, true));
            assert!(window.wait_for_room(0, true).is_some() && window.enter(0, 9));
            window.end_source(0);
            // Of the first source now, and over the limit with that of the one before.
            assert!(ahead.join().unwrap().is_some());
            let waiting = scope.spawn(|| window.wait_for_room(1, true));
            window.leave(0, 9, Vec::new());
            assert!(waiting.join().unwrap().is_some());
        });
        window.end_source(2);
        assert!(window.enter(1, 1));
        window.end_source(1);
        window.leave(1, 1, Vec::new());
        window.wait_for_turn(3);
        assert_eq!(window.close(), (3, 0));
    }
}
