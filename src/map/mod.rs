//! `--map`: a jq filter makes the document out of what the export has.
//!
//! A filter sees one document and nothing else: no clock, no environment, no other document, no file. The same
//! document always becomes the same, so that a run that is resumed says what the first attempt said.

mod budget;
mod compile;
mod guard;
mod natives;
mod plain;
mod regexes;
mod text;

pub(crate) use budget::STACK_BYTES;

use std::{
    cell::Cell,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use jaq_core::{Ctx, DataT, Lut, Vars, data::HasLut, val::ValX};
use jaq_json::Val;

use crate::document::{Fault, Node};
use budget::Budget;
use plain::{Plain, PlainMap};
use regexes::Regexes;
use text::Unwritable;

/// A compiled filter; shared by all workers.
pub(crate) struct DocumentMap {
    /// The file's path.
    pub(crate) source: String,
    /// Of the file's bytes, in hexadecimal.
    pub(crate) sha256: String,
    filter: jaq_core::Filter<OneDocument>,
    /// Most filters have one.
    plain: Option<PlainMap>,
}

/// Memory for one document after another: a worker has one.
#[derive(Debug, Default)]
pub(crate) struct MapScratch {
    text: Vec<u8>,
    regexes: Regexes,
}

/// What filters work on.
struct OneDocument;

/// What a filter has while it is at work on a document.
struct Running<'a> {
    lut: &'a Lut<OneDocument>,
    budget: Budget,
    regexes: &'a Regexes,
}

impl DataT for OneDocument {
    type V<'a> = Val;
    type Data<'a> = &'a Running<'a>;
}

impl<'a> HasLut<'a, OneDocument> for &'a Running<'a> {
    fn lut(&self) -> &'a Lut<OneDocument> {
        self.lut
    }
}

impl fmt::Debug for DocumentMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentMap").field("source", &self.source).finish_non_exhaustive()
    }
}

/// More room than this is given back after a document.
const ROOM_BYTES_MAX: usize = 1 << 20;

thread_local! {
    /// Whether this thread is at work on a map: what fails in it is a fault of the document.
    static IS_MAPPING: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread is caught, and becomes the rejection of a document.
pub fn is_mapping() -> bool {
    IS_MAPPING.get()
}

impl DocumentMap {
    /// The text of the document that the filter makes of a JSON text and its values; none where it is dropped. Has to be called
    /// on a thread with a stack of [`STACK_BYTES`].
    ///
    /// Nothing of what the filter says about a failure is kept: it may quote the document.
    pub(crate) fn apply<'s>(
        &self,
        text: &str,
        document: Node<'_>,
        scratch: &'s mut MapScratch,
    ) -> Result<Option<&'s str>, Fault> {
        if scratch.text.capacity() > ROOM_BYTES_MAX {
            scratch.text = Vec::new();
        }
        scratch.text.clear();
        IS_MAPPING.set(true);
        let MapScratch { text: out, regexes } = scratch;
        let mapped = catch_unwind(AssertUnwindSafe(|| match self.apply_plain(document, out) {
            Some(plain) => Ok(plain == Plain::Mapped),
            None => self.run(text, out, regexes),
        }));
        IS_MAPPING.set(false);
        if !mapped.unwrap_or_else(|_| Err(failed()))? {
            return Ok(None);
        }
        match simdutf8::basic::from_utf8(&scratch.text) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(unwritable(Unwritable::NotJson)),
        }
    }

    fn apply_plain(&self, document: Node<'_>, out: &mut Vec<u8>) -> Option<Plain> {
        let applied = self.plain.as_ref()?.apply(document, out);
        if applied.is_none() {
            out.clear();
        }
        applied
    }

    /// Whether there is a document.
    fn run(&self, text: &str, out: &mut Vec<u8>, regexes: &Regexes) -> Result<bool, Fault> {
        let input = jaq_json::read::parse_single(text.as_bytes()).map_err(|_| failed())?;
        let running = Running { lut: &self.filter.lut, budget: Budget::new(), regexes };
        let mut outputs = self.filter.id.run((Ctx::<OneDocument>::new(&running, Vars::new([])), input));
        let verdict = |output: ValX<'_, Val>| match output {
            Ok(value) => Ok(value),
            Err(_) => Err(running.budget.exceeded().map_or_else(failed, beyond)),
        };
        let Some(first) = outputs.next().map(verdict).transpose()? else { return Ok(false) };
        if outputs.next().map(verdict).transpose()?.is_some() {
            let message =
                "the map makes more than one document of it; it has to make one, or none to drop it";
            return Err(Fault::of_document("map:many", message));
        }
        if !matches!(first, Val::Obj(_)) {
            let message = "the map makes JSON of it that is no object";
            return Err(Fault::of_document("map:not_object", message));
        }
        text::write(&first, out).map_err(unwritable)?;
        Ok(true)
    }
}

fn failed() -> Fault {
    Fault::of_document(
        "map:error",
        "the map fails on it (profile-loader map shows the document, and what the map makes of it)",
    )
}

fn beyond(limit: budget::Limit) -> Fault {
    Fault::of_document("map:limit", limit.words())
}

fn unwritable(reason: Unwritable) -> Fault {
    match reason {
        Unwritable::TooLarge => {
            let message = "the document that the map makes of it is longer than 16 MiB, nested more than 128 deep or \
                           holds more than 100000 values";
            Fault::of_document("map:limit", message)
        }
        Unwritable::NotJson => {
            let message = "the map makes something of it that JSON has not: a number that is none or too large, bytes \
                           that are no text, or a name that is no text";
            Fault::of_document("map:not_json", message)
        }
    }
}

#[cfg(test)]
mod tests;
