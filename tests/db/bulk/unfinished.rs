//! Bulk loads that don't come to their end at once: what they have dropped is told, keeps other loads away, and
//! is restored by the same command or by `runs abandon`.

use std::fs;

use serde_json::{Value, json};

use super::{assert_catalog, attempt, document, load, load_bulk, names_of_rejects, store, valid};
use crate::support::{
    Output, Store, assert_stored, binary, catalog, document_lines, generate, ndjson, run, texts,
};

const BULK: [&str; 4] = ["--strategy", "bulk", "--chunk-bytes", "4000"];

fn runs(store: &Store, words: &str) -> Output {
    run(binary().arg("runs").args(words.split(' ')).args(["--database-url", &store.database.url]))
}

/// A bulk load whose input ends in the middle of a document, and the catalog before it. Returned is the whole input.
async fn unfinished(name: &str) -> (Store, Vec<String>, Vec<u8>) {
    let input = valid(400);
    let store =
        store(name, "CREATE INDEX \"By name\" ON customer_profiles (last_name)", &input[..input.len() - 30]);
    let before = catalog(&store.connect().await).await;
    let cut = attempt(&store, &BULK);
    assert_eq!(cut.code, Some(4), "{}", cut.stderr);
    assert!(
        cut.stderr.contains("until it has ended, the tables may lack indexes and foreign keys"),
        "{}",
        cut.stderr
    );
    let now = catalog(&store.connect().await).await;
    let count = |lines: &[String], kind: &str| lines.iter().filter(|line| line.starts_with(kind)).count();
    assert_eq!(
        (count(&now, "index | CREATE INDEX \"By name\""), count(&before, "index | CREATE INDEX \"By name\"")),
        (0, 1)
    );
    assert!(
        !names_of_rejects(&store).iter().any(|name| name.contains("spill")),
        "{:?}",
        names_of_rejects(&store)
    );
    (store, before, input)
}

async fn assert_all_stored(store: &Store, input: &[u8]) {
    assert_stored(&store.connect().await, document_lines(input).into_iter().map(|(_, line)| line)).await;
}

async fn states(store: &Store) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', strategy, state) FROM profile_loader.runs ORDER BY id";
    texts(&store.connect().await, sql).await
}

#[tokio::test]
async fn the_same_command_goes_on_and_brings_everything_back() {
    let (store, before, input) = unfinished("goes_on").await;
    store.file("input.ndjson", &input);
    let run = load(&store, &BULK);
    assert_eq!((run.code, run.counts()), (Some(0), [400, 0, 0, 0, 0]), "{}", run.stderr);
    assert!(run.stderr.contains("(attempt 2)"), "{}", run.stderr);
    assert_catalog(&store, &before).await;
    assert_all_stored(&store, &input).await;
    assert_eq!(states(&store).await, ["bulk complete"]);
}

/// Whether another strategy is asked for, another input, or another run of the same.
#[tokio::test]
async fn nothing_else_is_loaded_meanwhile() {
    let (store, before, input) = unfinished("refused").await;
    let off = catalog(&store.connect().await).await;
    store.file("input.ndjson", &input);
    store.file("other.ndjson", &generate(&["--count", "20", "--seed", "99"]));
    let words = "run 1, which is unfinished, has dropped indexes and foreign keys of the tables";
    let refuse = |output: &Output| {
        assert_eq!(output.code, Some(5), "{}", output.stderr);
        assert!(
            output.stderr.contains(words) && output.stderr.contains("runs abandon 1"),
            "{}",
            output.stderr
        );
    };
    refuse(&attempt(&store, &["--strategy", "merge"]));
    refuse(&attempt(&store, &["--strategy", "merge", "--atomic"]));
    refuse(&attempt(&store, &["--strategy", "bulk", "--on-existing", "update"]));
    refuse(&attempt(&store, &["--strategy", "bulk", "--resume", "never"]));
    for strategy in ["auto", "bulk", "merge"] {
        let mut command = binary();
        command.args(["load", "other.ndjson", "--strategy", strategy, "--database-url", &store.database.url]);
        refuse(&run(command.current_dir(store.path(""))));
    }
    assert_eq!(states(&store).await, ["bulk failed"]);
    assert_catalog(&store, &off).await;
    // Another schema of the database has other tables.
    store.database.execute("CREATE SCHEMA elsewhere");
    let elsewhere = attempt(&store, &["--strategy", "bulk", "--db-schema", "elsewhere"]);
    assert_eq!(elsewhere.code, Some(0), "{}", elsewhere.stderr);
    store.database.execute("DROP SCHEMA elsewhere CASCADE");
    // `auto` is whatever the unfinished run is.
    let done = load(&store, &["--strategy", "auto", "--chunk-bytes", "4000"]);
    assert_eq!((done.code, &done.report["load"]["strategy"]), (Some(0), &"bulk".into()), "{}", done.stderr);
    assert_catalog(&store, &before).await;
}

