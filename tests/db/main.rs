//! Tests against a real PostgreSQL server, which they start themselves.

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/http_server.rs"]
#[expect(dead_code, reason = "what the other test programs share")]
mod http_server;

mod accept_insert;
mod bulk;
mod clashes;
mod commands;
mod conninfo;
mod damaged;
mod doctor;
mod dry_run;
mod embedded;
mod load;
mod local_server;
mod memory;
mod merge;
mod migrate;
mod owners_rules;
mod parts;
mod pooler;
mod refusals;
mod refused_many;
mod repeats;
mod role_settings;
mod runs;
mod stopped;
mod tls;
mod tls_modes;
mod unfinished;

#[tokio::test]
async fn every_test_has_a_database_of_its_own() {
    let (one, other) = (support::database("own"), support::database("own"));
    assert_ne!(one.name, other.name);
    let row = one.connect().await.query_one("SELECT current_database()::text, 1", &[]).await;
    let row = row.expect("the server answers");
    assert_eq!(row.get::<_, String>(0), one.name);
    assert_eq!(row.get::<_, i32>(1), 1);
}

#[tokio::test]
async fn a_dropped_database_is_gone_even_while_it_is_used() {
    let database = support::database("dropped");
    let (name, _client) = (database.name.clone(), database.connect().await);
    drop(database);
    // The name is free again, or this fails.
    support::server().execute(format!("CREATE DATABASE {name}"));
    support::server().execute(format!("DROP DATABASE {name}"));
}

#[test]
fn the_program_runs() {
    let output = support::run(support::binary().arg("--version"));
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
}
