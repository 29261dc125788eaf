//! The loader beside others at the same work, in one run: `cargo bench --bench compare`.
//!
//! All sides load into the same private server, take turns, and have to leave the same rows, or there is no figure.
//! What each reference is, and what came out, is told in docs/performance.md. Without cargo bench (as a test), every
//! part is done once with few documents, which shows that the bench works and says nothing of speed.

#![expect(clippy::print_stdout, reason = "figures are what a bench is for")]

mod bulk;
mod compressed;
mod copy_files;
mod data;
mod delta;
mod dry_run;
mod failure;
mod faults;
mod figures;
mod framings;
mod json_schema;
mod loader;
mod machine;
mod maps;
mod memory;
mod merge;
mod peers;
mod process;
mod references;
mod refusals;
mod repeats;
mod reports;
mod server;
mod splits;
mod validate;

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{self, Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, ValueEnum};

use failure::{Failure, Outcome};
use loader::Loader;
use peers::Peers;
use server::Server;

/// Enough for every kind of change in the delta, and for a second.
const TEST_DOCUMENTS: u64 = 2_000;

/// Measures the loader beside others at the same work, and prints the ratios
#[derive(Debug, Parser)]
struct Options {
    /// What to measure; everything when nothing is named
    #[arg(value_name = "PART")]
    parts: Vec<Part>,
    /// How many documents are checked and loaded; the part memory also takes five times as many
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    documents: u64,
    /// How often each side has its turn
    #[arg(long, value_name = "N", default_value_t = 3)]
    runs: usize,
    /// The Python that has duckdb, duckdb-ext-postgres, jsonschema-rs and sourcemeta-jsonschema, or some of them
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,
    /// Another loader than the one that cargo has just built
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_profile-loader"))]
    loader: PathBuf,
    /// Where generated documents are kept for the next time
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_TARGET_TMPDIR"), "/compare"))]
    data: PathBuf,
    /// What cargo bench says
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Validate,
    JsonSchema,
    Faults,
    Framings,
    Compressed,
    Maps,
    Reports,
    Bulk,
    Merge,
    DryRun,
    Refusals,
    Repeats,
    Memory,
    Files,
    Splits,
}

/// What all parts share.
#[derive(Debug)]
struct Bench {
    options: Options,
    /// A temporary folder for everything but the generated documents.
    home: PathBuf,
    server: Server,
    loader: Loader,
    peers: Peers,
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            use io::Write;
            // Where standard error is gone too, the exit code is all that is left.
            let _ = writeln!(io::stderr(), "error: {}", failure.chain());
            ExitCode::FAILURE
        }
    }
}

fn run(mut options: Options) -> Outcome<()> {
    if !options.bench {
        println!("a test of the bench itself: the figures say nothing");
        (options.documents, options.runs) = (TEST_DOCUMENTS, 1);
    }
    if options.documents < 100 || options.runs == 0 {
        return Err(Failure::new("at least 100 documents and one run are needed to compare anything"));
    }
    let home = tempfile::Builder::new().prefix("compare-").tempdir();
    let home = home.map_err(Failure::of("making a temporary folder"))?;
    // The server may run as another user, who has a folder of its own in there.
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o711))
        .map_err(Failure::of("opening the temporary folder to the server"))?;

    options.data = path::absolute(&options.data).map_err(Failure::of("resolving the folder of the data"))?;
    options.loader =
        path::absolute(&options.loader).map_err(Failure::of("resolving the path of the loader"))?;

    let parts =
        if options.parts.is_empty() { Part::value_variants().to_vec() } else { options.parts.clone() };
    let bench = Bench::prepare(options, home.path())?;
    machine::print_header(&bench.server, &bench.loader.program)?;
    for part in parts {
        match part {
            Part::Validate => validate::compare(&bench)?,
            Part::JsonSchema => json_schema::compare(&bench)?,
            Part::Faults => faults::compare(&bench)?,
            Part::Framings => framings::compare(&bench)?,
            Part::Compressed => compressed::compare(&bench)?,
            Part::Maps => maps::compare(&bench)?,
            Part::Reports => reports::compare(&bench)?,
            Part::Bulk => bulk::compare(&bench)?,
            Part::Merge => merge::compare(&bench)?,
            Part::DryRun => dry_run::compare(&bench)?,
            Part::Refusals => refusals::compare(&bench)?,
            Part::Repeats => repeats::compare(&bench)?,
            Part::Memory => memory::compare(&bench)?,
            Part::Files => memory::of_many_files(&bench)?,
            Part::Splits => splits::compare(&bench)?,
        }
    }
    Ok(())
}

impl Bench {
    /// Starts the server and makes the databases that the parts copy: `empty` has the four tables as a migration
    /// makes them, `bare` the tables without constraints and indexes.
    fn prepare(options: Options, home: &Path) -> Outcome<Self> {
        let loader = Loader { program: options.loader.clone(), home: home.to_owned() };
        let schema = home.join("customer_profile.schema.json");
        fs::write(&schema, loader.schema()?).map_err(Failure::of("writing the JSON Schema"))?;
        let server = Server::start(home)?;
        server.fresh("empty", "template1")?;
        loader.migrate(&server.url("empty"))?;
        server.fresh("bare", "empty")?;
        references::make_bare(&server, "bare")?;
        let peers = Peers { python: options.python.clone(), home: home.to_owned(), schema };
        Ok(Self { options, home: home.to_owned(), server, loader, peers })
    }
}
