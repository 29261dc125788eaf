//! What a document does to a profile that is stored: every policy, on documents made by hand.

use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::support::{
    Run, Store, Tables, assert_stored, digests, ndjson, physical_rows, texts, tuples_written,
};

const ID: &str = "0b8f2f0a-6c1e-4d5b-9a37-5f0c2d1e8b64";
const OTHER_ID: &str = "0b8f2f0a-6c1e-4d5b-9a37-5f0c2d1e8b65";

const UPDATE: &[&str] = &["--on-existing", "update"];
const SKIP: &[&str] = &["--on-existing", "skip"];
const REJECT: &[&str] = &["--on-existing", "reject"];

fn document() -> Value {
    json!({
        "id": ID, "firstName": "Ann", "middleName": "Bea", "lastName": "Lee",
        "emails": ["ann@example.com", "lee@example.com", "Ann@example.com"],
        "phoneNumbers": [
            {"type": "home", "number": "+4930901820"},
            {"type": "work", "number": "+4930901820"},
            {"type": "home", "number": "+4930901820"},
        ],
        "address": {"line1": "1 Road", "city": "Town", "state": "Land", "postalCode": "1", "country": "DE"},
        "privacySettings": {"marketingEmailsEnabled": true, "twoFactorEnabled": false},
    })
}

/// The document with other values at some JSON Pointers; null takes the property away.
fn with(changes: &[(&str, Value)]) -> Value {
    let mut changed = document();
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer begins with a slash");
        let parent = changed.pointer_mut(parent).and_then(Value::as_object_mut).expect("it is an object");
        match value {
            Value::Null => drop(parent.remove(name)),
            value => drop(parent.insert(name.to_owned(), value.clone())),
        }
    }
    changed
}

async fn assert_documents<'a>(client: &Client, documents: impl IntoIterator<Item = &'a Value>) {
    let lines: Vec<_> = documents.into_iter().map(Value::to_string).collect();
    assert_stored(client, lines.iter().map(String::as_bytes)).await;
}

/// A store that holds the document, from a run of its own.
fn stored() -> Store {
    let store = Store::new("merge", Tables::Migrated);
    let run = store.load(&[], &ndjson(&[document()]));
    assert_eq!((run.code, run.counts()), (Some(0), [1, 0, 0, 0, 0]), "{}", run.stderr);
    store
}

/// Rows written, in the order of the tables.
fn rows_written(run: &Run) -> [u64; 4] {
    ["profiles", "profile_addresses", "profile_emails", "profile_phone_numbers"]
        .map(|table| run.report["load"]["rows"][format!("customer_{table}")].as_u64().expect("a count"))
}

#[tokio::test]
async fn documents_that_say_the_same_write_nothing() {
    let store = stored();
    let client = store.connect().await;
    let before = (physical_rows(&client).await, tuples_written(&client).await);
    let reversed = |name: &str| {
        let mut items = document()[name].as_array().expect("an array").clone();
        items.reverse();
        (format!("/{name}"), Value::Array(items))
    };
    let [(emails, reversed_emails), (phones, reversed_phones)] = ["emails", "phoneNumbers"].map(reversed);
    for same in [
        document(),
        with(&[("/id", ID.to_ascii_uppercase().into())]),
        with(&[(&emails, reversed_emails)]),
        with(&[(&phones, reversed_phones)]),
    ] {
        for policy in [REJECT, SKIP, UPDATE] {
            let run = store.load(policy, &ndjson([&same]));
            assert_eq!((run.code, run.counts()), (Some(0), [0, 0, 1, 0, 0]), "{policy:?} {same}");
            assert_eq!(rows_written(&run), [0; 4]);
        }
    }
    assert_eq!((physical_rows(&client).await, tuples_written(&client).await), before);
}

