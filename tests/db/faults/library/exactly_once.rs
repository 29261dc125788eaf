//! The judge is judged: two undisturbed loads are equal, and whatever one has more or less is found.

use std::{fs, time::Duration};

use tokio_postgres::Client;

use crate::{
    cases::{bulk_case, case},
    faults::{Case, Ended, Shape},
    support::{Store, texts},
};

/// So long it waits in vain for what a test has left over.
const BRIEFLY: Duration = Duration::from_millis(50);

/// More than all other tests together close at once.
const SESSIONS_BESIDE: usize = 24;

/// A load that nothing disturbed.
async fn loaded(case: &Case) -> (Store, Ended) {
    let store = case.store();
    let ended = case.load(&store);
    case.assert_exactly_once(&store, &ended).await;
    (store, ended)
}

/// The one difference that is found is told in these words.
async fn check(case: &Case, store: &Store, ended: &Ended, words: &str) {
    let found = case.differences(store, ended, BRIEFLY).await;
    assert!(matches!(&*found, [one] if one.contains(words)), "{words}: {found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_undisturbed_load_is_as_it_should_be() {
    for on_existing in ["reject", "update"] {
        let case = case(Shape::Many, on_existing).await;
        let (store, ended) = loaded(&case).await;
        let rejects = fs::read_to_string(store.path("rejects/rejects.errors.ndjson")).expect("it is there");
        for code in ["schema:", "json:", "db:23514"] {
            assert!(rejects.contains(code), "no document is rejected for {code}");
        }
        let [inserted, updated, unchanged, skipped, _] = ended.into_run(&store).counts();
        assert!(inserted > 0 && unchanged > 0 && skipped == 0);
        let is_reject = on_existing == "reject";
        assert_eq!(updated == 0, is_reject);
        for code in ["load:duplicate", "load:exists"] {
            assert_eq!(rejects.contains(code), is_reject, "{code}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_row_more_less_or_other_is_found() {
    let case = case(Shape::Many, "update").await;
    let one = "(SELECT min(id::text)::uuid FROM customer_profiles)";
    for (change, words) in [
        (
            format!("DELETE FROM customer_profile_emails WHERE customer_profile_id = {one}"),
            "customer_profile_emails",
        ),
        (
            format!("UPDATE customer_profiles SET last_name = last_name || ' ' WHERE id = {one}"),
            "customer_profiles has",
        ),
        (
            "INSERT INTO customer_profile_phone_numbers (customer_profile_id, type, number)
             SELECT customer_profile_id, type, number FROM customer_profile_phone_numbers LIMIT 1"
                .to_owned(),
            "customer_profile_phone_numbers",
        ),
        (
            "UPDATE customer_profile_addresses SET line2 = '' WHERE ctid =
             (SELECT ctid FROM customer_profile_addresses WHERE line2 IS NULL LIMIT 1)"
                .to_owned(),
            "customer_profile_addresses",
        ),
        ("CREATE TABLE profile_loader.more ()".to_owned(), "relations of the ledger"),
        ("CREATE TABLE more ()".to_owned(), "the catalog (+ relation | public.more"),
        ("CREATE INDEX ON customer_profiles (last_name)".to_owned(), "the catalog (+ index | CREATE INDEX"),
        (
            "ALTER TABLE customer_profile_emails DROP CONSTRAINT other_fk_e, ADD CONSTRAINT other_fk_e
                 FOREIGN KEY (customer_profile_id) REFERENCES customer_profiles (id) ON DELETE CASCADE NOT VALID"
                .to_owned(),
            "the catalog (- constraint | public.customer_profile_emails | other_fk_e",
        ),
    ] {
        let (store, ended) = loaded(&case).await;
        store.database.execute(&change);
        check(&case, &store, &ended, words).await;
    }
}

type Change = fn(&mut Vec<u8>);

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_file_that_differs_is_found() {
    let case = case(Shape::Many, "reject").await;
    let changes: [(&str, Change, &str); 6] = [
        ("rejects/rejects.ndjson", |bytes| bytes.truncate(bytes.len() - 1), "rejects.ndjson"),
        ("rejects/rejects.errors.ndjson", |bytes| bytes.extend(b"\n"), "rejects.errors.ndjson"),
        ("rejects/rejects.run-1.ndjson.partial", |_| {}, "files"),
        ("report.json.partial", |_| {}, "files"),
        (
            "report.json",
            |bytes| replace(bytes, "\"built-in\"", "\"other\""),
            "report/schema/source is \"other\"",
        ),
        (
            "report.json",
            |bytes| replace(bytes, "\"samples\": [", "\"samples\": [{},"),
            "report/errors differs",
        ),
    ];
    for (name, change, words) in changes {
        let (store, ended) = loaded(&case).await;
        let mut bytes = fs::read(store.path(name)).unwrap_or_default();
        change(&mut bytes);
        store.file(name, &bytes);
        check(&case, &store, &ended, words).await;
    }
}

fn replace(bytes: &mut Vec<u8>, from: &str, to: &str) {
    let text = str::from_utf8(bytes).expect("the report is UTF-8");
    assert!(text.contains(from));
    *bytes = text.replacen(from, to, 1).into_bytes();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_the_ledger_says_otherwise_is_found() {
    let case = case(Shape::Many, "reject").await;
    let last_run = "(SELECT max(id) FROM profile_loader.runs)";
    for (change, words) in [
        (
            format!("UPDATE profile_loader.runs SET failure = 'x' WHERE id = {last_run}"),
            "state and documents",
        ),
        ("UPDATE profile_loader.run_lanes SET skipped = skipped + 1 WHERE lane = 1".to_owned(), "counters"),
        ("UPDATE profile_loader.run_lanes SET attempt = 2 WHERE lane = 2".to_owned(), "lanes"),
        (format!("UPDATE profile_loader.run_inputs SET bytes = 1 WHERE run_id = {last_run}"), "inputs"),
        (
            format!("INSERT INTO profile_loader.run_transactions VALUES ({last_run}, 0, 1)"),
            "rows for unfinished runs",
        ),
        (
            format!("INSERT INTO profile_loader.run_rejections VALUES ({last_run}, 0, 0, 0, 'db:23514', '')"),
            "rows for unfinished runs",
        ),
        ("UPDATE profile_loader.runs SET state = 'abandoned' WHERE id = 1".to_owned(), "runs of the ledger"),
    ] {
        let (store, ended) = loaded(&case).await;
        store.database.execute(&change);
        check(&case, &store, &ended, words).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_outlives_a_load_is_found() {
    let case = case(Shape::Many, "reject").await;
    let (store, ended) = loaded(&case).await;
    // Before PostgreSQL 16 the server numbers its sessions without gaps for whoever asks which of them live, and with gaps in
    // the names of their schemas: with fewer sessions than gaps a temporary table would not be found.
    let mut others = Vec::new();
    for _ in 0..SESSIONS_BESIDE {
        others.push(store.connect().await);
    }
    let named = "SET application_name = 'profile-loader run 7 lane'";
    for (change, words) in [
        (named, "session profile-loader run 7 lane idle"),
        ("SELECT pg_advisory_lock(1886547044, 1)", "advisory lock 1886547044 1"),
        ("SELECT pg_advisory_lock(5)", "advisory lock 0 5"),
        ("CREATE TEMPORARY TABLE profile_loader_staged ()", "temporary table profile_loader_staged"),
    ] {
        let client = store.connect().await;
        client.batch_execute(change).await.expect("it can be left over");
        check(&case, &store, &ended, words).await;
        drop(client);
        // It ends when the server notices: until then the next one would be found beside it.
        case.assert_exactly_once(&store, &ended).await;
    }
    // Sessions get time to end: this one goes while it is waited for.
    let client = store.connect().await;
    client.batch_execute(named).await.expect("it is a session like any");
    let leaves = tokio::spawn(leaves_after_a_while(client));
    case.assert_exactly_once(&store, &ended).await;
    leaves.await.expect("it has left");
}

async fn leaves_after_a_while(client: Client) {
    tokio::time::sleep(4 * BRIEFLY).await;
    drop(client);
}

/// All rows of the tables and the ledger, and the files.
async fn contents(store: &Store) -> (Vec<String>, Vec<String>) {
    let client = store.connect().await;
    let tables = texts(
        &client,
        "SELECT oid::regclass::text FROM pg_class
         WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('public', 'profile_loader')",
    );
    let mut rows = Vec::new();
    for table in tables.await {
        rows.extend(texts(&client, &format!("SELECT concat_ws(' ', '{table}', t) FROM {table} AS t")).await);
    }
    rows.sort();
    let files = fs::read_dir(store.path("")).expect("the folder is readable");
    let is_file = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file());
    let files = files.map(|entry| entry.expect("it is readable")).filter(is_file);
    (rows, files.map(|file| file.file_name().display().to_string()).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_loaded_is_put_back() {
    for case in [case(Shape::Few, "update").await, bulk_case(Shape::Few, "reject").await] {
        let before = contents(&case.store()).await;
        let (store, _) = loaded(&case).await;
        assert_ne!(contents(&store).await, before);
        case.put_back(&store).await;
        assert_eq!(contents(&store).await, before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_load_that_failed_is_no_end() {
    let case = case(Shape::Many, "reject").await;
    let store = case.store();
    store.file("input.ndjson", b"");
    let ended = case.load(&store);
    check(&case, &store, &ended, "the last attempt ended with").await;
}
