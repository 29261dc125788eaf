//! `load --dry-run`: says what the load that follows does, and changes nothing.

mod unfriendly;

use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::support::{
    Run, Store, Tables, TestServer, binary, catalog, digests, generate, ndjson, physical_rows, run, server,
    texts, tuples_written,
};

const DRY: &str = "--dry-run";

/// All that a dry run might touch: rows, what was ever written, the catalog, sequences, the ledger.
async fn traces(client: &Client) -> Vec<String> {
    let mut traces = physical_rows(client).await;
    traces.extend(tuples_written(client).await);
    traces.extend(catalog(client).await);
    let sequences =
        "SELECT concat_ws(' ', schemaname, sequencename, last_value) FROM pg_sequences ORDER BY 1";
    traces.extend(texts(client, sequences).await);
    let is_ledger = "SELECT to_regclass('profile_loader.runs')::text IS NOT NULL";
    let row = client.query_one(is_ledger, &[]).await.expect("the server answers");
    if row.get(0) {
        traces.extend(texts(client, "SELECT t::text FROM profile_loader.runs AS t ORDER BY id").await);
        traces.extend(texts(client, "SELECT t::text FROM profile_loader.run_lanes AS t ORDER BY 1").await);
    }
    traces
}

/// What both kinds of runs have to agree in.
fn comparable(run: &Run) -> (Option<i32>, [u64; 5], Value, Value, Value) {
    let report = &run.report;
    let faults: Vec<_> = report["errors"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|group| json!([group["code"], group["pointer"], group["count"], group["documents"]]))
        .collect();
    let load = &report["load"];
    (run.code, run.counts(), load["rows"].clone(), load["strategy"].clone(), faults.into())
}

/// Rows by table as the dry run has them, summed up as a load counts them.
fn rows_foreseen(run: &Run) -> Value {
    let rows = run.report["dry_run"]["rows"].as_array().expect("an array");
    let sum = |table: &Value| {
        let count = |name: &str| table[name].as_u64().expect("a count");
        let total = count("added") + count("changed") + count("removed");
        (table["table"].as_str().expect("a name").to_owned(), Value::from(total))
    };
    Value::Object(rows.iter().map(sum).collect())
}

/// Runs both, and holds the one against the other.
async fn assert_foreseen(store: &Store, options: &[&str], input: &[u8]) -> Run {
    let client = store.connect().await;
    let before = traces(&client).await;
    let dry = store.load(&[options, &[DRY]].concat(), input);
    assert_eq!(traces(&client).await, before, "{options:?}");
    drop(client);
    assert_eq!(dry.report["command"], "load --dry-run");
    let wet = store.load(options, input);
    assert_eq!(comparable(&dry), comparable(&wet), "{options:?} {} {}", dry.stderr, wet.stderr);
    assert_eq!(rows_foreseen(&dry), wet.report["load"]["rows"], "{options:?}");
    assert!(dry.rejects == wet.rejects, "{options:?}");
    assert_eq!(dry.errors, wet.errors, "{options:?}");
    dry
}

/// The inputs have ids that come again (the same and differing, in one chunk and far apart), faulty documents, and some
/// that are stored, as they are or differing.
#[tokio::test]
async fn its_counts_are_those_of_the_load_that_follows() {
    let stored = generate(&["--count", "750", "--seed", "11", "--changed", "0.5"]);
    let text = generate(&["--count", "3000", "--seed", "11", "--duplicates", "0.2", "--invalid", "0.05"]);
    let filled = Store::new("dry", Tables::Foreign);
    assert_eq!(filled.load(&[], &stored).code, Some(0));
    let empty = Store::new("dry", Tables::Foreign);
    for on_existing in ["reject", "skip", "update"] {
        for (connections, chunk) in [("1", "10000"), ("3", "65536")] {
            let ways = ["--on-existing", on_existing, "--connections", connections, "--chunk-bytes", chunk];
            assert_foreseen(&filled.copy(), &ways, &text).await;
            for strategy in ["merge", "bulk"] {
                let ways = [&ways[..], &["--strategy", strategy]].concat();
                assert_foreseen(&empty.copy(), &ways, &text).await;
                // The load makes the tables itself.
                let bare = Store::new("bare", Tables::Migrated);
                let client = bare.connect().await;
                let before = catalog(&client).await;
                let dry = bare.load(&[&ways[..], &[DRY]].concat(), &text);
                assert_eq!(catalog(&client).await, before);
                drop(client);
                assert_eq!(comparable(&dry), comparable(&bare.load(&ways, &text)), "{ways:?}");
            }
        }
    }
}

fn document(id: u32) -> Value {
    json!({
        "id": format!("0b8f2f0a-6c1e-4d5b-9a37-{id:012x}"), "firstName": "Ann", "lastName": "Lee",
        "emails": ["ann@example.com", "lee@example.com"],
        "phoneNumbers": [{"type": "home", "number": "+4930901820"}],
        "address": {"line1": "1 Road", "city": "Town", "state": "Land", "postalCode": "1", "country": "DE"},
        "privacySettings": {"marketingEmailsEnabled": true, "twoFactorEnabled": false},
    })
}

