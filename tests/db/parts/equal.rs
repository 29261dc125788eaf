//! Undisturbed, in any order, and with parts that are loaded again.

use std::fs;

use super::{Lake, assert_catalog, assert_code, assert_equal};
use crate::support::{Store, Tables, catalog, digests};

const POLICIES: [&str; 3] = ["reject", "skip", "update"];

/// Begins, loads all parts, and finishes.
async fn check(strategy: &str, policy: &str) {
    let lake = Lake::new(900);
    let options = ["--strategy", strategy, "--on-existing", policy];
    let (one, expected) = lake.one_load(&options).await;
    let before = catalog(&one.connect().await).await;
    let store = Store::new("parts", Tables::Foreign);
    let begun = lake.begin(&store, &options);
    assert_eq!((begun.code, begun.stdout.as_str()), (Some(0), ""), "{}", begun.stderr);
    assert!(begun.stderr.contains("the plan has begun as run 1"), "{}", begun.stderr);
    let again = lake.begin(&store, &options);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(again.stderr.contains("has begun already (run 1"), "{}", again.stderr);
    for part in [2, 0, 3, 1] {
        lake.assert_part(&store, part, &options);
    }
    let first = fs::read(lake.path("loaded-2.json")).expect("it is there");
    let answered = lake.feed(&store, 2, &options, b"what is not read");
    assert!(answered.stderr.contains("part 2 is loaded"), "{}", answered.stderr);
    // In bulk duplicates wait for the end.
    assert_eq!(answered.code, Some(i32::from(strategy == "merge" && policy == "reject")));
    let report = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).expect("it is JSON");
    assert_eq!(report(&fs::read(lake.path("loaded-2.json")).expect("it is there")), report(&first));
    let finished = lake.finish(&store, &options);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert_equal(&lake.loaded(&store).await, &expected);
    assert_catalog(&store, &before).await;
    let again = lake.finish(&store, &options);
    assert_eq!(again.code, Some(1), "{}", again.stderr);
    assert!(again.stderr.contains("the plan is finished"), "{}", again.stderr);
    assert_equal(&lake.loaded(&store).await, &expected);
    let merged = ["report", "merge", "--output", "json"];
    let mut command = lake.program();
    command.args(merged).args((0..lake.splits).map(|split| format!("split-{split}.json")));
    if strategy == "merge" {
        // Without what is done at the end, the same of the tasks' own reports.
        command.args((0..lake.parts).map(|part| format!("loaded-{part}.json")));
        let merged = report(crate::support::run(&mut command).stdout.as_bytes());
        assert_eq!(super::without_circumstances(merged), expected.report);
    }
    let left: i64 = store
        .connect()
        .await
        .query_one("SELECT count(*) FROM profile_loader.run_deferred", &[])
        .await
        .expect("the table is there")
        .get(0);
    assert_eq!(left, 0);
}

#[tokio::test]
async fn parts_that_merge_equal_one_load() {
    for policy in POLICIES {
        check("merge", policy).await;
    }
}

#[tokio::test]
async fn parts_in_bulk_equal_one_load() {
    for policy in POLICIES {
        check("bulk", policy).await;
    }
}

/// Several at a time, into tables that hold profiles, without a beginning.
#[tokio::test]
async fn parts_merge_into_tables_that_hold_rows() {
    let lake = Lake::new(600);
    let options = ["--strategy", "merge", "--on-existing", "update"];
    let store = Store::new("parts", Tables::Foreign);
    let first = store.load_file(&[], &lake.path("a.ndjson"));
    assert_eq!(first.code, Some(1), "{}", first.stderr);
    let copy = store.copy();
    let mut one = lake.program();
    one.arg("load").args(&lake.inputs).args(["--database-url", &copy.database.url, "--rejects", "one"]);
    one.args(["--report", "one.json"]).args(options);
    assert_eq!(crate::support::run(&mut one).code, Some(1));
    let expected = lake.left(&copy, "one.json", &["one"]).await;
    std::thread::scope(|scope| {
        for part in 0..lake.parts {
            let (lake, store) = (&lake, &store);
            scope.spawn(move || lake.assert_part(store, part, &options));
        }
    });
    assert_code(&lake.finish(&store, &options), 1);
    assert_equal(&lake.loaded(&store).await, &expected);
}

/// A plan that is loaded can be loaded once more.
#[tokio::test]
async fn a_plan_begins_anew_where_that_is_asked_for() {
    let lake = Lake::with_parts(100, 2);
    let store = Store::new("parts", Tables::Migrated);
    for round in 0..2 {
        let begun = lake.begin(&store, if round == 0 { &[] } else { &["--resume", "never"] });
        assert!(begun.stderr.contains("the plan has begun as run"), "{}", begun.stderr);
        for part in 0..2 {
            lake.assert_part(&store, part, &[]);
        }
        assert_code(&lake.finish(&store, &[]), 1);
        if round == 0 {
            let again = lake.begin(&store, &[]);
            assert!(again.stderr.contains("is loaded already (run 1)"), "{}", again.stderr);
        }
    }
    let report: serde_json::Value = serde_json::from_slice(&lake.read("all.json")).expect("it is JSON");
    assert_eq!(report["load"]["inserted"], 0);
    assert!(report["load"]["unchanged"].as_u64() > Some(100));
    assert_eq!(digests(&store.connect().await, "public").await.len(), 4);
}
