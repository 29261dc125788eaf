//! What a document may break, or something else needs, stays on while documents come in: one document is refused
//! for it, not the whole table at the end.

use serde_json::json;

use super::{assert_catalog, document, load, load_bulk, rejected, store};
use crate::support::{Store, assert_stored, catalog, ndjson, texts};

/// Loads 300 documents, of which 20, 21 and 299 have the e-mails of others before them, names of 30 are `Named`,
/// and the last name of 40 is `1`; returns the lines and codes of those that are rejected.
async fn check(of_owner: &str, kept: &[&str], expected: &[(usize, &str)]) -> Store {
    let mut documents: Vec<_> = (0..300).map(|number| document(number, &[])).collect();
    for (number, other) in [(20, 2), (21, 3), (299, 100)] {
        documents[number]["emails"] = json!([format!("{other}@example.com")]);
    }
    documents[40]["lastName"] = json!("1");
    let store = store("kept", of_owner, &ndjson(&documents));
    let before = catalog(&store.connect().await).await;
    let run = load(&store, &["--strategy", "bulk", "--connections", "1", "--chunk-bytes", "4000"]);
    assert_eq!(run.code, Some(i32::from(!expected.is_empty())), "{}", run.stderr);
    let told = run.stderr.lines().find(|line| line.contains("so they are kept: "));
    for name in kept {
        assert!(told.is_some_and(|line| line.contains(name)), "{name} is not told of: {}", run.stderr);
    }
    let expected: Vec<_> = expected.iter().map(|(line, code)| (*line, (*code).to_owned())).collect();
    assert_eq!(rejected(&run), expected);
    assert_catalog(&store, &before).await;
    let stays = |number: &usize| !expected.iter().any(|(line, _)| *line == number + 1);
    let lines: Vec<_> = (0..300).filter(stays).map(|number| documents[number].to_string()).collect();
    assert_stored(&store.connect().await, lines.iter().map(String::as_bytes)).await;
    store
}

const SAME_EMAIL: [(usize, &str); 3] = [(21, "db:23505"), (22, "db:23505"), (300, "db:23505")];

#[tokio::test]
async fn an_email_that_only_one_customer_may_have() {
    let index = "CREATE UNIQUE INDEX one_email ON customer_profile_emails (email)";
    check(index, &["one_email"], &SAME_EMAIL).await;
    let constraint = "ALTER TABLE customer_profile_emails ADD CONSTRAINT one_email UNIQUE (email)
                      DEFERRABLE INITIALLY DEFERRED";
    check(constraint, &["one_email"], &SAME_EMAIL).await;
}

#[tokio::test]
async fn an_index_over_an_expression_or_of_some_rows() {
    let index =
        "CREATE UNIQUE INDEX one_email ON customer_profile_emails (lower(email)) WHERE email LIKE '%.com'";
    check(index, &["one_email"], &SAME_EMAIL).await;
    // Not unique, but there is a name that it can't be computed of.
    let index = "CREATE INDEX odd ON customer_profiles ((1 / (length(last_name) - 1)))";
    check(index, &["odd"], &[(41, "db:22012")]).await;
}

#[tokio::test]
async fn an_exclusion_constraint() {
    let constraint =
        "ALTER TABLE customer_profile_emails ADD CONSTRAINT no_other EXCLUDE USING btree (email WITH =)";
    let codes = SAME_EMAIL.map(|(line, _)| (line, "db:23P01"));
    check(constraint, &["no_other"], &codes).await;
}

/// What takes different texts for the same may be broken by e-mails that are all different.
#[tokio::test]
async fn a_collation_that_knows_no_case() {
    let index = "CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
                 CREATE UNIQUE INDEX one_of_a_kind ON customer_profile_emails (customer_profile_id, email COLLATE no_case)";
    let mut documents: Vec<_> = (0..100).map(|number| document(number, &[])).collect();
    documents[50]["emails"] = json!(["ann@example.com", "Ann@example.com"]);
    let store = store("kept", index, &ndjson(&documents));
    let before = catalog(&store.connect().await).await;
    let run = load_bulk(&store, &[]);
    assert_eq!(rejected(&run), [(51, "db:23505".to_owned())], "{}", run.stderr);
    assert_catalog(&store, &before).await;
}

#[tokio::test]
async fn a_primary_key_that_another_table_refers_to() {
    let orders = "CREATE TABLE orders (customer uuid REFERENCES customer_profiles ON DELETE CASCADE)";
    let store = check(orders, &["pk_customer_profiles"], &[]).await;
    store.database.execute("INSERT INTO orders SELECT id FROM customer_profiles LIMIT 3");
}