fn with(id: u32, changes: &[(&str, Value)]) -> Value {
    let mut changed = document(id);
    for (pointer, value) in changes {
        *changed.pointer_mut(pointer).expect("it has one") = value.clone();
    }
    changed
}

#[tokio::test]
async fn it_tells_which_columns_and_rows_would_change() {
    let store = Store::new("dry", Tables::Migrated);
    let stored: Vec<_> = (1..=5).map(document).collect();
    assert_eq!(store.load(&[], &ndjson(&stored)).code, Some(0));
    let mut without_address = document(4);
    without_address.as_object_mut().expect("an object").remove("address");
    let changed = [
        with(1, &[("/firstName", "Eve".into()), ("/address/city", "City".into())]),
        with(2, &[("/firstName", "Eve".into()), ("/privacySettings/twoFactorEnabled", true.into())]),
        with(3, &[("/emails", json!(["lee@example.com", "new@example.com", "other@example.com"]))]),
        without_address,
        document(5),
        document(6),
    ];
    let dry = assert_foreseen(&store, &["--on-existing", "update"], &ndjson(&changed)).await;
    assert_eq!(dry.counts(), [1, 4, 1, 0, 0]);
    let column = |table: &str, column: &str, profiles: u64| json!({"table": format!("customer_{table}"), "column": column, "profiles": profiles});
    assert_eq!(
        dry.report["dry_run"]["columns"],
        json!([
            column("profiles", "first_name", 2),
            column("profiles", "two_factor_enabled", 1),
            column("profile_addresses", "city", 1),
        ])
    );
    let rows = |table: &str, added: u64, changed: u64, removed: u64| json!({"table": format!("customer_{table}"), "added": added, "changed": changed, "removed": removed});
    assert_eq!(
        dry.report["dry_run"]["rows"],
        json!([
            rows("profiles", 1, 2, 0),
            rows("profile_addresses", 1, 1, 1),
            rows("profile_emails", 4, 0, 1),
            rows("profile_phone_numbers", 1, 0, 0),
        ])
    );
    assert!(dry.stdout.contains("would be inserted") && dry.stdout.contains("nothing was changed"));
    assert!(dry.stdout.contains("change customer_profiles.first_name of 2 profiles"), "{}", dry.stdout);
}

#[tokio::test]
async fn it_applies_no_ddl_and_says_which_a_load_would() {
    let store = Store::new("dry", Tables::Migrated);
    let dry = store.load(&[DRY], &ndjson([&document(1)]));
    assert_eq!((dry.code, dry.counts()), (Some(0), [1, 0, 0, 0, 0]), "{}", dry.stderr);
    let ddl = &dry.report["dry_run"]["ddl"];
    assert_eq!(ddl[0], "migration 0001 customer_profiles");
    assert!(ddl[1].as_str().is_some_and(|ledger| ledger.starts_with("the ledger, version ")), "{ddl}");
    let client = store.connect().await;
    let made = "SELECT nspname::text FROM pg_namespace WHERE nspname = 'profile_loader'
                UNION ALL SELECT relname::text FROM pg_class WHERE relname LIKE 'customer_profile%'";
    assert_eq!(texts(&client, made).await, [""; 0]);
    // Forbidden to make them, a load would not begin.
    let dry = store.load(&[DRY, "--no-migrate"], &ndjson([&document(1)]));
    assert_eq!(dry.report["dry_run"]["ddl"], json!([]));
    assert!(dry.stdout.contains("the load would not begin:"), "{}", dry.stdout);
}

#[tokio::test]
async fn it_says_what_it_can_not_foresee() {
    let store = Store::new("dry", Tables::Foreign);
    let none = store.load(&[DRY], &ndjson([&document(1)]));
    assert_eq!(none.report["dry_run"]["unforeseen"], json!([]));
    store.database.execute(
        "ALTER TABLE customer_profiles ADD CONSTRAINT ck_owner CHECK (last_name <> 'Refused');
         CREATE UNIQUE INDEX ux_owner ON customer_profile_emails (lower(email));
         CREATE TABLE seen (n serial);
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
             $$BEGIN INSERT INTO seen DEFAULT VALUES; RETURN NEW; END$$;
         CREATE TRIGGER see BEFORE INSERT OR UPDATE ON customer_profiles FOR EACH ROW EXECUTE FUNCTION see()",
    );
    let client = store.connect().await;
    let before = traces(&client).await;
    let dry = store
        .load(&[DRY, "--on-existing", "update"], &ndjson([&with(1, &[("/lastName", "Refused".into())])]));
    assert_eq!(traces(&client).await, before);
    assert_eq!(texts(&client, "SELECT n::text FROM seen").await, [""; 0]);
    assert_eq!(
        dry.report["dry_run"]["unforeseen"],
        json!([
            "unique index ux_owner of table customer_profile_emails",
            "CHECK constraint ck_owner of table customer_profiles",
            "trigger see of table customer_profiles",
        ])
    );
    assert!(dry.stdout.contains("not foreseen"), "{}", dry.stdout);
}

