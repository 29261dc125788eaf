//! What other people do to the tables before and while a bulk load is unfinished: locks, triggers, tables that are
//! dropped, renamed or made anew. Each has one way out, and every command names the same one.

use std::{thread, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

use super::{assert_catalog, attempt, command, load_bulk, store, valid};
use crate::support::{Output, Store, assert_stored, binary, catalog, document_lines, run, texts};

const BULK: [&str; 4] = ["--strategy", "bulk", "--chunk-bytes", "4000"];

/// A bulk load whose input ends in the middle of a document; returned is the whole input.
async fn unfinished(name: &str) -> (Store, Vec<String>, Vec<u8>) {
    let input = valid(400);
    let store = store(name, "", &input[..input.len() - 30]);
    let before = catalog(&store.connect().await).await;
    assert_eq!(attempt(&store, &BULK).code, Some(4));
    store.file("input.ndjson", &input);
    (store, before, input)
}

fn tell(store: &Store, words: &str) -> Output {
    run(binary().args(words.split(' ')).args(["--database-url", &store.database.url]))
}

async fn assert_all_stored(store: &Store, input: &[u8]) {
    assert_stored(&store.connect().await, document_lines(input).into_iter().map(|(_, line)| line)).await;
}

/// The load, `migrate up` and `migrate verify` say the same.
fn assert_one_way_out(store: &Store, table: &str) {
    let load = attempt(store, &BULK);
    let up = tell(store, "migrate up");
    let verify = tell(store, "migrate verify");
    for (output, text) in [(&load, &load.stderr), (&up, &up.stderr), (&verify, &verify.stdout)] {
        assert_eq!(output.code, Some(5), "{output:?}");
        let words = format!("{table} of schema public, which it was filling, is not there any more");
        assert!(text.contains(&words), "{output:?}");
        assert!(
            text.contains("else abandon the run") && text.contains("profile-loader runs abandon 1"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_table_that_is_dropped() {
    for table in ["customer_profile_emails", "customer_profiles"] {
        let (store, _, input) = unfinished("dropped").await;
        store.database.execute(&format!("DROP TABLE {table} CASCADE"));
        assert_one_way_out(&store, table);
        let abandoned = tell(&store, "runs abandon 1");
        assert_eq!(abandoned.code, Some(0), "{}", abandoned.stderr);
        let words = format!("not restored, because {table} of schema public is not there any more");
        assert!(abandoned.stdout.contains(&words), "{}", abandoned.stdout);
        // What can be restored is.
        let keys = "SELECT conname::text FROM pg_constraint WHERE contype = 'p' AND connamespace = 'public'::regnamespace";
        assert_eq!(texts(&store.connect().await, keys).await.len(), 3);
        assert_eq!(tell(&store, "migrate up").code, Some(5));
        store.database.execute("TRUNCATE customer_profile_addresses, customer_profile_phone_numbers");
        if table == "customer_profiles" {
            store.database.execute("TRUNCATE customer_profile_emails");
        } else {
            store.database.execute("TRUNCATE customer_profiles CASCADE");
        }
        // Each difference has its SQL; a foreign key wants the key that it refers to.
        for _ in 0..2 {
            let verified = tell(&store, "migrate verify");
            if verified.code != Some(0) {
                store.database.execute(&verified.stdout);
            }
        }
        let run = load_bulk(&store, &[]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert_all_stored(&store, &input).await;
        assert_eq!(tell(&store, "migrate verify").code, Some(0));
    }
}

#[tokio::test]
async fn a_table_that_is_renamed() {
    let (store, before, input) = unfinished("renamed").await;
    store.database.execute("ALTER TABLE customer_profiles RENAME TO customers");
    assert_one_way_out(&store, "customer_profiles");
    store.database.execute("ALTER TABLE customers RENAME TO customer_profiles");
    let run = load_bulk(&store, &[]);
    assert_eq!((run.code, run.counts()), (Some(0), [400, 0, 0, 0, 0]), "{}", run.stderr);
    assert_catalog(&store, &before).await;
    assert_all_stored(&store, &input).await;
}

/// Rows that the run has committed are gone, and it would not load them again.
#[tokio::test]
async fn tables_that_are_emptied_or_made_anew() {
    for change in [
        "TRUNCATE customer_profiles, customer_profile_addresses, customer_profile_emails, customer_profile_phone_numbers",
        "TRUNCATE customer_profile_emails",
        "DROP TABLE customer_profiles, customer_profile_addresses, customer_profile_emails,
             customer_profile_phone_numbers; DROP TYPE customer_profile_phone_numbers_type_enum; @made@",
    ] {
        let (store, before, input) = unfinished("emptied").await;
        store.database.execute(&change.replace("@made@", include_str!("../../support/foreign_tables.sql")));
        let refused = attempt(&store, &BULK);
        assert_eq!(refused.code, Some(5), "{change}: {}", refused.stderr);
        let words = "and there are none now: it was emptied, or dropped and made again; abandon the run";
        assert!(refused.stderr.contains(words), "{change}: {}", refused.stderr);
        let abandoned = tell(&store, "runs abandon 1");
        assert_eq!(abandoned.code, Some(0), "{change}: {}", abandoned.stderr);
        assert_catalog(&store, &before).await;
        store.database.execute("TRUNCATE customer_profiles CASCADE");
        let run = load_bulk(&store, &[]);
        assert_eq!((run.code, run.counts()), (Some(0), [400, 0, 0, 0, 0]), "{change}: {}", run.stderr);
        assert_all_stored(&store, &input).await;
    }
}

/// The rows that are in the way of a key can be found with what is told.
#[tokio::test]
async fn rows_that_keep_a_key_from_being_restored_are_found() {
    const ID: &str = "0b8f2f0a-6c1e-4d5b-9a37-5f0c2d1e8b64";
    let profile = format!("('{ID}', 'A', NULL, 'B', true, false)");
    for (rows, fix) in [
        (
            format!("INSERT INTO customer_profiles VALUES {profile}, {profile}"),
            format!("DELETE FROM customer_profiles WHERE id = '{ID}'"),
        ),
        (
            format!(
                "INSERT INTO customer_profile_emails (customer_profile_id, email) VALUES ('{ID}', 'a@b.example')"
            ),
            format!("DELETE FROM customer_profile_emails WHERE customer_profile_id = '{ID}'"),
        ),
    ] {
        let (store, before, input) = unfinished("in_the_way").await;
        store.database.execute(&rows);
        for output in [attempt(&store, &BULK), tell(&store, "runs abandon 1")] {
            assert_eq!(output.code, Some(5), "{}", output.stderr);
            assert!(!output.stderr.contains(ID), "{}", output.stderr);
            let (_, query) = output.stderr.split_once("(the rows in the way: ").expect("it is told");
            let query = query[..query.find("): ").expect("it ends")].to_owned();
            let found = store.connect().await.query(&query, &[]).await.expect("it is SQL");
            assert_eq!(found.len(), 1, "{query}");
        }
        store.database.execute(&fix);
        let run = load_bulk(&store, &[]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert_catalog(&store, &before).await;
        assert_all_stored(&store, &input).await;
    }
}

#[tokio::test]
async fn the_trigger_that_keeps_every_index_is_named() {
    let trigger = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
                   CREATE TRIGGER \"Audit\" BEFORE INSERT ON customer_profile_emails FOR EACH ROW EXECUTE FUNCTION f()";
    let store = store("trigger", trigger, &valid(50));
    let run = load_bulk(&store, &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    for words in [
        "(Audit on customer_profile_emails)",
        "pk_customer_profiles",
        "ALTER TABLE \"public\".customer_profile_emails DISABLE TRIGGER \"Audit\"",
    ] {
        assert!(run.stderr.contains(words), "no {words}: {}", run.stderr);
    }
}

/// Whoever holds a lock on the tables is named, others come through meanwhile, and the load begins when it is let go.
#[tokio::test]
async fn a_reader_that_is_idle_in_a_transaction_is_waited_for() {
    let input = valid(50);
    let store = store("idle", "", &input);
    assert_eq!(tell(&store, "migrate up").code, Some(0));
    let holder = store.connect().await;
    let read = "SET application_name = 'a report'; BEGIN; SELECT FROM customer_profile_emails";
    holder.batch_execute(read).await.expect("it can be read");
    let mut loading = command(&store, &BULK);
    let loading = tokio::task::spawn_blocking(move || run(&mut loading));
    let reader = store.connect().await;
    let wanted = "SELECT pid::text FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'customer_profile_emails'::regclass
                  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    // Twice: it asks, is behind the holder, lets others pass, and asks again.
    for is_wanted in [true, false, true, false, true] {
        while texts(&reader, wanted).await.is_empty() == is_wanted {
            assert!(!loading.is_finished(), "it waits");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if !is_wanted {
            let count = "SELECT count(*)::text FROM customer_profile_emails";
            assert_eq!(texts(&reader, count).await, ["0"]);
        }
    }
    holder.batch_execute("ROLLBACK").await.expect("it is well");
    let output = loading.await.expect("it runs");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let words = "(a report, as postgres, idle in transaction since 20";
    assert!(output.stderr.contains(words), "{}", output.stderr);
    assert!(
        output.stderr.contains("holds a lock on customer_profile_emails; trying again for up to 5m"),
        "{}",
        output.stderr
    );
    assert_all_stored(&store, &input).await;
    // No number was used up by the attempts.
    assert_eq!(texts(&reader, "SELECT id::text FROM profile_loader.runs").await, ["1"]);
}

#[tokio::test]
async fn a_lock_that_is_not_let_go_is_told_at_the_end() {
    let store = store("held", "", &valid(50));
    assert_eq!(tell(&store, "migrate up").code, Some(0));
    let before = catalog(&store.connect().await).await;
    let holder = store.connect().await;
    let read = "SET application_name = 'a report'; BEGIN; SELECT FROM customer_profiles";
    holder.batch_execute(read).await.expect("it can be read");
    let output = attempt(&store, &[&BULK[..], &["--db-wait", "1s"]].concat());
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    for words in ["(a report, as postgres, idle in transaction since 20", "pg_terminate_backend", "--db-wait"]
    {
        let error = output.stderr.lines().last().expect("it is told");
        assert!(error.contains(words), "no {words}: {}", output.stderr);
    }
    // A signal ends the wait.
    let mut waiting = command(&store, &BULK);
    waiting.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let child = waiting.spawn().expect("the program starts");
    let pid = Pid::from_child(&child);
    let reader = store.connect().await;
    let wanted = "SELECT pid::text FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted
                  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while texts(&reader, wanted).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    kill_process(pid, Signal::TERM).expect("it runs");
    let ended = thread::spawn(move || child.wait_with_output()).join().expect("it ends").expect("it ends");
    assert_eq!(ended.status.code(), Some(143), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(texts(&reader, "SELECT count(*)::text FROM profile_loader.runs").await, ["0"]);
    holder.batch_execute("ROLLBACK").await.expect("it is well");
    assert_catalog(&store, &before).await;
}
