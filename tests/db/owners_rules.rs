//! What the tables' owner may have added, on each table, for each way to load: every document is in all of its tables or in
//! none, what refused documents wrote is gone, counts are those of the tables, and the number of connections is all one.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::support::{Database, Run, Store, Tables, digests, ndjson, texts};

const COUNT: usize = 60;

/// Documents at fault, by the owner's rule.
fn is_marked(number: usize) -> bool {
    [0, 7, 8, 30, COUNT - 1].contains(&number)
}

fn document(number: usize, is_changed: bool) -> Value {
    let mark = if is_marked(number) { "Marked" } else { "Plain" };
    let first_name = if is_changed { "Changed" } else { "First" };
    json!({
        "id": format!("{:08x}-0000-4000-8000-{number:012}", number.wrapping_mul(2_654_435_761) % (1 << 32)),
        "firstName": first_name, "lastName": format!("{mark}{number}"),
        "emails": [format!("{mark}{number}@example.com"), format!("{first_name}{number}@example.net")],
        "phoneNumbers": [{"type": "work", "number": format!("+49{}{number:04}", u8::from(is_marked(number)))}],
        "address": {"line1": first_name, "city": mark, "state": "S", "postalCode": format!("{mark}{number}"),
                    "country": "DE"},
        "privacySettings": {"marketingEmailsEnabled": true, "twoFactorEnabled": false},
    })
}

/// The tables, with what marks a row of a document at fault, and the column that tells its profile.
const TABLES: [(&str, &str, &str); 4] = [
    ("customer_profiles", "NEW.last_name LIKE 'Marked%'", "id"),
    ("customer_profile_addresses", "NEW.city = 'Marked'", "customer_profile_id"),
    ("customer_profile_emails", "NEW.email LIKE 'Marked%'", "customer_profile_id"),
    ("customer_profile_phone_numbers", "NEW.number LIKE '+491%'", "customer_profile_id"),
];

/// What a trigger does with such a row, besides a note that it was there.
const ACTIONS: [&str; 5] = [
    "RETURN NULL",
    "RAISE EXCEPTION 'no'",
    // The id of another profile, where it has to be one.
    "NEW.@id := 'ffffffff-0000-4000-8000-000000000000'",
    "NEW.@id := NULL",
    "DELETE FROM customer_profiles WHERE id = NEW.@id; RETURN NULL",
];

const WAYS: [[&str; 4]; 4] = [
    ["--strategy", "merge", "--connections", "1"],
    ["--strategy", "merge", "--connections", "4"],
    ["--strategy", "bulk", "--connections", "1"],
    ["--strategy", "bulk", "--connections", "4"],
];

/// A copy of what a first load has left, which is the same for each rule.
fn store(is_empty: bool) -> Store {
    static EMPTY: LazyLock<Database> = LazyLock::new(|| first_load(true));
    static HALF: LazyLock<Database> = LazyLock::new(|| first_load(false));
    Store::copy_of(if is_empty { &EMPTY } else { &HALF })
}

/// Empty for a bulk load, with half of the documents, in other versions, for a merge.
fn first_load(is_empty: bool) -> Database {
    let store = Store::new("owners", Tables::Migrated);
    let stored: Vec<_> =
        (0..COUNT).filter(|number| number % 2 == 0).map(|number| document(number, true)).collect();
    let input = if is_empty { Vec::new() } else { ndjson(&stored) };
    let run = store.load(&[], &input);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    store.database.execute("CREATE TABLE notes (what text)");
    store.into_template()
}

/// How many rows of each table each document has: id and numbers.
const ROWS: &str = "
    SELECT concat_ws(' ', p.id,
        (SELECT count(*) FROM customer_profile_addresses AS t WHERE t.customer_profile_id = p.id),
        (SELECT count(*) FROM customer_profile_emails AS t WHERE t.customer_profile_id = p.id),
        (SELECT count(*) FROM customer_profile_phone_numbers AS t WHERE t.customer_profile_id = p.id))
    FROM customer_profiles AS p ORDER BY p.id";

