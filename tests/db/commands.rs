//! The commands as an operator gives them: what they do to the DDL, and when they refuse.

use std::path::Path;

use crate::support::{Database, Output, Tables, binary, database, generate, run, texts};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/customers.ndjson");

fn migrate(database: &Database, words: &[&str]) -> Output {
    run(binary().arg("migrate").args(words).args(["--database-url", &database.url]))
}

/// Loads the fixtures; reject files go to a folder that is gone afterwards.
fn load(options: &[&str], variables: &[(&str, &str)], input: &Path) -> Output {
    let rejects = tempfile::tempdir().expect("the temporary folder is writable");
    let mut command = binary();
    command.arg("load").arg(input).args(options).arg("--rejects").arg(rejects.path());
    run(command.envs(variables.iter().copied()))
}

fn load_into(database: &Database, options: &[&str]) -> Output {
    load(&[&["--database-url", &database.url], options].concat(), &[], Path::new(FIXTURES))
}

/// Checks the exit code, and that the words are on standard output or standard error.
#[track_caller]
fn assert_told(output: &Output, code: i32, words: &[&str]) {
    let told = format!("{}{}", output.stdout, output.stderr);
    assert_eq!(output.code, Some(code), "{told}");
    for words in words {
        assert!(told.contains(words), "{words:?} is missing in:\n{told}");
    }
}

#[test]
fn migrate_makes_and_drops_the_tables() {
    let database = database("migrate");
    assert_told(&migrate(&database, &["status"]), 0, &["0001 customer_profiles: pending"]);
    assert_told(&migrate(&database, &["verify"]), 5, &["table customer_profiles is missing", "CREATE TABLE"]);
    assert_told(
        &migrate(&database, &["up"]),
        0,
        &["applied: 0001 customer_profiles\n", "made: the ledger, version 8\n"],
    );
    assert_told(&migrate(&database, &["up"]), 0, &["nothing to apply"]);
    assert_told(
        &migrate(&database, &["status"]),
        0,
        &["0001 customer_profiles: applied 20", "by postgres\nledger: version 8\n"],
    );
    assert_told(&migrate(&database, &["verify"]), 0, &["the tables are as they should be"]);
    assert_eq!(load_into(&database, &[]).code, Some(1));
    assert_told(&migrate(&database, &["down"]), 5, &["318 customer_profiles", "--yes-delete-data"]);
    assert_told(
        &migrate(&database, &["down", "--yes-delete-data"]),
        0,
        &["reverted: 0001 customer_profiles"],
    );
    assert_told(&migrate(&database, &["down"]), 0, &["nothing to revert"]);
}

#[test]
fn migrate_sql_is_what_an_empty_database_needs() {
    let database = database("sql");
    let without = run(binary().args(["migrate", "sql"]));
    assert_told(&without, 0, &["CREATE TABLE customer_profiles"]);
    database.execute(&without.stdout);
    assert_told(&migrate(&database, &["verify"]), 0, &["the tables are as they should be"]);
    assert_told(&migrate(&database, &["up"]), 0, &["nothing to apply"]);
}

#[test]
fn verify_tells_differences_with_the_sql_that_mends_them() {
    let database = database("verify");
    Tables::Foreign.prepare(&database);
    database.execute(
        "DROP INDEX ix_customer_profile_emails__customer_profile_id;
         ALTER TABLE customer_profile_addresses ALTER country TYPE varchar(1);
         ALTER TYPE customer_profile_phone_numbers_type_enum ADD VALUE 'fax'",
    );
    let verified = migrate(&database, &["verify"]);
    assert_told(&verified, 5, &["country", "no load before this is fixed", "CREATE INDEX", "fax"]);
    assert_told(&migrate(&database, &["up"]), 5, &["neither taken over nor changed", "migrate verify"]);
    assert_told(&migrate(&database, &["status"]), 0, &["not recorded, but the tables are there"]);
}

#[tokio::test]
async fn a_load_makes_the_tables_unless_it_may_not() {
    let database = database("missing");
    let refused = load_into(&database, &["--no-migrate"]);
    assert_told(&refused, 5, &["--no-migrate", "migrate up"]);
    let tables = "SELECT relname::text FROM pg_class WHERE relname LIKE 'customer_profile%'";
    assert!(texts(&database.connect().await, tables).await.is_empty(), "nothing was made");
    assert_told(&load_into(&database, &[]), 1, &["applied: 0001 customer_profiles", "318  inserted"]);
    assert_told(&load_into(&database, &["--no-migrate"]), 1, &["319  unchanged"]);
}

