//! How much of the input is under way at once: between the reader that takes room and the collector that gives it
//! back. This is what keeps memory constant, whatever the input holds.
//!
//! A chunk enters with the most that it may come to hold, and is charged with what it does hold once it is checked.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

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
    bytes: usize,
    chunks: usize,
    /// Chunks that are in and not checked yet.
    unchecked: usize,
    /// Chunks that ever went in.
    entered: u64,
    closed: bool,
    buffers: Vec<Vec<u8>>,
}

impl Window {
    pub(super) fn new(limits: WindowLimits) -> Self {
        Self { limits, state: Mutex::default(), room: Condvar::new() }
    }

    /// Waits for room; gives a buffer to read into, or `None` when nothing more is wanted. `is_verified`: the lanes
    /// may load. Until then they wait for the watermarks of an earlier attempt to be read, however much they hold: it
    /// was in the window of that attempt, so one chunk at a time gets in beyond the limit.
    pub(super) fn wait_for_room(&self, is_verified: bool) -> Option<Vec<u8>> {
        let mut state = self.lock();
        let is_full = |state: &State| {
            let is_full = state.bytes >= self.limits.bytes || state.chunks >= self.limits.chunks;
            is_full && (is_verified || state.unchecked > 0)
        };
        while !state.closed && is_full(&state) {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed { None } else { Some(state.buffers.pop().unwrap_or_default()) }
    }

    /// Counts a chunk in; `false` when the window was closed while it was read.
    pub(super) fn enter(&self, bytes: usize) -> bool {
        let mut state = self.lock();
        if !state.closed {
            state.bytes += bytes;
            state.chunks += 1;
            state.unchecked += 1;
            state.entered += 1;
        }
        !state.closed
    }

    /// Charges a chunk that was checked with what it holds, in place of what it entered with.
    pub(super) fn recharge(&self, entered_with: usize, holds: usize) {
        let mut state = self.lock();
        state.bytes = state.bytes - entered_with + holds;
        state.unchecked -= 1;
        self.room.notify_one();
    }

    /// Counts a chunk out, with what it was charged last, and keeps its buffer for the reader.
    pub(super) fn leave(&self, bytes: usize, buffer: Vec<u8>) {
        let mut state = self.lock();
        state.bytes -= bytes;
        state.chunks -= 1;
        if buffer.capacity() <= self.limits.buffer_bytes {
            state.buffers.push(buffer);
        }
        self.room.notify_one();
    }

    /// Lets nothing more in; says how many chunks ever went in.
    pub(super) fn close(&self) -> u64 {
        let mut state = self.lock();
        state.closed = true;
        self.room.notify_one();
        state.entered
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is plain counters; a panic elsewhere leaves them whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_and_closing_wakes_the_reader() {
        let window = Window::new(WindowLimits { bytes: 10, chunks: 3, buffer_bytes: 8 });
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut read = 0;
                while let Some(buffer) = window.wait_for_room(true) {
                    assert!(buffer.capacity() <= 8);
                    if !window.enter(6) {
                        break;
                    }
                    read += 1;
                }
                read
            });
            for _ in 0..5 {
                while window.lock().bytes < 10 {
                    std::thread::yield_now();
                }
                let inside = {
                    let state = window.lock();
                    (state.bytes, state.chunks)
                };
                assert_eq!(inside, (12, 2));
                window.leave(6, vec![0; 6]);
            }
            while window.lock().bytes < 10 {
                std::thread::yield_now();
            }
            assert_eq!(window.close(), 7);
            assert_eq!(reader.join().unwrap(), 7);
        });
    }

    #[test]
    fn a_checked_chunk_is_charged_with_what_it_holds() {
        let window = Window::new(WindowLimits { bytes: 10, chunks: 3, buffer_bytes: 8 });
        assert!(window.wait_for_room(true).is_some() && window.enter(9));
        window.recharge(9, 2);
        assert_eq!(window.lock().bytes, 2);
        assert!(window.enter(1) && window.lock().unchecked == 1);
        window.recharge(1, 30);
        // Over the limit, and nothing is being checked: who waits for a watermark gets another chunk.
        assert!(window.wait_for_room(false).is_some());
        window.leave(30, Vec::new());
        window.leave(2, Vec::new());
        let state = window.lock();
        assert_eq!((state.bytes, state.chunks), (0, 0));
    }
}
