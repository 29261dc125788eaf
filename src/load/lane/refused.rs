//! The documents of a batch that the server refused, with where they stand.

use super::{
    pending::{Pending, positions},
    transaction::Refused,
};
use crate::{input::Position, runs::Verdict};

/// Those that are rejected.
pub(crate) fn rejected<'a>(pending: &[Pending], verdicts: &'a [Verdict]) -> Vec<Refused<'a>> {
    let is_rejected = |verdict: &Verdict| matches!(verdict, Verdict::Rejected(_));
    positions(pending)
        .zip(verdicts)
        .filter(|(_, verdict)| is_rejected(verdict))
        .map(|(position, verdict)| Refused { position, verdict })
        .collect()
}

/// Those that are deferred, because it takes the indexes to judge them.
pub(crate) fn deferred_by_server(pending: &[Pending], verdicts: &[Verdict]) -> Vec<Position> {
    let is_refused = |verdict: &Verdict| *verdict == Verdict::Deferred { by_server: true };
    positions(pending)
        .zip(verdicts)
        .filter(|(_, verdict)| is_refused(verdict))
        .map(|(position, _)| position)
        .collect()
}
