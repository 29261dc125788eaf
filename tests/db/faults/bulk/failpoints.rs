//! The program dies at every place that a bulk load passes.

use std::time::{Duration, Instant};

use crate::{
    cases::{bulk_array_case, bulk_case},
    failpoints::abort,
    faults::{Case, FaultClass, Shape},
    support::texts,
};

/// Those that only a bulk load has, in the order in which it passes them.
pub(crate) const OF_BULK: [&str; 6] =
    ["ids-taken", "bulk-copied", "restoring", "restore-before-commit", "restored", "all-restored"];

/// Those of its beginning and its end; `merge` has them, too.
const ENDS: [&str; 6] =
    ["run-beginning", "run-begun", "rejects-renaming", "rejects-renamed", "finish", "run-ending"];

/// Those that it passes with every step that brings something back. There are seventeen, some of them at a time.
const OF_STEPS: [&str; 3] = ["restoring", "restore-before-commit", "restored"];
const STEPS: [u32; 4] = [0, 4, 9, 16];

/// Those that only merging what was deferred passes.
const OF_MERGING: [&str; 3] = ["lane-copying", "lane-staged", "lane-merged"];

/// More than a backend needs to end on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn nth(name: &str, before: u32) -> String {
    format!("{name}={before}*off->return")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn at_the_beginning_and_the_end_and_existing_profiles_reject() {
    at_the_beginning_and_the_end("reject").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn at_the_beginning_and_the_end_and_existing_profiles_are_updated() {
    at_the_beginning_and_the_end("update").await;
}

async fn at_the_beginning_and_the_end(on_existing: &'static str) {
    let case = bulk_case(Shape::Many, on_existing).await;
    let mut class = FaultClass::new(format!("bulk: abort at begin and end ({on_existing})"));
    for name in ENDS.into_iter().chain(["all-restored"]) {
        abort(&mut class, &case, &nth(name, 0)).await;
    }
    class.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_documents_are_copied_and_existing_profiles_reject() {
    while_documents_are_copied("reject").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_documents_are_copied_and_existing_profiles_are_updated() {
    while_documents_are_copied("update").await;
}

async fn while_documents_are_copied(on_existing: &'static str) {
    let case = bulk_case(Shape::Many, on_existing).await;
    let mut class = FaultClass::new(format!("bulk: abort while documents are copied ({on_existing})"));
    for name in ["ids-taken", "bulk-copied", "lane-before-commit", "lane-after-commit"] {
        for before in [0, 7] {
            abort(&mut class, &case, &nth(name, before)).await;
        }
    }
    class.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_indexes_come_back_and_existing_profiles_reject() {
    while_indexes_come_back("reject").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_indexes_come_back_and_existing_profiles_are_updated() {
    while_indexes_come_back("update").await;
}

async fn while_indexes_come_back(on_existing: &'static str) {
    let case = bulk_case(Shape::Many, on_existing).await;
    let mut class = FaultClass::new(format!("bulk: abort while indexes come back ({on_existing})"));
    for name in OF_STEPS {
        for before in STEPS {
            abort(&mut class, &case, &nth(name, before)).await;
        }
    }
    class.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_an_array_is_loaded() {
    let case = bulk_array_case("reject").await;
    let mut class = FaultClass::new("bulk: abort while an array is loaded (reject)");
    for name in ["bulk-copied", "lane-after-commit", "restored"].into_iter().chain(OF_MERGING) {
        for before in [0, 1] {
            abort(&mut class, &case, &nth(name, before)).await;
        }
    }
    class.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_what_was_deferred_is_merged_and_existing_profiles_reject() {
    while_what_was_deferred_is_merged("reject").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_what_was_deferred_is_merged_and_existing_profiles_are_updated() {
    while_what_was_deferred_is_merged("update").await;
}

async fn while_what_was_deferred_is_merged(on_existing: &'static str) {
    let case = bulk_case(Shape::Many, on_existing).await;
    let mut class = FaultClass::new(format!("bulk: abort while the spill is merged ({on_existing})"));
    for name in OF_MERGING {
        for before in [0, 1] {
            abort(&mut class, &case, &nth(name, before)).await;
        }
    }
    // The last transactions of lanes are those that merge.
    let commits = commits_of_lanes(&case).await;
    for name in ["lane-before-commit", "lane-after-commit"] {
        for before in [commits - 2, commits - 1] {
            abort(&mut class, &case, &nth(name, before)).await;
        }
    }
    class.tell();
}

/// How many transactions of lanes an undisturbed load commits: each moves a watermark.
async fn commits_of_lanes(case: &Case) -> u32 {
    let store = case.store();
    assert_eq!(case.load(&store).code(), Some(1));
    let client = store.connect().await;
    let sessions = "SELECT pid::text FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let deadline = Instant::now() + PATIENCE;
    while !texts(&client, sessions).await.is_empty() {
        assert!(Instant::now() < deadline, "sessions of a program that has ended live on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Their statistics came in as they ended.
    let count = "SELECT n_tup_upd::text FROM pg_stat_user_tables
                 WHERE schemaname = 'profile_loader' AND relname = 'run_lanes'";
    let count: u32 = texts(&client, count).await[0].parse().expect("it is a number");
    assert!(count > 15, "{count} transactions");
    count
}
