//! Which strategy a load takes, and what stands in the way of a bulk load.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{assert_catalog, attempt, load, store, valid};
use crate::support::{
    Output, Store, Tables, assert_stored, binary, catalog, database, document_lines, run_with_stdin, server,
    texts,
};

/// More than any step of these takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The strategy of each run that has begun.
async fn strategies(store: &Store) -> Vec<String> {
    let sql = "SELECT strategy FROM profile_loader.runs ORDER BY id";
    texts(&store.connect().await, sql).await
}

/// From a pipe, of which nobody knows how much comes: `auto` takes that for enough.
fn load_piped(store: &Store, url: &str, options: &[&str], input: &[u8]) -> Output {
    let mut command = binary();
    command.current_dir(store.path("")).args(["load", "-", "--output", "json", "-v", "--database-url", url]);
    command.args(options);
    run_with_stdin(command, input)
}

fn report(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("no report: {output:?}"))
}

/// A store whose ledger is there, so that no role has to make it.
fn migrated(store: Store) -> Store {
    let made = load(&store, &["--strategy", "merge"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    store
}

/// `--strategy bulk` is refused with these words, and `auto` merges.
async fn check(store: &Store, url: &str, words: &str) {
    let input = valid(60);
    let before = catalog(&store.connect().await).await;
    let refused = load_piped(store, url, &["--strategy", "bulk"], &input);
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    let expected = format!("error: --strategy bulk can't be used: {words}; load with --strategy merge\n");
    assert!(refused.stderr.contains(&expected), "{}", refused.stderr);
    assert_catalog(store, &before).await;

    let merged = load_piped(store, url, &["--strategy", "auto"], &input);
    assert_eq!(merged.code, Some(0), "{}", merged.stderr);
    assert!(merged.stderr.contains(&format!("merging, because {words}\n")), "{}", merged.stderr);
    assert_eq!(report(&merged)["load"]["strategy"], "merge");
    assert_catalog(store, &before).await;
    let inserted = texts(&store.connect().await, "SELECT count(*)::text FROM customer_profiles").await;
    assert_eq!(inserted, ["60"]);
}

async fn check_as_superuser(of_owner: &str, words: &str) {
    let store = migrated(store("obstacle", "", b""));
    store.database.execute(of_owner);
    check(&store, &store.database.url, words).await;
}

/// The role is `@role@` in the statements, and in the words.
async fn check_as_role(of_owner: &str, words: &str) {
    let store = migrated(store("obstacle", "", b""));
    let role = format!("loader_{}", store.database.name);
    store.database.execute(&format!(
        "CREATE ROLE {role} LOGIN;
         GRANT USAGE ON SCHEMA public, profile_loader TO {role};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, profile_loader TO {role};
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA public, profile_loader TO {role};
         REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    ));
    store.database.execute(&of_owner.replace("@role@", &role));
    let url = store.database.url.replace("postgres@", &format!("{role}@"));
    check(&store, &url, &words.replace("@role@", &role)).await;
    store.database.execute(&format!("DROP OWNED BY {role} CASCADE"));
    server().execute(format!("DROP ROLE {role}"));
}

#[tokio::test]
async fn tables_that_hold_rows() {
    let email = "ALTER TABLE customer_profile_emails DROP CONSTRAINT other_fk_e;
                 INSERT INTO customer_profile_emails (customer_profile_id, email) VALUES (gen_random_uuid(), 'a');
                 ALTER TABLE customer_profile_emails ADD CONSTRAINT other_fk_e FOREIGN KEY (customer_profile_id)
                     REFERENCES customer_profiles (id) ON DELETE CASCADE NOT VALID";
    check_as_superuser(email, "table customer_profile_emails holds rows").await;
}

#[tokio::test]
async fn row_level_security() {
    let secured = "ALTER TABLE customer_profile_addresses ENABLE ROW LEVEL SECURITY";
    check_as_superuser(secured, "table customer_profile_addresses has row level security").await;
}

/// INSERT follows rules, COPY does not.
#[tokio::test]
async fn a_rule() {
    let rule = "CREATE TABLE log (id uuid);
                CREATE RULE log_it AS ON INSERT TO customer_profile_phone_numbers
                    DO ALSO INSERT INTO log VALUES (NEW.customer_profile_id)";
    check_as_superuser(
        rule,
        "table customer_profile_phone_numbers has a rule on INSERT, which COPY does not follow",
    )
    .await;
}

#[tokio::test]
async fn tables_of_another_owner() {
    let words = "only the owner of table customer_profile_addresses, postgres, or a member of that role may drop \
                 its indexes";
    check_as_role("", words).await;
    let most = "GRANT CREATE ON SCHEMA public TO @role@;
                ALTER TABLE customer_profile_addresses OWNER TO @role@; ALTER TABLE customer_profiles OWNER TO @role@;
                ALTER TABLE customer_profile_emails OWNER TO @role@";
    check_as_role(most, &words.replace("_addresses", "_phone_numbers")).await;
}

#[tokio::test]
async fn a_schema_in_which_nothing_may_be_built() {
    let tables = "ALTER TABLE customer_profiles OWNER TO @role@; ALTER TABLE customer_profile_addresses OWNER TO @role@;
                  ALTER TABLE customer_profile_emails OWNER TO @role@;
                  ALTER TABLE customer_profile_phone_numbers OWNER TO @role@";
    let words = "restoring indexes takes the privilege CREATE on schema public, which is missing";
    check_as_role(tables, words).await;
}

#[tokio::test]
async fn a_partitioned_table() {
    let tables = include_str!("../../support/foreign_tables.sql").replacen(
        "    CONSTRAINT pk_customer_profiles PRIMARY KEY (id)\n);",
        "    CONSTRAINT pk_customer_profiles PRIMARY KEY (id)\n) PARTITION BY HASH (id);
         CREATE TABLE all_profiles PARTITION OF customer_profiles FOR VALUES WITH (MODULUS 1, REMAINDER 0);",
        1,
    );
    let database = database("partitioned");
    database.execute(&tables);
    let store = Store::at(database, Tables::Migrated);
    store.file("input.ndjson", b"");
    let store = migrated(store);
    check(&store, &store.database.url, "customer_profiles is not an ordinary table").await;
}

/// A member of the owning role may do what the owner may.
#[tokio::test]
async fn a_role_that_owns_the_tables_may_load_in_bulk() {
    let store = migrated(store("owner", "", b""));
    let role = format!("owner_{}", store.database.name);
    store.database.execute(&format!(
        "CREATE ROLE {role}; CREATE ROLE {role}_member LOGIN IN ROLE {role};
         GRANT USAGE, CREATE ON SCHEMA public TO {role};
         GRANT USAGE ON SCHEMA profile_loader TO {role};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA profile_loader TO {role};
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA profile_loader TO {role};
         ALTER TABLE customer_profiles OWNER TO {role}; ALTER TABLE customer_profile_addresses OWNER TO {role};
         ALTER TABLE customer_profile_emails OWNER TO {role};
         ALTER TABLE customer_profile_phone_numbers OWNER TO {role}"
    ));
    let before = catalog(&store.connect().await).await;
    let input = valid(300);
    let url = store.database.url.replace("postgres@", &format!("{role}_member@"));
    let loaded = load_piped(&store, &url, &["--strategy", "bulk"], &input);
    assert_eq!(loaded.code, Some(0), "{}", loaded.stderr);
    assert_catalog(&store, &before).await;
    assert_stored(&store.connect().await, document_lines(&input).into_iter().map(|(_, line)| line)).await;
    store.database.execute(&format!("DROP OWNED BY {role}, {role}_member CASCADE"));
    server().execute(format!("DROP ROLE {role}_member, {role}"));
}

/// Below 8 MiB of a file building indexes anew saves no time; of a pipe nobody knows how much comes.
#[tokio::test]
async fn auto_looks_at_the_input() {
    let small = valid(3000);
    let large = [&small[..], &b"\n".repeat(8 << 20)].concat();
    for (input, expected) in [(&small, "merge"), (&large, "bulk")] {
        let store = store("auto", "", input);
        let run = load(&store, &["--strategy", "auto"]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert_eq!(run.report["load"]["strategy"], expected);
        assert_eq!(run.counts(), [3000, 0, 0, 0, 0]);
        // The tables hold rows now.
        let again = load(&store, &["--strategy", "auto"]);
        assert_eq!((again.code, again.counts()), (Some(0), [0, 0, 3000, 0, 0]), "{}", again.stderr);
        assert_eq!(strategies(&store).await, [expected, "merge"]);
    }
    let store = store("auto", "", b"");
    let piped = load_piped(&store, &store.database.url, &["--strategy", "auto"], &small);
    assert_eq!(
        (piped.code, &report(&piped)["load"]["strategy"]),
        (Some(0), &"bulk".into()),
        "{}",
        piped.stderr
    );
}

/// Without the option and the variable, `auto` is meant.
#[tokio::test]
async fn auto_is_the_default() {
    let store = store("default", "", b"");
    let mut command = binary();
    command.env_remove("PROFILE_LOADER_STRATEGY").current_dir(store.path(""));
    command.args(["load", "-", "--output", "json", "--database-url", &store.database.url]);
    let output = run_with_stdin(command, &valid(100));
    assert_eq!(
        (output.code, &report(&output)["load"]["strategy"]),
        (Some(0), &"bulk".into()),
        "{}",
        output.stderr
    );
}

/// One transaction can't be many.
#[tokio::test]
async fn atomic_and_bulk_contradict_each_other() {
    let store = store("atomic", "", &valid(10));
    let refused = attempt(&store, &["--strategy", "bulk", "--atomic"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("give either --atomic or --strategy bulk"), "{}", refused.stderr);
    let piped = load_piped(&store, &store.database.url, &["--strategy", "auto", "--atomic"], &valid(10));
    assert_eq!(
        (piped.code, &report(&piped)["load"]["strategy"]),
        (Some(0), &"merge".into()),
        "{}",
        piped.stderr
    );
}

/// Whoever reads the empty tables in a transaction that does not end keeps their indexes on.
#[tokio::test]
async fn tables_that_somebody_reads() {
    let store = migrated(store("read", "", b""));
    let before = catalog(&store.connect().await).await;
    let reader = store.connect().await;
    reader.batch_execute("BEGIN; SELECT FROM customer_profile_emails").await.expect("it can be read");
    let loads = ["bulk", "auto"].map(|strategy| {
        let (url, dir, strategy) = (store.database.url.clone(), store.path(""), strategy);
        let mut command = binary();
        command.current_dir(dir).args([
            "load",
            "-",
            "--output",
            "json",
            "--database-url",
            &url,
            "--wait-lock",
        ]);
        command.args(["--strategy", strategy, "--db-wait", "0"]);
        thread::spawn(move || (strategy, run_with_stdin(command, &valid(50))))
    });
    let started = Instant::now();
    for load in loads {
        let (strategy, output) = load.join().expect("it runs");
        if strategy == "bulk" {
            assert_eq!(output.code, Some(4), "{}", output.stderr);
            assert!(output.stderr.contains("locking the tables to drop their indexes"), "{}", output.stderr);
        } else {
            assert_eq!(output.code, Some(0), "{}", output.stderr);
            assert!(output.stderr.contains("their indexes are kept"), "{}", output.stderr);
            assert_eq!(report(&output)["load"]["strategy"], "merge");
        }
    }
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    reader.batch_execute("ROLLBACK").await.expect("it is well");
    drop(reader);
    assert_catalog(&store, &before).await;
}
