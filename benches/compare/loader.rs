//! The loader as a user would call it, and what its report has to say of the run.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{
    failure::{Failure, Outcome},
    process::{self, Finished},
};

#[derive(Debug)]
pub(crate) struct Loader {
    pub(crate) program: PathBuf,
    /// Where it is run, and where reject files go.
    pub(crate) home: PathBuf,
}

impl Loader {
    /// Checks the file; `faulty` tells how many documents have to be rejected.
    pub(crate) fn validate(&self, file: &Path, documents: u64, faulty: Faulty) -> Outcome<Finished> {
        self.validate_with(file, documents, faulty, &[])
    }

    /// The same with further options.
    pub(crate) fn validate_with(
        &self,
        file: &Path,
        documents: u64,
        faulty: Faulty,
        options: &[&str],
    ) -> Outcome<Finished> {
        let file = file.to_string_lossy();
        let exit_code = i32::from(faulty != Faulty::None);
        let (finished, report) = self.run(&[&["validate", &*file][..], options].concat(), exit_code)?;
        let counts = ["/documents/read", "/documents/rejected"].map(|pointer| number(&report, pointer));
        faulty.verify(&file, documents, counts).map(|()| finished)
    }

    /// The same with the summary in place of a report of data, as one types it.
    pub(crate) fn summarize(&self, file: &Path, documents: u64, faulty: Faulty) -> Outcome<Finished> {
        let mut command = process::command(&self.program, &self.home);
        command.arg("validate").arg(file).arg("-q");
        let finished = process::measure(&command, &[i32::from(faulty != Faulty::None)])?;
        let counts = ["documents read", "rejected"].map(|words| counted(&finished.stdout, words));
        faulty.verify(&file.to_string_lossy(), documents, counts).map(|()| finished)
    }

    /// Checks the file as somebody does who wants these reports, or none; faulty documents are none of its failures.
    pub(crate) fn check(&self, file: &Path, reports: &[PathBuf]) -> Outcome<Finished> {
        let mut command = process::command(&self.program, &self.home);
        command.arg("validate").arg(file).arg("-q");
        for report in reports {
            command.arg("--report").arg(report);
        }
        process::measure(&command, &[0, 1])
    }

    /// Checks a file of so many valid documents, told apart in this way.
    pub(crate) fn check_framed(&self, file: &Path, framing: &str, count: u64) -> Outcome<Finished> {
        let mut command = process::command(&self.program, &self.home);
        command.arg("validate").arg(file).args(["--framing", framing, "--output", "json", "-q"]);
        let finished = process::measure(&command, &[0])?;
        let report: Value =
            serde_json::from_str(&finished.stdout).map_err(Failure::of("reading the loader's report"))?;
        match number(&report, "/documents/accepted") {
            Some(accepted) if accepted == count => Ok(finished),
            accepted => {
                Err(Failure::new(format!("{accepted:?} documents are valid, but {count} were written")))
            }
        }
    }

    /// The JSON Schema that it has built in.
    pub(crate) fn schema(&self) -> Outcome<String> {
        let mut command = process::command(&self.program, &self.home);
        command.arg("schema");
        Ok(process::measure(&command, &[0])?.stdout)
    }

    /// Makes the four tables, as a migration before the first load does.
    pub(crate) fn migrate(&self, url: &str) -> Outcome<()> {
        let mut command = process::command(&self.program, &self.home);
        command.args(["migrate", "up", "-q", "--database-url", url]);
        process::measure(&command, &[0]).map(drop)
    }

    /// Loads the file into empty tables; every document has to be inserted, by this strategy.
    pub(crate) fn backfill(
        &self,
        file: &Path,
        url: &str,
        documents: u64,
        strategy: &str,
    ) -> Outcome<Finished> {
        let (finished, loaded) = self.load(file, url, &["--strategy", strategy])?;
        let expected =
            Loaded { strategy: strategy.to_owned(), inserted: documents, updated: 0, unchanged: 0 };
        loaded.check(&expected).map(|()| finished)
    }

    /// Loads the file with further options; every document has to be accepted.
    pub(crate) fn load(&self, file: &Path, url: &str, options: &[&str]) -> Outcome<(Finished, Loaded)> {
        let file = file.to_string_lossy();
        let arguments = [&["load", &*file, "--database-url", url][..], options].concat();
        let (finished, report) = self.run(&arguments, 0)?;
        let count = |name: &str| number(&report, &format!("/load/{name}")).unwrap_or_default();
        let strategy = report.pointer("/load/strategy").and_then(Value::as_str).unwrap_or_default();
        let loaded = Loaded {
            strategy: strategy.to_owned(),
            inserted: count("inserted"),
            updated: count("updated"),
            unchanged: count("unchanged"),
        };
        Ok((finished, loaded))
    }

    /// Loads the file, some of whose documents may be refused.
    pub(crate) fn load_refused(
        &self,
        file: &Path,
        url: &str,
        options: &[&str],
    ) -> Outcome<(Finished, Refused)> {
        let file = file.to_string_lossy();
        let arguments = [&["load", &*file, "--database-url", url, "--accept-rejects"][..], options].concat();
        let (finished, report) = self.run(&arguments, 0)?;
        let count = |pointer| number(&report, pointer).unwrap_or_default();
        let refused = Refused { inserted: count("/load/inserted"), rejected: count("/documents/rejected") };
        Ok((finished, refused))
    }

    fn run(&self, arguments: &[&str], exit_code: i32) -> Outcome<(Finished, Value)> {
        let mut command = process::command(&self.program, &self.home);
        command.args(arguments).args(["-q", "--output", "json"]);
        let finished = process::measure(&command, &[exit_code])?;
        let report =
            serde_json::from_str(&finished.stdout).map_err(Failure::of("reading the loader's report"))?;
        Ok((finished, report))
    }
}

/// How many documents of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Faulty {
    None,
    Some,
    AllButOne,
    All,
}

impl Faulty {
    /// Whether so many documents of a file were read and rejected as have to be.
    fn verify(self, file: &str, documents: u64, counts: [Option<u64>; 2]) -> Outcome<()> {
        let [read, rejected] = counts;
        let is_expected = |rejected: u64| match self {
            Self::None => rejected == 0,
            Self::Some => 0 < rejected && rejected < documents,
            Self::AllButOne => rejected == documents - 1,
            Self::All => rejected == documents,
        };
        if read == Some(documents) && rejected.is_some_and(is_expected) {
            return Ok(());
        }
        Err(Failure::new(format!(
            "validate of {file} with {documents} documents, {self:?} faulty, has read {read:?} and rejected {rejected:?}"
        )))
    }
}

/// What became of the documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub(crate) strategy: String,
    pub(crate) inserted: u64,
    pub(crate) updated: u64,
    pub(crate) unchanged: u64,
}

/// What became of documents that may be refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused {
    pub(crate) inserted: u64,
    pub(crate) rejected: u64,
}

impl Loaded {
    pub(crate) fn check(&self, expected: &Self) -> Outcome<()> {
        if self == expected {
            Ok(())
        } else {
            Err(Failure::new(format!("the loader tells of {self:?}, but {expected:?} was to be done")))
        }
    }
}

fn number(report: &Value, pointer: &str) -> Option<u64> {
    report.pointer(pointer)?.as_u64()
}

/// The number before these words of a summary.
fn counted(summary: &str, words: &str) -> Option<u64> {
    summary.lines().find_map(|line| {
        let (number, what) = line.trim_start().split_once("  ")?;
        what.starts_with(words).then(|| number.replace(',', "").parse().ok())?
    })
}
