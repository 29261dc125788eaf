//! The program's own tables: made, brought up to date, and left alone when they are not what a release left.

use profile_loader::internals::migrate::{self, DeleteData, LedgerState, MigrateError, UpOutcome};
use tokio_postgres::Client;

use super::{execute, objects, refused};
use crate::support;

/// From each older version, with what a ledger of it did not have yet.
const OLDER: [(i32, &str); 7] = [
    (
        1,
        "DROP TABLE profile_loader.ledger, profile_loader.runs, profile_loader.run_inputs, profile_loader.run_lanes,
             profile_loader.run_rejections, profile_loader.run_transactions, profile_loader.run_ddl,
             profile_loader.run_spills, profile_loader.run_plans, profile_loader.run_reports,
             profile_loader.rejected_documents, profile_loader.run_etags, profile_loader.run_parts, profile_loader.run_deferred",
    ),
    (
        2,
        "DROP TABLE profile_loader.run_ddl, profile_loader.run_spills, profile_loader.run_plans,
             profile_loader.run_reports, profile_loader.rejected_documents, profile_loader.run_etags, profile_loader.run_parts, profile_loader.run_deferred;
         UPDATE profile_loader.ledger SET version = 2",
    ),
    (
        3,
        "DROP TABLE profile_loader.run_plans, profile_loader.run_reports, profile_loader.rejected_documents, profile_loader.run_etags, profile_loader.run_parts, profile_loader.run_deferred;
         UPDATE profile_loader.ledger SET version = 3",
    ),
    (
        4,
        "DROP TABLE profile_loader.run_reports, profile_loader.rejected_documents, profile_loader.run_etags, profile_loader.run_parts, profile_loader.run_deferred;
         UPDATE profile_loader.ledger SET version = 4",
    ),
    (5, "DROP TABLE profile_loader.rejected_documents, profile_loader.run_etags, profile_loader.run_parts, profile_loader.run_deferred; UPDATE profile_loader.ledger SET version = 5"),
    (6, "DROP TABLE profile_loader.run_etags, profile_loader.run_parts, profile_loader.run_deferred; UPDATE profile_loader.ledger SET version = 6"),
    (7, "DROP TABLE profile_loader.run_parts, profile_loader.run_deferred; UPDATE profile_loader.ledger SET version = 7"),
];

const RUN: &str = "
    INSERT INTO profile_loader.runs (db_schema, state, strategy, atomic, on_existing, json_schema_sha256,
        tool_version, lanes, head_bytes, head_digest)
    VALUES ('public', 'failed', 'merge', false, 'reject', '', '', 1, 0, '')";

async fn ledger(client: &mut Client) -> LedgerState {
    migrate::status(client, "public").await.expect("the ledger can be read").ledger
}

#[tokio::test]
async fn an_older_ledger_is_brought_up_to_date() {
    let fresh = support::database("ledger_fresh");
    let mut fresh = fresh.connect().await;
    migrate::up(&mut fresh, "public").await.unwrap();
    for (version, without) in OLDER {
        let database = support::database("ledger_upgrade");
        let mut client = database.connect().await;
        migrate::up(&mut client, "public").await.expect("the tables are made");
        execute(&client, without).await;
        let outdated = LedgerState::Outdated { version };
        assert_eq!(ledger(&mut client).await, outdated);
        let error = migrate::check_ledger(&mut client, "public").await.unwrap_err();
        assert!(matches!(error, MigrateError::NoLedger), "{error:?}");

        let sql = migrate::pending_sql(Some(&mut client), "public").await.unwrap();
        assert!(sql.contains("CREATE TABLE profile_loader.run_parts"), "{sql}");
        assert_eq!(sql.contains("CREATE TABLE profile_loader.run_etags"), version < 7, "{sql}");
        assert_eq!(sql.contains("CREATE TABLE profile_loader.rejected_documents"), version < 6, "{sql}");
        assert_eq!(sql.contains("CREATE TABLE profile_loader.run_reports"), version < 5, "{sql}");
        assert_eq!(sql.contains("CREATE TABLE profile_loader.run_plans"), version < 4, "{sql}");
        assert_eq!(sql.contains("CREATE TABLE profile_loader.run_ddl"), version < 3, "{sql}");
        assert_eq!(sql.contains("CREATE TABLE profile_loader.runs"), version == 1, "{sql}");
        assert!(!sql.contains("profile_loader.migrations"), "{sql}");

        let outcome = migrate::up(&mut client, "public").await.unwrap();
        assert_eq!(outcome, UpOutcome { ledger_was: Some(outdated), ..UpOutcome::default() });
        assert_eq!(ledger(&mut client).await, LedgerState::Current);
        migrate::check_ledger(&mut client, "public").await.unwrap();
        assert_eq!(objects(&fresh).await, objects(&client).await, "from version {version}");
        assert_eq!(migrate::up(&mut client, "public").await.unwrap(), UpOutcome::default());
    }
}

