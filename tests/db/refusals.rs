//! Documents that only the server refuses, by rules of the tables' owner: those at fault are rejected, the
//! rest of their batch is loaded, and no value of theirs is told anywhere but in the reject file.

use serde_json::{Value, json};

use crate::support::{
    Run, Store, Tables, assert_stored, digests, document_lines, generate, line_number, ndjson,
};

/// Lines of the documents at fault, among 2,000: first, last, neighbours, and one alone.
const FAULTY: [usize; 5] = [1, 700, 701, 1500, 2000];

/// Parts of the values of a document at fault: its texts, its id, its numbers.
const SECRETS: [&str; 3] = ["zq7secret", "5ec2e700", "151777123"];

/// A trigger function that does something to documents at fault, and nothing to others.
fn trigger(timing: &str, action: &str) -> String {
    format!(
        "CREATE FUNCTION house_rule() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN IF NEW.last_name LIKE 'Refused %' THEN {action}; END IF; RETURN NEW; END $$;
         CREATE {timing} INSERT OR UPDATE ON customer_profiles {} FOR EACH ROW EXECUTE FUNCTION house_rule()",
        if timing.starts_with("CONSTRAINT") { "DEFERRABLE INITIALLY DEFERRED" } else { "" }
    )
}

fn faulty_document(number: usize) -> Value {
    json!({
        "id": format!("5ec2e700-0000-4000-8000-{number:012}"),
        "firstName": "First Zq7Secret", "middleName": "Middle Zq7Secret",
        "lastName": format!("Refused Zq7Secret{number}"),
        "emails": [format!("refused.zq7secret{number}@example.com")],
        "phoneNumbers": [{"type": "work", "number": format!("+49151777123{number:04}")}],
        "address": {
            "line1": "Zq7Secret 1", "line2": "Zq7Secret 2", "city": "Zq7Secret 3", "state": "Zq7Secret 4",
            "postalCode": "Zq7Secret 5", "country": "QQ",
        },
        "privacySettings": {"marketingEmailsEnabled": true, "twoFactorEnabled": false},
    })
}

fn input_with_faulty_documents() -> Vec<u8> {
    let generated = generate(&["--count", "2000", "--seed", "5"]);
    let mut input = Vec::new();
    for (number, line) in document_lines(&generated) {
        if FAULTY.contains(&number) {
            input.extend(ndjson([&faulty_document(number)]));
        } else {
            input.extend_from_slice(line);
        }
    }
    input
}

/// Tables with a rule of their owner's, and a profile that was stored before.
fn ruled(rule: &str) -> Store {
    let store = Store::new("ruled", Tables::Foreign);
    let stored = store.load(&[], &ndjson([&faulty_document(0)]));
    assert_eq!(stored.code, Some(0), "{}", stored.stderr);
    store.database.execute(rule);
    store
}

/// Loads 2,000 documents, of which five break the rule; the message says `words`.
async fn check(rule: &str, code: &str, words: &str) {
    let input = input_with_faulty_documents();
    for options in [&["-v", "--connections", "4"][..], &["-q", "--connections", "1", "--chunk-bytes", "4096"]]
    {
        let store = ruled(rule);
        let run = store.load(options, &input);
        assert_eq!((run.code, run.counts()), (Some(1), [1995, 0, 0, 0, 5]), "{}", run.stderr);
        assert_eq!(run.rejected(), FAULTY.map(|line| (line, vec![code.to_owned()])));
        for record in &run.errors {
            let message = record["errors"][0]["message"].as_str().expect("a message");
            assert!(message.contains(words), "{message}");
        }
        let (rejected, loaded): (Vec<_>, Vec<_>) =
            document_lines(&input).into_iter().partition(|(line, _)| FAULTY.contains(line));
        assert_eq!(run.rejects, rejected.into_iter().flat_map(|(_, line)| line.to_vec()).collect::<Vec<_>>());
        assert_nothing_told(&run);
        let stored_before = faulty_document(0).to_string();
        let all = loaded.into_iter().map(|(_, line)| line).chain([stored_before.as_bytes()]);
        assert_stored(&store.connect().await, all).await;
    }
}

/// No value of a document at fault stands in what people and machines read about the run.
fn assert_nothing_told(run: &Run) {
    let told =
        [run.stdout.clone(), run.stderr.clone(), run.report.to_string(), json!(run.errors).to_string()];
    for text in told {
        let text = text.to_lowercase();
        assert!(SECRETS.iter().all(|secret| !text.contains(secret)), "{text}");
    }
}

#[tokio::test]
async fn a_check_constraint() {
    let rule = "ALTER TABLE customer_profiles ADD CONSTRAINT none_refused
                CHECK (last_name NOT LIKE 'Refused %') NOT VALID";
    check(rule, "db:23514", "table customer_profiles, constraint none_refused").await;
}

