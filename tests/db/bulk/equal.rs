//! What is stored after a bulk load, what is rejected and what is told, held against an independent reading and
//! against a merge of the same input.

use std::fs;

use serde_json::{Value, json};

use super::{load, load_bulk, names_of_rejects, store};
use crate::support::{
    Random, Run, Store, assert_stored, digests, document_lines, generate, surviving, texts,
};

/// What differs between any two runs.
const OF_THE_RUN: [&str; 5] = ["/run_id", "/started_at", "/elapsed_seconds", "/throughput", "/timeline"];

/// Rules of the owner's, each broken by documents that are marked so.
const RULES: &str = "
    ALTER TABLE customer_profiles ADD CONSTRAINT ck_owner CHECK (first_name <> 'Checked');
    CREATE TABLE countries (code varchar(2) PRIMARY KEY);
    INSERT INTO countries SELECT chr(a) || chr(b)
    FROM generate_series(65, 90) AS a, generate_series(65, 90) AS b WHERE chr(a) || chr(b) <> 'QQ';
    ALTER TABLE customer_profile_addresses ADD CONSTRAINT known_country
        FOREIGN KEY (country) REFERENCES countries DEFERRABLE INITIALLY DEFERRED;
    CREATE INDEX by_name ON customer_profiles (last_name, first_name);";

/// The same; where there are triggers, no index comes off.
const TRIGGERS: &str = "
    CREATE FUNCTION house_rule() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.first_name = 'Raised' THEN RAISE EXCEPTION 'no'; END IF;
        IF NEW.first_name = 'Left out' THEN RETURN NULL; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER house_rule BEFORE INSERT OR UPDATE ON customer_profiles
        FOR EACH ROW EXECUTE FUNCTION house_rule();
    CREATE FUNCTION address_rule() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.city = 'Left out' THEN RETURN NULL; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER address_rule BEFORE INSERT ON customer_profile_addresses
        FOR EACH ROW EXECUTE FUNCTION address_rule()";

/// How a document breaks one of the rules, and the code that it is rejected with.
const BROKEN: [(&str, &str, &str); 5] = [
    ("/firstName", "Checked", "db:23514"),
    ("/firstName", "Raised", "db:P0001"),
    ("/firstName", "Left out", "db:suppressed"),
    ("/address/city", "Left out", "db:suppressed"),
    ("/address/country", "QQ", "db:23503"),
];

/// New documents, copies and changed copies of earlier ones, faulty ones, and some that break a rule.
fn input() -> Vec<u8> {
    let text = generate(&["--count", "3000", "--seed", "23", "--duplicates", "0.1", "--invalid", "0.03"]);
    let mut random = Random(5);
    let lines = document_lines(&text).into_iter().map(|(_, line)| line);
    lines.flat_map(|line| broken(line, &mut random).unwrap_or_else(|| line.to_vec())).collect()
}

fn broken(line: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let (pointer, value, _) = *random.pick(&BROKEN);
    if random.below(40) > 0 {
        return None;
    }
    let mut document: Value = serde_json::from_slice(line).ok()?;
    *document.pointer_mut(pointer)? = value.into();
    Some(format!("{document}\n").into_bytes())
}

fn comparable(run: &Run) -> Value {
    let mut report = run.report.clone();
    for pointer in OF_THE_RUN.iter().chain(&["/load/strategy", "/load/connections"]) {
        report.pointer_mut(pointer).expect("every report has it").take();
    }
    report
}

/// The bytes of both reject files.
fn reject_files(store: &Store) -> [Vec<u8>; 2] {
    ["rejects/rejects.ndjson", "rejects/rejects.errors.ndjson"]
        .map(|name| fs::read(store.path(name)).unwrap_or_default())
}

async fn check(on_existing: &'static str, of_owner: &str, input: &[u8], codes: &[&str]) {
    let options = ["--on-existing", on_existing];
    let (bulk, merge) = (store("equal", of_owner, input), store("equal", of_owner, input));
    let in_bulk = load_bulk(&bulk, &options);
    let merged = load(&merge, &[&["--strategy", "merge"], &options[..]].concat());
    assert_eq!(in_bulk.code, merged.code, "{}", in_bulk.stderr);
    assert_eq!(in_bulk.rejected(), merged.rejected(), "{on_existing}");
    assert_eq!(comparable(&in_bulk), comparable(&merged), "{on_existing}");
    assert!(reject_files(&bulk) == reject_files(&merge), "{on_existing}: the reject files differ");
    let names: &[&str] = if codes.is_empty() { &[] } else { &["rejects.errors.ndjson", "rejects.ndjson"] };
    assert_eq!(names_of_rejects(&bulk), names);
    let client = bulk.connect().await;
    assert_stored(&client, surviving(&[], input, &in_bulk, on_existing)).await;
    assert_eq!(digests(&client, "public").await, digests(&merge.connect().await, "public").await);
    let all = in_bulk.rejected();
    for code in codes {
        let count = all.iter().filter(|(_, found)| found.iter().any(|found| found.starts_with(code)));
        assert!(count.count() > 1, "{on_existing}: {code} does not occur");
    }
    let left = "SELECT (SELECT count(*) FROM profile_loader.run_ddl) || ' '
                || (SELECT count(*) FROM profile_loader.run_spills)";
    assert_eq!(texts(&client, left).await, ["0 0"]);
}

