//! Loads whose result has reached nobody, or whose input is not what it was or not all there: unfinished in the
//! ledger, and gone on with by the same command once that is fixed.

use std::{
    fs, io,
    process::{Command, Stdio},
};

use crate::support::{
    Output, Store, Tables, assert_stored, binary, document_lines, generate, make_full, texts,
};

/// Many chunks and transactions of few documents, on two lanes.
const SMALL: &str = "--connections 2 --chunk-bytes 2000 --batch-bytes 20000";

/// A load in the store's folder, with words of which none holds a blank.
fn command(store: &Store, words: &str) -> Command {
    let mut command = binary();
    command.arg("load").args(words.split_whitespace()).args(SMALL.split_whitespace());
    command.args(["--rejects", "rejects"]).env("DATABASE_URL", &store.database.url);
    command.current_dir(store.path("")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn end(command: &mut Command) -> Output {
    let output = command.spawn().and_then(std::process::Child::wait_with_output).expect("the program runs");
    Output {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

/// Standard output of a program whose reader has gone.
fn nobody() -> Stdio {
    io::pipe().expect("a pipe can be made").1.into()
}

/// State and attempts of each run.
async fn runs(store: &Store) -> Vec<String> {
    let client = store.connect().await;
    texts(&client, "SELECT concat_ws(' ', state, attempts) FROM profile_loader.runs ORDER BY id").await
}

async fn stored_count(store: &Store) -> usize {
    let count = texts(&store.connect().await, "SELECT count(*)::text FROM customer_profiles").await;
    count[0].parse().expect("a count is a number")
}

async fn assert_all_stored(store: &Store, valid: &[u8]) {
    let lines = document_lines(valid).into_iter().map(|(_, line)| line);
    assert_stored(&store.connect().await, lines).await;
}

fn names(store: &Store, dir: &str) -> Vec<String> {
    let entries = fs::read_dir(store.path(dir)).expect("the folder is there");
    let name = |entry: io::Result<fs::DirEntry>| entry.expect("it is readable").file_name();
    let mut names: Vec<_> = entries.map(|entry| name(entry).into_string().expect("it is UTF-8")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_load_that_nobody_heard_of_is_told_by_the_same_command() {
    let store = Store::new("unheard", Tables::Migrated);
    let valid = generate(&["--count", "300", "--seed", "3"]);
    store.file("input.ndjson", &[&valid[..], b"{}\n"].concat());
    let unheard = end(command(&store, "input.ndjson").stdout(nobody()));
    assert_eq!(unheard.code, Some(4), "{}", unheard.stderr);
    assert!(unheard.stderr.contains("error: standard output can't be written: "), "{}", unheard.stderr);
    assert_eq!(runs(&store).await, ["failed 1"]);
    assert_all_stored(&store, &valid).await;

    let heard = end(&mut command(&store, "input.ndjson"));
    assert_eq!(heard.code, Some(1), "{}", heard.stderr);
    assert!(heard.stdout.starts_with("load: complete, some documents were rejected"), "{}", heard.stdout);
    assert_eq!(runs(&store).await, ["complete_with_rejects 2"]);
    assert_eq!(names(&store, "rejects"), ["rejects.errors.ndjson", "rejects.ndjson"], "no second copy");
    assert_all_stored(&store, &valid).await;
}

/// `/dev/full` is a disk without room.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_report_without_room_is_written_by_the_same_command() {
    let store = Store::new("full", Tables::Migrated);
    let valid = generate(&["--count", "300", "--seed", "3"]);
    store.file("input.ndjson", &valid);
    fs::create_dir(store.path("reports")).expect("the folder is ours");
    let full = store.path("reports/report.json.partial");
    if !make_full(&full) {
        return;
    }
    let failed = end(&mut command(&store, "input.ndjson --report reports/report.json"));
    assert_eq!(failed.code, Some(4), "{}", failed.stderr);
    let words =
        "the report reports/report.json can't be written; free space under reports and run the same command";
    assert!(failed.stderr.contains(words), "{}", failed.stderr);
    assert_eq!(runs(&store).await, ["failed 1"]);

    let done = end(&mut command(&store, "input.ndjson --report reports/report.json"));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(runs(&store).await, ["complete 2"]);
    assert_eq!(names(&store, "reports"), ["report.json"]);
    assert_all_stored(&store, &valid).await;
}

/// Half a document at the end of the first of two inputs, and then each way in which that can be fixed badly.
#[tokio::test]
async fn an_input_that_was_cut_off_is_completed_and_not_changed() {
    let store = Store::new("cut", Tables::Migrated);
    let valid = generate(&["--count", "400", "--seed", "4"]);
    let (first, second) =
        valid.split_at(document_lines(&valid)[..200].iter().map(|(_, line)| line.len()).sum());
    store.file("a.ndjson", &first[..first.len() - 30]);
    store.file("b.ndjson", second);
    let cut = end(&mut command(&store, "a.ndjson b.ndjson"));
    assert_eq!(cut.code, Some(4), "{}", cut.stderr);
    assert!(cut.stderr.contains("a.ndjson ends in the middle of a document (line 200, "), "{}", cut.stderr);
    assert_eq!((runs(&store).await, stored_count(&store).await), (vec!["failed 1".to_owned()], 199));

    let changed = [&first[..first.len() / 3], &b"\n".repeat(first.len())].concat();
    let line_end = document_lines(first)[0].1.len();
    let more = [b"{}\n", first].concat();
    for (bytes, words) in [
        (&b""[..], "a.ndjson ends before byte "),
        (&first[..line_end], "a.ndjson ends before byte "),
        (&changed, "a.ndjson was changed before byte "),
        (&more, "a.ndjson was changed before byte "),
    ] {
        store.file("a.ndjson", bytes);
        // That its reader has gone does not make it a matter for the next attempt.
        let refused = end(command(&store, "a.ndjson b.ndjson").stdout(nobody()));
        assert_eq!(refused.code, Some(5), "{}", refused.stderr);
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
        assert_eq!(stored_count(&store).await, 199, "nothing was written");
    }

    store.file("a.ndjson", first);
    let done = end(&mut command(&store, "a.ndjson b.ndjson"));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(runs(&store).await, ["complete 6"]);
    assert_all_stored(&store, &valid).await;
}

/// All of a run's input was rejected so far, so its partial reject file begins like the input itself.
#[tokio::test]
async fn the_partial_rejects_of_a_run_are_not_read_by_it() {
    let store = Store::new("partial", Tables::Migrated);
    let faulty = "{\"id\":1}\n".repeat(20_000);
    store.file("input.ndjson", &[faulty.as_bytes(), b"{"].concat());
    let cut = end(&mut command(&store, "input.ndjson"));
    assert_eq!(cut.code, Some(4), "{}", cut.stderr);
    let partial = "rejects/rejects.run-1.ndjson.partial";
    assert_eq!(fs::read(store.path(partial)).expect("it is kept"), faulty.as_bytes());
    let refused = end(&mut command(&store, partial));
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("is written by this very command"), "{}", refused.stderr);
    assert_eq!(fs::read(store.path(partial)).expect("it is kept"), faulty.as_bytes());
}
