//! What is refused before anything is loaded, or before what is behind it is.

use super::{HEADER_BYTES, Lake, assert_code, assert_equal, assert_refused};
use crate::support::{Store, Tables, texts};

/// The blocks of a stream.
fn blocks(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    while !bytes.is_empty() {
        let length = u32::from_le_bytes(bytes[4..8].try_into().expect("4 bytes"));
        let (block, rest) = bytes.split_at(HEADER_BYTES + length as usize);
        blocks.push(block.to_vec());
        bytes = rest;
    }
    blocks
}

/// Whatever a part was fed, the same command with its blocks loads them.
#[tokio::test]
async fn a_stream_that_is_not_the_part_is_refused() {
    let lake = Lake::new(600);
    let other = Lake::with_parts(50, 4);
    let options = ["--on-existing", "skip"];
    let (_, expected) = lake.one_load(&options).await;
    let store = Store::new("parts", Tables::Foreign);
    assert_eq!(lake.begin(&store, &options).code, Some(0));
    let whole = lake.read("part-1");
    let of_part = blocks(&whole);
    assert!(of_part.len() > 5, "{}", of_part.len());
    let joined = |blocks: &[&[Vec<u8>]]| blocks.concat().concat();
    let mut damaged = whole.clone();
    damaged[HEADER_BYTES + 60] ^= 1;
    let older = [b"PLB2", &whole[4..]].concat();
    for (fed, code, words) in [
        (lake.read("part-2"), 2, "it holds a block of part 2"),
        (other.read("part-1"), 2, "it holds a block of another plan"),
        (b"{}\n".repeat(30), 2, "it holds something that is no block"),
        (older, 2, "it holds a block of another version of profile-loader"),
        (joined(&[&of_part[1..]]), 2, "where block 0 of split 0 comes next"),
        (joined(&[&of_part[..3], &of_part[4..]]), 2, "so blocks are missing, come twice, or are not sorted"),
        (joined(&[&of_part[..3], &of_part[2..]]), 2, "so blocks are missing, come twice, or are not sorted"),
        (joined(&[&of_part, &of_part[of_part.len() - 1..]]), 2, "where no block is left"),
        (damaged, 4, "with other bytes than it was written with"),
        (joined(&[&of_part[..of_part.len() - 1]]), 4, "whatever feeds it has stopped"),
        (whole[..whole.len() - 9].to_vec(), 4, "whatever feeds it has stopped"),
        (Vec::new(), 4, "ends before block 0 of split 0 of part 1"),
    ] {
        let refused = lake.feed(&store, 1, &options, &fed);
        assert_refused(&refused, code, &[words, "is unfinished"]);
    }
    let unfinished = lake.finish(&store, &options);
    assert_refused(&unfinished, 4, &["4 of 4 parts of the plan are not loaded yet: 0, 1, 2, 3"]);
    for part in 0..4 {
        lake.assert_part(&store, part, &options);
    }
    assert_code(&lake.finish(&store, &options), 1);
    assert_equal(&lake.loaded(&store).await, &expected);
}

#[tokio::test]
async fn what_can_be_known_before_is_refused_before() {
    let lake = Lake::with_parts(50, 2);
    let store = Store::new("parts", Tables::Migrated);
    let part = |number: &str, options: &[&str]| {
        let mut command = lake.command(&store, &format!("--part {number}"), options);
        crate::support::run(&mut command)
    };
    assert_refused(&part("0", &[]), 5, &["a part makes none; begin the plan", "--plan plan.json --begin"]);
    assert_refused(&lake.finish(&store, &[]), 5, &["was not begun in this database"]);
    assert_refused(&part("2", &[]), 2, &["has no part 2: there are 2, counted from 0"]);
    for (options, words) in [
        (&["--atomic"][..], "--atomic"),
        (&["--dry-run"], "--dry-run"),
        (&["--map", "m.jq"], "--json-schema, --map or --framing"),
        (&["--framing", "json"], "--json-schema, --map or --framing"),
        (&["--resume", "never"], "--resume never"),
    ] {
        assert_refused(&part("0", options), 2, &["a plan is not loaded with", words]);
    }
    assert_refused(&lake.begin(&store, &["a.ndjson"]), 2, &["an INPUT as it is begun"]);
    let mut both = lake.command(&store, "--begin --finish", &[]);
    assert_refused(&crate::support::run(&mut both), 2, &["cannot be used with"]);
    assert_eq!(lake.begin(&store, &[]).code, Some(0));
    assert_refused(&part("0", &["--on-existing", "skip"]), 5, &["with another --on-existing", "abandon 1"]);
    assert_refused(&part("0", &["--strategy", "bulk"]), 5, &["with another --strategy"]);
    assert_refused(&lake.begin(&store, &["--resume", "never"]), 5, &["run 1 of the plan is unfinished"]);
    lake.assert_part(&store, 0, &[]);
    let mut lacking = lake.command(&store, "--finish", &["split-0.json"]);
    assert_refused(&crate::support::run(&mut lacking), 2, &["lack splits 1"]);
    assert_refused(&lake.finish(&store, &[]), 4, &["1 of 2 parts of the plan are not loaded yet: 1;"]);
}

