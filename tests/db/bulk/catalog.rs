//! Indexes and constraints come back just as their owner made them.

use std::{fs, os::unix::fs::chown};

use serde_json::json;
use tokio_postgres::error::SqlState;

use super::{assert_catalog, document, load_bulk, valid};
use crate::support::{
    Store, Tables, assert_stored, binary, catalog, document_lines, ndjson, run, server,
    server::unprivileged_user, texts,
};

/// What is on while documents come in: a check of each profile writes it down.
const WITNESS: &str = "
    CREATE TABLE seen (name text PRIMARY KEY);
    CREATE FUNCTION witness() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO seen
        SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid::regclass::text LIKE 'customer_%'
        UNION SELECT conname FROM pg_constraint WHERE conrelid::regclass::text LIKE 'customer_%'
        ORDER BY 1 ON CONFLICT DO NOTHING;
        RETURN true;
    END $$;
    ALTER TABLE customer_profiles ADD CONSTRAINT witness CHECK (witness())";

/// Everything that an owner may have added, in the ways there are.
const EXTRAS: &str = r#"
    CREATE INDEX "Odd ""name"" of an index" ON customer_profiles (last_name DESC NULLS LAST, first_name)
        WITH (fillfactor = 71);
    COMMENT ON INDEX "Odd ""name"" of an index" IS 'it''s a "comment" \ 1';
    CREATE INDEX by_hash ON customer_profiles USING hash (last_name);
    CREATE INDEX by_brin ON customer_profile_emails USING brin (id) WITH (pages_per_range = 7);
    CREATE INDEX with_payload ON customer_profile_addresses (city) INCLUDE (country, line1);
    CREATE INDEX by_pattern ON customer_profile_addresses (city text_pattern_ops, state COLLATE "C");
    CREATE UNIQUE INDEX id_and_name ON customer_profiles (last_name, id);
    CREATE STATISTICS names ON first_name, last_name FROM customer_profiles;
    ALTER TABLE customer_profile_phone_numbers ADD CONSTRAINT "Deferred one" UNIQUE (number, id)
        DEFERRABLE INITIALLY DEFERRED;
    ALTER TABLE customer_profile_phone_numbers ADD CONSTRAINT deferrable_one UNIQUE (id, number)
        INCLUDE (type) DEFERRABLE;
    COMMENT ON CONSTRAINT deferrable_one ON customer_profile_phone_numbers IS 'of a constraint';
    COMMENT ON INDEX deferrable_one IS 'of its index';
    COMMENT ON CONSTRAINT pk_customer_profiles ON customer_profiles IS 'the key';
    ALTER TABLE customer_profile_addresses ADD CONSTRAINT again FOREIGN KEY (customer_profile_id)
        REFERENCES customer_profiles ON UPDATE CASCADE ON DELETE SET DEFAULT DEFERRABLE INITIALLY DEFERRED;
    COMMENT ON CONSTRAINT again ON customer_profile_addresses IS 'twice is safer';
    ALTER TABLE customer_profile_emails CLUSTER ON ix_customer_profile_emails__customer_profile_id;
    ALTER TABLE customer_profiles CLUSTER ON pk_customer_profiles;
    ALTER TABLE customer_profile_phone_numbers REPLICA IDENTITY USING INDEX phone_identity"#;

async fn check(store: &Store, off: &[&str], on: &[&str]) {
    store.database.execute(WITNESS);
    let before = catalog(&store.connect().await).await;
    let input = valid(700);
    store.file("input.ndjson", &input);
    let loaded = load_bulk(store, &[]);
    assert_eq!((loaded.code, loaded.counts()), (Some(0), [700, 0, 0, 0, 0]), "{}", loaded.stderr);
    assert_catalog(store, &before).await;
    let client = store.connect().await;
    let seen = texts(&client, "SELECT name FROM seen").await;
    for name in off {
        assert!(before.iter().any(|line| line.contains(name)), "there is no {name}");
        assert!(!seen.iter().any(|found| found == name), "{name} was on: {seen:?}");
    }
    for name in on {
        assert!(seen.iter().any(|found| found == name), "{name} was off: {seen:?}");
    }
    assert_stored(&client, document_lines(&input).into_iter().map(|(_, line)| line)).await;
}

/// Keys and indexes of all four tables; those of a table's foreign keys have other names where others made it.
const USUAL: [&str; 7] = [
    "pk_customer_profiles",
    "pk_customer_profile_addresses",
    "pk_customer_profile_emails",
    "pk_customer_profile_phone_numbers",
    "uq_customer_profile_emails__customer_profile_id__email",
    "ix_customer_profile_emails__customer_profile_id",
    "ix_customer_profile_phone_numbers__customer_profile_id",
];