/// Lists of few items are compared in another way than lists of many.
#[tokio::test]
async fn lists_of_any_length_are_compared_without_their_order() {
    for length in [1_usize, 2, 16, 17, 300] {
        let document = |first: usize, is_reversed: bool| {
            let mut numbers: Vec<_> = (first..first + length).collect();
            if is_reversed {
                numbers.reverse();
            }
            let email = |n: &usize| json!(format!("n{n}@example.com"));
            let phone = |n: &usize| json!({"type": "work", "number": format!("+49151{:05}", n / 2)});
            with(&[
                ("/emails", numbers.iter().map(email).collect()),
                ("/phoneNumbers", numbers.iter().map(phone).collect()),
            ])
        };
        let store = Store::new("lists", Tables::Migrated);
        assert_eq!(store.load(&[], &ndjson([&document(0, false)])).counts(), [1, 0, 0, 0, 0]);
        let run = store.load(UPDATE, &ndjson([&document(0, true)]));
        assert_eq!((run.counts(), rows_written(&run)), ([0, 0, 1, 0, 0], [0; 4]), "{length}");
        let moved = document(2, true);
        let run = store.load(UPDATE, &ndjson([&moved]));
        let differing = 2 * u64::try_from(length.min(2)).expect("few");
        assert_eq!((run.counts(), rows_written(&run)), ([0, 1, 0, 0, 0], [0, 0, differing, differing]));
        assert_documents(&store.connect().await, [&moved]).await;
    }
}

#[tokio::test]
async fn an_update_writes_the_rows_that_differ() {
    let address = |line2: Value| {
        let mut address = document()["address"].clone();
        address["line2"] = line2;
        address
    };
    // The change, and how many rows it writes in each table.
    let cases = [
        (vec![("/firstName", json!("Anna"))], [1, 0, 0, 0]),
        (vec![("/middleName", Value::Null)], [1, 0, 0, 0]),
        (vec![("/middleName", json!("bea"))], [1, 0, 0, 0]),
        (vec![("/privacySettings/twoFactorEnabled", json!(true))], [1, 0, 0, 0]),
        (vec![("/address", Value::Null)], [0, 1, 0, 0]),
        (vec![("/address/city", json!("Town "))], [0, 1, 0, 0]),
        (vec![("/address", address(json!("")))], [0, 1, 0, 0]),
        (vec![("/emails", json!(["ann@example.com"]))], [0, 0, 2, 0]),
        (vec![("/emails", json!(["lee@example.com", "LEE@example.com"]))], [0, 0, 3, 0]),
        (vec![("/phoneNumbers", Value::Null)], [0, 0, 0, 3]),
        (vec![("/phoneNumbers", json!([{"type": "home", "number": "+4930901820"}]))], [0, 0, 0, 2]),
        (vec![("/phoneNumbers/1", Value::Null)], [0, 0, 0, 1]),
        (
            vec![
                ("/lastName", json!("Ng")),
                ("/address", Value::Null),
                ("/emails", json!(["x@example.com"])),
            ],
            [1, 1, 4, 0],
        ),
    ];
    for (changes, rows) in cases {
        let changed =
            if changes[0].0 == "/phoneNumbers/1" { without_phone_number(1) } else { with(&changes) };
        let store = stored();
        let client = store.connect().await;
        for (document, what) in [(&changed, "there"), (&document(), "back")] {
            let run = store.load(UPDATE, &ndjson([document]));
            assert_eq!((run.code, run.counts()), (Some(0), [0, 1, 0, 0, 0]), "{what} {changes:?}");
            assert_eq!(rows_written(&run), rows, "{what} {changes:?}");
            assert_documents(&client, [document]).await;
        }
    }
}

fn without_phone_number(index: usize) -> Value {
    let mut document = document();
    document["phoneNumbers"].as_array_mut().expect("an array").remove(index);
    document
}

/// Rows of the two tables with a key of their own: the key, who wrote the row, and what it says.
async fn keyed_rows(client: &Client) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', 'e', id, xmin, email) FROM customer_profile_emails
               UNION ALL SELECT concat_ws(' ', 'n', id, xmin, type, number) FROM customer_profile_phone_numbers
               ORDER BY 1";
    texts(client, sql).await
}