#[tokio::test]
async fn a_check_constraint_of_another_table() {
    let rule = "ALTER TABLE customer_profile_phone_numbers ADD CONSTRAINT not_this_network
                CHECK (number NOT LIKE '+49151777%') NOT VALID";
    check(rule, "db:23514", "table customer_profile_phone_numbers, constraint not_this_network").await;
}

#[tokio::test]
async fn a_foreign_key_of_the_owner() {
    let rule = "CREATE TABLE countries (code varchar(2) PRIMARY KEY);
                INSERT INTO countries SELECT chr(a) || chr(b)
                FROM generate_series(65, 90) AS a, generate_series(65, 90) AS b WHERE chr(a) || chr(b) <> 'QQ';
                ALTER TABLE customer_profile_addresses ADD CONSTRAINT known_country
                FOREIGN KEY (country) REFERENCES countries NOT VALID";
    check(rule, "db:23503", "table customer_profile_addresses, constraint known_country").await;
}

#[tokio::test]
async fn a_unique_index_over_profiles() {
    // One e-mail, one profile; the other profile was stored before.
    let rule = "INSERT INTO customer_profile_emails (customer_profile_id, email)
                SELECT '5ec2e700-0000-4000-8000-000000000000', 'refused.zq7secret' || n || '@example.com'
                FROM unnest(ARRAY[1, 700, 701, 1500, 2000]) AS n;
                CREATE UNIQUE INDEX one_email_one_profile ON customer_profile_emails (lower(email))
                WHERE email LIKE 'refused%'";
    let input = input_with_faulty_documents();
    let store = ruled(rule);
    let run = store.load(&["-v"], &input);
    assert_eq!((run.code, run.counts()), (Some(1), [1995, 0, 0, 0, 5]), "{}", run.stderr);
    assert_eq!(run.rejected(), FAULTY.map(|line| (line, vec!["db:23505".to_owned()])));
    assert!(run.errors.iter().all(|record| {
        let message = record["errors"][0]["message"].as_str().expect("a message");
        message.ends_with("table customer_profile_emails, constraint one_email_one_profile")
    }));
    assert_nothing_told(&run);
}

/// Of two profiles in one input that can't both be stored, the one that comes later is refused by one
/// connection; by several, one of them.
#[tokio::test]
async fn a_unique_index_over_profiles_of_one_input() {
    let pair = |number: usize| {
        let mut document = faulty_document(number);
        document["emails"] = json!([format!("pair{}.zq7secret@example.com", number / 2)]);
        document
    };
    let input = ndjson(&(2..200).map(pair).collect::<Vec<_>>());
    let rule = "CREATE UNIQUE INDEX one_email_one_profile ON customer_profile_emails (email)";
    for connections in ["1", "4"] {
        let store = ruled(rule);
        let run = store.load(&["--connections", connections, "--chunk-bytes", "2000"], &input);
        assert_eq!((run.code, run.counts()), (Some(1), [99, 0, 0, 0, 99]), "{connections} {}", run.stderr);
        let lines: Vec<_> = run.errors.iter().map(line_number).collect();
        let pairs: Vec<_> = lines.iter().map(|line| (line - 1) / 2).collect();
        assert_eq!(pairs, (0..99).collect::<Vec<_>>());
        assert!(connections != "1" || lines.iter().all(|line| line % 2 == 0), "{lines:?}");
        assert_nothing_told(&run);
    }
}

#[tokio::test]
async fn a_trigger_that_raises_an_exception() {
    let tell_all = "RAISE EXCEPTION 'no % here', NEW.last_name
                    USING DETAIL = NEW.id, HINT = NEW.first_name || NEW.middle_name";
    check(&trigger("TRIGGER t BEFORE", tell_all), "db:P0001", "a trigger raised an exception").await;
}

#[tokio::test]
async fn a_trigger_with_an_error_of_its_own() {
    let own = "RAISE SQLSTATE 'ZZ001' USING MESSAGE = NEW.last_name, CONSTRAINT = 'house_rule'";
    check(&trigger("TRIGGER t AFTER", own), "db:ZZ001", "constraint house_rule").await;
}

#[tokio::test]
async fn a_trigger_that_fails_by_itself() {
    let divide = "NEW.first_name := 1 / (length(NEW.last_name) - length(NEW.last_name))";
    check(&trigger("TRIGGER t BEFORE", divide), "db:22012", "the server refused the document").await;
}

#[tokio::test]
async fn a_trigger_that_leaves_rows_out() {
    let rule = trigger("TRIGGER t BEFORE", "RETURN NULL");
    check(&rule, "db:suppressed", "the server left rows of the document out without an error").await;
}