#[tokio::test]
async fn of_tables_that_another_program_made() {
    let store = Store::new("catalog", Tables::Foreign);
    check(&store, &[&USUAL[..], &["other_fk_a", "other_fk_e", "other_fk_p"]].concat(), &["witness"]).await;
}

#[tokio::test]
async fn of_tables_that_were_migrated() {
    let store = Store::new("catalog", Tables::Migrated);
    let output = run(binary().args(["migrate", "up", "--database-url", &store.database.url]));
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    check(&store, &[&USUAL[..], &["fk_customer_profile_emails__customer_profile_id"]].concat(), &["witness"])
        .await;
}

#[tokio::test]
async fn of_all_that_an_owner_may_add() {
    let store = Store::new("catalog", Tables::Foreign);
    store.database.execute("CREATE UNIQUE INDEX phone_identity ON customer_profile_phone_numbers (id, type)");
    store.database.execute(EXTRAS);
    let off = [
        "\"Odd \"\"name\"\" of an index\"",
        "by_hash",
        "by_brin",
        "with_payload",
        "by_pattern",
        "id_and_name",
        "Deferred one",
        "deferrable_one",
        "other_fk_e",
        "again",
    ];
    check(&store, &[&USUAL[..], &off].concat(), &["phone_identity"]).await;
    // They work, too: a foreign key is enforced.
    let client = store.connect().await;
    let orphan =
        "INSERT INTO customer_profile_emails (customer_profile_id, email) VALUES (gen_random_uuid(), 'a')";
    let error = client.batch_execute(orphan).await.expect_err("there is no such profile");
    assert_eq!(error.code().map(SqlState::code), Some("23503"));
}

/// Wherever a new index would go by the settings of the role, each goes back to where it was.
#[tokio::test]
async fn of_tablespaces() {
    let store = Store::new("catalog", Tables::Foreign);
    let name = store.database.name.clone();
    for space in ["one", "other"] {
        let folder = server().dir.join(format!("{space}_{name}"));
        fs::create_dir(&folder).expect("the server's folder is writable");
        if let Some((uid, gid)) = unprivileged_user() {
            chown(&folder, Some(uid), Some(gid)).expect("root gives the folder away");
        }
        server().execute(format!("CREATE TABLESPACE \"{space} {name}\" LOCATION '{}'", folder.display()));
    }
    store.database.execute(&format!(
        "CREATE INDEX by_name ON customer_profiles (last_name) TABLESPACE \"one {name}\";
         ALTER INDEX pk_customer_profile_emails SET TABLESPACE \"one {name}\""
    ));
    server().execute(format!("ALTER DATABASE {name} SET default_tablespace = 'other {name}'"));
    check(&store, &[&USUAL[..], &["by_name"]].concat(), &["witness"]).await;
    drop(store);
    for space in ["one", "other"] {
        server().execute(format!("DROP TABLESPACE \"{space} {name}\""));
    }
}

/// Under a schema whose name has to be quoted, and with other tables of these names in the search path.
#[tokio::test]
async fn of_tables_in_a_schema_of_an_odd_name() {
    let store = Store::new("catalog", Tables::Migrated);
    store.database.execute("CREATE SCHEMA \"Odd \"\"schema\"\"\"");
    let url = &store.database.url;
    let schema = ["--db-schema", "Odd \"schema\""];
    let up = run(binary().args(["migrate", "up", "--database-url", url]).args(schema));
    assert_eq!(up.code, Some(0), "{}", up.stderr);
    store.database.execute(
        "ALTER TABLE \"Odd \"\"schema\"\"\".customer_profiles CLUSTER ON pk_customer_profiles;
         CREATE INDEX \"By name\" ON \"Odd \"\"schema\"\"\".customer_profiles (last_name)",
    );
    let before = catalog(&store.connect().await).await;
    let documents: Vec<_> =
        (0..50).map(|number| document(number / 2, &[("/lastName", json!("L"))])).collect();
    store.file("input.ndjson", &ndjson(&documents));
    let loaded = load_bulk(&store, &["--db-schema", "Odd \"schema\""]);
    assert_eq!((loaded.code, loaded.counts()[0]), (Some(0), 25), "{}", loaded.stderr);
    assert_catalog(&store, &before).await;
}
