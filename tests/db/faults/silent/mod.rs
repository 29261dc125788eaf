//! Servers that accept a connection and say nothing more: a proxy whose server is gone, a pooler that is paused.
//! To a load they are servers that can't be reached.

mod commands;
mod hosts;
mod load;

use std::{process::Command, time::Duration};

use crate::{
    faults::{Case, Loader, load_command},
    support::Store,
};

/// How long one attempt to connect to one host may take here. An idle server answers in a hundredth of it.
const CONNECT_WITHIN: Duration = Duration::from_millis(500);

/// How long that may be in the words of an option.
fn is_quick(command: &mut Command) -> &mut Command {
    command.env("PROFILE_LOADER_CONNECT_WITHIN", format!("{}ms", CONNECT_WITHIN.as_millis()))
}

/// A load that does not wait long for an answer to an attempt to connect.
fn quick_load(case: &Case, store: &Store, url: &str, db_wait: &'static str) -> Loader {
    let options = case.options_with("--db-wait", db_wait);
    let mut command = load_command(store, url, &options);
    is_quick(&mut command);
    Loader::of(store, command)
}

/// A server that was reached and did not say a word is told from one that can't be reached at all.
fn assert_says_silent(stderr: &str, port: u16) {
    assert!(stderr.contains("did not answer"), "{stderr}");
    assert!(stderr.contains(&port.to_string()), "it says which server: {stderr}");
}
