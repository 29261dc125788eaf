//! When a fault fires, and what happens then.

use super::wire::{Message, Side};

/// When a fault fires; counted over all connections from when it was armed, the first is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The side's N-th message.
    Message(Side, u64),
    /// Once so many of the side's bytes have passed.
    Byte(Side, u64),
    /// The side's N-th message with this type byte.
    Kind(Side, u8, u64),
    /// The N-th statement on its way to the server that has these words in it.
    Statement(&'static str, u64),
    /// The N-th COMMIT on its way to the server.
    Commit(u64),
    /// The N-th answer that says COMMIT was done, on its way back.
    CommitAnswer(u64),
    /// The N-th error with this SQLSTATE on its way back.
    Error(&'static str, u64),
}

/// What happens then to the connection that the message came over. The moment of a byte is between it and
/// the next; there `CutBefore` and `CutAfter` are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Both sides lose the connection; the message does not arrive.
    CutBefore,
    /// Both sides lose the connection once the message has arrived.
    CutAfter,
    /// The program loses the connection, the server hears nothing of it; the message does not arrive.
    Orphan,
    /// The connection stays, and nothing arrives any more in either direction.
    Stall,
    /// The message waits with all that come after it, until it is released.
    Hold,
    /// The program is sent a fatal error with this SQLSTATE in place of what was to come, and both sides lose the
    /// connection; the message does not arrive.
    Fail(&'static str),
    /// Nothing: that it came is all that the test wants to know.
    Pass,
}

#[derive(Debug)]
pub(super) struct Armed {
    /// The fault that has to fire before.
    pub(super) after: Option<usize>,
    moment: Moment,
    pub(super) action: Action,
    seen: u64,
    pub(super) has_fired: bool,
    pub(super) is_released: bool,
}

impl Armed {
    pub(super) fn new(after: Option<usize>, moment: Moment, action: Action) -> Self {
        Self { after, moment, action, seen: 0, has_fired: false, is_released: false }
    }

    /// How many bytes of the message pass before the fault, when it fires now.
    pub(super) fn fires_at(&mut self, side: Side, message: &Message) -> Option<usize> {
        if self.has_fired {
            return None;
        }
        let length = message.bytes.len();
        let (is_meant, number) = match self.moment {
            Moment::Message(of, number) => (side == of && !message.is_one_more, number),
            Moment::Kind(of, kind, number) => (side == of && message.kind == Some(kind), number),
            Moment::Statement(words, number) => (side == Side::Frontend && message.asks(words), number),
            Moment::Commit(number) => (side == Side::Frontend && message.is_commit(), number),
            Moment::CommitAnswer(number) => (side == Side::Backend && message.is_commit_done(), number),
            Moment::Error(sqlstate, number) => (side == Side::Backend && message.is_error(sqlstate), number),
            Moment::Byte(of, _) if side != of => return None,
            Moment::Byte(_, number) => {
                let before = self.seen;
                self.seen += as_u64(length);
                self.has_fired = self.seen >= number;
                let passing = usize::try_from(number.saturating_sub(before)).expect("it is in memory");
                return self.has_fired.then_some(passing);
            }
        };
        self.seen += u64::from(is_meant);
        self.has_fired = is_meant && self.seen == number;
        let passing = if self.action == Action::CutAfter { length } else { 0 };
        self.has_fired.then_some(passing)
    }
}

pub(super) fn as_u64(length: usize) -> u64 {
    u64::try_from(length).expect("a length has 64 bits")
}
