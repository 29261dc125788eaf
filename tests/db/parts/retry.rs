//! Rejected documents of a part, loaded again once they are fixed.

use std::fs;

use serde_json::Value;

use super::{Lake, assert_code, assert_refused};
use crate::support::{Output, Store, Tables, run};

fn runs(lake: &Lake, store: &Store, words: &[&str]) -> Output {
    run(lake.program().arg("runs").args(words).args(["--database-url", &store.database.url]))
}

/// The numbers of the plan's runs: its own, then those of its parts.
fn ids(lake: &Lake, store: &Store) -> Vec<String> {
    let listed = runs(lake, store, &["list", "--output", "json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).expect("it is JSON");
    let mut runs: Vec<_> = listed["runs"].as_array().expect("a list").iter().collect();
    runs.sort_by_key(|run| run["plan"]["part"].as_u64());
    runs.iter().map(|run| run["id"].to_string()).collect()
}

/// Gives each document an id of its own; returns how many there are.
fn fix(lake: &Lake, path: &str) -> usize {
    let text = String::from_utf8(lake.read(path)).expect("it is UTF-8");
    let fixed = text.lines().enumerate().map(|(number, line)| {
        let mut document: Value = serde_json::from_str(line).expect("only its id is wrong");
        document["id"] = format!("00000000-0000-4000-8000-{number:012}").into();
        document.to_string() + "\n"
    });
    fs::write(lake.path(path), fixed.collect::<String>()).expect("the folder is writable");
    text.lines().count()
}

#[tokio::test]
async fn what_a_part_rejected_is_loaded_once_it_is_fixed() {
    let lake = Lake::with_parts(300, 2);
    let store = Store::new("parts", Tables::Migrated);
    let options = ["--strategy", "merge"];
    assert_eq!(lake.begin(&store, &options).code, Some(0));
    assert_code(&lake.part(&store, 0, &options), 1);
    assert_code(&lake.part(&store, 1, &options), 1);
    assert_code(&lake.finish(&store, &options), 1);
    let client = store.connect().await;
    let count = async || -> i64 {
        let row = client.query_one("SELECT count(*) FROM public.customer_profiles", &[]).await;
        row.expect("the table is there").get(0)
    };
    let before = count().await;
    let shown = runs(&lake, &store, &["show", "2"]);
    let digest = &lake.plan()["digest"];
    let words = format!("part 0 of {}, which is run 1", digest.as_str().expect("a text"));
    assert!(shown.stdout.contains(&words), "{}", shown.stdout);
    let ids = ids(&lake, &store);
    let fixed = fix(&lake, "loaded/part-1/rejects.ndjson");
    assert!(fixed > 10, "{fixed}");
    let retried = runs(&lake, &store, &["retry", &ids[2]]);
    assert_code(&retried, 0);
    let words = format!("retry of run {}: {fixed} of {fixed} fixed", ids[2]);
    assert!(retried.stdout.contains(&words), "{}", retried.stdout);
    let inserted = count().await - before;
    assert_eq!(usize::try_from(inserted).ok(), Some(fixed));
    // What was not fixed is rejected again, and stays where it is.
    let kept = lake.read("loaded/part-0/rejects.ndjson");
    let again = runs(&lake, &store, &["retry", &ids[1]]);
    assert_code(&again, 1);
    assert!(again.stdout.contains(&format!("retry of run {}: 0 of ", ids[1])), "{}", again.stdout);
    assert!(lake.read("loaded/part-0/rejects.ndjson") == kept, "the same documents");

    let whole = runs(&lake, &store, &["retry", &ids[0]]);
    assert_refused(&whole, 2, &["run 1 is that of a whole plan", "load these files as any others"]);
}

/// In bulk the end decides on what was deferred, and keeps what it rejects.
#[tokio::test]
async fn what_the_end_of_a_bulk_load_rejected_is_loaded_as_any_file() {
    let lake = Lake::with_parts(300, 2);
    let store = Store::new("parts", Tables::Foreign);
    let options = ["--strategy", "bulk"];
    assert_eq!(lake.begin(&store, &options).code, Some(0));
    lake.assert_part(&store, 0, &options);
    lake.assert_part(&store, 1, &options);
    assert_code(&lake.finish(&store, &options), 1);
    let ids = ids(&lake, &store);
    let of_part = runs(&lake, &store, &["retry", &ids[1]]);
    assert_refused(&of_part, 2, &["run 2 has kept no rejected document"]);
    let whole = runs(&lake, &store, &["retry", &ids[0]]);
    assert_refused(&whole, 2, &["run 1 is that of a whole plan", "load these files as any others"]);
    let fixed = fix(&lake, "loaded/finish/rejects.ndjson");
    let mut load = lake.program();
    load.args(["load", "loaded/finish/rejects.ndjson", "--database-url", &store.database.url]);
    let loaded = run(&mut load);
    assert_code(&loaded, 0);
    assert!(loaded.stdout.contains(&format!("{fixed}  inserted")), "{}", loaded.stdout);
}
