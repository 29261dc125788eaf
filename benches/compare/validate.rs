//! Checking documents of both mixes: the loader beside DuckDB, which reads the same file and checks no schema, and
//! beside other validators where they are installed.

use crate::{
    Bench,
    data::{self, Documents, Mix},
    failure::Outcome,
    figures::{self, Bar, Samples},
    loader::Faulty,
};

/// The loader's time as a multiple of that of DuckDB's typed read of the same file.
const PLAIN_BAR: Bar = Bar::AtMost(0.6);
const WORLD_BAR: Bar = Bar::AtMost(0.9);

/// The time for a file with some faulty documents as a multiple of that for valid ones.
const FAULTY_BAR: Bar = Bar::AtMost(1.1);

/// When every document is faulty.
const DOCUMENTS_A_SECOND_BAR: Bar = Bar::AtLeast(1_000_000.0);

pub(crate) fn compare(bench: &Bench) -> Outcome<()> {
    let plain = of_mix(bench, Mix::Plain, PLAIN_BAR)?;
    of_mix(bench, Mix::World, WORLD_BAR)?;

    // These take ten seconds and more: once will do.
    let count = bench.options.documents;
    let file = data::file(&bench.options.data, Documents::first(count))?;
    let mut others = Vec::new();
    for peer in bench.peers.validators() {
        let mut samples = Samples::new(&peer.name);
        samples.add(&peer.read(&file, &bench.peers.schema, count)?);
        others.push(samples);
    }
    if !others.is_empty() {
        figures::title(&format!("validate: other validators, {count} documents, plain"));
        figures::table(&others);
        others.iter().for_each(|other| figures::ratio(other, &plain, None));
    }
    Ok(())
}

/// Gives the loader's samples of valid documents.
fn of_mix(bench: &Bench, mix: Mix, typed_bar: Bar) -> Outcome<Samples> {
    let (count, schema) = (bench.options.documents, &bench.peers.schema);
    let documents =
        |invalid| data::file(&bench.options.data, Documents { invalid, mix, ..Documents::first(count) });
    let (valid, some, all) = (documents("0")?, documents("0.01")?, documents("1")?);

    let name = mix.name();
    let mut ours = Samples::new(format!("validate, {name}"));
    let mut ours_json = Samples::new(format!("validate --output json, {name}"));
    let mut ours_some = Samples::new(format!("validate, {name}, 1 % faulty"));
    let mut ours_all = Samples::new(format!("validate, {name}, all faulty"));
    let mut typed = Samples::new("DuckDB typed read");
    let mut counted = Samples::new("DuckDB count(*)");
    let (typed_read, count_only) = (bench.peers.typed_read(), bench.peers.count());
    for _ in 0..bench.options.runs {
        ours.add(&bench.loader.summarize(&valid, count, Faulty::None)?);
        ours_json.add(&bench.loader.validate(&valid, count, Faulty::None)?);
        if let Some(peer) = &typed_read {
            typed.add(&peer.read(&valid, schema, count)?);
        }
        if let Some(peer) = &count_only {
            counted.add(&peer.read(&valid, schema, count)?);
        }
        ours_some.add(&bench.loader.summarize(&some, count, Faulty::Some)?);
        ours_all.add(&bench.loader.summarize(&all, count, Faulty::All)?);
    }

    figures::title(&format!("validate: {count} documents, {name}"));
    figures::table([&ours, &ours_json, &typed, &counted, &ours_some, &ours_all]);
    figures::ratio(&ours, &typed, Some(typed_bar));
    figures::ratio(&ours_json, &typed, None);
    figures::ratio(&ours, &counted, None);
    figures::ratio(&ours_some, &ours, Some(FAULTY_BAR));
    figures::rate(&ours_all, count, DOCUMENTS_A_SECOND_BAR);
    figures::peak(&ours);
    figures::peak(&ours_all);
    Ok(ours)
}
