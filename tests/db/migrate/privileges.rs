//! Roles that may not do everything: what they are told, and that doing it helps.

use profile_loader::internals::migrate::{self, DeleteData, MigrateError};
use tokio_postgres::Client;

use super::execute;
use crate::support::{self, Database};

/// A role without privileges in a database of its own.
struct Limited {
    database: Database,
    role: String,
    superuser: Client,
}

impl Limited {
    async fn new(name: &str) -> Self {
        let database = support::database(name);
        let superuser = database.connect().await;
        // Roles are the server's, not the database's.
        let role = format!("role of {}", database.name);
        execute(&superuser, &format!("CREATE ROLE \"{role}\"")).await;
        execute(&superuser, "REVOKE CREATE ON SCHEMA public FROM PUBLIC").await;
        Self { database, role, superuser }
    }

    async fn connect(&self) -> Client {
        let client = self.database.connect().await;
        execute(&client, &format!("SET SESSION AUTHORIZATION \"{}\"", self.role)).await;
        client
    }

    async fn grant(&self, sql: &str) {
        execute(&self.superuser, sql).await;
    }
}

/// The SQL that the error asks for.
fn needed(error: &MigrateError) -> &str {
    let MigrateError::Privilege { needed, .. } = error else { panic!("{error:?}") };
    assert!(error.to_string().contains(needed), "{error}");
    assert!(!error.is_temporary());
    needed
}

#[tokio::test]
async fn up_asks_for_one_grant_after_the_other_until_it_works() {
    let limited = Limited::new("grants").await;
    let mut client = limited.connect().await;
    let mut asked = Vec::new();
    loop {
        match migrate::up(&mut client, "public").await {
            Ok(outcome) => break assert_eq!(outcome.applied.len(), 1),
            Err(error) => {
                asked.push(
                    needed(&error).replace(&limited.role, "role").replace(&limited.database.name, "db"),
                );
                limited.grant(needed(&error)).await;
            }
        }
        assert!(asked.len() < 5, "{asked:?}");
    }
    assert_eq!(
        asked,
        [
            "GRANT USAGE, CREATE ON SCHEMA \"public\" TO \"role\"",
            "GRANT CREATE ON DATABASE \"db\" TO \"role\""
        ]
    );
    migrate::down(&mut client, "public", DeleteData::Refuse).await.unwrap();
}

#[tokio::test]
async fn create_on_the_database_is_not_needed_where_the_schemas_are_there() {
    let limited = Limited::new("no_create").await;
    let role = &limited.role;
    limited
        .grant(&format!("GRANT CREATE ON SCHEMA public TO \"{role}\"; CREATE SCHEMA profile_loader"))
        .await;
    let mut client = limited.connect().await;
    let error = migrate::up(&mut client, "public").await.unwrap_err();
    assert_eq!(needed(&error), format!("GRANT USAGE, CREATE ON SCHEMA profile_loader TO \"{role}\""));
    limited.grant(needed(&error)).await;
    migrate::up(&mut client, "public").await.unwrap();
    let extensions = limited.superuser.query("SELECT FROM pg_extension WHERE extname = 'pgcrypto'", &[]);
    assert!(extensions.await.unwrap().is_empty(), "it went on without");
}

/// The text for servers before 13, run on this one.
#[tokio::test]
async fn an_old_server_is_not_loaded_into_without_pgcrypto() {
    let limited = Limited::new("old_server").await;
    limited.grant(&format!("GRANT CREATE ON SCHEMA public TO \"{}\"", limited.role)).await;
    let sql = include_str!("../../../sql/0001_customer_profiles.up.sql");
    let sql = sql.replace("130000", "9990000");
    let client = limited.connect().await;
    let error = client.batch_execute(&sql).await.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "42501");
    assert!(error.message().contains("pgcrypto"), "{error:?}");
    let hint = error.hint().unwrap();
    assert!(hint.starts_with("CREATE EXTENSION \"pgcrypto\"; -- as a superuser"), "{hint}");
    limited.grant(hint).await;
    execute(&client, &sql).await;
}

#[tokio::test]
async fn the_ledger_of_another_role_asks_for_grants_on_it() {
    let limited = Limited::new("ledger_grants").await;
    let mut superuser = limited.database.connect().await;
    migrate::up(&mut superuser, "public").await.unwrap();
    let role = &limited.role;
    limited.grant(&format!("CREATE SCHEMA own AUTHORIZATION \"{role}\"")).await;
    let mut client = limited.connect().await;
    // Judging the tables needs no privilege at all.
    assert_eq!(migrate::verify(&mut client, "public").await.unwrap(), []);
    // First to read the ledger, as one who loads must, then to record what was done.
    let error = migrate::up(&mut client, "own").await.unwrap_err();
    assert!(needed(&error).contains("GRANT SELECT ON profile_loader.migrations, profile_loader.ledger"));
    limited.grant(needed(&error)).await;
    let error = migrate::up(&mut client, "own").await.unwrap_err();
    let expected = format!(
        "GRANT USAGE ON SCHEMA profile_loader TO \"{role}\"; \
         GRANT SELECT, INSERT, DELETE ON profile_loader.migrations TO \"{role}\""
    );
    assert_eq!(needed(&error), expected);
    limited.grant(needed(&error)).await;
    migrate::up(&mut client, "own").await.unwrap();
    migrate::status(&mut client, "public").await.unwrap();
}