async fn check(rule: &str, policy: &str, what: &str) {
    let mut results = Vec::new();
    for way in WAYS {
        let is_bulk = way[1] == "bulk";
        let store = store(is_bulk);
        store.database.execute(rule);
        let input = ndjson(&(0..COUNT).map(|number| document(number, false)).collect::<Vec<_>>());
        let options =
            [&way[..], &["--on-existing", policy, "--chunk-bytes", "2048", "--batch-bytes", "6000"]].concat();
        let run = store.load(&options, &input);
        let told = format!("{what}, {policy}, {way:?}: {}", run.stderr);
        assert!(run.code.is_some_and(|code| code < 2), "{told}");
        let client = store.connect().await;
        let mut expected: Vec<_> = (0..COUNT)
            .filter(|number| !is_bulk && number % 2 == 0 || !is_rejected(&run, *number))
            .map(|number| format!("{} 1 2 1", document(number, false)["id"].as_str().expect("a text")))
            .collect();
        expected.sort_unstable();
        assert_eq!(texts(&client, ROWS).await, expected, "{told}");
        if is_bulk {
            let stored = ["customer_profiles", "customer_profile_emails"]
                .map(|table| run.report["load"]["rows"][table].clone());
            assert_eq!(stored, [expected.len(), 2 * expected.len()].map(Value::from), "{told}");
        }
        assert_eq!(texts(&client, "SELECT what FROM notes").await, [""; 0], "{told}");
        results.push((run.rejected(), digests(&client, "public").await));
    }
    assert!(!results[0].0.is_empty() || policy == "skip", "{what}, {policy}: nothing is refused");
    assert_eq!(results[0], results[1], "{what}, {policy}");
    assert_eq!(results[2], results[3], "{what}, {policy}");
}

fn is_rejected(run: &Run, number: usize) -> bool {
    run.rejected().iter().any(|(line, _)| *line == number + 1)
}

async fn triggers_on(table: usize) {
    let (name, is_marked, id) = TABLES[table];
    for (number, action) in ACTIONS.iter().enumerate() {
        let rule = format!(
            "CREATE FUNCTION house_rule() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF {is_marked} THEN INSERT INTO notes VALUES ('{name}'); {}; END IF; RETURN NEW; END $$;
             CREATE TRIGGER house_rule BEFORE INSERT ON {name} FOR EACH ROW EXECUTE FUNCTION house_rule()",
            action.replace("@id", id)
        );
        for policy in ["reject", "update"] {
            check(&rule, policy, &format!("trigger {number} on {name}")).await;
        }
    }
}

async fn constraints_on(table: usize) {
    let (name, ..) = TABLES[table];
    let column = ["left(last_name, 6)", "left(postal_code, 6)", "left(email, 6)", "left(number, 4)"][table];
    for (rule, policies) in [
        (format!("CREATE UNIQUE INDEX one ON {name} (({column})) WHERE {column} IN ('Marked', '+491')"), 2),
        (
            format!(
                "ALTER TABLE {name} ADD CONSTRAINT one EXCLUDE USING btree (({column}) WITH =)
                 WHERE ({column} IN ('Marked', '+491')) DEFERRABLE INITIALLY DEFERRED"
            ),
            1,
        ),
    ] {
        for policy in ["reject", "update"].into_iter().take(policies) {
            check_clashes(&rule, policy, &format!("constraint on {name}")).await;
        }
    }
}

/// Of the marked documents the first is loaded, and no other.
async fn check_clashes(rule: &str, policy: &str, what: &str) {
    for way in WAYS {
        let store = store(true);
        store.database.execute(rule);
        let input = ndjson(&(0..COUNT).map(|number| document(number, false)).collect::<Vec<_>>());
        let options =
            [&way[..], &["--on-existing", policy, "--chunk-bytes", "2048", "--batch-bytes", "6000"]].concat();
        let run = store.load(&options, &input);
        let told = format!("{what}, {policy}, {way:?}: {}", run.stderr);
        let expected: Vec<_> =
            (1..COUNT).filter(|number| is_marked(*number)).map(|number| number + 1).collect();
        assert_eq!(run.rejected().into_iter().map(|(line, _)| line).collect::<Vec<_>>(), expected, "{told}");
        let rows = texts(&store.connect().await, ROWS).await;
        assert!(
            rows.len() == COUNT - 4 && rows.iter().all(|row| row.ends_with(" 1 2 1")),
            "{told}: {rows:?}"
        );
    }
}

