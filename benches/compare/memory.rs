//! Whether time and memory keep their proportion: the loader alone, with five times as many documents.

use std::{fs, path::Path};

use crate::{
    Bench,
    data::{self, Documents},
    failure::{Failure, Outcome},
    figures::{self, Bar, Samples},
    loader::Faulty,
    process::Finished,
};

/// How many times as many documents.
const FACTOR: u64 = 5;

/// In how many files they are, to see whether memory grows with these.
const FILES: usize = 10;

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

/// The peak where the documents are in ten files.
pub(crate) fn of_many_files(bench: &Bench) -> Outcome<()> {
    let count = bench.options.documents;
    figures::title(&format!("memory with {count} documents in {FILES} files"));
    let text = fs::read(data::file(&bench.options.data, Documents::first(count))?);
    let text = text.map_err(Failure::of("reading the documents"))?;
    let folder = bench.home.join("ten-files");
    fs::create_dir_all(&folder).map_err(Failure::of("making a folder"))?;
    let mut from = 0;
    for number in 1..=FILES {
        let end = number * text.len() / FILES;
        let to = memchr::memchr(b'\n', &text[end - 1..]).map_or(text.len(), |at| end + at);
        fs::write(folder.join(format!("{number:02}.ndjson")), &text[from..to])
            .map_err(Failure::of("writing the documents of a file"))?;
        from = to;
    }
    drop(text);
    for strategy in ["bulk", "merge"] {
        let mut samples = Samples::new(format!("load --strategy {strategy}, {count} in {FILES} files"));
        samples.add(&into_empty(bench, &folder.join("*.ndjson"), count, strategy)?);
        figures::table([&samples]);
        figures::peak(&samples);
    }
    Ok(())
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
