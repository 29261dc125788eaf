//! A load beside the test is watched, told to end, and its end is told.

use std::process::Command;

use rustix::process::Signal;

use crate::{
    cases::server,
    faults::{INPUT, Loader},
    support::{Store, Tables},
};

/// One that waits for its input.
fn waiting() -> (Store, Loader) {
    let store = Store::at(server().database("waits"), Tables::Foreign);
    let made = Command::new("mkfifo").arg(store.path(INPUT)).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo makes a named pipe");
    let loader = Loader::start(&store, &store.database.url, &[]);
    (store, loader)
}

#[test]
fn a_load_is_killed() {
    let (_store, mut loader) = waiting();
    assert!(!loader.has_ended());
    loader.signal(Signal::KILL);
    let ended = loader.end();
    assert_eq!((ended.code(), ended.signal()), (None, Some(9)));
}

#[test]
fn a_load_speaks_and_ends() {
    let store = Store::at(server().database("speaks"), Tables::Foreign);
    let mut loader = Loader::start(&store, &store.database.url, &[]);
    loader.says("input.ndjson");
    let ended = loader.end();
    assert_eq!((ended.code(), ended.signal()), (Some(2), None), "{}", ended.stderr);
    assert!(ended.stdout.is_empty() && ended.stderr.starts_with("error: "), "{}", ended.stderr);
}

#[test]
fn a_load_that_is_left_is_ended() {
    let (store, loader) = waiting();
    drop(loader);
    let of = format!("SELECT pid::text FROM pg_stat_activity WHERE datname = '{}'", store.database.name);
    assert!(server().texts(&of).is_empty());
}
