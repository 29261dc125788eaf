//! What `validate` accepts, `load` inserts, and nothing else: thousands of documents near the border.

use std::collections::HashSet;

use crate::support::{
    Random, Run, Store, Tables, assert_stored, binary, document_lines, generate, line_number, mutate, run,
};

/// Generated documents of all kinds, the valid ones changed in one to three places each.
fn border_cases(seed: u64, count: &str) -> Vec<u8> {
    let mut random = Random(seed);
    let seed = seed.to_string();
    let mut input = generate(&["--count", "500", "--start", "1000000", "--seed", &seed, "--invalid", "0.5"]);
    for (_, line) in document_lines(&generate(&["--count", count, "--seed", &seed])) {
        input.extend(mutate(line, &mut random));
        input.push(b'\n');
    }
    input
}

/// Loads into empty tables what was validated before; returns how many documents were accepted and rejected.
async fn check(input: &[u8], options: &[&str]) -> [u64; 2] {
    let store = Store::new("accept", Tables::Migrated);
    let path = store.file("input.ndjson", input);
    let rejects = store.file("validated", b"").with_extension("rejects");
    let mut command = binary();
    command.args(["validate", "--output", "json"]).args(options).arg("--rejects").arg(&rejects).arg(&path);
    let validated = Run::of(run(&mut command), None, &rejects);
    let [read, accepted, rejected] = ["read", "accepted", "rejected"]
        .map(|name| validated.report["documents"][name].as_u64().expect("a count"));
    assert_eq!(read, accepted + rejected);

    let loaded = store.load_file(options, &path);
    assert_eq!(loaded.counts(), [accepted, 0, 0, 0, rejected], "{}", loaded.stderr);
    assert_eq!(loaded.code, validated.code);
    assert_eq!(loaded.errors, validated.errors);
    assert!(loaded.rejects == validated.rejects);
    assert_eq!(loaded.report["errors"], validated.report["errors"]);

    let refused: HashSet<_> = loaded.errors.iter().map(line_number).collect();
    let lines = document_lines(input).into_iter().filter(|(line, _)| !refused.contains(line));
    assert_stored(&store.connect().await, lines.map(|(_, line)| line)).await;
    [accepted, rejected]
}

#[tokio::test]
async fn with_the_built_in_schema() {
    let [accepted, rejected] = check(&border_cases(1, "8000"), &[]).await;
    // The border is of use only when there is enough on both sides.
    assert!(accepted > 1500 && rejected > 1500, "{accepted} accepted, {rejected} rejected");
}

#[tokio::test]
async fn with_a_schema_that_asks_nothing() {
    let schema = tempfile::Builder::new().suffix(".json").tempfile().expect("a file can be made");
    std::fs::write(schema.path(), r#"{"type": "object"}"#).expect("it is writable");
    let path = schema.path().to_str().expect("the path is UTF-8");
    let [accepted, rejected] = check(&border_cases(2, "8000"), &["--json-schema", path]).await;
    assert!(accepted > 1500 && rejected > 1500, "{accepted} accepted, {rejected} rejected");
}
