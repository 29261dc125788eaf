//! Constraints of the owner's that hold between profiles: the earlier in the input wins, whatever the number of
//! connections, and what can be stored in the end is stored.

mod keys;
mod rings;

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::support::{Database, Run, Store, Tables, assert_stored, digests, ndjson};

const ONE_EMAIL: &str = "CREATE UNIQUE INDEX one_email ON customer_profile_emails (lower(email))";
const NO_OTHER: &str = "ALTER TABLE customer_profile_emails
                        ADD CONSTRAINT no_other EXCLUDE USING btree (lower(email) WITH =)";

fn document(number: usize, email: usize) -> Value {
    json!({
        // Neighbours in the input go to different lanes.
        "id": format!("{:08x}-0000-4000-8000-{number:012}", number.wrapping_mul(2_654_435_761) % (1 << 32)),
        "firstName": "A", "lastName": format!("L{number}"),
        "emails": [format!("Mail{email}@example.com")],
        "privacySettings": {"marketingEmailsEnabled": true, "twoFactorEnabled": false},
    })
}

fn documents(emails: impl Iterator<Item = usize>) -> Vec<Value> {
    emails.enumerate().map(|(number, email)| document(number, email)).collect()
}

fn store(rule: &str) -> Store {
    static MIGRATED: LazyLock<Database> = LazyLock::new(|| {
        let store = Store::new("clashes", Tables::Migrated);
        let up = store.load(&[], b"");
        assert_eq!(up.code, Some(0), "{}", up.stderr);
        store.into_template()
    });
    let store = Store::copy_of(&MIGRATED);
    store.database.execute(rule);
    store
}

/// Lines that are rejected; each with this code.
fn rejected(run: &Run, code: &str) -> Vec<usize> {
    let all = run.rejected();
    assert!(all.iter().all(|(_, codes)| *codes == [code]), "{all:?}");
    all.into_iter().map(|(line, _)| line).collect()
}

const WAYS: [[&str; 4]; 5] = [
    ["--strategy", "merge", "--connections", "1"],
    ["--strategy", "merge", "--connections", "4"],
    ["--strategy", "merge", "--connections", "3"],
    ["--strategy", "bulk", "--connections", "4"],
    ["--strategy", "bulk", "--connections", "1"],
];

/// The documents from the first on with an e-mail that was not before.
#[tokio::test]
async fn the_earlier_in_the_input_wins() {
    for (rule, code) in [(ONE_EMAIL, "db:23505"), (NO_OTHER, "db:23P01")] {
        let all = documents((0..1000).map(|number| number % 200));
        let input = ndjson(&all);
        for way in WAYS {
            let store = store(rule);
            let run = store
                .load(&[&way[..], &["--chunk-bytes", "4096", "--batch-bytes", "20000"]].concat(), &input);
            assert_eq!((run.code, run.counts()), (Some(1), [200, 0, 0, 0, 800]), "{way:?}: {}", run.stderr);
            assert_eq!(rejected(&run, code), (201..=1000).collect::<Vec<_>>(), "{way:?}");
            assert!(run.stderr.contains("in input order"), "{}", run.stderr);
            let kept: Vec<_> = all[..200].iter().map(Value::to_string).collect();
            assert_stored(&store.connect().await, kept.iter().map(String::as_bytes)).await;
        }
    }
}

/// Pairs, rings and chains of profiles that take over each other's e-mails, among others that want an e-mail of
/// somebody who keeps it.
#[tokio::test]
async fn what_can_be_stored_in_the_end_is_stored() {
    for rule in [ONE_EMAIL, NO_OTHER] {
        for way in [["--connections", "1"], ["--connections", "4"]] {
            let store = store(rule);
            let stored = documents(0..300);
            assert_eq!(store.load(&[], &ndjson(&stored)).code, Some(0));
            let mut wanted = stored.clone();
            let mut give = |number: usize, email: usize| wanted[number] = document(number, email);
            // 20 pairs.
            for number in 0..20 {
                give(number, 299 - number);
                give(299 - number, number);
            }
            // A ring of five.
            for number in 30..35 {
                give(number, if number == 34 { 30 } else { number + 1 });
            }
            // A chain whose last has a new one.
            for number in 40..50 {
                give(number, if number == 49 { 1000 } else { number + 1 });
            }
            // These want what its holder keeps.
            for number in 60..65 {
                give(number, 100 + number);
            }
            let options =
                [&way[..], &["--on-existing", "update", "--chunk-bytes", "2048", "--batch-bytes", "8000"]];
            let run = store.load(&options.concat(), &ndjson(&wanted));
            let code = if rule == ONE_EMAIL { "db:23505" } else { "db:23P01" };
            assert_eq!(rejected(&run, code), (61..=65).collect::<Vec<_>>(), "{}", run.stderr);
            assert_eq!((run.code, run.counts()), (Some(1), [0, 55, 240, 0, 5]), "{}", run.stderr);
            let expected: Vec<_> = (0..300)
                .map(|number| if (60..65).contains(&number) { &stored[number] } else { &wanted[number] })
                .map(Value::to_string)
                .collect();
            assert_stored(&store.connect().await, expected.iter().map(String::as_bytes)).await;
        }
    }
}

/// A document that waits for the end takes along those after it with the same id.
#[tokio::test]
async fn documents_of_one_id_stay_in_their_order() {
    let mut results = Vec::new();
    for way in WAYS {
        let store = store(ONE_EMAIL);
        let mut input = vec![document(0, 0), document(1, 0), document(1, 1), document(2, 2)];
        input.extend((10..200).map(|number| document(number, number)));
        input.extend([document(1, 300), document(0, 301), document(3, 0)]);
        let options =
            [&way[..], &["--on-existing", "update", "--chunk-bytes", "1024", "--batch-bytes", "4000"]];
        let run = store.load(&options.concat(), &ndjson(&input));
        // The second wants what the first has until the last line but one; the last but two is what stays.
        results.push((run.rejected(), digests(&store.connect().await, "public").await));
        assert!(run.code.is_some_and(|code| code < 2), "{}", run.stderr);
    }
    assert!(results.windows(2).all(|two| two[0] == two[1]), "{results:?}");
}

/// With one transaction there is no later; what clashes is decided in its batch.
#[tokio::test]
async fn in_one_transaction() {
    let store = store(ONE_EMAIL);
    assert_eq!(store.load(&[], &ndjson(&documents(0..40))).code, Some(0));
    let swapped = documents((0..40).map(|number| 39 - number));
    let run = store.load(&["--atomic", "--on-existing", "update"], &ndjson(&swapped));
    assert_eq!((run.code, run.counts()), (Some(0), [0, 40, 0, 0, 0]), "{}", run.stderr);
}
