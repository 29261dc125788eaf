//! What is known of runs: who is at work on a target, what was loaded, and giving a run up.

mod commands;
mod rejected;
mod reports;
mod retry;
mod target_lock;

use tokio_postgres::Client;

/// Inserts a run with what matters of it, and returns its id.
async fn insert_run(client: &Client, db_schema: &str, state: &str, rest: &str) -> i64 {
    let sql = "INSERT INTO profile_loader.runs (db_schema, state, strategy, atomic, on_existing, json_schema_sha256,
             tool_version, lanes, head_bytes, head_digest)
         VALUES ($1, $2, 'merge', false, 'reject', 'c0ffee', '0.1.0', 2, 10, 'beef') RETURNING id";
    let row = client.query_one(sql, &[&db_schema, &state]).await.expect("a run can be written down");
    let id: i64 = row.get(0);
    if !rest.is_empty() {
        let update = format!("UPDATE profile_loader.runs SET {rest} WHERE id = {id}");
        client.batch_execute(&update).await.expect("and changed");
    }
    id
}
