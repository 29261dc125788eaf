//! The nightly delta into tables that hold ten times as many documents, and the same delta once more.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    Bench, bulk,
    copy_files::{CopyFiles, Form},
    data::{self, Documents},
    delta::Delta,
    failure::{Failure, Outcome},
    figures::{self, Bar, Samples},
    loader::Loaded,
    process::Finished,
    references,
    server::{Contents, Server},
};

/// The loader's time as a multiple of that of the SQL written by hand.
const FIRST_BAR: Bar = Bar::AtMost(0.35);
const AGAIN_BAR: Bar = Bar::AtMost(0.25);

/// The first merge after a bulk load as a multiple of the same one after VACUUM besides. The noise is part of it.
const FILLED_BAR: Bar = Bar::AtMost(1.1);

/// WAL of the second run in percent of the first.
const WAL_BAR: Bar = Bar::AtMost(1.0);
const DEAD_ROWS_BAR: Bar = Bar::AtMost(0.0);

/// More than a backend needs to end on a busy machine.
const BACKENDS_END: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// One merge, and what it has written.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) finished: Finished,
    pub(crate) wal_mib: f64,
    /// Rows of the four tables that were inserted, updated or deleted.
    rows: f64,
    dead_rows: f64,
}

/// The delta once, and the same once more.
#[derive(Debug)]
struct Night {
    first: Merged,
    again: Merged,
    contents: Contents,
}

pub(crate) fn compare(bench: &Bench) -> Outcome<()> {
    let server = &bench.server;
    let (delta, files) = prepare(bench)?;
    let mut ours =
        [Samples::new("load --strategy merge, first"), Samples::new("load --strategy merge, again")];
    let mut by_hand = [Samples::new("SQL by hand, first"), Samples::new("SQL by hand, again")];
    let mut last = None;
    for _ in 0..bench.options.runs {
        let hand = night(server, |_| references::merge(server, "run", &files))?;
        let loaded = night(server, |is_first| load(bench, &delta, is_first))?;
        if hand.contents != loaded.contents {
            return Err(Failure::new(
                "the tables after the loader's merge are not those after the SQL by hand",
            ));
        }
        for ([first, again], night) in [(&mut by_hand, &hand), (&mut ours, &loaded)] {
            first.add(&night.first.finished);
            again.add(&night.again.finished);
        }
        last = Some((hand, loaded));
    }

    figures::title(&format!(
        "merge: {} documents unchanged, {} changed, {} new, over {} stored",
        delta.unchanged, delta.changed, delta.new, bench.options.documents
    ));
    figures::table(ours.iter().chain(&by_hand));
    figures::ratio(&ours[0], &by_hand[0], Some(FIRST_BAR));
    figures::ratio(&ours[1], &by_hand[1], Some(AGAIN_BAR));
    if let Some((hand, loaded)) = last {
        print_written("SQL by hand", &hand, None);
        print_written("load --strategy merge", &loaded, Some((WAL_BAR, DEAD_ROWS_BAR)));
    }
    figures::peak(&ours[0]);
    figures::peak(&ours[1]);
    after_bulk(bench, &delta)
}

/// The first merge into tables that the loader has filled, as it has left them and after VACUUM.
fn after_bulk(bench: &Bench, delta: &Delta) -> Outcome<()> {
    let (server, count) = (&bench.server, bench.options.documents);
    let stored = data::file(&bench.options.data, Documents::first(count))?;
    server.fresh("filled", "empty")?;
    bulk::load(bench, "filled", &stored, count)?;
    server.fresh("vacuumed", "filled")?;
    server.vacuum("vacuumed")?;
    let mut sides = [
        ("filled", Samples::new("merge right after a bulk load")),
        ("vacuumed", Samples::new("merge after a bulk load and VACUUM")),
    ];
    for _ in 0..bench.options.runs {
        for (template, samples) in &mut sides {
            server.fresh("run", template)?;
            samples.add(&load(bench, delta, true)?);
            server.drop("run")?;
        }
    }
    let [(_, right_after), (_, vacuumed)] = &sides;
    figures::title("merge: the first one after a bulk load");
    figures::table([right_after, vacuumed]);
    figures::ratio(right_after, vacuumed, Some(FILLED_BAR));
    Ok(())
}

