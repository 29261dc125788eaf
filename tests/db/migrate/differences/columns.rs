//! Differences of columns: types, lengths, NOT NULL, defaults.

use super::{BREAKS, LOADS, check, differ};
use crate::migrate::{execute, verify};

#[tokio::test]
async fn types_of_columns() {
    let alter = |table: &str, column: &str, type_name: &str| {
        format!(
            "ALTER TABLE {table} ALTER COLUMN {column} TYPE {type_name} USING {column}::text::{type_name}"
        )
    };
    let emails = |type_name: &str| alter("customer_profile_emails", "email", type_name);
    let is = |found: &str| {
        format!("column customer_profile_emails.email is {found}, where varchar(320) is expected")
    };
    check(&emails("varchar(64)"), &[(&is("character varying(64)"), BREAKS)]).await;
    check(&emails("char(320)"), &[(&is("character(320)"), BREAKS)]).await;
    check(&emails("varchar(321)"), &[(&is("character varying(321)"), LOADS)]).await;
    check(&emails("varchar"), &[(&is("character varying"), LOADS)]).await;
    check(&emails("text"), &[(&is("text"), LOADS)]).await;

    let city = |type_name: &str| alter("customer_profile_addresses", "city", type_name);
    let is =
        |found: &str| format!("column customer_profile_addresses.city is {found}, where text is expected");
    check(&city("varchar(64)"), &[(&is("character varying(64)"), BREAKS)]).await;
    check(&city("varchar"), &[(&is("character varying"), LOADS)]).await;

    let is = |column: &str, found: &str, wanted: &str| {
        format!("column {column} is {found}, where {wanted} is expected")
    };
    check(
        &alter("customer_profile_emails", "id", "integer"),
        &[(&is("customer_profile_emails.id", "integer", "bigint"), BREAKS)],
    )
    .await;
    check(
        &alter("customer_profiles", "two_factor_enabled", "text"),
        &[(&is("customer_profiles.two_factor_enabled", "text", "boolean"), BREAKS)],
    )
    .await;
}

/// The rows that are there are never cut: fixing fails where one of them would be.
#[tokio::test]
async fn a_value_that_is_too_long_is_not_cut() {
    let change = "ALTER TABLE customer_profile_addresses ALTER COLUMN country TYPE text;
                  UPDATE customer_profile_addresses SET country = 'LONG'";
    let what = "column customer_profile_addresses.country is text, where varchar(2) is expected";
    let (mut client, _database) = differ(change, &[(what, LOADS)]).await;
    let fix = &verify(&mut client).await[0].fix;
    client.batch_execute(fix).await.expect_err("a row is too long");
}

#[tokio::test]
async fn columns() {
    check(
        "ALTER TABLE customer_profile_addresses DROP COLUMN line2",
        &[("column customer_profile_addresses.line2 is missing", BREAKS)],
    )
    .await;
    check(
        "ALTER TABLE customer_profile_phone_numbers DROP COLUMN id",
        &[
            ("column customer_profile_phone_numbers.id is missing", BREAKS),
            ("table customer_profile_phone_numbers has no primary key (id)", LOADS),
        ],
    )
    .await;
    check(
        "ALTER TABLE customer_profile_addresses DROP COLUMN city,
             ADD COLUMN city text GENERATED ALWAYS AS (state) STORED NOT NULL",
        &[("column customer_profile_addresses.city is generated, so it can't be written", BREAKS)],
    )
    .await;
}

/// The owner's right, as long as rows can be inserted without them.
#[tokio::test]
async fn columns_of_the_owner() {
    for column in [
        "\"a note\" text",
        "made_at timestamptz NOT NULL DEFAULT now()",
        "full_name text NOT NULL GENERATED ALWAYS AS (first_name || last_name) STORED",
        "number bigint GENERATED ALWAYS AS IDENTITY",
        "d with_default",
    ] {
        let domain = "CREATE DOMAIN with_default AS text DEFAULT 'a' NOT NULL";
        check(&format!("{domain}; ALTER TABLE customer_profiles ADD COLUMN {column}"), &[]).await;
    }
    let unknown =
        "column customer_profiles.tenant is unknown to the loader, may not be null and has no default";
    for change in [
        "ALTER TABLE customer_profiles ADD COLUMN tenant text NOT NULL DEFAULT 'a';
         ALTER TABLE customer_profiles ALTER tenant DROP DEFAULT",
        "ALTER TABLE customer_profiles ADD COLUMN tenant text; CREATE DOMAIN \"a tenant\" AS text;
         ALTER TABLE customer_profiles ALTER tenant TYPE \"a tenant\" USING 'a';
         ALTER DOMAIN \"a tenant\" SET NOT NULL",
    ] {
        check(change, &[(unknown, BREAKS)]).await;
        let (mut client, _database) = differ(change, &[(unknown, BREAKS)]).await;
        let fix = verify(&mut client).await.remove(0).fix;
        assert!(fix.contains("SET DEFAULT") && !fix.contains("DROP COLUMN"), "{fix}");
    }
}

#[tokio::test]
async fn not_null() {
    check(
        "ALTER TABLE customer_profiles ALTER last_name DROP NOT NULL",
        &[("column customer_profiles.last_name may be null", LOADS)],
    )
    .await;
    check(
        "UPDATE customer_profiles SET middle_name = 'M'; UPDATE customer_profile_addresses SET line2 = '';
         ALTER TABLE customer_profiles ALTER middle_name SET NOT NULL;
         ALTER TABLE customer_profile_addresses ALTER line2 SET NOT NULL",
        &[
            ("column customer_profiles.middle_name may not be null", BREAKS),
            ("column customer_profile_addresses.line2 may not be null", BREAKS),
        ],
    )
    .await;
}

#[tokio::test]
async fn defaults() {
    let uuid = "column customer_profiles.id has not the default gen_random_uuid()";
    check("ALTER TABLE customer_profiles ALTER id DROP DEFAULT", &[(uuid, LOADS)]).await;
    check(
        "CREATE FUNCTION uuid_generate_v4() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()';
         ALTER TABLE customer_profiles ALTER id SET DEFAULT uuid_generate_v4()",
        &[(uuid, LOADS)],
    )
    .await;
    let sequence = "column customer_profile_emails.id takes its values from no sequence";
    let insert = "INSERT INTO customer_profile_emails (customer_profile_id, email)
                  SELECT id, 'b@example.com' FROM customer_profiles";
    for change in [
        "ALTER TABLE customer_profile_emails ALTER id DROP DEFAULT",
        "ALTER TABLE customer_profile_emails ALTER id DROP DEFAULT; DROP SEQUENCE customer_profile_emails_id_seq",
        "ALTER TABLE customer_profile_emails ALTER id SET DEFAULT 7",
    ] {
        check(change, &[(sequence, BREAKS)]).await;
        let (mut client, _database) = differ(change, &[(sequence, BREAKS)]).await;
        let fix = verify(&mut client).await.remove(0).fix;
        execute(&client, &fix).await;
        execute(&client, insert).await;
    }
}