#[test]
fn a_load_brings_the_ledger_of_an_older_release_up_to_date_unless_it_may_not() {
    let database = database("older");
    assert_told(&migrate(&database, &["up"]), 0, &[]);
    database.execute(
        "DROP TABLE profile_loader.ledger, profile_loader.runs, profile_loader.run_inputs,
             profile_loader.run_lanes, profile_loader.run_rejections, profile_loader.run_transactions,
             profile_loader.run_ddl, profile_loader.run_spills, profile_loader.run_plans, profile_loader.run_reports,
             profile_loader.rejected_documents, profile_loader.run_etags, profile_loader.run_parts, profile_loader.run_deferred",
    );
    let refused = load_into(&database, &["--no-migrate"]);
    assert_told(&refused, 5, &["the ledger is of an older release", "--no-migrate", "migrate up"]);
    assert_told(&migrate(&database, &["status"]), 0, &["ledger: version 1; 'migrate up' brings it to 8"]);
    let loaded = load_into(&database, &[]);
    assert_told(&loaded, 1, &["upgraded: the ledger, from version 1 to 8", "318  inserted"]);
    assert_told(&load_into(&database, &["--no-migrate"]), 1, &["319  unchanged"]);
}

#[test]
fn a_load_into_tables_that_it_does_not_adopt_makes_the_ledger() {
    let database = database("not_adopted");
    Tables::Foreign.prepare(&database);
    database.execute("DROP INDEX ix_customer_profile_emails__customer_profile_id");
    let refused = load_into(&database, &["--no-migrate"]);
    assert_told(&refused, 5, &["there is no ledger", "--no-migrate"]);
    assert_told(&load_into(&database, &[]), 1, &["warning: ", "made: the ledger", "318  inserted"]);
    assert_told(&migrate(&database, &["status"]), 0, &["not recorded", "ledger: version 8"]);
}

#[test]
fn a_load_leaves_a_ledger_alone_that_is_newer_or_damaged() {
    for (change, words) in [
        ("UPDATE profile_loader.ledger SET version = 9", "made by a newer profile-loader"),
        ("DROP TABLE profile_loader.run_lanes", "there is no table profile_loader.run_lanes"),
    ] {
        let database = database("other_ledger");
        assert_told(&migrate(&database, &["up"]), 0, &[]);
        database.execute(change);
        assert_told(&load_into(&database, &[]), 5, &["error: ", words]);
        assert_told(&migrate(&database, &["down"]), 5, &[words]);
    }
}

#[tokio::test]
async fn a_load_adopts_the_tables_of_another_program() {
    let database = database("adopt");
    Tables::Foreign.prepare(&database);
    assert_told(&load_into(&database, &[]), 1, &["adopted", "318  inserted"]);
    assert_told(&migrate(&database, &["status"]), 0, &["adopted"]);
    assert_told(&migrate(&database, &["down"]), 5, &[]);
}

#[tokio::test]
async fn drift_that_breaks_a_load_stops_it_before_anything_is_read_into_the_tables() {
    for (drift, words) in [
        ("ALTER TABLE customer_profile_addresses ALTER country TYPE varchar(1)", "country"),
        ("ALTER TABLE customer_profiles DROP COLUMN middle_name", "middle_name"),
        ("ALTER TABLE customer_profile_emails ADD source text NOT NULL", "source"),
        ("ALTER TABLE customer_profiles DROP CONSTRAINT pk_customer_profiles CASCADE", "primary key"),
        ("DROP TABLE customer_profile_phone_numbers", "customer_profile_phone_numbers"),
    ] {
        let database = database("drift");
        Tables::Foreign.prepare(&database);
        database.execute(drift);
        assert_told(&load_into(&database, &[]), 5, &[words, "migrate verify"]);
        let count = texts(&database.connect().await, "SELECT count(*)::text FROM customer_profiles").await;
        assert_eq!(count, ["0"], "{drift}");
    }
}

