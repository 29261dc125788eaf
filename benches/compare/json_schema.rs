//! Checking with `--json-schema`: the built-in schema from a file, and one of an operator's own, beside DuckDB's typed
//! read of the same documents and beside checking without.

use crate::{
    Bench,
    data::{self, Documents},
    failure::{Failure, Outcome},
    figures::{self, Bar, Samples},
    loader::Faulty,
    references::folder,
};

/// The loader's time as a multiple of DuckDB's.
const PRINTED_BAR: Bar = Bar::AtMost(1.2);
const OPERATORS_BAR: Bar = Bar::AtMost(1.5);

pub(crate) fn compare(bench: &Bench) -> Outcome<()> {
    let count = bench.options.documents;
    let documents = data::file(&bench.options.data, Documents::first(count))?;
    let printed = bench.peers.schema.to_str().ok_or_else(|| Failure::new("a path that is no UTF-8"))?;
    let operators = folder(".").join("operator.schema.json");
    let operators = operators.to_str().ok_or_else(|| Failure::new("a path that is no UTF-8"))?;
    let validate = |options: &[&str]| bench.loader.validate_with(&documents, count, Faulty::None, options);

    let mut without = Samples::new("validate");
    let mut with_printed = Samples::new("validate --json-schema, the printed one");
    let mut with_operators = Samples::new("validate --json-schema, an operator's");
    let mut typed = Samples::new("DuckDB typed read");
    let typed_read = bench.peers.typed_read();
    for _ in 0..bench.options.runs {
        without.add(&validate(&[])?);
        with_printed.add(&validate(&["--json-schema", printed])?);
        with_operators.add(&validate(&["--json-schema", operators])?);
        if let Some(peer) = &typed_read {
            typed.add(&peer.read(&documents, &bench.peers.schema, count)?);
        }
    }
    figures::title(&format!("validate --json-schema: {count} documents, plain"));
    figures::table([&without, &with_printed, &with_operators, &typed]);
    figures::ratio(&with_printed, &typed, Some(PRINTED_BAR));
    figures::ratio(&with_operators, &typed, Some(OPERATORS_BAR));
    figures::peak(&with_printed);
    figures::peak(&with_operators);
    Ok(())
}