/// Nothing would tell what was orphaned while it was dropped.
#[tokio::test]
async fn a_foreign_key_that_is_not_validated() {
    let again = "ALTER TABLE customer_profile_emails ADD CONSTRAINT again FOREIGN KEY (customer_profile_id)
                 REFERENCES customer_profiles ON DELETE CASCADE NOT VALID";
    let store = check(again, &["again", "pk_customer_profiles"], &[]).await;
    store.database.execute("DELETE FROM customer_profiles");
    let orphans = "SELECT count(*)::text FROM customer_profile_emails";
    assert_eq!(texts(&store.connect().await, orphans).await, ["0"]);
}

#[tokio::test]
async fn a_primary_key_that_a_view_needs() {
    let view =
        "CREATE VIEW by_profile AS SELECT p.id, p.last_name, count(*) AS emails FROM customer_profiles AS p
                JOIN customer_profile_emails AS e ON e.customer_profile_id = p.id GROUP BY p.id";
    check(view, &["pk_customer_profiles"], &[]).await;
}

#[tokio::test]
async fn a_replica_identity() {
    let identity = "ALTER TABLE customer_profiles REPLICA IDENTITY USING INDEX pk_customer_profiles";
    check(identity, &["pk_customer_profiles"], &[]).await;
}

/// A foreign key made anew takes the older of two keys, as it did before.
#[tokio::test]
async fn keys_that_foreign_keys_may_choose_from() {
    let second = "CREATE UNIQUE INDEX a_second_key ON customer_profiles (id)";
    check(second, &["pk_customer_profiles", "a_second_key"], &[]).await;
}

/// Its own rules for what is equal are nobody's business; they may find two ids the same.
#[tokio::test]
async fn an_operator_class_of_the_owner() {
    let class = "CREATE FUNCTION same(uuid, uuid) RETURNS integer LANGUAGE sql IMMUTABLE
                     AS $$ SELECT uuid_cmp($1, $2) $$;
                 CREATE OPERATOR CLASS own FOR TYPE uuid USING btree AS
                     OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
                     FUNCTION 1 same(uuid, uuid);
                 CREATE UNIQUE INDEX own_rules ON customer_profile_addresses (customer_profile_id own)";
    check(class, &["own_rules"], &[]).await;
}

/// What a trigger makes of e-mails may break what they did not break as they came; and it may add rows.
#[tokio::test]
async fn everything_where_triggers_see_to_the_rows() {
    let lower = "CREATE FUNCTION house_rule() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN NEW.email := lower(NEW.email); RETURN NEW; END $$;
                 CREATE TRIGGER house_rule BEFORE INSERT ON customer_profile_emails
                     FOR EACH ROW EXECUTE FUNCTION house_rule()";
    let more = "CREATE FUNCTION house_rule() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    INSERT INTO customer_profile_emails (customer_profile_id, email)
                    SELECT id, 'ann@example.com' FROM added WHERE first_name = 'Ann';
                    RETURN NULL;
                END $$;
                CREATE TRIGGER house_rule AFTER INSERT ON customer_profiles REFERENCING NEW TABLE AS added
                    FOR EACH STATEMENT EXECUTE FUNCTION house_rule()";
    for rule in [lower, more] {
        let mut documents: Vec<_> = (0..100).map(|number| document(number, &[])).collect();
        documents[50]["emails"] = json!(["ann@example.com", "Ann@example.com"]);
        documents[50]["firstName"] = json!("Ann");
        let store = store("kept", rule, &ndjson(&documents));
        let before = catalog(&store.connect().await).await;
        let run = load_bulk(&store, &[]);
        assert_eq!(rejected(&run), [(51, "db:23505".to_owned())], "{}", run.stderr);
        assert!(run.stderr.contains("other_fk_e"), "{}", run.stderr);
        assert_catalog(&store, &before).await;
    }
}

/// A trigger that is switched off, and one of another event, see to nothing.
#[tokio::test]
async fn triggers_that_do_nothing_keep_nothing() {
    let triggers =
        "CREATE FUNCTION house_rule() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
                    CREATE TRIGGER off BEFORE INSERT ON customer_profiles
                        FOR EACH ROW EXECUTE FUNCTION house_rule();
                    ALTER TABLE customer_profiles DISABLE TRIGGER off;
                    CREATE TRIGGER of_delete BEFORE DELETE ON customer_profiles
                        FOR EACH ROW EXECUTE FUNCTION house_rule()";
    let store =
        store("kept", triggers, &ndjson(&(0..50).map(|number| document(number, &[])).collect::<Vec<_>>()));
    let run = load_bulk(&store, &[]);
    assert_eq!((run.code, run.counts()), (Some(0), [50, 0, 0, 0, 0]), "{}", run.stderr);
    assert!(!run.stderr.contains("they are kept"), "{}", run.stderr);
}

/// Computed by the server, from what it likes.
#[tokio::test]
async fn an_index_of_a_generated_column() {
    let column = "ALTER TABLE customer_profiles ADD COLUMN inverse integer
                      GENERATED ALWAYS AS (1 / (length(last_name) - 1)) STORED;
                  CREATE INDEX by_inverse ON customer_profiles (inverse)";
    check(column, &["by_inverse"], &[(41, "db:22012")]).await;
}
