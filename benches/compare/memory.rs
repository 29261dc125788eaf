//! Whether time and memory keep their proportion: the loader alone, with five times as many documents.

use std::path::Path;

use crate::{
    Bench,
    data::{self, Documents},
    failure::Outcome,
    figures::{self, Bar, Samples},
    loader::Faulty,
    process::Finished,
};

/// How many times as many documents.
const FACTOR: u64 = 5;

/// The time with five times as many documents as a multiple of that with one.
const VALIDATE_BAR: Bar = Bar::AtMost(5.5);
const BULK_BAR: Bar = Bar::AtMost(6.0);

/// The peak with five times as many documents as a multiple of that with one.
const PEAK_BAR: Bar = Bar::AtMost(1.1);

pub(crate) fn compare(bench: &Bench) -> Outcome<()> {
    let count = bench.options.documents;
    figures::title(&format!("time and memory with {} documents beside {count}", FACTOR * count));
    let validate = |file: &Path, count| bench.loader.validate(file, count, Faulty::None);
    grow(bench, "validate", bench.options.runs, Some(VALIDATE_BAR), validate)?;
    let bulk = |file: &Path, count| into_empty(bench, file, count, "bulk");
    grow(bench, "load --strategy bulk", bench.options.runs, Some(BULK_BAR), bulk)?;
    // Minutes, and its time has no bar.
    let merge = |file: &Path, count| into_empty(bench, file, count, "merge");
    grow(bench, "load --strategy merge", 1, None, merge)
}

fn into_empty(bench: &Bench, file: &Path, documents: u64, strategy: &str) -> Outcome<Finished> {
    bench.server.fresh("run", "empty")?;
    let finished = bench.loader.backfill(file, &bench.server.url("run"), documents, strategy)?;
    bench.server.drop("run")?;
    Ok(finished)
}

/// Does the work with one number of documents and with five times as many.
fn grow(
    bench: &Bench,
    name: &str,
    runs: usize,
    time_bar: Option<Bar>,
    work: impl Fn(&Path, u64) -> Outcome<Finished>,
) -> Outcome<()> {
    let count = bench.options.documents;
    let one_file = data::file(&bench.options.data, Documents::first(count))?;
    let five_file = data::file(&bench.options.data, Documents::first(FACTOR * count))?;
    let mut one = Samples::new(format!("{name}, {count}"));
    let mut five = Samples::new(format!("{name}, {}", FACTOR * count));
    for _ in 0..runs {
        one.add(&work(&one_file, count)?);
        five.add(&work(&five_file, FACTOR * count)?);
    }
    figures::table([&one, &five]);
    figures::ratio(&five, &one, time_bar);
    figures::peak_ratio(&five, &one, PEAK_BAR);
    figures::peak(&five);
    Ok(())
}
