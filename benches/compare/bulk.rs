//! A backfill into empty tables, of both mixes: from NDJSON with everything that `load` does, beside COPY files that are
//! ready.

use std::path::Path;

use crate::{
    Bench,
    copy_files::{CopyFiles, Form},
    data::{self, Documents, Mix},
    failure::Outcome,
    figures::{self, Bar, Samples},
    process::Finished,
    references,
};

/// The loader's time as a multiple of that of the limit as everyone writes it.
const LIMIT_BAR: Bar = Bar::AtMost(0.85);

/// The naive load's time as a multiple of the loader's.
const NAIVE_BAR: Bar = Bar::AtLeast(5.0);

pub(crate) fn compare(bench: &Bench) -> Outcome<()> {
    of_mix(bench, Mix::Plain)?;
    of_mix(bench, Mix::World)
}

fn of_mix(bench: &Bench, mix: Mix) -> Outcome<()> {
    let count = bench.options.documents;
    let file = data::file(&bench.options.data, Documents { mix, ..Documents::first(count) })?;
    let home = |name: &str| bench.home.join(format!("{name}-{}", mix.name()));
    let files = CopyFiles::write(&file, home("bulk"), Form::Plain)?;
    let prepared = CopyFiles::write(&file, home("prepared"), Form::Prepared)?;
    let server = &bench.server;

    let mut ours = Samples::new("load --strategy bulk");
    let mut limit = Samples::new("limit as everyone writes it");
    let mut lower = Samples::new("limit with ids in sorted files");
    let mut naive = Samples::new("psql into constrained tables");
    let mut duckdb = Samples::new("DuckDB's postgres extension");
    for _ in 0..bench.options.runs {
        limit.add(&on_fresh(bench, "bare", &files, |database| references::limit(server, database, &files))?);
        let prepared_limit = |database: &str| references::limit(server, database, &prepared);
        lower.add(&on_fresh(bench, "bare", &prepared, prepared_limit)?);
        ours.add(&on_fresh(bench, "empty", &files, |database| load(bench, database, &file, count))?);
    }
    // These two take minutes and are far from the others: once, with one mix, will do.
    if mix == Mix::Plain {
        naive.add(&on_fresh(bench, "empty", &files, |database| references::naive(server, database, &files))?);
        if let Some(peer) = bench.peers.duckdb_load() {
            let load = |database: &str| peer.load(&file, &server.keywords(database));
            duckdb.add(&on_fresh(bench, "empty", &files, load)?);
        }
    }

    let rows: u64 = files.rows.iter().sum();
    figures::title(&format!("bulk: {count} documents, {}, {rows} rows, into empty tables", mix.name()));
    figures::table([&ours, &limit, &lower, &naive, &duckdb]);
    figures::ratio(&ours, &limit, Some(LIMIT_BAR));
    figures::ratio(&ours, &lower, None);
    figures::ratio(&naive, &ours, Some(NAIVE_BAR));
    figures::peak(&ours);
    Ok(())
}

/// The loader's own run; the report has to say that the strategy was this one.
pub(crate) fn load(bench: &Bench, database: &str, file: &Path, documents: u64) -> Outcome<Finished> {
    bench.loader.backfill(file, &bench.server.url(database), documents, "bulk")
}

/// Works on a copy of the database `template`, which has to hold what the files do afterwards.
fn on_fresh(
    bench: &Bench,
    template: &str,
    files: &CopyFiles,
    work: impl Fn(&str) -> Outcome<Finished>,
) -> Outcome<Finished> {
    bench.server.fresh("run", template)?;
    let finished = work("run")?;
    let contents = bench.server.contents("run")?;
    references::check_rows(template, contents.rows, files.rows)?;
    bench.server.drop("run")?;
    Ok(finished)
}
