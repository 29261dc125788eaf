//! Every way in which tables can differ: what it is called, whether it breaks a load, and that the SQL that is
//! offered fixes it.

mod columns;

use super::{FOREIGN, ONE_PROFILE, execute, verify};
use crate::support;

const BREAKS: bool = true;
const LOADS: bool = false;

/// How often fixing may turn one difference into a lesser one.
const ROUNDS_MAX: usize = 3;

/// Changes the tables, which hold a profile, and fixes them again by what `verify` offers.
async fn check(change: &str, expected: &[(&str, bool)]) {
    let (mut client, _database) = differ(change, expected).await;
    for _ in 0..ROUNDS_MAX {
        for difference in verify(&mut client).await {
            execute(&client, &difference.fix).await;
        }
    }
    assert_eq!(verify(&mut client).await, [], "{change}");
}

/// For what no SQL fixes without knowing what the owner wants.
async fn check_not_fixable(change: &str, expected: &[(&str, bool)]) {
    differ(change, expected).await;
}

async fn differ(change: &str, expected: &[(&str, bool)]) -> (tokio_postgres::Client, support::Database) {
    let database = support::database("difference");
    let mut client = database.connect().await;
    execute(&client, FOREIGN).await;
    execute(&client, ONE_PROFILE).await;
    execute(&client, change).await;
    let found = verify(&mut client).await;
    let found: Vec<_> = found.iter().map(|found| (found.what.as_str(), found.breaks_load)).collect();
    assert_eq!(found, expected, "{change}");
    (client, database)
}

#[tokio::test]
async fn tables() {
    check("DROP TABLE customer_profile_emails", &[("table customer_profile_emails is missing", BREAKS)])
        .await;
    check(
        "DROP TABLE customer_profiles CASCADE; DELETE FROM customer_profile_addresses;
         DELETE FROM customer_profile_emails; DELETE FROM customer_profile_phone_numbers",
        &[
            ("table customer_profiles is missing", BREAKS),
            (
                "table customer_profile_addresses has no foreign key (customer_profile_id) to customer_profiles (id)",
                LOADS,
            ),
            (
                "table customer_profile_emails has no foreign key (customer_profile_id) to customer_profiles (id)",
                LOADS,
            ),
            (
                "table customer_profile_phone_numbers has no foreign key (customer_profile_id) to customer_profiles (id)",
                LOADS,
            ),
        ],
    )
    .await;
    check(
        "DROP TABLE customer_profile_emails; CREATE VIEW customer_profile_emails AS SELECT 1 AS id",
        &[("customer_profile_emails is a view, where a table is expected", BREAKS)],
    )
    .await;
    check(
        "ALTER TABLE customer_profile_emails SET UNLOGGED",
        &[("table customer_profile_emails is unlogged, so a crash of the server empties it", LOADS)],
    )
    .await;
    check_not_fixable(
        "DROP TABLE customer_profile_addresses;
         CREATE TABLE customer_profile_addresses (
             customer_profile_id uuid PRIMARY KEY REFERENCES customer_profiles ON DELETE CASCADE,
             line1 text NOT NULL, line2 text, city text NOT NULL, state text NOT NULL,
             postal_code text NOT NULL, country varchar(2) NOT NULL)
         PARTITION BY HASH (customer_profile_id);
         CREATE TABLE part PARTITION OF customer_profile_addresses FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
        &[("table customer_profile_addresses is partitioned", LOADS)],
    )
    .await;
}

#[tokio::test]
async fn the_enum() {
    const ENUM: &str = "customer_profile_phone_numbers_type_enum";
    let recreate = |labels: &str| {
        format!(
            "ALTER TABLE customer_profile_phone_numbers ALTER COLUMN type TYPE text; DROP TYPE {ENUM};
             CREATE TYPE {ENUM} AS ENUM ({labels});
             ALTER TABLE customer_profile_phone_numbers ALTER COLUMN type TYPE {ENUM} USING type::{ENUM}"
        )
    };
    let order = "enum customer_profile_phone_numbers_type_enum has its labels in another order than mobile, home, work, other";
    let unknown = |label: &str| {
        format!(
            "enum customer_profile_phone_numbers_type_enum has labels that the loader does not know: {label}"
        )
    };
    let lacks =
        |label: &str| format!("enum customer_profile_phone_numbers_type_enum lacks the label {label}");

    check(&format!("ALTER TYPE {ENUM} ADD VALUE 'fax' BEFORE 'work'"), &[(&unknown("fax"), LOADS)]).await;
    check(&recreate("'home', 'mobile', 'work', 'other'"), &[(order, LOADS)]).await;
    check(&recreate("'mobile', 'home', 'work'"), &[(&lacks("other"), BREAKS)]).await;
    check(&recreate("'mobile', 'other'"), &[(&lacks("home"), BREAKS), (&lacks("work"), BREAKS)]).await;
    check(
        &format!("DELETE FROM customer_profile_phone_numbers; {}", recreate("'it''s', 'home', 'work'")),
        &[(&lacks("mobile"), BREAKS), (&lacks("other"), BREAKS), (&unknown("it's"), LOADS)],
    )
    .await;
    check(
        &format!("DELETE FROM customer_profile_phone_numbers; {}", recreate("")),
        &[
            (&lacks("mobile"), BREAKS),
            (&lacks("home"), BREAKS),
            (&lacks("work"), BREAKS),
            (&lacks("other"), BREAKS),
        ],
    )
    .await;
    let column = "column customer_profile_phone_numbers.type is text, \
                  where customer_profile_phone_numbers_type_enum is expected";
    check(
        &format!("ALTER TABLE customer_profile_phone_numbers ALTER COLUMN type TYPE text; DROP TYPE {ENUM}"),
        &[("enum customer_profile_phone_numbers_type_enum is missing", BREAKS), (column, BREAKS)],
    )
    .await;
    check(
        &format!(
            "ALTER TABLE customer_profile_phone_numbers ALTER COLUMN type TYPE text; DROP TYPE {ENUM};
             CREATE DOMAIN {ENUM} AS text"
        ),
        &[("type customer_profile_phone_numbers_type_enum is not an enum", BREAKS), (column, BREAKS)],
    )
    .await;
}

