//! The program dies at every place that has a name for it.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{
    bulk::OF_BULK,
    cases::{array_case, case, server},
    faults::{Case, FaultClass, Loader, Shape, load_command},
    support::Store,
};

/// In the order in which a load passes them.
const FAILPOINTS: [&str; 11] = [
    "run-beginning",
    "run-begun",
    "lane-copying",
    "lane-staged",
    "lane-merged",
    "lane-before-commit",
    "lane-after-commit",
    "rejects-renaming",
    "rejects-renamed",
    "finish",
    "run-ending",
];

/// Those of a load with `--atomic` besides.
const OF_ATOMIC: [&str; 1] = ["atomic-answered"];

/// Those that a load passes with every batch.
pub(crate) const OF_BATCHES: [&str; 5] =
    ["lane-copying", "lane-staged", "lane-merged", "lane-before-commit", "lane-after-commit"];

fn start(case: &Case, store: &Store, options: &[&str], failpoint: &str) -> Loader {
    let url = server().tcp_url(&store.database);
    let mut command = load_command(store, &url, &[&case.options[..], options].concat());
    command.env("FAILPOINTS", failpoint);
    Loader::of(store, command)
}

pub(crate) async fn abort(class: &mut FaultClass, case: &Case, failpoint: &str) {
    let store = case.store();
    let ended = start(case, &store, &[], failpoint).end();
    class.injected(ended.signal() == Some(6));
    class.judge(case, &store, ended).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_program_dies_at_every_failpoint_while_existing_profiles_reject() {
    the_program_dies_at_every_failpoint("reject").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_program_dies_at_every_failpoint_while_existing_profiles_are_updated() {
    the_program_dies_at_every_failpoint("update").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_program_dies_at_every_failpoint_while_it_loads_an_array() {
    let case = array_case("update").await;
    die_at_every_failpoint(&case, "abort at every failpoint (an array, update)").await;
}

async fn the_program_dies_at_every_failpoint(on_existing: &'static str) {
    let case = case(Shape::Many, on_existing).await;
    die_at_every_failpoint(&case, &format!("abort at every failpoint ({on_existing})")).await;
}

async fn die_at_every_failpoint(case: &Case, class: &str) {
    let mut class = FaultClass::new(class);
    for name in FAILPOINTS {
        abort(&mut class, case, &format!("{name}=return")).await;
    }
    for name in OF_BATCHES {
        abort(&mut class, case, &format!("{name}=7*off->return")).await;
    }
    class.tell();
}

/// A panic in a lane ends the whole run, and is no reason to lose or double anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_panic_ends_the_run_with_70() {
    let case = case(Shape::Many, "update").await;
    let mut class = FaultClass::new("panic of a lane (update)");
    for name in OF_BATCHES {
        let store = case.store();
        let ended = start(&case, &store, &[], &format!("{name}=4*off->panic")).end();
        class.injected(ended.code() == Some(70) && ended.stderr.contains("has met a bug"));
        class.judge(&case, &store, ended).await;
    }
    class.tell();
}

#[test]
fn no_failpoint_is_left_out() {
    let listed: BTreeSet<_> =
        FAILPOINTS.into_iter().chain(OF_ATOMIC).chain(OF_BULK).map(str::to_owned).collect();
    assert_eq!(in_source(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")), listed);
}

fn in_source(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("the source is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            names.extend(in_source(&path));
            continue;
        }
        let text = fs::read_to_string(&path).expect("it is UTF-8");
        let calls = text.split("failpoint(\"").skip(1);
        names.extend(calls.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name.to_owned()));
    }
    names
}