/// What was loaded before stays known.
#[tokio::test]
async fn runs_outlive_an_upgrade() {
    let database = support::database("ledger_runs");
    let mut client = database.connect().await;
    migrate::up(&mut client, "public").await.unwrap();
    execute(&client, RUN).await;
    execute(&client, OLDER[1].1).await;
    migrate::up(&mut client, "public").await.unwrap();
    let runs = client.query("SELECT FROM profile_loader.runs", &[]).await.unwrap();
    assert_eq!((runs.len(), ledger(&mut client).await), (1, LedgerState::Current));
}

#[tokio::test]
async fn the_ledger_can_be_made_without_the_tables() {
    let database = support::database("ledger_alone");
    let mut client = database.connect().await;
    let made = migrate::up_ledger(&mut client, "public").await.unwrap();
    assert_eq!(made, UpOutcome { ledger_was: Some(LedgerState::Missing), ..UpOutcome::default() });
    assert_eq!(migrate::up_ledger(&mut client, "public").await.unwrap(), UpOutcome::default());
    migrate::check_ledger(&mut client, "public").await.unwrap();
    assert_eq!(
        migrate::verify(&mut client, "public").await.unwrap().len(),
        5,
        "the tables are missing still"
    );
    let outcome = migrate::up(&mut client, "public").await.unwrap();
    assert_eq!((outcome.applied.len(), outcome.ledger_was), (1, None));
}

#[tokio::test]
async fn a_down_leaves_what_is_known_of_runs() {
    let database = support::database("ledger_down");
    let mut client = database.connect().await;
    migrate::up(&mut client, "public").await.unwrap();
    execute(&client, RUN).await;
    migrate::down(&mut client, "public", DeleteData::Refuse).await.unwrap();
    let runs = client.query("SELECT FROM profile_loader.runs", &[]).await.unwrap();
    assert_eq!((runs.len(), ledger(&mut client).await), (1, LedgerState::Current));
}

#[tokio::test]
async fn a_newer_ledger_is_left_alone() {
    let database = support::database("ledger_newer");
    let mut client = database.connect().await;
    migrate::up(&mut client, "public").await.unwrap();
    // Whatever else a newer release changes: its version comes first.
    execute(
        &client,
        "UPDATE profile_loader.ledger SET version = 9;
         ALTER TABLE profile_loader.ledger ADD COLUMN since timestamptz;
         ALTER TABLE profile_loader.runs DROP COLUMN failure;
         DROP TABLE profile_loader.migrations",
    )
    .await;
    let before = objects(&client).await;
    let is_newer = |error: MigrateError| {
        assert!(matches!(error, MigrateError::NewerLedger { version: 9 }), "{error:?}");
        assert!(error.to_string().contains("made by a newer profile-loader"), "{error}");
        assert!(!error.is_temporary());
    };
    is_newer(refused(&mut client, "public").await);
    is_newer(migrate::up_ledger(&mut client, "public").await.unwrap_err());
    is_newer(migrate::check_ledger(&mut client, "public").await.unwrap_err());
    is_newer(migrate::status(&mut client, "public").await.unwrap_err());
    is_newer(migrate::pending_sql(Some(&mut client), "public").await.unwrap_err());
    is_newer(migrate::down(&mut client, "public", DeleteData::Confirmed).await.unwrap_err());
    assert_eq!(objects(&client).await, before);
}