const OF_RULES: [&str; 4] = ["schema:", "json:", "db:23514", "db:23503"];
const OF_TRIGGERS: [&str; 2] = ["db:P0001", "db:suppressed"];

async fn check_with_rules(on_existing: &'static str, codes: &[&str]) {
    let (input, codes) = (input(), [&OF_RULES[..], codes].concat());
    check(on_existing, RULES, &input, &codes).await;
    check(on_existing, &[RULES, TRIGGERS].concat(), &input, &[&codes[..], &OF_TRIGGERS].concat()).await;
}

#[tokio::test]
async fn existing_profiles_reject() {
    check_with_rules("reject", &["load:duplicate"]).await;
}

#[tokio::test]
async fn existing_profiles_are_skipped() {
    check_with_rules("skip", &[]).await;
}

#[tokio::test]
async fn existing_profiles_are_updated() {
    check_with_rules("update", &[]).await;
}

#[tokio::test]
async fn without_any_rules() {
    let options = ["--count", "2000", "--seed", "29", "--duplicates", "0.2", "--invalid", "0.05"];
    check("reject", "", &generate(&options), &["schema:", "json:", "load:duplicate"]).await;
    check("update", "", &generate(&options), &["schema:", "json:"]).await;
}

#[tokio::test]
async fn without_any_deferred_document() {
    check("reject", "", &generate(&["--count", "500", "--seed", "3"]), &[]).await;
    check("reject", "", b"\n \n", &[]).await;
    check("reject", "", b"", &[]).await;
}

/// Every document has the same id: all but the first are deferred.
#[tokio::test]
async fn one_id_and_nothing_else() {
    let version = |number: usize| super::document(7, &[("/firstName", json!(format!("Version {number}")))]);
    let input = crate::support::ndjson(&(0..400).map(version).collect::<Vec<_>>());
    check("update", "", &input, &[]).await;
    check("skip", "", &input, &[]).await;
    check("reject", "", &input, &["load:duplicate"]).await;
}

/// Each document is refused: none stays, and each is told by itself.
#[tokio::test]
async fn the_server_refuses_every_document() {
    let rule = "ALTER TABLE customer_profiles ADD CONSTRAINT nobody CHECK (id IS NULL)";
    let input = generate(&["--count", "300", "--seed", "31"]);
    check("reject", rule, &input, &["db:23514"]).await;
}

/// Longer than an index entry may be, and too random to be compressed.
fn long_name(random: &mut Random) -> String {
    (0..3000)
        .map(|_| {
            char::from(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[random.below(62)])
        })
        .collect()
}

/// An index of the owner's can't be built over such a row, so it never gets there.
#[tokio::test]
async fn rows_too_long_for_an_index_are_rejected_one_by_one() {
    let mut random = Random(3);
    let mut documents: Vec<_> = (0..300).map(|number| super::document(number, &[])).collect();
    for number in [0, 17, 18, 150, 299] {
        documents[number]["lastName"] = json!(long_name(&mut random));
    }
    let input = crate::support::ndjson(&documents);
    let index = "CREATE INDEX by_last_name ON customer_profiles (last_name)";
    for on_existing in ["reject", "update"] {
        check(on_existing, index, &input, &["db:54000"]).await;
    }
    // Without the index they are welcome.
    check("reject", "", &input, &[]).await;
}

/// Sources are told apart, in records about documents that were deferred as well.
#[tokio::test]
async fn several_sources_that_share_ids() {
    let first = generate(&["--count", "600", "--seed", "41", "--invalid", "0.05"]);
    let second = generate(&["--count", "600", "--seed", "41", "--changed", "0.5", "--invalid", "0.02"]);
    let mut results = Vec::new();
    for strategy in ["bulk", "merge"] {
        let store = store("sources", "", b"");
        store.file("a.ndjson", &first);
        store.file("b.ndjson", &second);
        let options = ["a.ndjson", "b.ndjson", "--strategy", strategy, "--chunk-bytes", "4000"];
        let run = load(&store, &options);
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        assert!(
            run.counts()[0] > 500 && run.counts()[2] > 100 && run.counts()[4] > 200,
            "{:?}",
            run.counts()
        );
        results.push((
            comparable(&run),
            reject_files(&store),
            digests(&store.connect().await, "public").await,
        ));
    }
    assert!(results[0] == results[1], "{:#?}", results.iter().map(|result| &result.0).collect::<Vec<_>>());
}
