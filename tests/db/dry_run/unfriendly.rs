//! Tables, ledgers, roles and folders that a dry run was not made for.

use std::{fs, process::Command};

use serde_json::{Value, json};

use super::{DRY, assert_foreseen, document, traces, with};
use crate::support::{Output, Run, Store, Tables, binary, generate, ndjson, run, server};

/// Makes a ledger one of version 4.
const LEDGER_4: &str = "DROP TABLE profile_loader.run_reports, profile_loader.rejected_documents,
    profile_loader.run_etags, profile_loader.run_parts, profile_loader.run_deferred; UPDATE profile_loader.ledger SET version = 4";

const UPDATE: [&str; 2] = ["--on-existing", "update"];

fn stored(documents: &[Value]) -> Store {
    let store = Store::new("dry", Tables::Migrated);
    let loaded = store.load(&[], &ndjson(documents));
    assert_eq!(loaded.code, Some(0), "{}", loaded.stderr);
    store
}

/// A load, killed in the middle of its input.
fn killed(store: &Store, options: &[&str], text: &[u8]) {
    let input = store.file("input.ndjson", text);
    let mut command = binary();
    command.args(["load", "--database-url", &store.database.url]).args(options).arg("--rejects");
    command.arg(store.path("rejects")).arg(input).env("FAILPOINTS", "lane-after-commit=2*off->return");
    assert_eq!(run(&mut command).code, None, "the failpoint ends it");
}

fn refusals(run: &Run) -> String {
    run.report["dry_run"]["refusals"].to_string()
}

/// Tables that a load can bear hold what no document does.
#[tokio::test]
async fn stored_nulls_are_compared_like_all_else() {
    let store = stored(&(1..=5).map(document).collect::<Vec<_>>());
    store.database.execute(
        "ALTER TABLE customer_profile_emails ALTER email DROP NOT NULL;
         ALTER TABLE customer_profile_phone_numbers ALTER number DROP NOT NULL;
         ALTER TABLE customer_profiles ALTER two_factor_enabled DROP NOT NULL;
         UPDATE customer_profile_emails SET email = NULL
         WHERE customer_profile_id = (SELECT min(id::text)::uuid FROM customer_profiles) AND email LIKE 'ann%';
         UPDATE customer_profile_phone_numbers SET number = NULL
         WHERE customer_profile_id = (SELECT max(id::text)::uuid FROM customer_profiles)",
    );
    let documents = ndjson(&(1..=5).map(document).collect::<Vec<_>>());
    let dry = assert_foreseen(&store.copy(), &["--on-existing", "skip"], &documents).await;
    assert_eq!(dry.counts(), [0, 0, 3, 2, 0]);
    assert_foreseen(&store, &UPDATE, &documents).await;
}

#[tokio::test]
async fn an_atomic_load_beyond_its_limit_writes_nothing() {
    let store = stored(&[document(1), document(2)]);
    let faulty = [with(1, &[("/firstName", "Eve".into())]), json!({"id": 1}), json!({"id": 2})];
    let options = [&UPDATE[..], &["--atomic", "--max-rejects", "1"]].concat();
    let dry = assert_foreseen(&store, &options, &ndjson(&faulty)).await;
    assert_eq!((dry.code, dry.counts()), (Some(3), [0, 0, 0, 0, 2]), "{}", dry.stdout);
    assert_foreseen(&store, &[&UPDATE[..], &["--atomic"]].concat(), &ndjson(&faulty)).await;
}

/// The load brings the ledger up to date first, and then finds its run.
#[tokio::test]
async fn a_run_in_an_older_ledger_is_found() {
    let store = Store::new("dry", Tables::Migrated);
    let text = generate(&["--count", "2000", "--seed", "3"]);
    let options = ["--connections", "1", "--batch-bytes", "100000", "--chunk-bytes", "20000"];
    killed(&store, &options, &text);
    store.database.execute(LEDGER_4);
    let dry = store.load(&[&options[..], &[DRY]].concat(), &text);
    assert_eq!(dry.report["dry_run"]["resumes"], 1, "{}", dry.stderr);
    assert_eq!(dry.report["dry_run"]["ddl"], json!(["the ledger, from version 4 to 8"]));
}

/// Without its indexes every look would read whole tables.
#[tokio::test]
async fn an_unfinished_bulk_load_is_told_and_left_alone() {
    for older in ["", LEDGER_4] {
        let store = Store::new("dry", Tables::Migrated);
        let text = generate(&["--count", "2000", "--seed", "3"]);
        let options = ["--strategy", "bulk", "--connections", "1", "--batch-bytes", "100000"];
        killed(&store, &[&options[..], &["--chunk-bytes", "20000"]].concat(), &text);
        store.database.execute(older);
        let client = store.connect().await;
        let before = traces(&client).await;
        let refused = dry_run(&store, &store.database.url, &options);
        assert_eq!(refused.code, Some(5), "{}", refused.stdout);
        for words in ["run 1, a bulk load of this input", "runs abandon 1", "without --dry-run"] {
            assert!(refused.stderr.contains(words), "{}", refused.stderr);
        }
        assert_eq!(traces(&client).await, before);
    }
}

/// Of `input.ndjson` in the folder of the store.
fn dry_run(store: &Store, url: &str, options: &[&str]) -> Output {
    let mut command = binary();
    command.args(["load", DRY, "--output", "json", "--database-url", url]).args(options).arg("--rejects");
    run(command.arg(store.path("rejects")).arg(store.path("input.ndjson")))
}

