//! A second reading of the documents, by other means than the program's: `serde_json::Value` and plain
//! INSERTs into tables of the schema `reading`, to hold the tables under test against.
//!
//! It does not judge documents: the caller says which lines have to be stored, and one that can't be read
//! fails the test. The columns are plain text, so nothing here is cut or changed by a type.

use serde_json::Value;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::tables::{TABLES, digests, execute, texts};

const CREATE: &str = "
    CREATE SCHEMA reading;
    CREATE TABLE reading.customer_profiles (
        id uuid, first_name text, middle_name text, last_name text,
        marketing_emails_enabled boolean, two_factor_enabled boolean);
    CREATE TABLE reading.customer_profile_addresses (
        customer_profile_id uuid, line1 text, line2 text, city text, state text, postal_code text, country text);
    CREATE TABLE reading.customer_profile_emails (customer_profile_id uuid, email text);
    CREATE TABLE reading.customer_profile_phone_numbers (customer_profile_id uuid, type text, number text);";

/// How many documents are inserted at once.
const BATCH: usize = 10_000;

/// How many ids are named when tables differ.
const IDS_SHOWN: usize = 5;

/// Panics unless the tables in `public` hold exactly the documents of these lines.
pub(crate) async fn assert_stored<'a>(client: &Client, lines: impl IntoIterator<Item = &'a [u8]>) {
    execute(client, "DROP SCHEMA IF EXISTS reading CASCADE").await;
    execute(client, CREATE).await;
    let lines: Vec<_> = lines.into_iter().collect();
    for batch in lines.chunks(BATCH) {
        insert(client, batch).await;
    }
    let (stored, read) = (digests(client, "public").await, digests(client, "reading").await);
    if stored != read {
        let mut words = format!("the tables hold {stored:?},\nthe documents say {read:?}");
        for (table, columns) in TABLES {
            words += &differing_ids(client, table, columns).await;
        }
        panic!("{words}");
    }
}

async fn differing_ids(client: &Client, table: &str, columns: &str) -> String {
    let mut words = String::new();
    for (what, one, other) in
        [("stored but not read", "public", "reading"), ("read but not stored", "reading", "public")]
    {
        let sql = format!(
            "SELECT DISTINCT split_part(trim('(' FROM r), ',', 1) FROM (
                 SELECT ROW({columns})::text AS r FROM {one}.{table}
                 EXCEPT ALL SELECT ROW({columns})::text FROM {other}.{table}) AS rows
             ORDER BY 1 LIMIT {IDS_SHOWN}"
        );
        let ids = texts(client, &sql).await;
        if !ids.is_empty() {
            words.extend(["\n", table, ": ", what, ": ", &ids.join(" ")]);
        }
    }
    words
}

/// One column of each table after the other, as arrays of equal length.
#[derive(Default)]
struct Columns<'a> {
    profile_texts: [Vec<Option<&'a str>>; 4],
    profile_flags: [Vec<bool>; 2],
    address: [Vec<Option<&'a str>>; 7],
    email: [Vec<&'a str>; 2],
    phone_number: [Vec<&'a str>; 3],
}

async fn insert(client: &Client, lines: &[&[u8]]) {
    let documents: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_slice(line).expect("a line that has to be stored is JSON"))
        .collect();
    let mut columns = Columns::default();
    documents.iter().for_each(|document| push(&mut columns, document));
    let [id, first, middle, last] = &columns.profile_texts;
    let [marketing, two_factor] = &columns.profile_flags;
    let profiles: [&(dyn ToSql + Sync); 6] = [id, first, middle, last, marketing, two_factor];
    insert_arrays(client, "customer_profiles", "uuid text text text bool bool", &profiles).await;
    let address: Vec<_> = columns.address.iter().map(|column| column as &(dyn ToSql + Sync)).collect();
    insert_arrays(client, "customer_profile_addresses", "uuid text text text text text text", &address).await;
    let email: Vec<_> = columns.email.iter().map(|column| column as &(dyn ToSql + Sync)).collect();
    insert_arrays(client, "customer_profile_emails", "uuid text", &email).await;
    let phone: Vec<_> = columns.phone_number.iter().map(|column| column as &(dyn ToSql + Sync)).collect();
    insert_arrays(client, "customer_profile_phone_numbers", "uuid text text", &phone).await;
}

/// UUIDs travel as text, for the server to read.
async fn insert_arrays(client: &Client, table: &str, types: &str, columns: &[&(dyn ToSql + Sync)]) {
    let arrays: Vec<_> = (1..)
        .zip(types.split(' '))
        .map(|(n, name)| match name {
            "uuid" => format!("${n}::text[]::uuid[]"),
            name => format!("${n}::{name}[]"),
        })
        .collect();
    let sql = format!("INSERT INTO reading.{table} SELECT * FROM unnest({})", arrays.join(", "));
    if let Err(error) = client.execute(&sql, columns).await {
        panic!("{sql}: {error:?}");
    }
}

fn push<'a>(columns: &mut Columns<'a>, document: &'a Value) {
    let id = required(document, "id");
    let profile =
        [Some(id), text(document, "firstName"), text(document, "middleName"), text(document, "lastName")];
    push_all(&mut columns.profile_texts, profile);
    let privacy = &document["privacySettings"];
    assert_columns(document, "id firstName middleName lastName emails phoneNumbers address privacySettings");
    assert_columns(privacy, "marketingEmailsEnabled twoFactorEnabled");
    let flag = |name: &str| privacy[name].as_bool().expect("a privacy setting is true or false");
    push_all(&mut columns.profile_flags, [flag("marketingEmailsEnabled"), flag("twoFactorEnabled")]);
    let address = &document["address"];
    if !address.is_null() {
        assert_columns(address, "line1 line2 city state postalCode country");
        let field = |name: &str| text(address, name);
        let [line1, line2, city] = ["line1", "line2", "city"].map(field);
        let [state, postal_code, country] = ["state", "postalCode", "country"].map(field);
        push_all(&mut columns.address, [Some(id), line1, line2, city, state, postal_code, country]);
    }
    for email in items(document, "emails") {
        push_all(&mut columns.email, [id, email.as_str().expect("an e-mail is a string")]);
    }
    for phone in items(document, "phoneNumbers") {
        assert_columns(phone, "type number");
        push_all(&mut columns.phone_number, [id, required(phone, "type"), required(phone, "number")]);
    }
}

/// A property without a column would be lost.
fn assert_columns(object: &Value, names: &str) {
    let object = object.as_object().expect("it is an object");
    assert!(object.keys().all(|key| names.split(' ').any(|name| name == key)), "a property has no column");
}

fn push_all<T, const N: usize>(columns: &mut [Vec<T>; N], values: [T; N]) {
    columns.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
}

fn required<'a>(object: &'a Value, name: &str) -> &'a str {
    text(object, name).unwrap_or_else(|| panic!("{name} is missing"))
}

/// Absent and null are the same here.
fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    match &object[name] {
        Value::Null => None,
        Value::String(text) => Some(text),
        _ => panic!("{name} is not a string"),
    }
}

fn items<'a>(document: &'a Value, name: &str) -> &'a [Value] {
    match &document[name] {
        Value::Null => &[],
        Value::Array(items) => items,
        _ => panic!("{name} is not an array"),
    }
}
