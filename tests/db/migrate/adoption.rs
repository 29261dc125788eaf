//! Tables that another program made.

use profile_loader::internals::migrate::{
    self, Applied, DeleteData, LedgerState, MigrateError, State, UpOutcome,
};

use super::{FOREIGN, execute, objects, verify};
use crate::support;

#[tokio::test]
async fn tables_without_a_difference_are_taken_over() {
    let database = support::database("adopted");
    let mut client = database.connect().await;
    execute(&client, FOREIGN).await;
    assert_eq!(verify(&mut client).await, []);
    assert_eq!(migrate::status(&mut client, "public").await.unwrap().migrations[0].state, State::Adoptable);
    let sql = migrate::pending_sql(Some(&mut client), "public").await.unwrap();
    assert!(!sql.contains("CREATE TABLE customer_profiles") && sql.contains("INSERT INTO"), "{sql}");

    let adopted = vec![Applied { version: 1, name: "customer_profiles" }];
    let outcome = migrate::up(&mut client, "public").await.unwrap();
    assert_eq!(
        outcome,
        UpOutcome { adopted, ledger_was: Some(LedgerState::Missing), ..UpOutcome::default() }
    );
    assert_eq!(migrate::up(&mut client, "public").await.unwrap(), UpOutcome::default());
    let status = migrate::status(&mut client, "public").await.unwrap().migrations;
    assert_eq!(status[0].state, State::Applied);
    assert!(status[0].record.as_ref().unwrap().is_adopted);
}

#[tokio::test]
async fn tables_that_were_taken_over_are_dropped_only_when_confirmed() {
    let database = support::database("adopted_down");
    let mut client = database.connect().await;
    execute(&client, FOREIGN).await;
    migrate::up(&mut client, "public").await.unwrap();
    let error = migrate::down(&mut client, "public", DeleteData::Refuse).await.unwrap_err();
    assert!(matches!(error, MigrateError::AdoptedDown { .. }), "{error:?}");
    assert_eq!(verify(&mut client).await, []);
    migrate::down(&mut client, "public", DeleteData::Confirmed).await.unwrap();
    assert_eq!(verify(&mut client).await.len(), 5);
}

#[tokio::test]
async fn tables_that_differ_are_left_alone() {
    for change in [
        "DROP TABLE customer_profile_emails",
        "DROP TABLE customer_profile_phone_numbers; DROP TYPE customer_profile_phone_numbers_type_enum",
        "ALTER TABLE customer_profiles ADD COLUMN note text NOT NULL",
        "DROP INDEX ix_customer_profile_emails__customer_profile_id",
    ] {
        let database = support::database("differs");
        let mut client = database.connect().await;
        execute(&client, FOREIGN).await;
        execute(&client, change).await;
        let before = objects(&client).await;
        let error = migrate::up(&mut client, "public").await.unwrap_err();
        let MigrateError::Differs(differences) = &error else { panic!("{error:?}") };
        assert_eq!(*differences, verify(&mut client).await);
        assert!(error.to_string().contains(&differences[0].what), "{error}");
        assert_eq!(objects(&client).await, before, "{change}");
        let error = migrate::pending_sql(Some(&mut client), "public").await.unwrap_err();
        assert!(matches!(error, MigrateError::Differs(_)), "{error:?}");
    }
}

#[tokio::test]
async fn the_enum_alone_is_not_overwritten() {
    let database = support::database("enum_alone");
    let mut client = database.connect().await;
    execute(&client, "CREATE TYPE customer_profile_phone_numbers_type_enum AS ENUM ('fax')").await;
    let error = migrate::up(&mut client, "public").await.unwrap_err();
    assert!(matches!(error, MigrateError::Differs(_)), "{error:?}");
}
