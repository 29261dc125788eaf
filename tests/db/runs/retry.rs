//! `runs retry`: the rejected documents of a run, loaded again once some are fixed.

use std::{
    fs,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::support::{Output, Store, Tables, binary, document_lines, generate, run, texts};

/// The program in the store's folder, with words of which none holds a blank.
fn command(store: &Store, words: &str) -> Command {
    let mut command = binary();
    command.args(words.split_whitespace()).env("DATABASE_URL", &store.database.url);
    command.current_dir(store.path("")).stdin(Stdio::null());
    command
}

#[track_caller]
fn end(store: &Store, words: &str, code: i32) -> Output {
    let output = run(&mut command(store, words));
    assert_eq!(output.code, Some(code), "{words}: {}{}", output.stdout, output.stderr);
    output
}

/// Six documents, of which the first three have an e-mail address without its @.
fn documents() -> (String, String) {
    let good = String::from_utf8(generate(&["--count", "6", "--seed", "3"])).expect("it is text");
    let lines: Vec<_> = document_lines(good.as_bytes()).into_iter().map(|(_, line)| line).collect();
    let spoil = |(index, line): (usize, &&[u8])| {
        let mut document: Value = serde_json::from_slice(line).expect("it is JSON");
        if index < 3 {
            document["emails"][0] = "nobody".into();
        }
        document.to_string() + "\n"
    };
    let spoilt = lines.iter().enumerate().map(spoil).collect();
    let good = lines.iter().map(|line| spoil((9, line))).collect();
    (good, spoilt)
}

fn lines(text: &str, from: usize, to: usize) -> String {
    text.split_inclusive('\n').skip(from).take(to - from).collect()
}

#[tokio::test]
async fn what_is_fixed_is_loaded_and_counted() {
    let store = Store::new("retry", Tables::Migrated);
    let (good, spoilt) = documents();
    store.file("input.ndjson", spoilt.as_bytes());
    end(&store, "load input.ndjson --rejects rejects --on-existing update", 1);
    let rejects = store.path("rejects/rejects.ndjson");
    assert_eq!(fs::read_to_string(&rejects).expect("it is there"), lines(&spoilt, 0, 3));

    // One of the three is fixed in place.
    fs::write(&rejects, lines(&good, 0, 1) + &lines(&spoilt, 1, 3)).expect("it is ours");
    let output = end(&store, "runs retry 1 --report again.json", 1);
    let words = "load: complete, some documents were rejected\nretry of run 1: 1 of 3 fixed\n";
    assert!(output.stdout.starts_with(words), "{}", output.stdout);
    let report: Value = serde_json::from_slice(&fs::read(store.path("again.json")).expect("it is there"))
        .expect("it is JSON");
    crate::support::report_schema::assert_is_report(report.clone());
    assert_eq!(report["retry"], serde_json::json!({"run_id": 1, "rejected": 3, "fixed": 1}));
    assert_eq!(report["settings"]["on-existing"], "update", "as in the run");
    assert_eq!(fs::read_to_string(&rejects).expect("it is there"), lines(&spoilt, 1, 3));

    // The file is that of run 2 now.
    let output = end(&store, "runs retry 1", 2);
    let words = "error: rejects/rejects.ndjson now holds what run 2 has rejected, and the documents of run 1 were moved aside; \
                 retry run 2, or name the file: profile-loader runs retry 1 FILE";
    assert!(output.stderr.starts_with(words), "{}", output.stderr);
    store.file("fixed.ndjson", lines(&good, 1, 3).as_bytes());
    let output = end(&store, "runs retry 2 fixed.ndjson", 0);
    assert!(output.stdout.contains("retry of run 2: 2 of 2 fixed\n"), "{}", output.stdout);
    let count = texts(&store.connect().await, "SELECT count(*)::text FROM customer_profiles").await;
    assert_eq!(count, ["6"]);
}

/// The reject file has what the input had, so the run's map makes the documents again.
#[tokio::test]
async fn what_a_map_made_is_made_again() {
    let store = Store::new("retry_mapped", Tables::Migrated);
    let (good, spoilt) = documents();
    let other = |text: &str| text.replace("\"firstName\"", "\"first\"");
    store.file("input.ndjson", other(&spoilt).as_bytes());
    store.file("map.jq", b".firstName = .first | del(.first)");
    end(&store, "load input.ndjson --map map.jq --rejects rejects", 1);
    fs::write(store.path("rejects/rejects.ndjson"), other(&lines(&good, 0, 3))).expect("it is ours");
    let output = end(&store, "runs retry 1", 0);
    assert!(output.stdout.contains("retry of run 1: 3 of 3 fixed\n"), "{}", output.stdout);
    let count = texts(&store.connect().await, "SELECT count(*)::text FROM customer_profiles").await;
    assert_eq!(count, ["6"]);
}

/// Whoever looks before he loads finds the same documents again.
#[tokio::test]
async fn a_dry_run_leaves_what_was_fixed_where_it_is() {
    let store = Store::new("retry_dry", Tables::Migrated);
    let (good, spoilt) = documents();
    store.file("input.ndjson", spoilt.as_bytes());
    end(&store, "load input.ndjson", 1);
    let rejects = store.path("profile-loader-rejects/rejects.ndjson");
    let fixed = lines(&good, 0, 2) + &lines(&spoilt, 2, 3);
    fs::write(&rejects, &fixed).expect("it is ours");
    for words in [
        "load profile-loader-rejects/rejects.ndjson --dry-run",
        "load input.ndjson --dry-run",
        "runs retry 1 --dry-run",
    ] {
        let output = end(&store, words, 1);
        assert!(output.stdout.contains("name a folder: --rejects DIR\n"), "{words}: {}", output.stdout);
        assert_eq!(fs::read_to_string(&rejects).expect("it is there"), fixed, "{words}");
    }
    let words = "load profile-loader-rejects/rejects.ndjson --dry-run --rejects profile-loader-rejects";
    let output = end(&store, words, 2);
    assert!(
        output.stderr.starts_with("error: what this command rejects would take the place"),
        "{}",
        output.stderr
    );

    let output = end(&store, "runs retry 1", 1);
    assert!(output.stdout.contains("retry of run 1: 2 of 3 fixed\n"), "{}", output.stdout);
    let count = texts(&store.connect().await, "SELECT count(*)::text FROM customer_profiles").await;
    assert_eq!(count, ["5"]);
}

/// Not every command that keeps rejected documents is known to the ledger.
#[tokio::test]
async fn rejects_of_something_else_are_not_retried() {
    let store = Store::new("retry_else", Tables::Migrated);
    let (good, spoilt) = documents();
    store.file("input.ndjson", spoilt.as_bytes());
    store.file("other.ndjson", lines(&spoilt, 1, 2).as_bytes());
    store.file("good.ndjson", good.as_bytes());
    end(&store, "load input.ndjson --rejects rejects", 1);
    // The same documents are the run's, whoever wrote them.
    end(&store, "load input.ndjson --rejects rejects --dry-run", 1);
    end(&store, "runs retry 1 --dry-run", 1);
    for (words, code) in [("validate other.ndjson", 1), ("load other.ndjson --dry-run", 1)] {
        end(&store, &format!("{words} --rejects rejects"), code);
        let output = end(&store, "runs retry 1", 2);
        let expected = "error: rejects/rejects.ndjson now holds what another command has rejected, a dry run perhaps, and the \
                        documents of run 1 were moved aside";
        assert!(output.stderr.starts_with(expected), "{words}: {}", output.stderr);
    }
    end(&store, "validate good.ndjson --rejects rejects", 0);
    let output = end(&store, "runs retry 1", 2);
    let expected = "error: there is no rejects/rejects.ndjson, because a later command has rejected nothing, and the documents of \
                    run 1 were moved aside";
    assert!(output.stderr.starts_with(expected), "{}", output.stderr);
    let output = end(&store, "runs retry 1 rejects/rejects.1.ndjson --rejects left", 1);
    assert!(output.stdout.contains("retry of run 1: 0 of 3 fixed\n"), "{}", output.stdout);
    // More than the run has rejected.
    let output = end(&store, "runs retry 1 input.ndjson --rejects left", 1);
    assert!(output.stdout.contains("retry of run 1: 0 of 3 fixed\n"), "{}", output.stdout);
}

#[tokio::test]
async fn a_retry_goes_where_it_is_told_to() {
    let store = Store::new("retry_schema", Tables::Migrated);
    let (good, spoilt) = documents();
    let client = store.connect().await;
    client.batch_execute("CREATE SCHEMA elsewhere").await.expect("it can be made");
    store.file("input.ndjson", spoilt.as_bytes());
    store.file("fixed.ndjson", lines(&good, 0, 3).as_bytes());
    end(&store, "load input.ndjson --rejects rejects", 1);
    end(&store, "runs retry 1 fixed.ndjson --db-schema elsewhere", 0);
    let counts = "SELECT (SELECT count(*) FROM customer_profiles) || ' ' || (SELECT count(*) FROM elsewhere.customer_profiles)";
    assert_eq!(texts(&client, counts).await, ["3 3"]);
}

#[tokio::test]
async fn what_cannot_be_retried_is_refused() {
    let store = Store::new("retry_refused", Tables::Migrated);
    let (good, spoilt) = documents();
    store.file("input.ndjson", good.as_bytes());
    end(&store, "load input.ndjson", 0);
    store.file("spoilt.ndjson", spoilt.as_bytes());
    end(&store, "load spoilt.ndjson --rejects elsewhere", 1);
    fs::rename(store.path("elsewhere"), store.path("moved")).expect("the folder is ours");
    for (words, expected) in [
        ("runs retry 1", "run 1 has kept no rejected document, so there is nothing to retry"),
        ("runs retry 2", "there is no elsewhere/rejects.ndjson, where run 2 has kept its rejected documents"),
        ("runs retry 9", "there is no run 9 in the ledger"),
        ("runs retry 2 moved/rejects.ndjson --atomic --strategy bulk", "bulk loads in many transactions"),
    ] {
        let output = end(&store, words, 2);
        assert!(output.stderr.starts_with(&format!("error: {expected}")), "{words}: {}", output.stderr);
    }
    let output = end(&store, "runs retry 2 moved/rejects.ndjson --dry-run", 1);
    assert!(output.stdout.contains("retry of run 2: 0 of 3 fixed\n"), "{}", output.stdout);
}