#[tokio::test]
async fn what_is_still_off_is_shown() {
    let (store, _, _) = unfinished("shown").await;
    let shown = runs(&store, "show 1");
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let (_, list) = shown
        .stdout
        .split_once("dropped of the tables, and restored when the run is resumed or abandoned, by:\n")
        .expect("it is told");
    let statements: Vec<_> = list.lines().map(str::trim).collect();
    assert_eq!(statements.len(), 18, "{list}");
    for statement in [
        "CREATE INDEX \"By name\" ON public.customer_profiles USING btree (last_name);",
        "CREATE UNIQUE INDEX pk_customer_profiles ON public.customer_profiles USING btree (id);",
        "ALTER TABLE \"public\".customer_profile_emails VALIDATE CONSTRAINT \"other_fk_e\";",
    ] {
        assert!(statements.contains(&statement), "{statement} is not among {list}");
    }
    let json = runs(&store, "show 1 --output json");
    let json: Value = serde_json::from_str(&json.stdout).expect("it is JSON");
    let pending = json["pending_ddl"].as_array().expect("it is told");
    let pending: Vec<_> =
        pending.iter().map(|sql| format!("{};", sql.as_str().expect("a statement"))).collect();
    assert_eq!(pending, statements);
    assert_eq!(json["settings"]["strategy"], "bulk");
}

/// What differs is the run's to fix, and tables that it is to go on with are not dropped.
#[tokio::test]
async fn migrations_know_of_it() {
    let (store, before, _) = unfinished("migrations").await;
    let off = catalog(&store.connect().await).await;
    let migrate = |command: &str| {
        let words = ["migrate"].into_iter().chain(command.split(' '));
        run(binary().args(words).args(["--database-url", &store.database.url]))
    };
    let verified = migrate("verify");
    assert_eq!(verified.code, Some(5), "{}", verified.stderr);
    assert!(
        verified.stdout.starts_with("-- run 1, a bulk load, is unfinished: ")
            && verified.stdout.contains("profile-loader runs abandon 1")
            && verified.stdout.lines().all(|line| line.starts_with("-- ")),
        "{}",
        verified.stdout
    );
    let refused = migrate("down --yes-delete-data");
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("run 1, a bulk load of these tables, is unfinished"),
        "{}",
        refused.stderr
    );
    assert_catalog(&store, &off).await;
    assert_eq!(runs(&store, "abandon 1").code, Some(0));
    assert_catalog(&store, &before).await;
    let verified = migrate("verify");
    assert!(!verified.stdout.contains("run 1"), "{}", verified.stdout);
}

#[tokio::test]
async fn giving_up_brings_everything_back() {
    let (store, before, input) = unfinished("abandoned").await;
    let abandoned = runs(&store, "abandon 1");
    assert_eq!(abandoned.code, Some(0), "{}", abandoned.stderr);
    assert!(
        abandoned.stdout.contains("run 1 is abandoned; what it had loaded stays: 399 documents")
            && abandoned.stdout.contains("(rejects.run-1.*, spill.run-1.*) can be deleted"),
        "{}",
        abandoned.stdout
    );
    assert_catalog(&store, &before).await;
    let shown = runs(&store, "show 1");
    assert!(!shown.stdout.contains("dropped of the tables"), "{}", shown.stdout);
    let json: Value = serde_json::from_str(&runs(&store, "show 1 --output json").stdout).expect("it is JSON");
    assert_eq!(json["pending_ddl"], json!([]));
    // The same command begins anew, and finds rows in the tables.
    store.file("input.ndjson", &input);
    let refused = attempt(&store, &BULK);
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert!(refused.stderr.contains("table customer_profiles holds rows"), "{}", refused.stderr);
    let run = load(&store, &["--strategy", "auto"]);
    assert_eq!((run.code, run.counts()), (Some(0), [1, 0, 399, 0, 0]), "{}", run.stderr);
    store.database.execute("TRUNCATE customer_profiles CASCADE");
    let run = load_bulk(&store, &[]);
    assert_eq!((run.code, run.counts()), (Some(0), [400, 0, 0, 0, 0]), "{}", run.stderr);
    assert_catalog(&store, &before).await;
    assert_all_stored(&store, &input).await;
    assert_eq!(states(&store).await, ["bulk abandoned", "merge complete", "bulk complete"]);
}