#[tokio::test]
async fn triggers_on_profiles() {
    triggers_on(0).await;
}

#[tokio::test]
async fn triggers_on_addresses() {
    triggers_on(1).await;
}

#[tokio::test]
async fn triggers_on_emails() {
    triggers_on(2).await;
}

#[tokio::test]
async fn triggers_on_phone_numbers() {
    triggers_on(3).await;
}

#[tokio::test]
async fn constraints_on_each_table() {
    for table in 0..TABLES.len() {
        constraints_on(table).await;
    }
}

/// PostgreSQL refuses what a merge does with such a table, or does something else instead.
#[tokio::test]
async fn rules_are_refused_before_anything_is_begun() {
    for (table, ..) in TABLES {
        for (event, policy) in [("INSERT", "reject"), ("UPDATE", "update"), ("DELETE", "update")] {
            let is_used = match event {
                "UPDATE" => ["customer_profiles", "customer_profile_addresses"].contains(&table),
                "DELETE" => table != "customer_profiles",
                _ => true,
            };
            for strategy in ["merge", "bulk"].into_iter().filter(|_| is_used) {
                let store = store(true);
                store
                    .database
                    .execute(&format!("CREATE RULE house AS ON {event} TO {table} DO INSTEAD NOTHING"));
                let input = ndjson(&[document(1, false)]);
                store.file("input.ndjson", &input);
                let options = ["--strategy", strategy, "--on-existing", policy];
                let refused = crate::support::run(
                    crate::support::binary()
                        .args(["load", "--database-url", &store.database.url])
                        .args(options)
                        .arg(store.path("input.ndjson"))
                        .arg("--rejects")
                        .arg(store.path("rejects")),
                );
                assert_eq!(refused.code, Some(5), "{}", refused.stderr);
                let fix = format!("DROP RULE house ON public.{table}");
                assert!(refused.stderr.contains(&fix), "{}", refused.stderr);
                let client = store.connect().await;
                assert_eq!(texts(&client, "SELECT count(*)::text FROM profile_loader.runs").await, ["1"]);
                store.database.execute(&fix);
                let loaded = store.load(&options, &input);
                assert_eq!(loaded.code, Some(0), "{}", loaded.stderr);
            }
        }
    }
}

/// Somebody changes the tables while the run goes on: that is not the documents' fault.
#[tokio::test]
async fn tables_that_are_changed_meanwhile() {
    for change in [
        "ALTER TABLE customer_profiles ADD COLUMN tenant integer NOT NULL DEFAULT 1;
         ALTER TABLE customer_profiles ALTER COLUMN tenant DROP DEFAULT",
        "ALTER TABLE customer_profile_emails ALTER COLUMN email TYPE varchar(3) USING left(email, 3)",
        "UPDATE customer_profile_addresses SET line2 = ''; ALTER TABLE customer_profile_addresses ALTER COLUMN line2 SET NOT NULL",
    ] {
        for strategy in ["merge", "bulk"] {
            let store = store(true);
            let input = ndjson(&(0..COUNT).map(|number| document(number, false)).collect::<Vec<_>>());
            // The input is cut off, so the run is unfinished, and the tables are changed before it goes on.
            let options = [
                "--strategy",
                strategy,
                "--connections",
                "1",
                "--chunk-bytes",
                "2048",
                "--batch-bytes",
                "6000",
            ];
            let cut = store.load(&options, &input[..input.len() / 2]);
            assert_eq!(cut.code, Some(4), "{}", cut.stderr);
            store.database.execute(change);
            let refused = store.load(&options, &input);
            assert_eq!(refused.code, Some(5), "{change}, {strategy}: {}", refused.stderr);
            assert!(
                refused.stderr.contains("were changed")
                    || refused.stderr.contains("are not what the loader needs"),
                "{change}, {strategy}: {}",
                refused.stderr
            );
        }
    }
}