#[tokio::test]
async fn child_rows_that_stay_keep_their_keys() {
    let store = stored();
    let client = store.connect().await;
    let before = keyed_rows(&client).await;
    assert_eq!(before.len(), 6);

    let phone = |kind: &str| json!({"type": kind, "number": "+4930901820"});
    let changed = with(&[
        ("/firstName", json!("Anna")),
        ("/emails", json!(["new@example.com", "Ann@example.com", "ann@example.com"])),
        ("/phoneNumbers", json!([phone("home"), phone("home"), phone("other"), phone("home")])),
    ]);
    let run = store.load(UPDATE, &ndjson(&[changed]));
    assert_eq!(rows_written(&run), [1, 0, 2, 3]);
    let after = keyed_rows(&client).await;
    let is_gone = |row: &&String| row.ends_with(" lee@example.com") || row.contains(" work ");
    let (gone, stay): (Vec<_>, Vec<_>) = before.iter().partition(is_gone);
    assert_eq!((gone.len(), stay.len()), (2, 4));
    assert!(stay.iter().all(|row| after.contains(row)), "{before:?}\n{after:?}");
    assert_eq!(after.len(), 7);

    // Of the three equal numbers the one that came last goes.
    let fewer = with(&[
        ("/firstName", json!("Anna")),
        ("/emails", json!(["new@example.com", "Ann@example.com", "ann@example.com"])),
        ("/phoneNumbers", json!([phone("other"), phone("home"), phone("home")])),
    ]);
    let run = store.load(UPDATE, &ndjson(&[fewer]));
    assert_eq!(rows_written(&run), [0, 0, 0, 1]);
    let last = keyed_rows(&client).await;
    assert!(stay.iter().all(|row| last.contains(row)), "{after:?}\n{last:?}");
    assert_eq!(last.len(), 6);
}

#[tokio::test]
async fn profiles_beside_the_one_that_is_updated_are_left_alone() {
    let store = stored();
    let neighbour = with(&[("/id", OTHER_ID.into())]);
    assert_eq!(store.load(&[], &ndjson([&neighbour])).code, Some(0));
    let client = store.connect().await;
    let rows_of_neighbour = || async {
        let rows = physical_rows(&client).await;
        rows.into_iter().filter(|row| row.contains(OTHER_ID)).collect::<Vec<_>>()
    };
    let before = rows_of_neighbour().await;
    assert_eq!(before.len(), 8);
    let minimal = with(&[
        ("/middleName", Value::Null),
        ("/address", Value::Null),
        ("/phoneNumbers", Value::Null),
        ("/emails", json!(["ann@example.com"])),
    ]);
    let run = store.load(UPDATE, &ndjson([&minimal, &neighbour]));
    assert_eq!(run.counts(), [0, 1, 1, 0, 0]);
    assert_eq!(rows_of_neighbour().await, before);
    assert_documents(&client, &[minimal, neighbour]).await;
}

#[tokio::test]
async fn skip_and_reject_leave_a_stored_profile_alone() {
    let store = stored();
    let client = store.connect().await;
    let before = (physical_rows(&client).await, tuples_written(&client).await);
    let other = with(&[("/phoneNumbers", Value::Null)]);
    let run = store.load(SKIP, &ndjson([&other]));
    assert_eq!((run.code, run.counts()), (Some(0), [0, 0, 0, 1, 0]));
    let run = store.load(REJECT, &ndjson([&document(), &other, &other]));
    assert_eq!((run.code, run.counts()), (Some(1), [0, 0, 1, 0, 2]));
    let exists = || vec!["load:exists".to_owned()];
    assert_eq!(run.rejected(), [(2, exists()), (3, exists())]);
    assert_eq!(run.rejects, ndjson([&other, &other]));
    assert_eq!((physical_rows(&client).await, tuples_written(&client).await), before);
}

