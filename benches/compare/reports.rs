//! What reports cost: checking with a page, a table and data of it beside checking without.

use crate::{
    Bench,
    data::{self, Documents},
    failure::Outcome,
    figures::{self, Bar, Samples},
};

/// The time and the peak with reports as a multiple of those without.
const TIME_BAR: Bar = Bar::AtMost(1.15);
const PEAK_BAR: Bar = Bar::AtMost(1.25);

pub(crate) fn compare(bench: &Bench) -> Outcome<()> {
    let count = bench.options.documents;
    figures::title(&format!("validate of {count} documents with and without three reports"));
    let reports = ["report.html", "report.csv", "report.json"].map(|name| bench.home.join(name));
    for (invalid, name) in [("0", "all valid"), ("0.05", "5 % faulty")] {
        let file = data::file(&bench.options.data, Documents { invalid, ..Documents::first(count) })?;
        let mut without = Samples::new(format!("validate, {name}"));
        let mut with = Samples::new(format!("validate --report (three), {name}"));
        for _ in 0..bench.options.runs {
            without.add(&bench.loader.check(&file, &[])?);
            with.add(&bench.loader.check(&file, &reports)?);
        }
        figures::table([&with, &without]);
        figures::ratio(&with, &without, Some(TIME_BAR));
        figures::peak_ratio(&with, &without, PEAK_BAR);
    }
    Ok(())
}