/// The template `stored`, and the delta as a file and as COPY files.
pub(crate) fn prepare(bench: &Bench) -> Outcome<(Delta, CopyFiles)> {
    let (data, count) = (&bench.options.data, bench.options.documents);
    let stored = data::file(data, Documents::first(count))?;
    let new = data::file(data, Documents { start: count, ..Documents::first(count / 100) })?;
    let delta = Delta::write(&stored, &new, bench.home.join("delta.ndjson"))?;
    let files = CopyFiles::write(&delta.path, bench.home.join("delta"), Form::Plain)?;

    let stored_files = CopyFiles::write(&stored, bench.home.join("stored"), Form::Plain)?;
    bench.server.fresh("stored", "bare")?;
    references::limit(&bench.server, "stored", &stored_files)?;
    bench.server.vacuum("stored")?;
    Ok((delta, files))
}

pub(crate) fn load(bench: &Bench, delta: &Delta, is_first: bool) -> Outcome<Finished> {
    let options = ["--strategy", "merge", "--on-existing", "update"];
    let (finished, loaded) = bench.loader.load(&delta.path, &bench.server.url("run"), &options)?;
    let strategy = "merge".to_owned();
    let (inserted, updated, unchanged) = (delta.new, delta.changed, delta.unchanged);
    let first = Loaded { strategy, inserted, updated, unchanged };
    let expected = if is_first { first } else { delta.all_unchanged() };
    loaded.check(&expected).map(|()| finished)
}

/// Merges twice into a copy of the template; the tables are vacuumed in between, as a live database's are by day.
fn night(server: &Server, merge: impl Fn(bool) -> Outcome<Finished>) -> Outcome<Night> {
    server.fresh("run", "stored")?;
    let first = merged(server, || merge(true))?;
    server.vacuum("run")?;
    let again = merged(server, || merge(false))?;
    let contents = server.contents("run")?;
    server.drop("run")?;
    Ok(Night { first, again, contents })
}

pub(crate) fn merged(server: &Server, merge: impl Fn() -> Outcome<Finished>) -> Outcome<Merged> {
    let before = Written::ask(server)?;
    let finished = merge()?;
    let after = Written::ask(server)?;
    Ok(Merged {
        finished,
        wal_mib: after.wal_mib - before.wal_mib,
        rows: after.rows - before.rows,
        dead_rows: after.dead_rows,
    })
}

/// The server's counters at one moment.
struct Written {
    wal_mib: f64,
    rows: f64,
    dead_rows: f64,
}

impl Written {
    /// Waits until all sessions have ended, which is when they hand their numbers in.
    fn ask(server: &Server) -> Outcome<Self> {
        const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity
                              WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let begin = Instant::now();
        while server.ask("run", OTHERS)? != "0" {
            if begin.elapsed() > BACKENDS_END {
                return Err(Failure::new("sessions of a program that has ended live on"));
            }
            thread::sleep(POLL);
        }
        let answer = server.ask("run", include_str!("sql/written.sql"))?;
        let numbers: Result<Vec<f64>, _> = answer.split('|').map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[wal_mib, rows, dead_rows]) => Ok(Self { wal_mib, rows, dead_rows }),
            _ => Err(Failure::new(format!("the server's statistics are odd: {answer}"))),
        }
    }
}

fn print_written(name: &str, night: &Night, bars: Option<(Bar, Bar)>) {
    let (first, again) = (&night.first, &night.again);
    println!(
        "  {name} wrote first {:.1} MiB of WAL for {:.0} rows, again {:.3} MiB for {:.0} rows",
        first.wal_mib, first.rows, again.wal_mib, again.rows
    );
    let (wal_bar, dead_bar) = bars.unzip();
    figures::figure("  WAL again, of the first", 100.0 * again.wal_mib / first.wal_mib, " %", wal_bar);
    figures::figure("  dead rows that the second run leaves", again.dead_rows, "", dead_bar);
}
