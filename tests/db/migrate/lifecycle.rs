//! Up, down and what stands in between.

use profile_loader::internals::migrate::{
    self, Applied, DeleteData, DownOutcome, LedgerState, MigrateError, State, UpOutcome,
};

use super::{ONE_PROFILE, execute, objects, refused, verify};
use crate::support::{self, binary, run};

const FIRST: Applied = Applied { version: 1, name: "customer_profiles" };

/// The tables were made; so was the ledger, if it was missing.
fn applied(ledger_was: Option<LedgerState>) -> UpOutcome {
    UpOutcome { applied: vec![FIRST], ledger_was, ..UpOutcome::default() }
}

const MISSING: Option<LedgerState> = Some(LedgerState::Missing);

#[tokio::test]
async fn up_down_up() {
    let database = support::database("up_down_up");
    let mut client = database.connect().await;
    assert_eq!(migrate::up(&mut client, "public").await.unwrap(), applied(MISSING));
    let made = objects(&client).await;
    assert_eq!(verify(&mut client).await, []);

    let down = migrate::down(&mut client, "public", DeleteData::Refuse).await.unwrap();
    assert_eq!(down, DownOutcome { reverted: vec![FIRST] });
    let left = objects(&client).await;
    assert!(!left.iter().any(|object| object.contains("customer_profile")), "{left:?}");
    let extensions = client.query("SELECT FROM pg_extension WHERE extname = 'pgcrypto'", &[]).await.unwrap();
    assert_eq!(extensions.len(), 1, "others may use it");

    assert_eq!(migrate::up(&mut client, "public").await.unwrap(), applied(None));
    assert_eq!(objects(&client).await, made);
    assert_eq!(verify(&mut client).await, []);
}

#[tokio::test]
async fn the_names_are_those_that_other_programs_rely_on() {
    let database = support::database("names");
    let mut client = database.connect().await;
    migrate::up(&mut client, "public").await.unwrap();
    let rows = client
        .query(
            // PostgreSQL 18 has NOT NULL as constraints.
            "SELECT conname::text FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
             UNION SELECT indexname::text FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
            &[],
        )
        .await
        .unwrap();
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(
        names,
        [
            "fk_customer_profile_addresses__customer_profile_id",
            "fk_customer_profile_emails__customer_profile_id",
            "fk_customer_profile_phone_numbers__customer_profile_id",
            "ix_customer_profile_emails__customer_profile_id",
            "ix_customer_profile_phone_numbers__customer_profile_id",
            "pk_customer_profile_addresses",
            "pk_customer_profile_emails",
            "pk_customer_profile_phone_numbers",
            "pk_customer_profiles",
            "uq_customer_profile_emails__customer_profile_id__email",
        ]
    );
}

#[tokio::test]
async fn a_second_up_does_nothing() {
    let database = support::database("second_up");
    let mut client = database.connect().await;
    migrate::up(&mut client, "public").await.unwrap();
    execute(&client, ONE_PROFILE).await;
    assert_eq!(migrate::up(&mut client, "public").await.unwrap(), UpOutcome::default());
    let sql = migrate::pending_sql(Some(&mut client), "public").await.unwrap();
    assert_eq!(sql, "-- every migration is applied\n");
}

#[tokio::test]
async fn a_down_with_nothing_recorded_does_nothing() {
    let database = support::database("nothing_recorded");
    let mut client = database.connect().await;
    execute(&client, super::FOREIGN).await;
    let before = objects(&client).await;
    let down = migrate::down(&mut client, "public", DeleteData::Confirmed).await.unwrap();
    assert_eq!(down, DownOutcome::default());
    assert_eq!(objects(&client).await, before);
}

#[tokio::test]
async fn a_down_that_would_delete_rows_is_to_be_confirmed() {
    let database = support::database("down_rows");
    let mut client = database.connect().await;
    migrate::up(&mut client, "public").await.unwrap();
    execute(&client, ONE_PROFILE).await;
    let error = migrate::down(&mut client, "public", DeleteData::Refuse).await.unwrap_err();
    let MigrateError::HoldsRows { rows, .. } = &error else { panic!("{error:?}") };
    assert_eq!((rows.customer_profiles, rows.customer_profile_phone_numbers), (1, 1));
    assert!(error.to_string().contains("1 customer_profile_emails"), "{error}");
    assert!(!error.is_temporary());
    assert_eq!(verify(&mut client).await, []);

    let down = migrate::down(&mut client, "public", DeleteData::Confirmed).await.unwrap();
    assert_eq!(down.reverted, [FIRST]);
}