/// Documents that have to be loaded in input order can't be loaded in parts.
#[tokio::test]
async fn constraints_between_profiles_are_refused() {
    let store = Store::new("parts", Tables::Foreign);
    store
        .database
        .execute("CREATE UNIQUE INDEX one_name ON customer_profiles (first_name, last_name, middle_name)");
    let lake = Lake::with_parts(50, 2);
    for strategy in ["merge", "bulk"] {
        let refused = lake.begin(&store, &["--strategy", strategy]);
        assert_refused(&refused, 5, &["one_name of table customer_profiles", "--parts 1"]);
    }
    let lake = Lake::with_parts(50, 1);
    let options = ["--on-existing", "skip"];
    assert_eq!(lake.begin(&store, &options).code, Some(0));
    lake.assert_part(&store, 0, &options);
    assert_code(&lake.finish(&store, &options), 1);
}

#[tokio::test]
async fn a_plan_is_abandoned_as_a_whole() {
    for strategy in ["merge", "bulk"] {
        let lake = Lake::with_parts(300, 2);
        let store = Store::new("parts", Tables::Foreign);
        let before = crate::support::catalog(&store.connect().await).await;
        let options = ["--strategy", strategy];
        assert_eq!(lake.begin(&store, &options).code, Some(0));
        lake.assert_part(&store, 1, &options);
        let half = lake.read("part-0");
        assert_eq!(lake.feed(&store, 0, &options, &half[..half.len() / 2]).code, Some(4));
        let abandon = |id: &str| {
            let mut command = lake.program();
            command.args(["runs", "abandon", id, "--database-url", &store.database.url]);
            crate::support::run(&mut command)
        };
        let mut listed = lake.program();
        listed.args(["runs", "list", "--output", "json", "--database-url", &store.database.url]);
        let listed: serde_json::Value =
            serde_json::from_str(&crate::support::run(&mut listed).stdout).expect("it is JSON");
        let states: Vec<_> =
            (0..3).map(|at| listed["runs"][at]["state"].as_str().expect("a state")).collect();
        let done = if strategy == "bulk" { "complete" } else { "complete_with_rejects" };
        assert_eq!(states, ["failed", done, "running"]);
        assert_refused(&abandon("3"), 2, &["loads part 0 of a plan", "runs abandon 1"]);
        let abandoned = abandon("1");
        assert_eq!(abandoned.code, Some(0), "{}", abandoned.stderr);
        let client = store.connect().await;
        let states = "SELECT state FROM profile_loader.runs ORDER BY id";
        // In bulk duplicates wait for the end.
        assert_eq!(texts(&client, states).await, ["abandoned", done, "abandoned"]);
        assert!(texts(&client, "SELECT plan FROM profile_loader.run_parts").await.is_empty());
        assert!(texts(&client, "SELECT run_id::text FROM profile_loader.run_deferred").await.is_empty());
        drop(client);
        super::assert_catalog(&store, &before).await;
        let refused = lake.part(&store, 0, &["--strategy", "bulk"]);
        assert_refused(&refused, 5, &["before any of them", "--plan plan.json --begin --strategy bulk"]);
        assert_eq!(lake.begin(&store, &["--strategy", "merge"]).code, Some(0));
    }
}
