//! The four tables: made, taken over, judged, fixed and taken away on a real server.

mod adoption;
mod differences;
mod ledger;
mod lifecycle;
mod privileges;

use profile_loader::internals::migrate::{self, MigrateError};
use tokio_postgres::Client;

/// The tables as another program makes them, with foreign keys of other names.
const FOREIGN: &str = include_str!("../support/foreign_tables.sql");

/// A profile with one row in each of the other tables.
const ONE_PROFILE: &str = "
    INSERT INTO customer_profiles VALUES ('00000000-0000-4000-8000-000000000001', 'A', NULL, 'B', true, false);
    INSERT INTO customer_profile_addresses VALUES
        ('00000000-0000-4000-8000-000000000001', '1', NULL, 'C', 'D', '2', 'EE');
    INSERT INTO customer_profile_emails (customer_profile_id, email) VALUES
        ('00000000-0000-4000-8000-000000000001', 'a@example.com');
    INSERT INTO customer_profile_phone_numbers (customer_profile_id, type, number) VALUES
        ('00000000-0000-4000-8000-000000000001', 'mobile', '+15550100');";

async fn execute(client: &Client, sql: &str) {
    if let Err(error) = client.batch_execute(sql).await {
        panic!("{sql}: {error:?}");
    }
}

/// Everything that a migration could have changed, as text.
async fn objects(client: &Client) -> Vec<String> {
    let rows = client
        .query(
            "SELECT format('%s %s %s', n.nspname, c.relkind, c.relname) FROM pg_class c
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
             UNION ALL SELECT format('schema %s', nspname) FROM pg_namespace
             UNION ALL SELECT format('type %s.%s', typnamespace::regnamespace, typname) FROM pg_type WHERE typtype = 'e'
             UNION ALL SELECT format('constraint %s', conname) FROM pg_constraint
             ORDER BY 1",
            &[],
        )
        .await
        .expect("the catalog can be read");
    rows.iter().map(|row| row.get(0)).collect()
}

/// The differences in words, by `verify`.
async fn verify(client: &mut Client) -> Vec<migrate::Difference> {
    migrate::verify(client, "public").await.expect("the tables can be judged")
}

async fn refused(client: &mut Client, db_schema: &str) -> MigrateError {
    migrate::up(client, db_schema).await.expect_err("this is refused")
}