#[tokio::test]
async fn what_others_built_on_the_tables_stops_a_down() {
    let database = support::database("down_view");
    let mut client = database.connect().await;
    migrate::up(&mut client, "public").await.unwrap();
    execute(&client, "CREATE VIEW names AS SELECT first_name FROM customer_profiles").await;
    let before = objects(&client).await;
    let error = migrate::down(&mut client, "public", DeleteData::Confirmed).await.unwrap_err();
    assert!(matches!(error, MigrateError::Database { what: "dropping the tables", .. }), "{error:?}");
    assert_eq!(objects(&client).await, before);
}

#[tokio::test]
async fn a_down_after_a_drop_by_hand_reaches_no_other_schema() {
    let database = support::database("down_other");
    let mut client = database.connect().await;
    execute(&client, "CREATE SCHEMA other").await;
    migrate::up(&mut client, "public").await.unwrap();
    migrate::up(&mut client, "other").await.unwrap();
    execute(&client, "DROP TABLE other.customer_profile_emails").await;
    let down = migrate::down(&mut client, "other", DeleteData::Refuse).await.unwrap();
    assert_eq!(down.reverted, [FIRST]);
    assert_eq!(verify(&mut client).await, []);
}

#[tokio::test]
async fn a_schema_may_have_any_name() {
    let database = support::database("odd_name");
    let mut client = database.connect().await;
    // Adding a table of this name to `public` must not matter.
    execute(&client, "CREATE TABLE customer_profile_emails (n integer)").await;
    for (name, quoted) in [("we\"ird Schema", "\"we\"\"ird Schema\""), ("it's \\ one", "\"it's \\ one\"")] {
        let error = refused(&mut client, name).await;
        assert!(matches!(error, MigrateError::NoSchema { .. }), "{error:?}");
        assert!(error.to_string().ends_with(&format!("create it with: CREATE SCHEMA {quoted}")), "{error}");

        execute(&client, &format!("CREATE SCHEMA {quoted}")).await;
        let missing = migrate::verify(&mut client, name).await.unwrap();
        assert_eq!(missing.len(), 5, "{missing:?}");
        for difference in missing {
            execute(&client, &difference.fix).await;
        }
        assert_eq!(migrate::verify(&mut client, name).await.unwrap(), []);
        migrate::up(&mut client, name).await.unwrap();
        migrate::down(&mut client, name, DeleteData::Confirmed).await.unwrap();
        assert_eq!(migrate::up(&mut client, name).await.unwrap(), applied(None));
        execute(&client, &format!("INSERT INTO {quoted}.customer_profile_phone_numbers SELECT LIMIT 0"))
            .await;
        assert_eq!(migrate::verify(&mut client, name).await.unwrap(), []);
        migrate::down(&mut client, name, DeleteData::Refuse).await.unwrap();
    }
}

#[tokio::test]
async fn a_schema_that_the_search_path_does_not_reach_is_refused() {
    let database = support::database("dollar_user");
    let mut client = database.connect().await;
    execute(&client, "CREATE SCHEMA \"$user\"; CREATE SCHEMA postgres").await;
    let error = refused(&mut client, "$user").await;
    assert!(matches!(&error, MigrateError::SearchPath { found, .. } if found == "postgres"), "{error:?}");
}

#[tokio::test]
async fn of_two_ups_at_the_same_time_one_finds_the_work_done() {
    let database = support::database("concurrent");
    // A snapshot taken before the lock was waited for would not show it.
    let options = "SET default_transaction_isolation = 'serializable'";
    let (mut one, mut other) = (database.connect().await, database.connect().await);
    execute(&one, options).await;
    execute(&other, options).await;
    let (one, other) = tokio::join!(migrate::up(&mut one, "public"), migrate::up(&mut other, "public"));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(
        (&one, &other) == (&applied(MISSING), &UpOutcome::default())
            || (&other, &one) == (&applied(MISSING), &UpOutcome::default()),
        "{one:?} {other:?}"
    );
}

#[tokio::test]
async fn an_up_waits_for_the_one_before_it() {
    let database = support::database("waits");
    let (mut holder, mut client) = (database.connect().await, database.connect().await);
    let watcher = database.connect().await;
    let sql = migrate::pending_sql(Some(&mut holder), "public").await.unwrap();
    execute(&holder, sql.strip_suffix("COMMIT;\n").unwrap()).await;
    let waiting = async {
        let waits = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
        while watcher.query(waits, &[]).await.unwrap().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        execute(&holder, "COMMIT").await;
    };
    let (outcome, ()) = tokio::join!(migrate::up(&mut client, "public"), waiting);
    assert_eq!(outcome.unwrap(), UpOutcome::default());
}

#[tokio::test]
async fn a_lost_connection_is_temporary() {
    let database = support::database("lost");
    let mut client = database.connect().await;
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let other = database.connect().await;
    other.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap();
    let error = refused(&mut client, "public").await;
    assert!(error.is_temporary(), "{error:?}");
}

