//! Who waits for whom, and who is refused.

use std::{io::Write as _, process::Stdio, time::Duration};

use super::{Lake, assert_code, assert_equal};
use crate::support::{Output, Store, Tables, binary, run, texts};

/// Waits until the server says so.
async fn until(store: &Store, sql: &str) {
    let client = store.connect().await;
    for _ in 0..600 {
        if texts(&client, sql).await == ["true"] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not within 30 s: {sql}");
}

fn output(child: std::process::Child) -> Output {
    let output = child.wait_with_output().expect("it ends");
    Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

const LOADING: &str = "SELECT (count(*) > 0)::text FROM pg_stat_activity WHERE application_name LIKE 'profile-loader run % control'";

/// A twin waits for the first attempt, and answers with its report; meanwhile other parts are loaded, and other loads and the
/// end are refused. Whoever is killed is succeeded.
#[tokio::test]
async fn a_twin_waits_and_answers() {
    let lake = Lake::new(600);
    let (_, expected) = lake.one_load(&["--strategy", "merge"]).await;
    let store = Store::new("parts", Tables::Foreign);
    assert_eq!(lake.begin(&store, &[]).code, Some(0));
    let blocks = lake.read("part-0");
    let spawn = |report: &str| {
        let mut command = lake.part_command(&store, 0, &["--report", report]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("it starts")
    };
    let (mut killed, half) = (spawn("killed.json"), blocks.len() / 2);
    killed.stdin.as_mut().expect("a pipe").write_all(&blocks[..half]).expect("it reads");
    until(&store, LOADING).await;
    until(&store, "SELECT (count(*) > 0)::text FROM customer_profiles").await;
    killed.kill().expect("it is killed");
    killed.wait().expect("it has ended");
    let mut first = spawn("first.json");
    first.stdin.as_mut().expect("a pipe").write_all(&blocks[..half]).expect("it reads");
    until(&store, "SELECT (count(*) > 0)::text FROM profile_loader.runs WHERE attempts = 2").await;
    let twin = spawn("twin.json");
    until(
        &store,
        "SELECT (count(*) > 0)::text FROM pg_stat_activity WHERE application_name = 'profile-loader control'",
    )
    .await;
    lake.assert_part(&store, 1, &[]);
    let other = super::other_load(&store);
    assert_eq!(other.code, Some(5), "{}", other.stderr);
    let words = ["another loader is at work on these tables: pid", "loading a part of a plan"];
    words.iter().for_each(|words| assert!(other.stderr.contains(words), "{}", other.stderr));
    let abandoned = run(binary().args(["runs", "abandon", "1", "--database-url", &store.database.url]));
    assert_eq!(abandoned.code, Some(5), "{}", abandoned.stderr);
    assert!(
        abandoned.stderr.contains("can't be abandoned while a loader is at work"),
        "{}",
        abandoned.stderr
    );
    assert_code(&lake.finish(&store, &[]), 4);
    let mut rest = first.stdin.take().expect("a pipe");
    rest.write_all(&blocks[half..]).expect("it reads");
    drop(rest);
    let (first, twin) = (output(first), output(twin));
    assert_eq!((first.code, twin.code), (Some(1), Some(1)), "{} {}", first.stderr, twin.stderr);
    assert!(twin.stderr.contains("part 0 is loaded"), "{}", twin.stderr);
    let report = |name: &str| serde_json::from_slice::<serde_json::Value>(&lake.read(name)).expect("JSON");
    assert_eq!(report("first.json"), report("twin.json"));
    for part in 2..4 {
        lake.assert_part(&store, part, &[]);
    }
    assert_code(&lake.finish(&store, &[]), 1);
    assert_equal(&lake.loaded(&store).await, &expected);
}

/// A part is refused while another load holds the tables.
#[tokio::test]
async fn a_part_is_refused_beside_another_load() {
    let lake = Lake::with_parts(50, 2);
    let store = Store::new("parts", Tables::Migrated);
    assert_eq!(lake.begin(&store, &[]).code, Some(0));
    let other = store.connect().await;
    let lock = "SELECT pg_advisory_lock(1886547044, hashtext('public'))::text";
    other.query(lock, &[]).await.expect("nobody has it");
    let refused = lake.part(&store, 0, &[]);
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert!(refused.stderr.contains("another loader is at work on these tables"), "{}", refused.stderr);
    let unlock = "SELECT pg_advisory_unlock(1886547044, hashtext('public'))::text";
    other.query(unlock, &[]).await.expect("it has it");
    lake.assert_part(&store, 0, &[]);
}
