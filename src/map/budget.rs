//! How much a filter may do about one document.

use std::{cell::Cell, ptr};

/// Calls of filters that call themselves, rounds of `reduce` and `foreach`, and numbers of `range`: tens of times as many
/// as a document has values.
pub(crate) const STEPS_MAX: u32 = 1_000_000;

/// The stack of a thread that runs filters. It is only an address range until it is used.
pub(crate) const STACK_BYTES: usize = 256 << 20;

/// How much of it filters that call themselves may take. What they leave behind is freed by calls that are nested as
/// deep, and need less.
const STACK_BYTES_USED_MAX: usize = STACK_BYTES / 4;

/// How long a text may get, in bytes, or an array, in items.
const LENGTH_MAX: usize = 16 << 20;

/// What a filter has too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Steps,
    Depth,
    Length,
}

impl Limit {
    pub(super) fn words(self) -> String {
        match self {
            Self::Steps => format!("the map takes more than {STEPS_MAX} steps for it"),
            Self::Depth => "the map calls itself too deep for it".to_owned(),
            Self::Length => "the map makes a text or an array of more than 16 MiB or items of it".to_owned(),
        }
    }
}

/// Of one document.
#[derive(Debug)]
pub(super) struct Budget {
    left: Cell<u32>,
    /// Where the stack stood as the filter began.
    base: usize,
    exceeded: Cell<Option<Limit>>,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { left: Cell::new(STEPS_MAX), base: stack_address(), exceeded: Cell::new(None) }
    }

    /// Pays for a step.
    pub(super) fn step(&self) -> Result<(), Limit> {
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => return self.exceed(Limit::Steps),
        }
        if self.base.abs_diff(stack_address()) > STACK_BYTES_USED_MAX {
            return self.exceed(Limit::Depth);
        }
        Ok(())
    }

    pub(super) fn check_length(&self, length: usize) -> Result<(), Limit> {
        if length > LENGTH_MAX { self.exceed(Limit::Length) } else { Ok(()) }
    }

    fn exceed(&self, limit: Limit) -> Result<(), Limit> {
        self.exceeded.set(Some(limit));
        Err(limit)
    }

    pub(super) fn exceeded(&self) -> Option<Limit> {
        self.exceeded.get()
    }
}

/// About where the top of the stack is.
#[inline(never)]
fn stack_address() -> usize {
    let here = 0_u8;
    ptr::from_ref(std::hint::black_box(&here)).addr()
}
