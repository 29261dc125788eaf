//! One id again and again: verdicts, rows written and what is stored are those of documents that are written one after
//! another, whether that is done or not.

use serde_json::{Value, json};

use crate::support::{Run, Store, Tables, assert_stored, digests, ndjson, surviving};

/// A rule that refuses nothing, and for which each version is written.
const RULE: &str = "ALTER TABLE customer_profiles ADD CONSTRAINT any_name CHECK (first_name IS NOT NULL)";

const WAYS: [&[&str]; 4] = [
    &["--strategy", "merge", "--connections", "1"],
    &["--strategy", "merge", "--connections", "3", "--chunk-bytes", "4096", "--batch-bytes", "60000"],
    &["--strategy", "bulk", "--connections", "2"],
    &["--strategy", "merge", "--atomic"],
];

/// The `nth` of documents with few ids, which change in all parts, go back to what they were, and differ in the order of
/// their lists alone.
fn document(nth: usize) -> Value {
    let id = [0, 0, 0, 1, 2, 0, 3, nth % 29][nth % 8];
    let mix = nth.wrapping_mul(7919) / 8;
    let emails = [
        json!(["a@x.example", "b@x.example"]),
        json!(["b@x.example", "a@x.example"]),
        json!(["c@x.example"]),
    ];
    let home = json!({"type": "home", "number": "+491"});
    let work = json!({"type": "work", "number": "+491"});
    let phones = [json!([home, work]), json!([work, home]), json!([home, home])];
    let first_name = if mix.is_multiple_of(2) { "Ann" } else { "Bea" };
    let mut document = json!({
        "id": format!("0b8f2f0a-6c1e-4d5b-9a37-{id:012}"),
        "firstName": first_name, "lastName": "Lee",
        "emails": emails[mix % 3], "phoneNumbers": phones[mix / 3 % 3],
        "privacySettings": {"marketingEmailsEnabled": mix.is_multiple_of(11), "twoFactorEnabled": false},
    });
    if mix % 5 > 1 {
        let line1 = (mix / 5 % 2).to_string();
        document["address"] =
            json!({"line1": line1, "city": "c", "state": "s", "postalCode": "p", "country": "DE"});
    }
    if nth.is_multiple_of(97) {
        // Too long for some indexes.
        document["lastName"] = json!("x".repeat(2500));
    }
    document
}

fn load(rule: &str, stored: &[u8], input: &[u8], options: &[&str]) -> (Store, Run) {
    let store = Store::new("repeats", Tables::Migrated);
    assert_eq!(store.load(&["--strategy", "merge"], stored).code, Some(0));
    store.database.execute(rule);
    let run = store.load(options, input);
    (store, run)
}

#[tokio::test]
async fn the_result_is_that_of_one_after_another() {
    let all: Vec<_> = (0..240).map(document).collect();
    let input = ndjson(&all);
    // What is stored before: one that is in the input just so, and one that is not.
    let mut other = document(3);
    other["firstName"] = json!("Other");
    let some = ndjson([&all[1], &other]);
    for stored in [&b""[..], &some] {
        for policy in ["reject", "skip", "update"] {
            let mut results = Vec::new();
            for way in WAYS {
                if !stored.is_empty() && way.contains(&"bulk") {
                    continue;
                }
                for rule in ["SELECT", RULE] {
                    let options = [way, &["--on-existing", policy]].concat();
                    let (store, run) = load(rule, stored, &input, &options);
                    let client = store.connect().await;
                    assert_stored(&client, surviving(stored, &input, &run, policy)).await;
                    let rows = run.report["load"]["rows"].clone();
                    let result = (run.counts(), rows, run.rejected(), digests(&client, "public").await);
                    results.push((format!("{policy} {way:?} {rule}"), result));
                }
            }
            let (_, expected) = &results[1];
            for (what, result) in &results {
                assert_eq!(result, expected, "{what}");
            }
        }
    }
}

/// The dry run has always decided by itself.
#[tokio::test]
async fn a_dry_run_foresees_the_rows_of_each_version() {
    let input = ndjson(&(0..300).map(document).collect::<Vec<_>>());
    let store = Store::new("repeats", Tables::Migrated);
    assert_eq!(store.load(&[], b"").code, Some(0));
    let options = ["--strategy", "merge", "--on-existing", "update"];
    let dry = store.load(&[&options[..], &["--dry-run"]].concat(), &input);
    let wet = store.load(&options, &input);
    assert_eq!(dry.counts(), wet.counts());
    assert_eq!(dry.report["load"]["rows"], wet.report["load"]["rows"]);
}

/// What is not written is seen by nobody, so whoever has set up something that sees it gets all of it.
#[tokio::test]
async fn a_trigger_sees_every_version() {
    let name = |name: &str| {
        let mut document = document(0);
        document["firstName"] = json!(name);
        document
    };
    let names = ["A", "B", "C", "B", "D"];
    let input = ndjson(&names.map(name));
    let rule = "CREATE TABLE seen (nth serial, name text);
                CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN INSERT INTO seen (name) VALUES (NEW.first_name); RETURN NULL; END $$;
                CREATE TRIGGER see AFTER INSERT OR UPDATE ON customer_profiles FOR EACH ROW EXECUTE FUNCTION see()";
    let (store, run) = load(rule, b"", &input, &["--on-existing", "update"]);
    assert_eq!((run.code, run.counts()), (Some(0), [1, 4, 0, 0, 0]), "{}", run.stderr);
    let client = store.connect().await;
    let seen = crate::support::texts(&client, "SELECT name FROM seen ORDER BY nth").await;
    assert_eq!(seen, names);
}

/// A version that a CHECK refuses leaves the one before it.
#[tokio::test]
async fn a_version_that_is_refused_is_left_out() {
    let name = |name: &str| {
        let mut document = document(0);
        document["firstName"] = json!(name);
        document
    };
    let input = ndjson(&["A", "No", "A", "B", "No", "C", "No"].map(name));
    let rule = "ALTER TABLE customer_profiles ADD CONSTRAINT no_no CHECK (first_name <> 'No')";
    for way in WAYS {
        let (store, run) = load(rule, b"", &input, &[way, &["--on-existing", "update"]].concat());
        assert_eq!((run.code, run.counts()), (Some(1), [1, 2, 1, 0, 3]), "{way:?}: {}", run.stderr);
        assert_eq!(run.rejected(), [2, 5, 7].map(|line| (line, vec!["db:23514".to_owned()])));
        let last = name("C").to_string();
        assert_stored(&store.connect().await, [last.as_bytes()]).await;
    }
}
