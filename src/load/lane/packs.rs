//! Refusals as the ledger keeps them. A row for each document would cost more than it takes to refuse it, so a row holds all
//! documents of a stretch of a source that were refused in the same words: the place of the first, and behind the words and a
//! line feed how far each of the others is from the one before it.

use std::{collections::HashMap, fmt::Write as _};

use super::transaction::Refused;
use crate::{document::Fault, input::Position, runs::Verdict, runs::ledger::bigint};

/// How far from the first of its documents a row may go. `sql/lanes/rejected.sql` knows it.
const SPAN_BYTES: u64 = 1 << 20;

/// Rows by column, as `unnest` takes them.
#[derive(Debug, Default)]
pub(super) struct RefusedColumns<'a> {
    pub(super) sources: Vec<i32>,
    pub(super) byte_offsets: Vec<i64>,
    pub(super) codes: Vec<&'a str>,
    pub(super) messages: Vec<String>,
}

/// A row that more documents may come into.
#[derive(Debug, Clone, Copy)]
struct Pack {
    row: usize,
    first: Position,
    last: Position,
}

impl<'a> RefusedColumns<'a> {
    /// `refused` stand in input order.
    pub(super) fn of(refused: &[Refused<'a>]) -> Self {
        let mut columns = Self::default();
        let mut packs: HashMap<(&str, &str), Pack> = HashMap::new();
        for Refused { position, verdict } in refused {
            let Verdict::Rejected(fault) = verdict else { continue };
            let words = (&*fault.code, &*fault.message);
            match packs.get_mut(&words) {
                Some(Pack { row, first, last })
                    if first.source == position.source
                        && position.byte_offset - first.byte_offset < SPAN_BYTES =>
                {
                    let distance = position.byte_offset - last.byte_offset;
                    write!(columns.messages[*row], " {distance}").expect("writing to a String");
                    *last = *position;
                }
                _ => {
                    let row = columns.push(*position, fault);
                    packs.insert(words, Pack { row, first: *position, last: *position });
                }
            }
        }
        columns
    }

    fn push(&mut self, position: Position, fault: &'a Fault) -> usize {
        self.sources.push(i32::try_from(position.source).expect("few sources"));
        self.byte_offsets.push(bigint(position.byte_offset));
        self.codes.push(&fault.code);
        self.messages.push(format!("{}\n", fault.message));
        self.messages.len() - 1
    }
}

/// Where the documents of a row stand, from its own place and its message, and in which words they were refused.
pub(super) fn unpack(first: i64, message: &str) -> (Vec<i64>, &str) {
    let (words, distances) = message.rsplit_once('\n').unwrap_or((message, ""));
    let mut offsets = vec![first];
    let mut at = first;
    for distance in distances.split_ascii_whitespace() {
        // What is no distance was not written here.
        let Ok(distance) = distance.parse::<i64>() else { return (vec![first], message) };
        at += distance;
        offsets.push(at);
    }
    (offsets, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_unpacked() {
        let verdict =
            |code: &str| Verdict::Rejected(Fault::of_document(code.to_owned(), format!("of {code}")));
        let (one, other) = (verdict("a"), verdict("b"));
        let span = SPAN_BYTES;
        let places = [
            (0, 5, &one),
            (0, 9, &other),
            (0, 100, &one),
            (0, 101, &Verdict::Inserted),
            (0, 4 + span, &one),
            (0, 5 + span, &one),
            (0, 7 + span, &one),
            (1, 6, &one),
            (1, 7, &other),
        ];
        let refused: Vec<_> = places
            .iter()
            .map(|&(source, byte_offset, verdict)| Refused {
                position: Position { source, byte_offset },
                verdict,
            })
            .collect();
        let columns = RefusedColumns::of(&refused);
        assert_eq!(columns.sources, [0, 0, 0, 1, 1]);
        assert_eq!(columns.codes, ["a", "b", "a", "a", "b"]);
        let span = bigint(span);
        let found: Vec<_> = columns
            .byte_offsets
            .iter()
            .zip(&columns.messages)
            .map(|(&first, message)| unpack(first, message))
            .collect();
        assert_eq!(
            found,
            [
                (vec![5, 100, 4 + span], "of a"),
                (vec![9], "of b"),
                (vec![5 + span, 7 + span], "of a"),
                (vec![6], "of a"),
                (vec![7], "of b")
            ]
        );
        assert_eq!(unpack(3, "of a name\nwith a line end"), (vec![3], "of a name\nwith a line end"));
        assert!(
            include_str!("../../../sql/lanes/rejected.sql").contains(&format!("$4::bigint - {SPAN_BYTES} "))
        );
    }
}
