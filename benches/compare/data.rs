//! The documents: made once by `examples/generate` from a seed, and kept for the next time.
//!
//! A file is written under another name and renamed when it is whole, so whatever ends the bench, the next one
//! finds whole files only.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::failure::{Failure, Outcome};

/// What all values are drawn from.
const SEED: &str = "1";

/// Documents by their places in the endless sequence of the generator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Documents {
    pub(crate) start: u64,
    pub(crate) count: u64,
    /// The share of faulty ones, as the generator takes it.
    pub(crate) invalid: &'static str,
    pub(crate) mix: Mix,
}

/// What they look like; the generator's `--mix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mix {
    Plain,
    World,
}

impl Documents {
    /// The first of the sequence, all valid.
    pub(crate) fn first(count: u64) -> Self {
        Self { start: 0, count, invalid: "0", mix: Mix::Plain }
    }

    fn file_name(self) -> String {
        let what = match self.mix {
            Mix::Plain => "customers",
            Mix::World => "world",
        };
        format!("{what}-{}-{}-invalid-{}.ndjson", self.start, self.count, self.invalid)
    }
}

impl Mix {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::World => "world",
        }
    }
}

/// The file of these documents in the folder `home`, which is made where it is missing.
pub(crate) fn file(home: &Path, documents: Documents) -> Outcome<PathBuf> {
    let path = home.join(documents.file_name());
    if !path.exists() {
        let what = || format!("making {}", path.display());
        fs::create_dir_all(home).map_err(Failure::of(what()))?;
        let partial = path.with_extension("partial");
        let out = File::create(&partial).map_err(Failure::of(what()))?;
        generate(documents, out)?;
        fs::rename(&partial, &path).map_err(Failure::of(what()))?;
    }
    Ok(path)
}

/// By the example, built like this bench. Cargo has set variables for this process that build scripts listen to:
/// with them, dependencies would be compiled anew, here and the next time without them.
fn generate(documents: Documents, out: File) -> Outcome<()> {
    let mut cargo = Command::new(env!("CARGO"));
    for (name, _) in env::vars_os() {
        let bytes = name.as_encoded_bytes();
        if bytes.starts_with(b"CARGO_PKG_") || bytes.starts_with(b"CARGO_MANIFEST_") {
            cargo.env_remove(name);
        }
    }
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    cargo.args(["run", "--quiet", "--profile", profile, "--example", "generate"]);
    if cfg!(feature = "failpoints") {
        cargo.args(["--features", "failpoints"]);
    }
    let (count, start) = (documents.count.to_string(), documents.start.to_string());
    cargo.args(["--", "--count", &count, "--start", &start]);
    cargo.args(["--invalid", documents.invalid, "--seed", SEED, "--mix", documents.mix.name()]);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    let status = cargo.stdin(Stdio::null()).stdout(out).status().map_err(Failure::of("starting cargo"))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("the example generate ended with {status}")))
    }
}