/// What another program does to tables without keys, what undoes it, and the step that can't be done meanwhile.
const INTRUSIONS: [(&str, &str, &str); 3] = [
    (
        "INSERT INTO customer_profiles SELECT * FROM customer_profiles ORDER BY id LIMIT 1",
        "DELETE FROM customer_profiles AS a USING customer_profiles AS b WHERE a.id = b.id AND a.ctid > b.ctid",
        "CREATE UNIQUE INDEX pk_customer_profiles ON public.customer_profiles USING btree (id);",
    ),
    (
        "INSERT INTO customer_profile_emails (customer_profile_id, email)
         VALUES ('0b8f2f0a-6c1e-4d5b-9a37-5f0c2d1e8b64', 'secret@example.com')",
        "DELETE FROM customer_profile_emails WHERE email = 'secret@example.com'",
        "ALTER TABLE \"public\".customer_profile_emails VALIDATE CONSTRAINT \"other_fk_e\";",
    ),
    (
        "CREATE INDEX \"By name\" ON customer_profiles (first_name)",
        "DROP INDEX \"By name\"",
        "CREATE INDEX \"By name\" ON public.customer_profiles USING btree (last_name);",
    ),
];

/// The statement is told as pending by a command that ends with 5, and no value of a row is.
fn assert_pending(output: &Output, statement: &str) {
    assert_eq!(output.code, Some(5), "{}", output.stderr);
    assert!(output.stderr.contains("restoring "), "{}", output.stderr);
    let (_, list) = output.stderr.split_once("still to be restored, in this order:\n").expect("it is told");
    assert!(list.contains(statement), "{}", output.stderr);
    for value in ["secret@example.com", "0b8f2f0a-6c1e", "Key ("] {
        assert!(!output.stderr.contains(value), "{}", output.stderr);
    }
}

#[tokio::test]
async fn what_can_not_be_brought_back_is_told_and_mended() {
    for (intrusion, fix, statement) in INTRUSIONS {
        let (store, before, input) = unfinished("intrusion").await;
        store.file("input.ndjson", &input);
        store.database.execute(intrusion);
        for attempts in 2..4 {
            let failed = attempt(&store, &BULK);
            assert_pending(&failed, statement);
            assert!(
                failed.stderr.contains("once that is fixed, the same command resumes it"),
                "{}",
                failed.stderr
            );
            let shown = runs(&store, "show 1").stdout;
            assert!(
                shown.contains(statement) && shown.contains(&format!("attempts      {attempts}")),
                "{shown}"
            );
        }
        store.database.execute(fix);
        let run = load(&store, &BULK);
        assert_eq!((run.code, run.counts()), (Some(0), [400, 0, 0, 0, 0]), "{}", run.stderr);
        assert_catalog(&store, &before).await;
        assert_all_stored(&store, &input).await;
        assert_eq!(states(&store).await, ["bulk complete"]);
    }
}

#[tokio::test]
async fn giving_up_waits_for_what_can_not_be_brought_back() {
    for (intrusion, fix, statement) in INTRUSIONS {
        let (store, before, _) = unfinished("abandon_fails").await;
        store.database.execute(intrusion);
        let failed = runs(&store, "abandon 1");
        assert_pending(&failed, statement);
        assert!(failed.stderr.contains("run 1 is not abandoned"), "{}", failed.stderr);
        assert_eq!(states(&store).await, ["bulk failed"]);
        store.database.execute(fix);
        let abandoned = runs(&store, "abandon 1");
        assert_eq!(abandoned.code, Some(0), "{}", abandoned.stderr);
        assert_catalog(&store, &before).await;
    }
}

