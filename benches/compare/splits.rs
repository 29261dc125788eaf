//! What it costs to work at a split of a plan: checking it beside checking the same file, and writing its accepted
//! documents in blocks beside checking it.

use std::path::Path;

use crate::{
    Bench,
    data::{self, Documents},
    failure::Outcome,
    figures::{self, Bar, Samples},
    process::{self, Finished},
};

/// The time as a multiple of that of checking the same split.
const SCATTER_BAR: Bar = Bar::AtMost(1.3);

pub(crate) fn compare(bench: &Bench) -> Outcome<()> {
    let count = bench.options.documents;
    figures::title(&format!("a split of {count} documents"));
    let file = data::file(&bench.options.data, Documents::first(count))?;
    let plan = bench.home.join("plan.json");
    // The file is one split: otherwise the starts of processes would be measured.
    let mut planned = process::command(&bench.loader.program, &bench.home);
    planned.arg("plan").arg(&file).arg("-o").arg(&plan).args(["--split-size", "1TiB"]);
    let mut reading = Samples::new("plan");
    let mut whole = Samples::new("validate of the file");
    let mut split = Samples::new("validate of the split");
    let mut scatter = Samples::new("scatter of the split");
    for _ in 0..bench.options.runs {
        reading.add(&process::measure(&planned, &[0])?);
        whole.add(&bench.loader.check(&file, &[])?);
        split.add(&of_split(bench, "validate", &plan)?);
        scatter.add(&of_split(bench, "scatter", &plan)?);
    }
    figures::table([&reading, &whole, &split, &scatter]);
    figures::ratio(&split, &whole, None);
    figures::ratio(&scatter, &split, Some(SCATTER_BAR));
    Ok(())
}

/// What is written goes nowhere, as a pipe would take as much of the processor as whoever reads it.
fn of_split(bench: &Bench, command: &str, plan: &Path) -> Outcome<Finished> {
    let mut shell = process::command("sh", &bench.home);
    shell.args(["-c", "exec \"$0\" \"$1\" --plan \"$2\" --split 0 --quiet > /dev/null"]);
    shell.arg(&bench.loader.program).arg(command).arg(plan);
    process::measure(&shell, &[0])
}
