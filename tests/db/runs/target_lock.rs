//! One loader for each target.

use std::time::{Duration, Instant, SystemTime};

use profile_loader::internals::{
    migrate,
    runs::target_lock::{Holder, holder, try_take},
};
use tokio_postgres::Client;

use super::insert_run;
use crate::support;

/// More than a backend needs to end on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

async fn pid(client: &Client) -> i32 {
    client.query_one("SELECT pg_backend_pid()", &[]).await.expect("the server answers").get(0)
}

async fn refused(client: &Client, db_schema: &str) -> Holder {
    try_take(client, db_schema).await.expect("the server answers").expect_err("somebody has the lock")
}

#[tokio::test]
async fn the_second_learns_who_is_first() {
    let database = support::database("target_lock");
    let (one, other) = (database.connect().await, database.connect().await);
    one.batch_execute("SET application_name = 'profile-loader'").await.unwrap();
    assert_eq!(holder(&other, "public").await.unwrap(), None);
    assert_eq!(try_take(&one, "public").await.unwrap(), Ok(()));
    assert_eq!(try_take(&one, "public").await.unwrap(), Ok(()), "it is this session's");

    // Without a ledger the session itself is all that is known.
    let began = Instant::now();
    let found = refused(&other, "public").await;
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(found.pid, Some(pid(&one).await));
    assert_eq!(found.application.as_deref(), Some("profile-loader"));
    assert_eq!((found.role.as_deref(), found.address), (Some("postgres"), None));
    assert!(found.since.is_some_and(|since| since <= SystemTime::now()), "{:?}", found.since);
    assert_eq!(holder(&other, "public").await.unwrap().unwrap().pid, found.pid);

    // Neither another schema nor another database is the same target.
    assert_eq!(try_take(&other, "other").await.unwrap(), Ok(()));
    let elsewhere = support::database("target_lock_elsewhere");
    let elsewhere = elsewhere.connect().await;
    assert_eq!(try_take(&elsewhere, "public").await.unwrap(), Ok(()));
}

#[tokio::test]
async fn the_run_that_the_session_names_tells_since_when() {
    let database = support::database("target_lock_run");
    let (mut one, other) = (database.connect().await, database.connect().await);
    migrate::up(&mut one, "public").await.unwrap();
    // Left by a loader that was killed: it is not the one at work.
    insert_run(&one, "public", "running", "attempted_at = now() - interval '1 year'").await;
    assert_eq!(try_take(&one, "public").await.unwrap(), Ok(()));
    let session = refused(&other, "public").await.since.expect("the session's start");
    let a_day = Duration::from_secs(24 * 60 * 60);
    assert!(session > SystemTime::now() - a_day, "{session:?}");

    let later = "attempted_at = '2100-01-01T00:00:00Z'";
    let named = insert_run(&one, "public", "running", later).await;
    insert_run(&one, "public", "running", "attempted_at = '2200-01-01T00:00:00Z'").await;
    let name = format!("SET application_name = 'profile-loader run {named} control'");
    one.batch_execute(&name).await.unwrap();
    let words = refused(&other, "public").await.to_string();
    let pid = pid(&one).await;
    assert_eq!(
        words,
        format!(
            "pid {pid} (profile-loader run {named} control, as postgres) holds it since 2100-01-01T00:00:00Z"
        )
    );
}

/// A role that may not see another's session learns from the ledger what the session does not tell.
#[tokio::test]
async fn a_session_of_another_role_is_told_by_the_ledger() {
    let database = support::database("target_lock_role");
    let (mut one, other) = (database.connect().await, database.connect().await);
    migrate::up(&mut one, "public").await.unwrap();
    let role = format!("reader of {}", database.name);
    one.batch_execute(&format!("CREATE ROLE \"{role}\"")).await.unwrap();
    other.batch_execute(&format!("SET SESSION AUTHORIZATION \"{role}\"")).await.unwrap();
    assert_eq!(try_take(&one, "public").await.unwrap(), Ok(()));
    let attempt = "attempted_at = '2026-11-24T10:00:00Z', host = '10.0.0.1'";
    insert_run(&one, "public", "running", attempt).await;

    let pid = pid(&one).await;
    let unknown = refused(&other, "public").await;
    assert_eq!((unknown.pid, unknown.role.as_deref()), (Some(pid), Some("postgres")));
    assert_eq!((unknown.since, unknown.address), (None, None), "neither the ledger nor the session tells");

    one.batch_execute(&format!(
        "GRANT USAGE ON SCHEMA profile_loader TO \"{role}\"; GRANT SELECT ON profile_loader.runs TO \"{role}\""
    ))
    .await
    .unwrap();
    let words = refused(&other, "public").await.to_string();
    assert!(words.ends_with("as postgres, from 10.0.0.1) holds it since 2026-11-24T10:00:00Z"), "{words}");
}

#[tokio::test]
async fn a_session_that_ends_gives_the_lock_back() {
    let database = support::database("target_lock_ended");
    let (one, other) = (database.connect().await, database.connect().await);
    assert_eq!(try_take(&one, "public").await.unwrap(), Ok(()));
    let holder = refused(&other, "public").await;
    other.execute("SELECT pg_terminate_backend($1)", &[&holder.pid]).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    while try_take(&other, "public").await.unwrap().is_err() {
        assert!(Instant::now() < deadline, "the backend is still there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
