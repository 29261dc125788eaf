//! A program on the library: checks documents, and loads them where none was rejected.
//!
//! ```text
//! cargo run --example validate_and_load -- FILE DATABASE_URL
//! ```

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that prints what the library returns"
)]

use std::{env, process::ExitCode};

use profile_loader::{
    Database, RunReport, Target, exit, load,
    settings::{DocumentSettings, LoadSettings},
    validate,
};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [file, url] = &arguments[..] else {
        eprintln!("usage: validate_and_load FILE DATABASE_URL");
        return ExitCode::from(exit::USAGE);
    };
    let target = match Target::find(Some(url), &|_| None) {
        Ok(target) => target,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(exit::USAGE);
        }
    };
    let documents = DocumentSettings::of([file.clone()]);
    let report = validate(&documents).and_then(|report| {
        tell(&report);
        if report.documents.rejected > 0 || report.failure.is_some() {
            return Ok(report);
        }
        let database = Database::Target(Box::new(target));
        load(&documents, &LoadSettings::default(), database).inspect(tell)
    });
    match report {
        Ok(report) => ExitCode::from(report.exit_code),
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.exit_code)
        }
    }
}

fn tell(report: &RunReport) {
    let documents = report.documents;
    println!(
        "{}: {} ({} read, {} rejected)",
        report.command,
        report.outcome.name(),
        documents.read,
        documents.rejected
    );
    for error in &report.errors {
        println!("  {} documents: {} {} {}", error.documents, error.code, error.pointer, error.message);
    }
}
