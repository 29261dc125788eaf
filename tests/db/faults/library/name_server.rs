//! A program hears of names what its own name server says, and the machine does not.

use std::{
    process::{Command, Output},
    thread,
    time::Instant,
};

use crate::faults::{Answer, LOOK_EVERY, NameServer};

const NAME: &str = "db.profile-loader.test";

fn lookup(names: &NameServer) -> Output {
    let mut command = Command::new("getent");
    command.args(["ahosts", NAME]);
    names.command(&command).output().expect("getent is part of the C library")
}

#[test]
fn a_name_is_what_its_server_says() {
    let names = NameServer::start(Answer::Found);
    let found = lookup(&names);
    assert!(found.status.success() && found.stdout.starts_with(b"127.0.0.1 "), "{found:?}");
    let asked = names.queries();
    assert!(asked > 0, "it is asked");
    for answer in [Answer::NoSuchName, Answer::TryAgain] {
        names.set(answer);
        let started = Instant::now();
        assert!(!lookup(&names).status.success());
        assert!(started.elapsed().as_secs() < 15, "that is said at once");
    }
    assert!(names.queries() > asked);
    let other = NameServer::start(Answer::Found);
    assert!(lookup(&other).status.success(), "each answers for itself");
}

#[test]
fn silence_is_waited_for() {
    let names = NameServer::start(Answer::Silence);
    let mut command = Command::new("getent");
    command.args(["ahosts", NAME]);
    let mut waiting = names.command(&command).spawn().expect("getent is part of the C library");
    while names.queries() == 0 {
        assert!(waiting.try_wait().expect("it is our child").is_none(), "it asks before it ends");
        thread::sleep(LOOK_EVERY);
    }
    assert!(waiting.try_wait().expect("it is our child").is_none());
    waiting.kill().expect("it waits still");
    waiting.wait().expect("it is our child");
}
