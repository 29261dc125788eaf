//! Rules of the tables' owner that refuse a large share of the documents: each of these is told, and nothing else.

use serde_json::{Value, json};

use crate::support::{Run, Store, Tables, assert_stored, ndjson, texts};

const COUNT: usize = 600;

const WAYS: [&[&str]; 5] = [
    &["--strategy", "merge", "--connections", "1"],
    &["--strategy", "merge", "--connections", "3", "--chunk-bytes", "4096", "--batch-bytes", "60000"],
    &["--strategy", "bulk", "--connections", "2"],
    &["--strategy", "bulk", "--connections", "1", "--chunk-bytes", "4096", "--batch-bytes", "60000"],
    &["--strategy", "merge", "--atomic"],
];

fn id(nth: usize) -> String {
    // Neighbours in the input are none by their ids.
    format!("{:08x}-0000-4000-8000-{nth:012}", nth.wrapping_mul(2_654_435_761) % (1 << 32))
}

/// Whose texts are `Refused` is at fault, in all tables.
fn document(nth: usize, version: &str, is_faulty: bool) -> Value {
    let word = if is_faulty { "Refused" } else { "Welcome" };
    json!({
        "id": id(nth), "firstName": word, "lastName": version,
        "emails": [format!("{word}.{version}@{nth}.example"), format!("{nth}@{version}.example")],
        "phoneNumbers": [{"type": "work", "number": format!("+49{}{nth}", u8::from(is_faulty))}],
        "address": {"line1": word, "city": version, "state": "s", "postalCode": "p", "country": "DE"},
        "privacySettings": {"marketingEmailsEnabled": true, "twoFactorEnabled": false},
    })
}

fn is_faulty(nth: usize) -> bool {
    nth % 7 == 3 || (200..260).contains(&nth)
}

fn trigger(table: &str, timing: &str, condition: &str, action: &str) -> String {
    format!(
        "CREATE FUNCTION house_rule() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN IF {condition} THEN {action}; END IF; RETURN NEW; END $$;
         CREATE {timing} INSERT OR UPDATE ON {table} {} FOR EACH ROW EXECUTE FUNCTION house_rule()",
        if timing.starts_with("CONSTRAINT") { "DEFERRABLE INITIALLY DEFERRED" } else { "" }
    )
}

/// Rule, code, and what the message names.
fn rules() -> Vec<(String, &'static str, &'static str)> {
    let check = |table: &str, condition: &str| {
        format!("ALTER TABLE {table} ADD CONSTRAINT house_rule CHECK ({condition})")
    };
    let on_profiles =
        |timing, action| trigger("customer_profiles", timing, "NEW.first_name = 'Refused'", action);
    let named = "constraint house_rule";
    vec![
        (check("customer_profiles", "first_name <> 'Refused'"), "db:23514", named),
        (check("customer_profile_phone_numbers", "number NOT LIKE '+491%'"), "db:23514", named),
        (
            "CREATE TABLE words (word varchar(200) PRIMARY KEY); INSERT INTO words VALUES ('Welcome');
             ALTER TABLE customer_profile_addresses ADD CONSTRAINT house_rule FOREIGN KEY (line1) REFERENCES words
             DEFERRABLE INITIALLY DEFERRED".to_owned(),
            "db:23503",
            named,
        ),
        (
            "CREATE INDEX house_rule ON customer_profiles ((1 / (first_name <> 'Refused')::int))".to_owned(),
            "db:22012",
            "a value is not one that the column takes",
        ),
        (on_profiles("TRIGGER t BEFORE", "RAISE EXCEPTION 'no'"), "db:P0001", "a trigger raised an exception"),
        (on_profiles("TRIGGER t BEFORE", "ASSERT false"), "db:P0004", "an error was raised"),
        (on_profiles("TRIGGER t BEFORE", "RETURN NULL"), "db:suppressed", "left rows of the document out"),
        (
            trigger("customer_profile_emails", "TRIGGER t BEFORE", "NEW.email LIKE 'Refused%'", "RETURN NULL"),
            "db:suppressed",
            "left rows of the document out",
        ),
        (
            on_profiles("CONSTRAINT TRIGGER t AFTER", "RAISE check_violation USING CONSTRAINT = 'house_rule'"),
            "db:23514",
            named,
        ),
    ]
}

fn assert_rejected(run: &Run, lines: &[usize], code: &str, words: &str, what: &str) {
    let expected: Vec<_> = lines.iter().map(|&line| (line, vec![code.to_owned()])).collect();
    assert_eq!(run.rejected(), expected, "{what}: {}", run.stderr);
    for record in &run.errors {
        let message = record["errors"][0]["message"].as_str().expect("a message");
        assert!(message.contains(words), "{what}: {message}");
    }
}

