//! Writes customer documents (NDJSON) to standard output, for benches, demonstrations and tests of size.
//!
//! Every document follows from the seed and its index: the same options write the same bytes, on any
//! machine and for ever, and a range can be written without the documents before it.

mod customer;
mod defect;
mod locale;
mod plan;
mod random;
#[cfg(test)]
mod tests;
mod world;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory, Parser, ValueEnum, error::ErrorKind};

use crate::{
    customer::Version,
    defect::{DEFECTS, spoil},
    locale::Locale,
    plan::{Line, Plan},
    random::Random,
};

/// Writes made-up customer documents as NDJSON to standard output
#[derive(Debug, Parser)]
#[command(name = "generate")]
struct Options {
    /// How many documents to write
    #[arg(long, value_name = "N", default_value_t = 1000)]
    count: u64,

    /// What all values are drawn from
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,

    /// Index of the first document; ranges that do not overlap have no id in common
    #[arg(long, value_name = "N", default_value_t = 0)]
    start: u64,

    /// Share of documents that have a fault, of sixteen kinds
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    invalid: f64,

    /// Share of documents with the id of an earlier one of this output: half are copies, half differ
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    duplicates: f64,

    /// Share of documents that differ from those written without this option, under the same id
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    changed: f64,

    /// What documents look like
    #[arg(long, value_enum, default_value_t = Mix::Plain)]
    mix: Mix,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mix {
    /// As one program writes them, with usual values
    Plain,
    /// As many programs write them: other orders, white space and escapes, short and long values, more scripts
    World,
}

/// What documents are made of.
#[derive(Debug)]
struct Vocabulary {
    mix: Mix,
    locales: Vec<Locale>,
}

impl Vocabulary {
    fn of(mix: Mix) -> Self {
        let locales = match mix {
            Mix::Plain => locale::all(),
            Mix::World => locale::all_decoded(),
        };
        Self { mix, locales }
    }

    /// Appends the document, without a line end.
    fn push_document(&self, out: &mut Vec<u8>, version: Version) {
        match self.mix {
            Mix::Plain => customer::push_document(out, &self.locales, version),
            Mix::World => world::push_document(out, &self.locales, version),
        }
    }
}

/// As much as is written at once.
const WRITE_BYTES: usize = 1 << 20;

/// Up to here indices get ids of their own.
const INDEX_END: u64 = 1 << 62;

/// The stream that a fault is drawn from, beside those of the plan.
const DEFECT: u64 = 103;

fn main() -> ExitCode {
    let options = Options::parse();
    if let Err(reason) = check(&options) {
        Options::command().error(ErrorKind::ValueValidation, reason).exit();
    }
    match write_documents(&options, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is gone too, the exit code is all that is left.
            let _ = writeln!(io::stderr(), "error: standard output can't be written: {error}");
            ExitCode::FAILURE
        }
    }
}

fn share(text: &str) -> Result<f64, &'static str> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or("a share is a number from 0 to 1, for example 0.05")
}

fn check(options: &Options) -> Result<(), &'static str> {
    if options.invalid + options.duplicates > 1.0 {
        return Err("--invalid and --duplicates together are more than all documents");
    }
    match options.start.checked_add(options.count) {
        Some(end) if end <= INDEX_END => Ok(()),
        _ => Err("--start and --count lead beyond 2^62, where ids would come twice"),
    }
}

fn write_documents(options: &Options, out: &mut impl Write) -> io::Result<()> {
    let vocabulary = Vocabulary::of(options.mix);
    let plan = Plan {
        seed: options.seed,
        start: options.start,
        invalid: options.invalid,
        duplicates: options.duplicates,
        changed: options.changed,
    };
    let mut buffer = Vec::with_capacity(WRITE_BYTES + WRITE_BYTES / 16);
    let mut scratch = Vec::new();
    for index in options.start..options.start + options.count {
        push_line(&mut buffer, &mut scratch, &vocabulary, plan.line(index));
        if buffer.len() >= WRITE_BYTES {
            out.write_all(&buffer)?;
            buffer.clear();
        }
    }
    out.write_all(&buffer)?;
    out.flush()
}

/// Faulty documents are put together in `scratch`.
fn push_line(buffer: &mut Vec<u8>, scratch: &mut Vec<u8>, vocabulary: &Vocabulary, line: Line) {
    match line {
        Line::Valid(version) => vocabulary.push_document(buffer, version),
        Line::Faulty(version) => {
            scratch.clear();
            vocabulary.push_document(scratch, version);
            let mut random = Random::of(&[version.seed, version.index, DEFECT]);
            let defect = random.pick(&DEFECTS);
            spoil(scratch, defect, &mut random);
            buffer.extend_from_slice(scratch);
        }
    }
    buffer.push(b'\n');
}