#[tokio::test]
async fn an_enum_of_another_schema_is_another_type() {
    check(
        "CREATE SCHEMA other;
         CREATE TYPE other.customer_profile_phone_numbers_type_enum AS ENUM ('mobile','home','work','other');
         ALTER TABLE customer_profile_phone_numbers ALTER COLUMN type
             TYPE other.customer_profile_phone_numbers_type_enum
             USING type::text::other.customer_profile_phone_numbers_type_enum",
        &[(
            "column customer_profile_phone_numbers.type is other.customer_profile_phone_numbers_type_enum, \
             where customer_profile_phone_numbers_type_enum is expected",
            BREAKS,
        )],
    )
    .await;
}

/// A label that is in use is not cast away.
#[tokio::test]
async fn a_label_in_use_keeps_its_enum_as_it_is() {
    let change = "ALTER TYPE customer_profile_phone_numbers_type_enum ADD VALUE 'fax'";
    let unknown =
        "enum customer_profile_phone_numbers_type_enum has labels that the loader does not know: fax";
    let (mut client, _database) = differ(change, &[(unknown, LOADS)]).await;
    execute(&client, "UPDATE customer_profile_phone_numbers SET type = 'fax'").await;
    let before = verify(&mut client).await;
    client.batch_execute(&before[0].fix).await.expect_err("a row has the label");
    execute(&client, "ROLLBACK").await;
    assert_eq!(verify(&mut client).await, before);
}

#[tokio::test]
async fn keys_and_indexes() {
    check(
        "ALTER TABLE customer_profiles DROP CONSTRAINT pk_customer_profiles CASCADE",
        &[
            ("table customer_profiles has no primary key (id)", BREAKS),
            (
                "table customer_profile_addresses has no foreign key (customer_profile_id) to customer_profiles (id)",
                LOADS,
            ),
            (
                "table customer_profile_emails has no foreign key (customer_profile_id) to customer_profiles (id)",
                LOADS,
            ),
            (
                "table customer_profile_phone_numbers has no foreign key (customer_profile_id) to customer_profiles (id)",
                LOADS,
            ),
        ],
    )
    .await;
    check(
        "ALTER TABLE customer_profile_addresses DROP CONSTRAINT pk_customer_profile_addresses",
        &[("table customer_profile_addresses has no primary key (customer_profile_id)", LOADS)],
    )
    .await;
    let primary_key = |columns: &str| {
        format!(
            "ALTER TABLE customer_profile_emails DROP CONSTRAINT pk_customer_profile_emails,
                 ADD CONSTRAINT pk_customer_profile_emails PRIMARY KEY ({columns})"
        )
    };
    check(
        &primary_key("customer_profile_id"),
        &[("the primary key of customer_profile_emails is (customer_profile_id) instead of (id)", BREAKS)],
    )
    .await;
    check(
        &primary_key("customer_profile_id, id"),
        &[("the primary key of customer_profile_emails is (customer_profile_id, id) instead of (id)", LOADS)],
    )
    .await;
    check(
        &format!("{} DEFERRABLE", primary_key("id")),
        &[("the primary key of customer_profile_emails is deferrable", LOADS)],
    )
    .await;
    check(
        "DROP INDEX ix_customer_profile_emails__customer_profile_id",
        &[("table customer_profile_emails has no index on (customer_profile_id)", LOADS)],
    )
    .await;
    check(
        "DROP INDEX ix_customer_profile_phone_numbers__customer_profile_id;
         CREATE INDEX ix_customer_profile_phone_numbers__customer_profile_id
             ON customer_profile_phone_numbers (customer_profile_id) WHERE type = 'mobile'",
        &[("table customer_profile_phone_numbers has no index on (customer_profile_id)", LOADS)],
    )
    .await;
    check(
        "UPDATE pg_index SET indisvalid = false
         WHERE indexrelid = 'ix_customer_profile_emails__customer_profile_id'::regclass",
        &[(
            "index ix_customer_profile_emails__customer_profile_id of customer_profile_emails is invalid",
            LOADS,
        )],
    )
    .await;
}