#[tokio::test]
async fn a_trigger_that_leaves_rows_of_another_table_out() {
    for (table, of_a_faulty_document) in [
        ("customer_profile_addresses", "NEW.country = 'QQ'"),
        ("customer_profile_emails", "NEW.email LIKE 'refused.zq7secret%'"),
        ("customer_profile_phone_numbers", "NEW.number LIKE '+49151777123%'"),
    ] {
        let rule = format!(
            "CREATE FUNCTION house_rule() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN IF {of_a_faulty_document} THEN RETURN NULL; END IF; RETURN NEW; END $$;
             CREATE TRIGGER house_rule BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION house_rule()"
        );
        check(&rule, "db:suppressed", "the server left rows of the document out without an error").await;
    }
}

#[tokio::test]
async fn an_update_of_which_rows_are_left_out_leaves_the_profile_as_it_was() {
    for (table, event) in [
        ("customer_profiles", "UPDATE"),
        ("customer_profile_addresses", "UPDATE"),
        ("customer_profile_emails", "DELETE"),
        ("customer_profile_phone_numbers", "INSERT"),
    ] {
        let store = ruled(&format!(
            "CREATE FUNCTION house_rule() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
             CREATE TRIGGER house_rule BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION house_rule()"
        ));
        let client = store.connect().await;
        let before = digests(&client, "public").await;
        let mut changed = faulty_document(0);
        changed["firstName"] = json!("Changed");
        changed["address"]["city"] = json!("Changed");
        changed["emails"] = json!(["changed@example.com"]);
        changed["phoneNumbers"] = json!([{"type": "home", "number": "+491"}]);
        let run = store.load(&["--on-existing", "update"], &ndjson([&changed]));
        assert_eq!(run.rejected(), [(1, vec!["db:suppressed".to_owned()])], "{table}: {}", run.stderr);
        assert_eq!(digests(&client, "public").await, before, "{table}");
    }
}

#[tokio::test]
async fn a_constraint_that_is_checked_at_commit() {
    let raise = "RAISE check_violation USING MESSAGE = NEW.last_name, CONSTRAINT = 'at_last'";
    let rule = trigger("CONSTRAINT TRIGGER t AFTER", raise);
    check(&rule, "db:23514", "constraint at_last").await;
}

#[tokio::test]
async fn an_update_that_is_refused_leaves_the_profile_as_it_was() {
    let stored = |number: usize| {
        let mut document = faulty_document(number);
        document["lastName"] = json!("Welcome");
        document
    };
    let store = Store::new("ruled", Tables::Foreign);
    assert_eq!(store.load(&[], &ndjson(&[1, 2, 3].map(stored))).code, Some(0));
    store.database.execute(
        "ALTER TABLE customer_profiles ADD CONSTRAINT none_refused CHECK (last_name NOT LIKE 'Refused %')",
    );
    let changed = |number: usize| {
        let mut document = stored(number);
        document["firstName"] = json!("Changed");
        document
    };
    let run = store.load(&["--on-existing", "update"], &ndjson(&[changed(1), faulty_document(2), stored(3)]));
    assert_eq!((run.code, run.counts()), (Some(1), [0, 1, 1, 0, 1]), "{}", run.stderr);
    assert_eq!(run.rejected(), [(2, vec!["db:23514".to_owned()])]);
    assert_nothing_told(&run);
    let expected = [changed(1), stored(2), stored(3)].map(|document| document.to_string());
    assert_stored(&store.connect().await, expected.iter().map(String::as_bytes)).await;
}

#[tokio::test]
async fn an_update_that_is_refused_at_commit_too() {
    let store =
        ruled(&trigger("CONSTRAINT TRIGGER t AFTER", "RAISE check_violation USING CONSTRAINT = 'at_last'"));
    let client = store.connect().await;
    let before = digests(&client, "public").await;
    let mut changed = faulty_document(0);
    changed["middleName"] = json!("Other Zq7Secret");
    let run = store.load(&["--on-existing", "update"], &ndjson([&changed]));
    assert_eq!((run.code, run.counts()), (Some(1), [0, 0, 0, 0, 1]), "{}", run.stderr);
    assert_eq!(run.rejected(), [(1, vec!["db:23514".to_owned()])]);
    assert_nothing_told(&run);
    assert_eq!(digests(&client, "public").await, before);
}

/// Two lanes may wait for each other's e-mails; the server ends one of the transactions, which is no end.
#[tokio::test]
async fn a_unique_index_that_lets_lanes_wait_for_each_other() {
    const COUNT: usize = 400;
    let document = |number: usize| {
        let mut document = faulty_document(number);
        document["emails"] = json!([format!("zq7secret{}@example.com", number.min(COUNT + 1 - number))]);
        document
    };
    let input = ndjson(&(1..=COUNT).map(document).collect::<Vec<_>>());
    let store = ruled("CREATE UNIQUE INDEX one_email_one_profile ON customer_profile_emails (email)");
    let run = store.load(&["--connections", "4"], &input);
    assert_eq!((run.code, run.counts()), (Some(1), [200, 0, 0, 0, 200]), "{}", run.stderr);
    assert!(run.rejected().iter().all(|(_, codes)| codes == &["db:23505"]));
    assert_nothing_told(&run);
}