#[tokio::test]
async fn a_role_that_only_loads_needs_the_tables_of_the_runs() {
    let limited = Limited::new("load_grants").await;
    let mut superuser = limited.database.connect().await;
    migrate::up(&mut superuser, "public").await.unwrap();
    let mut client = limited.connect().await;
    let error = migrate::check_ledger(&mut client, "public").await.unwrap_err();
    let grants = needed(&error).to_owned();
    // One privilege is not enough.
    let (reading, writing) = grants.rsplit_once("; ").expect("there are several");
    limited.grant(reading).await;
    limited.grant(&writing.replace("SELECT, INSERT, UPDATE, DELETE", "SELECT, INSERT, UPDATE")).await;
    let error = migrate::check_ledger(&mut client, "public").await.unwrap_err();
    assert_eq!(needed(&error), grants);
    limited.grant(writing).await;
    migrate::check_ledger(&mut client, "public").await.unwrap();
    // They are enough to write, too: neither the identity nor the foreign keys ask for more.
    execute(
        &client,
        "INSERT INTO profile_loader.runs (db_schema, state, strategy, atomic, on_existing, json_schema_sha256,
             tool_version, lanes, head_bytes, head_digest)
         VALUES ('public', 'running', 'merge', false, 'reject', '', '', 1, 0, '');
         INSERT INTO profile_loader.run_lanes (run_id, lane, attempt) SELECT id, 0, 1 FROM profile_loader.runs;
         SELECT FROM profile_loader.run_lanes FOR UPDATE;
         DELETE FROM profile_loader.runs",
    )
    .await;
}

/// A ledger of version 1 belongs to whoever made it.
#[tokio::test]
async fn another_role_asks_for_what_an_upgrade_of_the_ledger_needs() {
    let limited = Limited::new("upgrade_grants").await;
    let mut superuser = limited.database.connect().await;
    migrate::up(&mut superuser, "public").await.unwrap();
    execute(
        &superuser,
        "DROP TABLE profile_loader.ledger, profile_loader.runs, profile_loader.run_inputs, profile_loader.run_lanes,
             profile_loader.run_rejections, profile_loader.run_transactions, profile_loader.run_ddl, profile_loader.run_spills, profile_loader.run_plans, profile_loader.run_reports,
             profile_loader.rejected_documents, profile_loader.run_etags, profile_loader.run_parts, profile_loader.run_deferred",
    )
    .await;
    let role = &limited.role;
    let mut client = limited.connect().await;
    for expected in [
        "GRANT USAGE ON SCHEMA profile_loader TO role; GRANT SELECT ON profile_loader.migrations TO role",
        "GRANT USAGE, CREATE ON SCHEMA profile_loader TO role",
    ] {
        let error = migrate::up_ledger(&mut client, "public").await.unwrap_err();
        assert_eq!(needed(&error), expected.replace("role", &format!("\"{role}\"")));
        limited.grant(needed(&error)).await;
    }
    migrate::up_ledger(&mut client, "public").await.unwrap();
    migrate::check_ledger(&mut client, "public").await.unwrap();
}

#[tokio::test]
async fn only_an_owner_drops() {
    let limited = Limited::new("owner").await;
    let mut superuser = limited.database.connect().await;
    execute(&superuser, "GRANT CREATE ON SCHEMA public TO PUBLIC").await;
    let role = &limited.role;
    execute(&superuser, &format!("CREATE ROLE \"owner of {role}\" SUPERUSER")).await;
    execute(&superuser, &format!("SET SESSION AUTHORIZATION \"owner of {role}\"")).await;
    migrate::up(&mut superuser, "public").await.unwrap();
    execute(
        &superuser,
        &format!(
            "GRANT USAGE ON SCHEMA profile_loader TO \"{role}\";
             GRANT ALL ON ALL TABLES IN SCHEMA profile_loader TO \"{role}\""
        ),
    )
    .await;
    let mut client = limited.connect().await;
    for delete_data in [DeleteData::Refuse, DeleteData::Confirmed] {
        let error = migrate::down(&mut client, "public", delete_data).await.unwrap_err();
        assert_eq!(needed(&error), format!("GRANT \"owner of {role}\" TO \"{role}\""));
    }
    limited.grant(&format!("GRANT \"owner of {role}\" TO \"{role}\"")).await;
    migrate::down(&mut client, "public", DeleteData::Refuse).await.unwrap();
}
