//! Checking documents: the loader beside DuckDB, which reads the same file and checks no schema, and beside other
//! validators where they are installed.

use crate::{
    Bench,
    data::{self, Documents},
    failure::Outcome,
    figures::{self, Bar, Samples},
    loader::Faulty,
};

/// The loader's time as a multiple of DuckDB's.
const DUCKDB_BAR: Bar = Bar::AtMost(1.0);

/// The time for a file with some faulty documents as a multiple of that for valid ones.
const FAULTY_BAR: Bar = Bar::AtMost(1.15);

/// When every document is faulty.
const DOCUMENTS_A_SECOND_BAR: Bar = Bar::AtLeast(250_000.0);

pub(crate) fn compare(bench: &Bench) -> Outcome<()> {
    let (count, schema) = (bench.options.documents, &bench.peers.schema);
    let documents = |invalid| data::file(&bench.options.data, Documents { start: 0, count, invalid });
    let (valid, some, all) = (documents("0")?, documents("0.01")?, documents("1")?);

    let mut ours = Samples::new("validate");
    let mut ours_some = Samples::new("validate, 1 % faulty");
    let mut ours_all = Samples::new("validate, all faulty");
    let mut typed = Samples::new("DuckDB typed read");
    let mut counted = Samples::new("DuckDB count(*)");
    let (typed_read, count_only) = (bench.peers.typed_read(), bench.peers.count());
    for _ in 0..bench.options.runs {
        ours.add(&bench.loader.validate(&valid, count, Faulty::None)?);
        if let Some(peer) = &typed_read {
            typed.add(&peer.read(&valid, schema, count)?);
        }
        if let Some(peer) = &count_only {
            counted.add(&peer.read(&valid, schema, count)?);
        }
        ours_some.add(&bench.loader.validate(&some, count, Faulty::Some)?);
        ours_all.add(&bench.loader.validate(&all, count, Faulty::All)?);
    }
    // These take ten seconds and more: once will do.
    let mut others = Vec::new();
    for peer in bench.peers.validators() {
        let mut samples = Samples::new(&peer.name);
        samples.add(&peer.read(&valid, schema, count)?);
        others.push(samples);
    }

    figures::title(&format!("validate: {count} documents"));
    figures::table([&ours, &typed, &counted, &ours_some, &ours_all].into_iter().chain(&others));
    figures::ratio(&ours, &typed, Some(DUCKDB_BAR));
    figures::ratio(&ours, &counted, Some(DUCKDB_BAR));
    figures::ratio(&ours_some, &ours, Some(FAULTY_BAR));
    figures::rate(&ours_all, count, DOCUMENTS_A_SECOND_BAR);
    for other in &others {
        figures::ratio(other, &ours, None);
    }
    figures::peak(&ours);
    figures::peak(&ours_all);
    Ok(())
}
