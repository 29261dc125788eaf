//! `load` as a whole: what is in the tables and in the files afterwards, whatever the way it took.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::support::{
    Run, Store, Tables, assert_stored, digests, document_lines, generate, line_number, physical_rows,
    surviving, texts, tuples_written,
};

#[tokio::test]
async fn the_realistic_mix_into_foreign_tables() {
    the_realistic_mix(Tables::Foreign).await;
}

#[tokio::test]
async fn the_realistic_mix_into_tables_of_its_own() {
    the_realistic_mix(Tables::Migrated).await;
}

async fn the_realistic_mix(tables: Tables) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/customers.ndjson");
    let text = fs::read(&path).expect("the fixture is there");
    let store = Store::new("mix", tables);

    let first = store.load_file(&[], &path);
    assert_eq!((first.code, first.counts()), (Some(1), [318, 0, 1, 0, 15]), "{}", first.stderr);
    assert_reject_files(&first, &text);
    let rejected: Vec<_> = first.errors.iter().map(line_number).collect();
    assert_eq!(rejected, [9, 25, 41, 60, 88, 107, 131, 150, 176, 199, 231, 262, 277, 291, 319]);
    let loaded = document_lines(&text).into_iter().filter(|(n, _)| *n != 21 && !rejected.contains(n));
    let client = store.connect().await;
    assert_stored(&client, loaded.map(|(_, line)| line)).await;

    let before = (physical_rows(&client).await, tuples_written(&client).await);
    let second = store.load_file(&[], &path);
    assert_eq!((second.code, second.counts()), (Some(1), [0, 0, 319, 0, 15]), "{}", second.stderr);
    assert_reject_files(&second, &text);
    assert_eq!((physical_rows(&client).await, tuples_written(&client).await), before);
    for (run, code) in [(first, "load:duplicate"), (second, "load:exists")] {
        assert!(run.rejected().contains(&(277, vec![code.to_owned()])), "{code}");
    }
}

/// The one file has the rejected lines, byte for byte, the other one record for each.
fn assert_reject_files(run: &Run, input: &[u8]) {
    let lines = document_lines(input);
    let mut expected = Vec::new();
    for (number, record) in (1_u64..).zip(&run.errors) {
        assert_eq!(record["reject_line"], number);
        let line = line_number(record);
        let (_, bytes) = lines.iter().find(|(n, _)| *n == line).expect("a document is in this line");
        let offset =
            input.split_inclusive(|byte| *byte == b'\n').take(line - 1).map(<[u8]>::len).sum::<usize>();
        assert_eq!(record["byte_offset"], offset);
        assert!(record["errors"].as_array().is_some_and(|errors| !errors.is_empty()));
        expected.extend_from_slice(bytes);
    }
    assert!(run.rejects == expected, "rejects.ndjson does not hold the lines of the errors file");
}

#[tokio::test]
async fn many_documents_into_foreign_tables() {
    many_documents(Tables::Foreign).await;
}

#[tokio::test]
async fn many_documents_into_tables_of_its_own() {
    many_documents(Tables::Migrated).await;
}

async fn many_documents(tables: Tables) {
    let text = generate(&["--count", "50000", "--seed", "7"]);
    let store = Store::new("many", tables);
    let run = store.load(&[], &text);
    assert_eq!((run.code, run.counts()), (Some(0), [50_000, 0, 0, 0, 0]), "{}", run.stderr);
    assert!(run.rejects.is_empty() && run.errors.is_empty());
    let client = store.connect().await;
    assert_stored(&client, document_lines(&text).into_iter().map(|(_, line)| line)).await;
}

#[tokio::test]
async fn the_way_does_not_matter_when_existing_profiles_reject() {
    the_way_does_not_matter("reject").await;
}

#[tokio::test]
async fn the_way_does_not_matter_when_existing_profiles_are_skipped() {
    the_way_does_not_matter("skip").await;
}

#[tokio::test]
async fn the_way_does_not_matter_when_existing_profiles_are_updated() {
    the_way_does_not_matter("update").await;
}

/// What the input is in, for the same documents.
#[derive(Debug, Clone, Copy)]
enum Form {
    Plain,
    Gzip,
    Zstd,
    Stdin,
}