#[tokio::test]
async fn a_changed_text_is_refused() {
    let database = support::database("changed");
    let mut client = database.connect().await;
    migrate::up(&mut client, "public").await.unwrap();
    execute(&client, "UPDATE profile_loader.migrations SET checksum = 'another'").await;
    let error = refused(&mut client, "public").await;
    assert!(matches!(error, MigrateError::Changed { version: 1, .. }), "{error:?}");
    let error = migrate::down(&mut client, "public", DeleteData::Confirmed).await.unwrap_err();
    assert!(matches!(error, MigrateError::Changed { version: 1, .. }), "{error:?}");
    let status = migrate::status(&mut client, "public").await.unwrap().migrations;
    assert_eq!(status[0].state, State::ChangedSinceApplied);
}

#[tokio::test]
async fn a_newer_programs_migration_is_refused() {
    let database = support::database("newer");
    let mut client = database.connect().await;
    migrate::up(&mut client, "public").await.unwrap();
    let newer = "INSERT INTO profile_loader.migrations (db_schema, version, name, checksum, adopted)
                 VALUES ('public', 2, 'later', 'x', false)";
    execute(&client, newer).await;
    let error = refused(&mut client, "public").await;
    assert!(matches!(&error, MigrateError::Newer { version: 2, name } if name == "later"), "{error:?}");
    let status = migrate::status(&mut client, "public").await.unwrap().migrations;
    let found: Vec<_> = status.iter().map(|migration| migration.state).collect();
    assert_eq!(found, [State::Applied, State::UnknownRecorded]);
}

#[tokio::test]
async fn looking_changes_nothing() {
    let database = support::database("looking");
    let mut client = database.connect().await;
    let before = objects(&client).await;
    let status = migrate::status(&mut client, "public").await.unwrap().migrations;
    assert_eq!((status[0].state, &status[0].record), (State::Pending, &None));
    assert_eq!(verify(&mut client).await.len(), 5);
    let sql = migrate::pending_sql(Some(&mut client), "public").await.unwrap();
    assert_eq!(objects(&client).await, before);
    assert_eq!(migrate::pending_sql(None, "public").await.unwrap(), sql);
}

#[tokio::test]
async fn the_pending_sql_is_what_up_runs() {
    let (by_hand, by_up) = (support::database("by_hand"), support::database("by_up"));
    let (mut by_hand, mut by_up) = (by_hand.connect().await, by_up.connect().await);
    let sql = migrate::pending_sql(None, "public").await.unwrap();
    execute(&by_hand, &sql).await;
    migrate::up(&mut by_up, "public").await.unwrap();
    assert_eq!(objects(&by_hand).await, objects(&by_up).await);
    assert_eq!(migrate::up(&mut by_hand, "public").await.unwrap(), UpOutcome::default());
    let status = migrate::status(&mut by_hand, "public").await.unwrap().migrations;
    let record = status[0].record.as_ref().unwrap();
    assert_eq!(
        (status[0].state, record.is_adopted, &*record.applied_by),
        (State::Applied, false, "postgres")
    );
}

/// It is named with what a superuser can do about it; a log that one keeps is found as in other sessions of the role.
#[tokio::test]
async fn event_triggers_of_the_owner() {
    let database = support::database("event_trigger");
    let client = database.connect().await;
    let trigger = |body: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION guard() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"
        )
    };
    execute(&client, &trigger("RAISE 'secret words';")).await;
    execute(&client, "CREATE EVENT TRIGGER \"Guard\" ON ddl_command_start EXECUTE FUNCTION guard()").await;
    let migrate = || run(binary().args(["migrate", "up", "--database-url", &database.url]));
    let refused = migrate();
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert!(refused.stderr.contains("an event trigger (Guard, function public.guard)"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("secret"), "{}", refused.stderr);
    let (_, fix) = refused.stderr.split_once("a superuser can run: ").expect("it is told");
    let fix = fix.split(": ").next().expect("it has words");
    execute(&client, fix).await;
    assert_eq!(migrate().code, Some(0));
    assert_eq!(run(binary().args(["migrate", "down", "--database-url", &database.url])).code, Some(0));
    execute(&client, "DROP SCHEMA profile_loader CASCADE; CREATE TABLE log (tag text)").await;
    execute(&client, &trigger("INSERT INTO log VALUES (tg_tag);")).await;
    execute(&client, "ALTER EVENT TRIGGER \"Guard\" ENABLE").await;
    let logged = migrate();
    assert_eq!(logged.code, Some(0), "{}", logged.stderr);
    drop(client);
}
