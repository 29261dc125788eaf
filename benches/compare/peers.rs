//! Other programs that do part of the same work, where they are installed; their scripts stand in `peers/`.
//!
//! A script prints the number of documents that it has read or found valid, and its seconds where not all of its
//! life counts. A program that is missing is left out, with a line that says so.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    failure::{Failure, Outcome},
    process::{self, Finished, answer},
    references::folder,
};

/// The language's program, and what is needed to start its scripts.
#[derive(Debug)]
pub(crate) struct Peers {
    pub(crate) python: PathBuf,
    /// Where the scripts are run.
    pub(crate) home: PathBuf,
    /// The JSON Schema, for those that check it.
    pub(crate) schema: PathBuf,
}

/// A program that was found.
#[derive(Debug)]
pub(crate) struct Peer {
    /// With its version.
    pub(crate) name: String,
    /// Lacks the file and what comes behind it.
    command: Vec<OsString>,
    home: PathBuf,
}

const VERSION_OF: &str = "import sys, importlib.metadata; print(importlib.metadata.version(sys.argv[1]))";

impl Peers {
    pub(crate) fn typed_read(&self) -> Option<Peer> {
        self.python("DuckDB typed read", "duckdb", "typed_read.py")
    }

    /// Parses the file, too, but converts nothing.
    pub(crate) fn count(&self) -> Option<Peer> {
        self.python("DuckDB count(*)", "duckdb", "duckdb_count.py")
    }

    /// Only where its extension for PostgreSQL is there, too.
    pub(crate) fn duckdb_load(&self) -> Option<Peer> {
        let peer = self.python("DuckDB's postgres extension", "duckdb", "duckdb_load.py")?;
        let loads = answer(peer.command().arg("")).is_some();
        if !loads {
            skipped(&peer.name, "DuckDB can't load it; the Python package duckdb-ext-postgres has it");
        }
        loads.then_some(peer)
    }

    pub(crate) fn validators(&self) -> impl Iterator<Item = Peer> {
        let jsonschema_rs = self.python("Python, jsonschema-rs", "jsonschema-rs", "jsonschema_rs_check.py");
        let sourcemeta = self.python("sourcemeta jsonschema", "sourcemeta-jsonschema", "sourcemeta.py");
        [self.ajv(), jsonschema_rs, sourcemeta].into_iter().flatten()
    }

    fn python(&self, name: &str, package: &str, script: &str) -> Option<Peer> {
        let version = answer(Command::new(&self.python).args(["-c", VERSION_OF, package]));
        self.found(name, version, &self.python, script, &format!("{package} for {}", self.python.display()))
    }

    fn ajv(&self) -> Option<Peer> {
        const VERSION: &str = "require('ajv-formats'); console.log(require('ajv/package.json').version)";
        let version = answer(Command::new("node").args(["-e", VERSION]).current_dir(&self.home));
        self.found("Node, ajv", version, Path::new("node"), "ajv.js", "ajv and ajv-formats in NODE_PATH")
    }

    fn found(
        &self,
        name: &str,
        version: Option<String>,
        program: &Path,
        script: &str,
        needs: &str,
    ) -> Option<Peer> {
        let Some(version) = version else {
            skipped(name, &format!("there is no {needs}"));
            return None;
        };
        Some(Peer {
            name: format!("{name} {version}"),
            command: vec![program.into(), folder("peers").join(script).into()],
            home: self.home.clone(),
        })
    }
}

impl Peer {
    /// Checks or reads the file; all of its documents have to be found.
    pub(crate) fn read(&self, file: &Path, schema: &Path, documents: u64) -> Outcome<Finished> {
        let mut command = self.command();
        command.arg(file).arg(schema);
        let mut finished = process::measure(&command, &[0])?;
        let result: Value = serde_json::from_str(&finished.stdout)
            .map_err(Failure::of(format!("understanding what {} prints", self.name)))?;
        if result["documents"].as_u64() != Some(documents) {
            return Err(Failure::new(format!("{} has found {result} of {documents} documents", self.name)));
        }
        finished.seconds = result["seconds"].as_f64().unwrap_or(finished.seconds);
        Ok(finished)
    }

    /// Loads the file into a database; what is in it then is for the caller to check.
    pub(crate) fn load(&self, file: &Path, database: &str) -> Outcome<Finished> {
        let mut command = self.command();
        command.arg(file).arg(database);
        process::measure(&command, &[0])
    }

    fn command(&self) -> Command {
        let mut command = process::command(&self.command[0], &self.home);
        // The scripts' folder stays as it is.
        command.args(&self.command[1..]).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

fn skipped(name: &str, reason: &str) {
    println!("{name} is left out: {reason}");
}