#[tokio::test]
async fn a_ledger_that_no_release_left_is_left_alone() {
    for (change, words) in [
        (
            "ALTER TABLE profile_loader.migrations ADD COLUMN seconds integer",
            "applied_by text, seconds integer",
        ),
        ("ALTER TABLE profile_loader.runs ADD COLUMN seconds integer", "profile_loader.runs was not made by"),
        ("ALTER TABLE profile_loader.run_lanes ALTER lane TYPE bigint", "lane bigint"),
        ("ALTER TABLE profile_loader.ledger ALTER version TYPE text", "its columns are version text"),
        ("DELETE FROM profile_loader.ledger", "profile_loader.ledger has no row"),
        ("INSERT INTO profile_loader.ledger VALUES (2)", "profile_loader.ledger has several rows"),
        ("UPDATE profile_loader.ledger SET version = 1", "says version 1, which no release"),
        (
            "ALTER TABLE profile_loader.ledger ALTER version DROP NOT NULL;
             UPDATE profile_loader.ledger SET version = NULL",
            "says version null",
        ),
        ("DROP TABLE profile_loader.migrations", "there is no table profile_loader.migrations"),
        ("DROP TABLE profile_loader.run_transactions", "there is no table profile_loader.run_transactions"),
        ("DROP TABLE profile_loader.run_spills", "there is no table profile_loader.run_spills"),
        ("ALTER TABLE profile_loader.run_ddl ALTER after TYPE text", "after text"),
        (
            "DROP TABLE profile_loader.ledger",
            "is there, though the ledger has version 1, which is without it",
        ),
        (
            "UPDATE profile_loader.ledger SET version = 2",
            "is there, though the ledger has version 2, which is without it",
        ),
        (
            "ALTER TABLE profile_loader.run_inputs RENAME TO other;
             CREATE VIEW profile_loader.run_inputs AS TABLE profile_loader.other",
            "profile_loader.run_inputs is not a table",
        ),
    ] {
        let database = support::database("ledger_garbage");
        let mut client = database.connect().await;
        migrate::up(&mut client, "public").await.unwrap();
        execute(&client, change).await;
        let before = objects(&client).await;
        for error in [
            refused(&mut client, "public").await,
            migrate::up_ledger(&mut client, "public").await.unwrap_err(),
            migrate::check_ledger(&mut client, "public").await.unwrap_err(),
            migrate::status(&mut client, "public").await.unwrap_err(),
        ] {
            assert!(error.to_string().contains(words), "{change}: {error}");
            assert!(!error.is_temporary(), "{change}");
        }
        assert_eq!(objects(&client).await, before, "{change}");
    }
}

#[tokio::test]
async fn a_damaged_ledger_can_be_given_up() {
    let database = support::database("ledger_renamed");
    let mut client = database.connect().await;
    migrate::up(&mut client, "public").await.unwrap();
    execute(&client, "DELETE FROM profile_loader.ledger").await;
    let error = refused(&mut client, "public").await.to_string();
    let fix = "ALTER SCHEMA profile_loader RENAME TO profile_loader_old";
    assert!(error.contains(fix), "{error}");
    execute(&client, fix).await;
    let outcome = migrate::up(&mut client, "public").await.unwrap();
    assert_eq!((outcome.adopted.len(), outcome.ledger_was), (1, Some(LedgerState::Missing)));
}

/// What others keep in the schema must not stand in the way, as long as it has other names.
#[tokio::test]
async fn the_schema_of_the_ledger_may_be_there_already() {
    let database = support::database("ledger_schema");
    let mut client = database.connect().await;
    execute(&client, "CREATE SCHEMA profile_loader; CREATE TABLE profile_loader.deferred (n integer)").await;
    assert_eq!(migrate::up(&mut client, "public").await.unwrap().ledger_was, Some(LedgerState::Missing));
    migrate::check_ledger(&mut client, "public").await.unwrap();
}
