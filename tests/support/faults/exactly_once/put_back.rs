//! A database that was loaded into is made what its template was: quicker by far than a copy, and the judge of
//! the next load finds whatever it had left.

use tokio_postgres::Client;

use crate::support::Store;

/// What the tables and the ledger hold is kept beside them. A sequence is written to the WAL for 32 values at once, and
/// CREATE DATABASE copies how many of them are left: in a copy whose server crashes before they are used up they come
/// once more. Setting the sequence leaves none.
const KEEP: &str = "
    SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, last_value) FROM pg_sequences
        WHERE last_value IS NOT NULL;
    CREATE SCHEMA kept;
    CREATE TABLE kept.sequences AS
        SELECT format('%I.%I', schemaname, sequencename) AS name, last_value FROM pg_sequences
        WHERE last_value IS NOT NULL;
    DO $$
    DECLARE
        name text;
    BEGIN
        FOR name IN
            SELECT oid::regclass FROM pg_class
            WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('public', 'profile_loader')
        LOOP
            EXECUTE format('CREATE TABLE kept.%I AS TABLE %s', name, name);
        END LOOP;
    END
    $$";

/// Foreign keys hold for all of it together. Few rows are deleted sooner than files are made anew by TRUNCATE.
const PUT_BACK: &str = "
    SET session_replication_role = replica;
    DO $$
    DECLARE
        names text[] := ARRAY(
            SELECT relname FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'kept'::regnamespace AND relname <> 'sequences');
        name text;
    BEGIN
        FOREACH name IN ARRAY names LOOP
            EXECUTE 'DELETE FROM ' || name;
            EXECUTE format('INSERT INTO %s OVERRIDING SYSTEM VALUE TABLE kept.%I', name, name);
        END LOOP;
        PERFORM setval(s.name::regclass, last_value) FROM kept.sequences AS s;
    END
    $$;
    RESET session_replication_role";

/// Of a template, before anything is copied from it.
pub(super) fn keep(template: &Store) {
    template.database.execute(KEEP);
}

pub(super) async fn put_back(client: &Client) {
    client.batch_execute(PUT_BACK).await.expect("the template's contents are kept");
}
