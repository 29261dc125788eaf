//! Commands that do not wait for a server tell of one that is silent, and end.

use std::time::Duration;

use rustix::process::Signal;

use super::{assert_says_silent, is_quick};
use crate::{
    cases::server,
    faults::{Action, Loader, Moment, Proxy, Refusal, Side},
    support::{Store, Tables, binary},
};

/// An attempt to connect takes half a second here; the rest is for a busy machine.
const SOON: Duration = Duration::from_secs(10);

const COMMANDS: [&[&str]; 6] = [
    &["migrate", "status"],
    &["migrate", "up"],
    &["migrate", "verify"],
    &["runs", "list"],
    &["runs", "show", "1"],
    &["runs", "abandon", "1"],
];

fn start(store: &Store, proxy: &Proxy, words: &[&str]) -> Loader {
    let mut command = binary();
    command.args(words).args(["--database-url", &proxy.url(&store.database.name)]);
    is_quick(&mut command);
    Loader::of(store, command)
}

#[test]
fn silence_ends_them_with_4() {
    let store = Store::at(server().database("silent"), Tables::Foreign);
    for words in COMMANDS {
        let proxy = Proxy::start(server().address());
        proxy.turn_away(u64::MAX, Refusal::Silence);
        let ended = start(&store, &proxy, words).ends_within(SOON);
        assert!(proxy.counts().turned_away > 0, "it met silence");
        assert_eq!(ended.code(), Some(4), "{words:?}: {}", ended.stderr);
        assert_says_silent(&ended.stderr, proxy.port());
    }
}

#[test]
fn silence_in_the_middle_of_the_startup_ends_them_with_4() {
    let store = Store::at(server().database("silent"), Tables::Foreign);
    for words in COMMANDS {
        let proxy = Proxy::start(server().address());
        let fault = proxy.arm(Moment::Message(Side::Backend, 2), Action::Stall);
        let ended = start(&store, &proxy, words).ends_within(SOON);
        assert!(fault.has_fired());
        assert_eq!(ended.code(), Some(4), "{words:?}: {}", ended.stderr);
        assert_says_silent(&ended.stderr, proxy.port());
    }
}

/// Nobody has to wait for the time-out.
#[test]
fn a_signal_ends_them_while_they_wait() {
    let store = Store::at(server().database("silent"), Tables::Foreign);
    for words in COMMANDS {
        let proxy = Proxy::start(server().address());
        let fault = proxy.arm(Moment::Message(Side::Backend, 1), Action::Stall);
        let mut command = binary();
        command.args(words).args(["--database-url", &proxy.url(&store.database.name)]);
        command.env("PROFILE_LOADER_CONNECT_WITHIN", "60s");
        let mut loader = Loader::of(&store, command);
        assert!(fault.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
        loader.signal(Signal::INT);
        let ended = loader.ends_within(Duration::from_secs(5));
        assert_eq!(ended.code(), Some(130), "{words:?}: {}", ended.stderr);
    }
}