/// What keeps a role from loading is told, whatever it is.
#[tokio::test]
async fn what_would_refuse_the_load_is_told() {
    let store = Store::new("dry", Tables::Foreign);
    store.file("input.ndjson", &ndjson([&document(1)]));
    let role = format!("{}_role", store.database.name);
    let url = store.database.url.replacen("postgres@", &format!("{role}@"), 1);
    let database = &store.database.name;
    let grant = format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}"
    );
    for (attributes, setup, words) in [
        ("", grant.clone(), format!("GRANT CREATE ON DATABASE \\\"{database}\\\"")),
        (
            "",
            format!("{grant}; ALTER ROLE {role} SET default_transaction_read_only = on"),
            "default_transaction_read_only is on".to_owned(),
        ),
        (
            "",
            format!("{grant}; ALTER ROLE {role} SET session_replication_role = replica"),
            "session_replication_role is replica".to_owned(),
        ),
        ("CONNECTION LIMIT 1", grant.clone(), "a load needs 2 connections at least".to_owned()),
    ] {
        server().execute(format!("CREATE ROLE {role} LOGIN {attributes}"));
        store.database.execute(&setup);
        let output = dry_run(&store, &url, &["--db-wait", "30s"]);
        store.database.execute(&format!("DROP OWNED BY {role}"));
        server().execute(format!("DROP ROLE {role}"));
        assert_eq!(output.code, Some(0), "{setup}: {}", output.stderr);
        let dry = Run::of(output, None, &store.path("rejects"));
        assert_eq!(dry.counts(), [1, 0, 0, 0, 0]);
        assert!(refusals(&dry).contains(&words), "{words}: {}", refusals(&dry));
    }
}

/// Foreign keys of other tables keep rows where they are.
#[tokio::test]
async fn keys_of_other_tables_are_not_foreseen() {
    let store = stored(&[document(1)]);
    store.database.execute(
        "CREATE TABLE consents (email_id bigint CONSTRAINT fk_consents REFERENCES customer_profile_emails (id));
         INSERT INTO consents SELECT id FROM customer_profile_emails;
         CREATE INDEX ix_owner ON customer_profiles (lower(last_name));
         CREATE INDEX ix_plain ON customer_profiles (last_name)",
    );
    let dry = store.load(&[&UPDATE[..], &[DRY]].concat(), &ndjson([&with(1, &[("/emails", json!([]))])]));
    assert_eq!(
        dry.report["dry_run"]["unforeseen"],
        json!([
            "foreign key fk_consents of table consents to table customer_profile_emails",
            "index ix_owner of table customer_profiles",
        ])
    );
}

#[test]
fn a_private_server_is_not_made() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("input.ndjson"), b"").expect("the folder is writable");
    fs::create_dir(path("empty")).expect("the folder is writable");
    for name in ["empty", "missing"] {
        let mut command: Command = binary();
        command.current_dir(folder.path()).args(["load", DRY, "input.ndjson"]);
        let output = run(command.arg(format!("--embedded={name}")));
        assert_eq!(output.code, Some(2), "{}", output.stdout);
        assert!(output.stderr.contains("there is no private server in"), "{}", output.stderr);
    }
    assert_eq!(fs::read_dir(path("empty")).expect("it is there").count(), 0);
    assert!(!path("missing").exists());
}

/// Neither of documents nor of what is stored.
#[test]
fn no_value_of_a_customer_is_told() {
    let planted = |id: u32, value: &str| {
        with(
            id,
            &[
                ("/firstName", value.into()),
                ("/lastName", value.into()),
                ("/emails/0", format!("{value}@example.com").into()),
                ("/address/line1", value.into()),
                ("/address/city", value.into()),
                ("/address/postalCode", value.into()),
            ],
        )
    };
    let store = stored(&[planted(1, "S3NTINEL-stored"), planted(2, "S3NTINEL-same")]);
    let mut faulty = planted(4, "S3NTINEL-faulty");
    faulty["address"]["country"] = "S3NTINEL-country".into();
    faulty["S3NTINEL-key"] = 1.into();
    let input =
        [planted(1, "S3NTINEL-new"), planted(2, "S3NTINEL-same"), planted(3, "S3NTINEL-third"), faulty];
    store.file("input.ndjson", &ndjson(&input));
    for policy in ["reject", "update"] {
        let [page, table] = ["page.html", "table.csv"].map(|name| store.path(name));
        let reports = [&page, &table].map(|path| path.to_str().expect("a plain name"));
        let options = ["-v", "--on-existing", policy, "--report", reports[0], "--report", reports[1]];
        let output = dry_run(&store, &store.database.url, &options);
        assert_eq!(output.code, Some(1), "{}", output.stderr);
        let written = [page, table, store.path("rejects/rejects.errors.ndjson")];
        let written = written.map(|path| fs::read_to_string(path).expect("it was written"));
        for told in [&output.stdout, &output.stderr].into_iter().chain(&written) {
            assert!(!told.contains("S3NTINEL"), "{told}");
        }
    }
}

/// What was done and what would be are not added up.
#[test]
fn reports_of_a_kind_are_added_up() {
    let store = stored(&[document(1)]);
    let report = store.path("report.json");
    let dry = store.path("dry.json");
    store.load(&[DRY], &ndjson([&document(2)]));
    fs::copy(&report, &dry).expect("the folder is writable");
    store.load(&[], &ndjson([&document(2)]));
    let merge = |one, other| run(binary().args(["report", "merge"]).arg(one).arg(other));
    let refused = merge(&dry, &report);
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    assert!(refused.stderr.contains("what a load did, and another what one would do"), "{}", refused.stderr);
    let merged = merge(&dry, &dry);
    assert_eq!(merged.code, Some(0), "{}", merged.stderr);
    assert!(merged.stdout.contains("2  would be inserted"), "{}", merged.stdout);
}