/// Documents of one id, far apart and close together, meet in input order in every batch.
#[tokio::test]
async fn several_documents_of_one_id_are_taken_in_order() {
    let name = |name: &str| {
        with(&[("/firstName", json!(name)), ("/emails", json!([format!("{name}@example.com")]))])
    };
    let in_capitals = |mut document: Value| {
        document["id"] = ID.to_ascii_uppercase().into();
        document
    };
    let others = |from: usize| {
        (from..from + 40).map(|n| with(&[("/id", format!("00000000-0000-4000-8000-{n:012}").into())]))
    };
    let mut documents = vec![name("a"), name("a"), name("b"), in_capitals(name("a"))];
    documents.extend(others(0));
    documents.extend([in_capitals(name("c")), name("c")]);
    documents.extend(others(40));
    documents.push(name("b"));
    let input = ndjson(&documents);

    // Of the 87: what each policy makes of them, and which of one id is stored in the end.
    let cases: [(&[&str], [u64; 5], &str); 3] =
        [(REJECT, [81, 0, 2, 0, 4], "a"), (SKIP, [81, 0, 2, 4, 0], "a"), (UPDATE, [81, 4, 2, 0, 0], "b")];
    for (policy, counts, survivor) in cases {
        let mut expected: Vec<_> = others(0).chain(others(40)).collect();
        expected.push(name(survivor));
        for connections in ["1", "2", "4"] {
            for chunk_bytes in ["1", "700", "1048576"] {
                let store = Store::new("order", Tables::Migrated);
                let way = [policy, &["--connections", connections, "--chunk-bytes", chunk_bytes]].concat();
                let run = store.load(&way, &input);
                let rejected = run.rejected();
                let is_duplicate = |codes: &[String]| codes == ["load:duplicate"];
                assert!(rejected.iter().all(|(_, codes)| is_duplicate(codes)), "{way:?} {rejected:?}");
                if policy == REJECT {
                    let lines: Vec<_> = rejected.iter().map(|(line, _)| *line).collect();
                    assert_eq!(lines, [3, 45, 46, 87], "{way:?}");
                }
                assert_documents(&store.connect().await, &expected).await;
                assert_eq!(run.counts(), counts, "{way:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_profile_that_another_program_stored_is_merged_like_our_own() {
    let store = Store::new("others", Tables::Foreign);
    let client = store.connect().await;
    let insert = format!(
        "INSERT INTO customer_profiles VALUES ('{ID}', 'Ann', 'Bea', 'Lee', true, false);
         INSERT INTO customer_profile_addresses VALUES ('{ID}', '1 Road', NULL, 'Town', 'Land', '1', 'DE');
         INSERT INTO customer_profile_emails (customer_profile_id, email) VALUES
             ('{ID}', 'lee@example.com'), ('{ID}', 'Ann@example.com'), ('{ID}', 'ann@example.com');
         INSERT INTO customer_profile_phone_numbers (customer_profile_id, type, number) VALUES
             ('{ID}', 'home', '+4930901820'), ('{ID}', 'home', '+4930901820'), ('{ID}', 'work', '+4930901820');
         -- A profile without any e-mail, which no document can be equal to.
         INSERT INTO customer_profiles VALUES ('{OTHER_ID}', 'Ann', 'Bea', 'Lee', true, false)"
    );
    store.database.execute(&insert);
    let before = digests(&client, "public").await;
    let (same, other) = (document(), with(&[("/id", OTHER_ID.into())]));
    let input = ndjson([&same, &other]);

    let run = store.load(REJECT, &input);
    assert_eq!((run.counts(), run.rejected()), ([0, 0, 1, 0, 1], vec![(2, vec!["load:exists".to_owned()])]));
    assert_eq!(store.load(SKIP, &input).counts(), [0, 0, 1, 1, 0]);
    assert_eq!(digests(&client, "public").await, before);
    let run = store.load(UPDATE, &input);
    assert_eq!((run.counts(), rows_written(&run)), ([0, 1, 1, 0, 0], [0, 1, 3, 3]));
    assert_documents(&client, &[same, other]).await;
}
