//! A load that may be disturbed, and the one judge of its end: whatever happened on the way, all that is left
//! afterwards is what an undisturbed run leaves.

mod left_over;

use std::{collections::BTreeMap, fs, time::Duration};

use left_over::left_over;
use serde_json::Value;

use super::{
    input::Input,
    loader::{Ended, INPUT, Loader, files},
};
use crate::support::{Store, TestServer, assert_stored, digests, surviving, texts};

/// Small chunks and transactions, so that a small input has many of both.
const OPTIONS: [&str; 4] = ["--chunk-bytes", "4000", "--connections", "3"];

/// What differs between any two runs.
const OF_THE_RUN: [&str; 4] = ["run_id", "started_at", "elapsed_seconds", "throughput"];

/// More than a session needs to end on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// An input, a policy, and what an undisturbed load makes of them.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) input: Input,
    pub(crate) options: Vec<&'static str>,
    template: Store,
    undisturbed: Remains,
}

/// What a finished load leaves.
#[derive(Debug, PartialEq)]
struct Remains {
    code: Option<i32>,
    tables: BTreeMap<&'static str, String>,
    /// Names of all relations, of every schema.
    relations: Vec<String>,
    runs: Vec<String>,
    report: Value,
    rejects: Vec<u8>,
    /// As bytes, too.
    errors: Vec<u8>,
    files: Vec<String>,
}

impl Case {
    /// Loads the input undisturbed, and holds the outcome against an independent reading.
    pub(crate) async fn new(server: &TestServer, documents: usize, on_existing: &'static str) -> Self {
        let input = Input::of(documents, 17);
        let template = input.store(server, "undisturbed");
        let options = [&OPTIONS[..], &["--on-existing", on_existing]].concat();
        let store = store_of(&template, &input);
        let ended = Loader::start(&store, &store.database.url, &options).end();
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
        let remains = Remains::of(&store, &ended).await;
        let run = ended.into_run(&store);
        let client = store.connect().await;
        assert_stored(&client, surviving(&input.stored, &input.text, &run, on_existing)).await;
        drop(client);
        Self { input, options, template, undisturbed: remains }
    }

    /// A store in which the load has not begun.
    pub(crate) fn store(&self) -> Store {
        store_of(&self.template, &self.input)
    }

    /// An attempt that nothing disturbs.
    pub(crate) fn load(&self, store: &Store) -> Ended {
        Loader::start(store, &store.database.url, &self.options).end()
    }

    /// Panics unless the last attempt has left what an undisturbed load leaves, and nothing else.
    pub(crate) async fn assert_exactly_once(&self, store: &Store, last: &Ended) {
        let differences = self.differences(store, last, PATIENCE).await;
        assert!(differences.is_empty(), "{}\n{}", differences.join("\n"), last.stderr);
    }

    /// All that is not as it should be, in words without values. Sessions get some time to end.
    pub(crate) async fn differences(&self, store: &Store, last: &Ended, patience: Duration) -> Vec<String> {
        let expected = &self.undisturbed;
        if last.code() != expected.code {
            return vec![format!("the last attempt ended with {}, not {:?}", last.status, expected.code)];
        }
        let mut differences = left_over(&store.connect().await, patience).await;
        let remains = Remains::of(store, last).await;
        let mut compare = |what: &str, is_same: bool| {
            if !is_same {
                differences.push(format!("{what} of an undisturbed load"));
            }
        };
        compare("the relations are not those", remains.relations == expected.relations);
        compare("the runs of the ledger are not those", remains.runs == expected.runs);
        compare("rejects.ndjson is not that", remains.rejects == expected.rejects);
        compare("rejects.errors.ndjson is not that", remains.errors == expected.errors);
        compare("the files are not those", remains.files == expected.files);
        for (table, digest) in &remains.tables {
            compare(&format!("{table} has {digest}, not the contents"), *digest == expected.tables[table]);
        }
        differences.extend(differing(&remains.report, &expected.report, "report"));
        differences
    }
}

fn store_of(template: &Store, input: &Input) -> Store {
    let store = template.copy();
    store.file(INPUT, &input.text);
    store
}

impl Remains {
    async fn of(store: &Store, last: &Ended) -> Self {
        let client = store.connect().await;
        let read = |name: &str| fs::read(store.path(name)).unwrap_or_default();
        let mut report: Value = serde_json::from_slice(&read("report.json")).unwrap_or_default();
        for name in OF_THE_RUN {
            report[name].take();
        }
        let relations = "SELECT concat_ws(' ', relnamespace::regnamespace, relname, relkind) FROM pg_class
             WHERE relpersistence <> 't' AND relnamespace::regnamespace::text NOT LIKE 'pg\\_%'
             ORDER BY 1";
        let runs =
            "SELECT concat_ws(' ', id, state, lanes, documents_read, documents_accepted, documents_rejected)
             FROM profile_loader.runs ORDER BY id";
        Self {
            code: last.code(),
            tables: digests(&client, "public").await,
            relations: texts(&client, relations).await,
            runs: texts(&client, runs).await,
            report,
            rejects: read("rejects/rejects.ndjson"),
            errors: read("rejects/rejects.errors.ndjson"),
            files: files(&store.path("")),
        }
    }
}

/// Where two JSON values differ, as pointers.
fn differing(found: &Value, expected: &Value, pointer: &str) -> Vec<String> {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            let names = found.keys().chain(expected.keys().filter(|name| !found.contains_key(*name)));
            let of = |map: &serde_json::Map<String, Value>, name: &String| map.get(name).cloned();
            names
                .flat_map(|name| {
                    let (found, expected) = (of(found, name), of(expected, name));
                    let pointer = format!("{pointer}/{name}");
                    differing(&found.unwrap_or_default(), &expected.unwrap_or_default(), &pointer)
                })
                .collect()
        }
        _ if found == expected => Vec::new(),
        (Value::Array(_), _) | (_, Value::Array(_)) => vec![format!("{pointer} differs")],
        _ => vec![format!("{pointer} is {found}, not {expected}")],
    }
}