#[test]
fn drift_that_a_load_can_bear_is_told() {
    let database = database("bearable");
    assert_told(&migrate(&database, &["up"]), 0, &[]);
    database.execute(
        "DROP INDEX ix_customer_profile_phone_numbers__customer_profile_id;
         ALTER TYPE customer_profile_phone_numbers_type_enum ADD VALUE 'fax'",
    );
    let loaded = load_into(&database, &[]);
    assert_told(&loaded, 1, &["warning: ", "fax", "index", "migrate verify", "318  inserted"]);
}

#[tokio::test]
async fn every_way_to_name_a_database_leads_to_it() {
    let database = database("named");
    let server = database.url.split_once("?host=").expect("a URL of the test server").1;
    let (host, port) = server.split_once("&port=").expect("it has a port");
    let host = host.replace("%2F", "/");
    database.execute("CREATE SCHEMA \"odd \"\"one\"");
    let (name, input) = (database.name.as_str(), Path::new(FIXTURES));
    let ways: [&[(&str, &str)]; 3] = [
        &[("DATABASE_URL", &database.url)],
        &[
            ("DATABASE_HOST", &host),
            ("DATABASE_PORT", port),
            ("DATABASE_USER", "postgres"),
            ("DATABASE_NAME", name),
        ],
        &[("PGHOST", &host), ("PGPORT", port), ("PGUSER", "postgres"), ("PGDATABASE", name)],
    ];
    for (index, way) in ways.into_iter().enumerate() {
        let expected = if index == 0 { "318  inserted" } else { "319  unchanged" };
        assert_told(&load(&[], way, input), 1, &[expected]);
    }
    let with_schema = [ways[1], &[("DATABASE_SCHEMA", "odd \"one")]].concat();
    assert_told(&load(&[], &with_schema, input), 1, &["318  inserted"]);
    assert_told(&load(&["--db-schema", "odd \"one"], ways[2], input), 1, &["319  unchanged"]);
    assert_told(&load(&["--db-schema", "none"], ways[0], input), 5, &["CREATE SCHEMA"]);
}

#[test]
fn what_the_server_cannot_do_needs_a_person() {
    let database = database("unsuitable");
    assert_told(&migrate(&database, &["up"]), 0, &[]);
    database.execute("CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader");
    database.execute(
        "GRANT USAGE ON SCHEMA profile_loader TO reader;
         GRANT ALL ON ALL TABLES IN SCHEMA profile_loader TO reader",
    );
    let as_reader = database.url.replace("postgres@", "reader@");
    let refused = load(&["--database-url", &as_reader], &[], Path::new(FIXTURES));
    database.execute("DROP OWNED BY reader; DROP ROLE reader");
    assert_told(
        &refused,
        5,
        &["GRANT INSERT ON TABLE public.customer_profiles TO reader", "GRANT USAGE ON SEQUENCE"],
    );

    let latin1 = format!("{}_latin1", database.name);
    database.execute(&format!("CREATE DATABASE {latin1} ENCODING LATIN1 TEMPLATE template0 LOCALE 'C'"));
    let refused =
        load(&["--database-url", &database.url.replace(&database.name, &latin1)], &[], Path::new(FIXTURES));
    database.execute(&format!("DROP DATABASE {latin1}"));
    assert_told(&refused, 5, &["LATIN1", "ENCODING 'UTF8'"]);
}

#[tokio::test]
async fn damage_and_limits_stop_a_load_between_documents() {
    let database = database("stopped");
    let dir = tempfile::tempdir().expect("the temporary folder is writable");
    let cut = dir.path().join("cut.ndjson.gz");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &generate(&["--count", "20000"])).expect("memory takes it");
    let whole = gzip.finish().expect("memory takes it");
    std::fs::write(&cut, &whole[..whole.len() / 2]).expect("the folder is writable");
    let url = ["--database-url", &database.url, "--output", "json"];
    let damaged = load(&url, &[], &cut);
    assert_told(&damaged, 4, &["cut.ndjson.gz", "at byte"]);
    let report: serde_json::Value = serde_json::from_str(&damaged.stdout).expect("a report");
    let inserted = report["load"]["inserted"].as_u64().expect("a count");
    assert!(inserted > 1000 && report["outcome"] == "failed", "{report}");
    let count = texts(&database.connect().await, "SELECT count(*)::text FROM customer_profiles").await;
    assert_eq!(count, [inserted.to_string()]);

    assert_told(&load_into(&database, &["--max-rejects", "0"]), 3, &["--max-rejects"]);
    assert_told(&load_into(&database, &["--max-rejects", "15"]), 1, &[]);
}