#[tokio::test]
async fn the_unique_constraint() {
    let missing = "table customer_profile_emails has no unique constraint (customer_profile_id, email)";
    let drop = "ALTER TABLE customer_profile_emails
                    DROP CONSTRAINT uq_customer_profile_emails__customer_profile_id__email";
    for instead in [
        "",
        ", ADD CONSTRAINT uq_customer_profile_emails__customer_profile_id__email
               UNIQUE (customer_profile_id, email) DEFERRABLE",
        "; CREATE UNIQUE INDEX ON customer_profile_emails (customer_profile_id, email) WHERE email <> ''",
        "; CREATE UNIQUE INDEX ON customer_profile_emails (customer_profile_id, lower(email))",
        "; CREATE INDEX uq_customer_profile_emails__customer_profile_id__email
               ON customer_profile_emails (customer_profile_id, email)",
    ] {
        check(&format!("{drop}{instead}"), &[(missing, LOADS)]).await;
    }
}

#[tokio::test]
async fn foreign_keys() {
    let drop = "ALTER TABLE customer_profile_emails DROP CONSTRAINT other_fk_e";
    check(
        drop,
        &[(
            "table customer_profile_emails has no foreign key (customer_profile_id) to customer_profiles (id)",
            LOADS,
        )],
    )
    .await;
    let key = "FOREIGN KEY (customer_profile_id) REFERENCES customer_profiles (id)";
    for (rest, found) in [
        ("", "is ON DELETE NO ACTION instead of ON DELETE CASCADE"),
        ("ON DELETE RESTRICT", "is ON DELETE RESTRICT instead of ON DELETE CASCADE"),
        ("ON DELETE CASCADE ON UPDATE CASCADE", "is ON UPDATE CASCADE instead of ON UPDATE NO ACTION"),
        ("ON DELETE CASCADE DEFERRABLE", "is deferrable"),
        ("ON DELETE CASCADE NOT VALID", "is not validated"),
    ] {
        let change = format!("{drop}, ADD CONSTRAINT \"fk one\" {key} {rest}");
        check(&change, &[(&format!("foreign key fk one of customer_profile_emails {found}"), LOADS)]).await;
    }
}

#[tokio::test]
async fn what_an_owner_may_do_is_no_difference() {
    for change in [
        "ALTER TABLE customer_profiles RENAME CONSTRAINT pk_customer_profiles TO \"PK_1\"",
        "ALTER INDEX ix_customer_profile_emails__customer_profile_id RENAME TO another",
        "ALTER TABLE customer_profile_emails
             DROP CONSTRAINT uq_customer_profile_emails__customer_profile_id__email;
         CREATE UNIQUE INDEX ON customer_profile_emails (email, customer_profile_id)",
        "CREATE INDEX ON customer_profiles (last_name)",
        "CREATE UNIQUE INDEX ON customer_profile_emails (lower(email))",
        "ALTER TABLE customer_profile_addresses ADD CHECK (country = upper(country))",
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER nothing BEFORE INSERT ON customer_profiles FOR EACH ROW EXECUTE FUNCTION nothing()",
        "CREATE SEQUENCE shared; ALTER TABLE customer_profile_emails ALTER id SET DEFAULT nextval('shared')",
        "ALTER TABLE customer_profile_emails ALTER id DROP DEFAULT,
             ALTER id ADD GENERATED ALWAYS AS IDENTITY (START 2)",
        "ALTER TABLE customer_profiles ALTER middle_name SET DEFAULT ''",
        "CREATE TABLE orders (id uuid REFERENCES customer_profiles)",
    ] {
        check(change, &[]).await;
    }
}

/// Expressions and types read the same whatever the session's search path is.
#[tokio::test]
async fn the_search_path_does_not_matter() {
    let (mut client, _database) = differ("CREATE EXTENSION pgcrypto", &[]).await;
    for path in ["''", "public", "pg_catalog, public", "public, pg_catalog"] {
        execute(&client, &format!("SET search_path TO {path}")).await;
        assert_eq!(verify(&mut client).await, [], "{path}");
    }
    execute(&client, "RESET search_path").await;
    execute(&client, "ALTER TABLE customer_profiles ALTER id SET DEFAULT public.gen_random_uuid()").await;
    assert_eq!(verify(&mut client).await, []);
}