/// A role that may only read.
#[tokio::test]
async fn it_needs_no_right_to_write() {
    let store = Store::new("dry", Tables::Migrated);
    assert_eq!(store.load(&[], &ndjson([&document(1)])).code, Some(0));
    let role = format!("{}_reader", store.database.name);
    server().execute(format!("CREATE ROLE {role} LOGIN"));
    let of_tables = format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}");
    let of_ledger = format!(
        "GRANT USAGE ON SCHEMA profile_loader TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA profile_loader TO {role}"
    );
    let url = store.database.url.replacen("postgres@", &format!("{role}@"), 1);
    assert_ne!(url, store.database.url);
    let input = store.file("input.ndjson", &ndjson([&document(1), &document(2)]));
    let mut runs = Vec::new();
    for grants in [of_tables, of_ledger] {
        store.database.execute(&grants);
        let mut command = binary();
        command.args(["load", DRY, "--output", "json", "--database-url", &url, "--rejects"]);
        runs.push(run(command.arg(store.path("rejects")).arg(&input)));
    }
    store.database.execute(&format!("DROP OWNED BY {role}"));
    server().execute(format!("DROP ROLE {role}"));
    for output in runs {
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        let dry = Run::of(output, None, &store.path("rejects"));
        assert_eq!((dry.code, dry.counts()), (Some(0), [1, 0, 1, 0, 0]), "{}", dry.stderr);
        let refusals = dry.report["dry_run"]["refusals"].to_string();
        assert!(refusals.contains("GRANT INSERT ON TABLE public.customer_profiles"), "{refusals}");
        assert!(refusals.contains("SELECT, INSERT, UPDATE, DELETE ON profile_loader.runs"), "{refusals}");
    }
}

#[tokio::test]
async fn it_says_which_run_would_be_resumed() {
    let store = Store::new("dry", Tables::Migrated);
    let text = generate(&["--count", "2000", "--seed", "3"]);
    let input = store.file("input.ndjson", &text);
    let options = ["--connections", "1", "--batch-bytes", "100000", "--chunk-bytes", "20000"];
    let mut command = binary();
    command.args(["load", "--database-url", &store.database.url]).args(options).arg("--rejects");
    command.arg(store.path("rejects")).arg(input).env("FAILPOINTS", "lane-after-commit=2*off->return");
    assert_eq!(run(&mut command).code, None, "the failpoint ends it");
    let dry = assert_foreseen_rest(&store, &options, &text).await;
    assert_eq!(dry.report["dry_run"]["resumes"], 1);
    assert!(dry.stdout.contains("resume run 1"), "{}", dry.stdout);
}

/// What was loaded is unchanged to the one, and in the run's counts to the other.
async fn assert_foreseen_rest(store: &Store, options: &[&str], text: &[u8]) -> Run {
    let client = store.connect().await;
    let before = traces(&client).await;
    let dry = store.load(&[options, &[DRY]].concat(), text);
    assert_eq!(traces(&client).await, before);
    drop(client);
    let [inserted, _, unchanged, ..] = dry.counts();
    assert!(inserted > 0 && unchanged > 0, "{:?}", dry.counts());
    let wet = store.load(options, text);
    assert_eq!(wet.counts(), [inserted + unchanged, 0, 0, 0, 0], "{}", wet.stderr);
    dry
}

/// On a server that nobody else writes to.
#[tokio::test]
async fn it_writes_no_wal() {
    let quiet = TestServer::start(None);
    let store = Store::at(quiet.database("wal"), Tables::Migrated);
    let text = generate(&["--count", "3000", "--seed", "5"]);
    assert_eq!(store.load(&[], &text).code, Some(0));
    let other = generate(&["--count", "4000", "--seed", "5", "--changed", "0.5", "--duplicates", "0.1"]);
    let client = store.connect().await;
    let rows = digests(&client, "public").await;
    // No vacuum of the server's own, and hint bits set.
    for sql in ["ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()", "VACUUM", "CHECKPOINT"] {
        client.batch_execute(sql).await.expect("a superuser may");
    }
    drop(client);
    let position = "SELECT pg_current_wal_insert_lsn()::text";
    let client = store.connect().await;
    let before = texts(&client, position).await;
    let dry = store.load(&[DRY, "--on-existing", "update"], &other);
    assert!(dry.counts()[..3].iter().all(|count| *count > 0), "{:?}", dry.counts());
    let written =
        format!("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '{}')::bigint::text", before[0]);
    let written: i64 = texts(&client, &written).await[0].parse().unwrap();
    // The server itself logs which transactions run.
    assert!(written < 1024, "{written} bytes of WAL");
    assert_eq!(digests(&client, "public").await, rows);
}