/// All ways lead to the same rows, reports and reject files, from the same stored profiles.
async fn the_way_does_not_matter(on_existing: &str) {
    let stored = generate(&["--count", "1500", "--seed", "11", "--changed", "0.5"]);
    let text = generate(&["--count", "5000", "--seed", "11", "--duplicates", "0.1", "--invalid", "0.05"]);
    let template = Store::new("ways", Tables::Foreign);
    assert_eq!(template.load(&[], &stored).code, Some(0));

    let chunks: [&[&str]; 3] = [&[], &["--chunk-bytes", "10000"], &["--chunk-bytes", "65536"]];
    let plain = ["1", "2", "4"].iter().flat_map(|n| chunks.map(|chunk| (Form::Plain, *n, chunk)));
    let others = [Form::Gzip, Form::Zstd, Form::Stdin].map(|form| (form, "4", chunks[2]));
    let mut first = None;
    for (form, connections, chunk) in plain.chain(others) {
        let store = template.copy();
        let options = [&["--on-existing", on_existing, "--connections", connections], chunk].concat();
        let run = load_in(form, &store, &options, &text);
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        let client = store.connect().await;
        let end = (digests(&client, "public").await, comparable(&run));
        match &first {
            None => {
                assert_reject_files(&run, &text);
                assert_stored(&client, surviving(&stored, &text, &run, on_existing)).await;
                first = Some(end);
            }
            Some(first) => assert_eq!(&end, first, "{form:?} {options:?}"),
        }
    }
}

fn load_in(form: Form, store: &Store, options: &[&str], text: &[u8]) -> Run {
    match form {
        Form::Plain => store.load(options, text),
        Form::Stdin => store.load_stdin(options, text),
        Form::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(text).expect("memory takes it");
            let bytes = encoder.finish().expect("memory takes it");
            store.load_file(options, &store.file("input.ndjson.gz", &bytes))
        }
        Form::Zstd => {
            let bytes = zstd::encode_all(text, 1).expect("memory takes it");
            store.load_file(options, &store.file("input.ndjson.zst", &bytes))
        }
    }
}

/// Report and reject files without times, names and the number of connections.
fn comparable(run: &Run) -> (Value, Vec<Value>, Vec<u8>) {
    let mut report = run.report.clone();
    for name in ["run_id", "started_at", "elapsed_seconds", "throughput", "timeline", "rejects"] {
        report[name].take();
    }
    report["load"]["connections"].take();
    let blank_source = |value: &mut Value| drop(value["source"].take());
    report["inputs"].as_array_mut().expect("an array").iter_mut().for_each(blank_source);
    for group in report["errors"].as_array_mut().expect("an array") {
        group["samples"].as_array_mut().expect("an array").iter_mut().for_each(blank_source);
        for place in ["first", "last"] {
            blank_source(&mut group[place]);
        }
    }
    let mut errors = run.errors.clone();
    errors.iter_mut().for_each(blank_source);
    (report, errors, run.rejects.clone())
}

/// The judge is judged: a value that differs is found, and its row is named but not quoted.
#[tokio::test]
async fn the_reading_finds_what_differs() {
    let text = generate(&["--count", "100", "--seed", "3"]);
    let id = "SELECT id FROM customer_profiles ORDER BY id LIMIT 1";
    for (change, table) in [
        (format!("UPDATE customer_profiles SET middle_name = '' WHERE id = ({id})"), "customer_profiles"),
        (
            format!(
                "INSERT INTO customer_profile_addresses VALUES (({id}), 'Secret', NULL, '', '', '', 'DE')
                  ON CONFLICT (customer_profile_id) DO UPDATE SET line1 = 'Secret'"
            ),
            "customer_profile_addresses",
        ),
        (
            format!(
                "INSERT INTO customer_profile_phone_numbers (customer_profile_id, type, number)
                  VALUES (({id}), 'home', 'Secret')"
            ),
            "customer_profile_phone_numbers",
        ),
        (
            format!(
                "UPDATE customer_profile_emails SET email = upper(email) WHERE customer_profile_id = ({id})"
            ),
            "customer_profile_emails",
        ),
    ] {
        let store = Store::new("judge", Tables::Migrated);
        assert_eq!(store.load(&[], &text).code, Some(0));
        let client = store.connect().await;
        let id = texts(&client, &format!("SELECT ({id})::text")).await.remove(0);
        store.database.execute(&change);
        let text = text.clone();
        let reading = tokio::spawn(async move {
            assert_stored(&client, document_lines(&text).into_iter().map(|(_, line)| line)).await;
        });
        let panic = reading.await.expect_err("a row differs").into_panic();
        let words = panic.downcast_ref::<String>().expect("it says what differs");
        assert!(words.contains(&format!("{table}: stored but not read: {id}")), "{words}");
        assert!(!words.contains("Secret") && !words.contains('@'), "{words}");
    }
}
