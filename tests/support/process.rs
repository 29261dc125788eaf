//! Runs the program as an operator would, without what the environment of the tests says.

use std::env;
use std::process::Command;

/// How a run of the program ended.
#[derive(Debug)]
pub(crate) struct Output {
    /// The exit code; none when a signal ended the program.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program under test; no variable that it reads is set.
pub(crate) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_profile-loader"));
    for (name, _) in env::vars_os() {
        let read_by_us = name.to_str().is_some_and(|name| {
            ["PG", "DATABASE_", "PROFILE_LOADER_", "CREDENTIALS_", "AWS_", "AZURE_", "GOOGLE_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        });
        if read_by_us {
            command.env_remove(name);
        }
    }
    // What `auto` takes depends on the size of the input; a test says which of them it means.
    command.env("PROFILE_LOADER_STRATEGY", "merge");
    command
}

/// Runs it to its end.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    Output {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}