/// A role that may load but does not own the tables can't restore what the owner's load has dropped.
#[tokio::test]
async fn giving_up_takes_the_owner() {
    let (store, _, _) = unfinished("not_owner").await;
    let role = format!("helper_{}", store.database.name);
    store.database.execute(&format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA profile_loader TO {role};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA profile_loader TO {role}"
    ));
    let url = store.database.url.replace("postgres@", &format!("{role}@"));
    let refused = run(binary().args(["runs", "abandon", "1", "--database-url", &url]));
    assert_pending(&refused, "CREATE UNIQUE INDEX pk_customer_profiles");
    assert_eq!(states(&store).await, ["bulk failed"]);
    assert_eq!(runs(&store, "abandon 1").code, Some(0));
    store.database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// The limit is passed while documents come in, or only when those are merged that were deferred.
#[tokio::test]
async fn too_many_rejects_end_a_load_with_everything_back() {
    let faulty = generate(&["--count", "500", "--seed", "43", "--invalid", "0.2"]);
    let version = |number: usize| document(number / 2, &[("/firstName", json!(format!("Version {number}")))]);
    let duplicates = ndjson(&(0..500).map(version).collect::<Vec<_>>());
    for (input, limit) in [(&faulty, "10"), (&duplicates, "10"), (&duplicates, "20%")] {
        let store = store("limit", "", input);
        let before = catalog(&store.connect().await).await;
        let run = load_bulk(&store, &["--max-rejects", limit]);
        assert_eq!(
            (run.code, run.report["outcome"].as_str()),
            (Some(3), Some("reject_limit")),
            "{}",
            run.stderr
        );
        assert_catalog(&store, &before).await;
        let inserted = texts(&store.connect().await, "SELECT count(*)::text FROM customer_profiles").await;
        assert_eq!(inserted, [run.counts()[0].to_string()]);
        assert!(run.counts()[4] > 10, "{:?}", run.counts());
        assert_eq!(states(&store).await, ["bulk reject_limit"]);
        let names = names_of_rejects(&store);
        assert_eq!(names, ["rejects.run-1.errors.ndjson.partial", "rejects.run-1.ndjson.partial"]);
        let lines = fs::read(store.path("rejects/rejects.run-1.ndjson.partial")).expect("it is there");
        assert_eq!(document_lines(&lines).len().to_string(), run.counts()[4].to_string());
        // Nothing stands in the way of another load.
        assert_eq!(attempt(&store, &["--strategy", "merge"]).code, Some(1));
    }
}

/// Whoever deletes rows of the ledger while a load goes on gets no tables without keys for it.
#[tokio::test]
async fn complete_is_what_the_catalog_says() {
    let input = valid(400);
    let store = store("forgotten", "CREATE INDEX \"By name\" ON customer_profiles (last_name)", &input);
    let up = run(binary().args(["migrate", "up", "--database-url", &store.database.url]));
    assert_eq!(up.code, Some(0), "{}", up.stderr);
    let before = catalog(&store.connect().await).await;
    store.database.execute(
        "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN DELETE FROM profile_loader.run_ddl; RETURN NULL; END $$;
         CREATE TRIGGER forget AFTER UPDATE ON profile_loader.run_lanes FOR EACH ROW EXECUTE FUNCTION forget()",
    );
    let forgotten = attempt(&store, &BULK);
    assert_eq!(forgotten.code, Some(5), "{}", forgotten.stderr);
    let line = forgotten.stderr.lines().find(|line| line.contains("not all restored")).expect("it is told");
    let (_, statements) = line.split_once("has to run: ").expect("it says how");
    assert!(statements.contains("By name") && statements.contains("PRIMARY KEY"), "{statements}");
    assert_eq!(states(&store).await, ["bulk failed"]);
    let abandoned = runs(&store, "abandon 1");
    assert_eq!(abandoned.code, Some(5), "{}", abandoned.stderr);
    assert!(abandoned.stderr.contains(statements), "{}", abandoned.stderr);
    store.database.execute("DROP TRIGGER forget ON profile_loader.run_lanes");
    store.database.execute(statements);
    let again = load(&store, &BULK);
    assert_eq!((again.code, again.counts()), (Some(0), [400, 0, 0, 0, 0]), "{}", again.stderr);
    assert_catalog(&store, &before).await;
}
