//! A map's short way: what most maps ask is run over the document as it was parsed, and written out at once.
//!
//! Names are resolved once, outputs are not boxed, and what stands in the document is borrowed from it. This gives a document
//! or drops it where that is what jq does for certain: failures, bounds, numbers that are no integers of 64 bits, and whatever
//! else is not known here are left to the interpreter, which runs the whole filter anew. So the rule for every line is to
//! accept less than it does, never more.

mod compile;
mod filter;
mod functions;
mod run;
mod value;
mod write;

use jaq_core::load::parse::Term;

use crate::document::Node;
use compile::Compiler;
use filter::Filter;
use run::Run;
use value::{Answer, Type, Unsure, Value};

#[derive(Debug)]
pub(super) struct PlainMap {
    main: Filter,
    definitions: Vec<Filter>,
}

/// What becomes of a document for certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// It is written.
    Mapped,
    Dropped,
}

impl PlainMap {
    /// None where not all of the filter is plain.
    pub(super) fn compile(main: &Term<&str>) -> Option<Self> {
        let mut compiler = Compiler::default();
        let main = compiler.filter(main)?;
        Some(Self { main, definitions: compiler.definitions })
    }

    /// Writes the document that the filter makes; none where the interpreter has to be asked.
    pub(super) fn apply(&self, document: Node<'_>, out: &mut Vec<u8>) -> Option<Plain> {
        self.run(document, out).ok()
    }

    fn run<'d>(&'d self, document: Node<'d>, out: &mut Vec<u8>) -> Answer<Plain> {
        let mut mapped = None;
        let run = Run::new(&self.definitions);
        run.each(&self.main, None, &Value::of(document), &mut |value| match mapped.replace(value) {
            None => Ok(()),
            Some(_) => Err(Unsure),
        })?;
        match mapped {
            None => Ok(Plain::Dropped),
            Some(value) if value.type_of() == Type::Object => {
                write::write(&value, out)?;
                Ok(Plain::Mapped)
            }
            Some(_) => Err(Unsure),
        }
    }
}

#[cfg(test)]
mod tests;