async fn assert_holds(store: &Store, documents: impl Iterator<Item = Value>) {
    let lines: Vec<_> = documents.map(|document| document.to_string()).collect();
    assert_stored(&store.connect().await, lines.iter().map(String::as_bytes)).await;
}

#[tokio::test]
async fn new_documents() {
    let input = ndjson(&(0..COUNT).map(|nth| document(nth, "a", is_faulty(nth))).collect::<Vec<_>>());
    let lines: Vec<_> = (0..COUNT).filter(|&nth| is_faulty(nth)).map(|nth| nth + 1).collect();
    for (rule, code, words) in rules() {
        for way in WAYS {
            let what = format!("{way:?} {rule}");
            let store = Store::new("refused", Tables::Foreign);
            store.database.execute(&rule);
            let run = store.load(way, &input);
            assert_rejected(&run, &lines, code, words, &what);
            let kept = (0..COUNT).filter(|&nth| !is_faulty(nth));
            assert_holds(&store, kept.map(|nth| document(nth, "a", false))).await;
        }
    }
}

/// Some are new, some replace what is stored, some are stored as they are, and each id comes twice, once faulty.
#[tokio::test]
async fn new_and_changed_documents_and_ids_that_come_twice() {
    let stored: Vec<_> = (0..COUNT / 2).map(|nth| document(nth, "a", false)).collect();
    let mut input = Vec::new();
    for nth in 0..COUNT {
        let version = if nth % 3 == 0 { "a" } else { "b" };
        input.push(document(nth, version, is_faulty(nth)));
    }
    for nth in 0..COUNT / 4 {
        input.push(document(nth, "c", !is_faulty(nth)));
    }
    let at_fault =
        |(line, document): (usize, &Value)| (document["firstName"] == "Refused").then_some(line + 1);
    let lines: Vec<_> = input.iter().enumerate().filter_map(at_fault).collect();
    let last = |nth: usize| {
        let valid =
            input.iter().rfind(|document| document["id"] == id(nth) && document["firstName"] == "Welcome");
        valid.or(stored.get(nth)).cloned()
    };
    for (rule, code, words) in rules() {
        for way in WAYS.iter().filter(|way| !way.contains(&"bulk")) {
            let what = format!("{way:?} {rule}");
            let store = Store::new("refused", Tables::Foreign);
            assert_eq!(store.load(&[], &ndjson(&stored)).code, Some(0));
            store.database.execute(&rule);
            let run = store.load(&[*way, &["--on-existing", "update"]].concat(), &ndjson(&input));
            assert_rejected(&run, &lines, code, words, &what);
            assert_holds(&store, (0..COUNT).filter_map(last)).await;
        }
    }
}

/// Without functions in PL/pgSQL, documents are searched for one by one.
#[tokio::test]
async fn a_database_without_pl_pgsql() {
    let input = ndjson(&(0..60).map(|nth| document(nth, "a", is_faulty(nth))).collect::<Vec<_>>());
    let lines: Vec<_> = (0..60).filter(|&nth| is_faulty(nth)).map(|nth| nth + 1).collect();
    for strategy in ["merge", "bulk"] {
        let store = Store::new("refused", Tables::Foreign);
        // The migrations need it.
        assert_eq!(store.load(&[], b"").code, Some(0));
        store.database.execute(
            "DROP EXTENSION plpgsql;
             ALTER TABLE customer_profiles ADD CONSTRAINT house_rule CHECK (first_name <> 'Refused')",
        );
        let run = store.load(&["--strategy", strategy], &input);
        assert_rejected(&run, &lines, "db:23514", "constraint house_rule", strategy);
    }
}

/// No subtransaction is left open with a number, however many documents are refused: other sessions would have to look
/// for the 65th and later ones on disk.
#[tokio::test]
async fn few_transactions_have_written_what_is_stored() {
    let input = ndjson(&(0..COUNT).map(|nth| document(nth, "a", is_faulty(nth))).collect::<Vec<_>>());
    let check = "ALTER TABLE customer_profiles ADD CONSTRAINT house_rule CHECK (first_name <> 'Refused')";
    // Its condition is known before documents are written, that of an index is not.
    let index = "CREATE INDEX house_rule ON customer_profiles ((1 / (first_name <> 'Refused')::int))";
    for rule in [check, index] {
        for strategy in ["merge", "bulk"] {
            let store = Store::new("refused", Tables::Foreign);
            store.database.execute(rule);
            let run = store.load(&["--strategy", strategy, "--connections", "1"], &input);
            assert_eq!(run.code, Some(1), "{}", run.stderr);
            let client = store.connect().await;
            let writers = "SELECT count(DISTINCT xmin::text)::text FROM customer_profiles";
            assert_eq!(texts(&client, writers).await, ["1"], "{strategy}: {rule}");
        }
    }
}
