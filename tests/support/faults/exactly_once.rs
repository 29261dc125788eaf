//! A load that may be disturbed, and the one judge of its end: whatever happened on the way, all that is left
//! afterwards is what an undisturbed run leaves.

mod ledger;
mod left_over;
mod put_back;

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ledger::in_ledger;
use left_over::left_over;
use serde_json::Value;
use tokio_postgres::Client;

use super::{
    input::Input,
    loader::{Ended, INPUT, Loader, files},
};
use crate::support::{
    Store, TestServer, assert_stored, catalog, catalog_differences, digests, surviving, texts,
};

/// Of all loads: patient with servers, quick to look after what stands still, and all that the ledger can have.
const OPTIONS: [&str; 5] = ["--db-wait", "60s", "--watch-every", "500ms", "--rejects-table"];

/// How much is loaded, and in how many transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shape {
    /// Eight or so transactions in each of three lanes.
    Many,
    /// One lane that loads several batches.
    One,
    /// As few messages as there can be in more than one transaction: one lane, a handful of documents.
    Few,
}

impl Shape {
    fn documents(self) -> usize {
        match self {
            Self::Many | Self::One => 1500,
            Self::Few => 40,
        }
    }

    fn options(self) -> [&'static str; 6] {
        let [connections, chunk_bytes, batch_bytes] = match self {
            Self::Many => ["3", "4000", "130000"],
            Self::One => ["1", "4000", "130000"],
            Self::Few => ["1", "1000", "10000"],
        };
        ["--connections", connections, "--chunk-bytes", chunk_bytes, "--batch-bytes", batch_bytes]
    }
}

/// Some different e-mails are the same to it; those that were stored before are not its business.
const CLASHES: &str = "
    DO $$ BEGIN
        EXECUTE (
            SELECT format('CREATE UNIQUE INDEX clashes ON customer_profile_emails (left(md5(lower(email)), 2))
                           WHERE id > %s', max(id))
            FROM customer_profile_emails
        );
    END $$";

/// What is in the folder of a load that came to its end, and nothing else.
const FILES: [&str; 6] = [
    "input.ndjson",
    "rejects/rejects.errors.ndjson",
    "rejects/rejects.ndjson",
    "report.json",
    "stderr",
    "stdout",
];

/// What differs between any two runs.
const OF_THE_RUN: [&str; 6] =
    ["run_id", "started_at", "elapsed_seconds", "throughput", "timeline", "settings"];

/// More than a session needs to end on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// An input, a policy, and what an undisturbed load makes of them.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) input: Input,
    pub(crate) options: Vec<&'static str>,
    template: Store,
    /// The judge's own, by database: a new one for each question would cost more than the answer.
    sessions: Mutex<BTreeMap<String, Arc<Client>>>,
    code: Option<i32>,
    undisturbed: Remains,
}

/// What a finished load leaves.
#[derive(Debug)]
struct Remains {
    tables: BTreeMap<&'static str, String>,
    /// Of the ledger.
    relations: Vec<String>,
    /// Indexes and constraints with their definitions, and all else that the tables have.
    catalog: Vec<String>,
    runs: Vec<String>,
    report: Value,
    rejects: Vec<u8>,
    /// As bytes, too.
    errors: Vec<u8>,
    files: Vec<String>,
}

impl Case {
    /// A merge into tables that hold some of it.
    pub(crate) async fn new(server: &TestServer, shape: Shape, on_existing: &'static str) -> Self {
        let input = Input::of(shape.documents(), 17);
        Self::undisturbed(server, input, "", &shape.options(), on_existing).await
    }

    /// The same of one pretty-printed array.
    pub(crate) async fn of_array(server: &TestServer, shape: Shape, on_existing: &'static str) -> Self {
        let input = Input::of(shape.documents(), 17).in_array();
        Self::undisturbed(server, input, "", &shape.options(), on_existing).await
    }

    /// A bulk load of one into empty tables.
    pub(crate) async fn bulk_of_array(server: &TestServer, shape: Shape, on_existing: &'static str) -> Self {
        let input = Input::for_empty_tables(shape.documents(), 17).in_array();
        let options = [&shape.options()[..], &["--strategy", "bulk"]].concat();
        Self::undisturbed(server, input, "", &options, on_existing).await
    }

    /// The same where a constraint holds between profiles, which some documents violate: they are deferred.
    pub(crate) async fn in_order(server: &TestServer, shape: Shape, on_existing: &'static str) -> Self {
        let input = Input::of(shape.documents(), 17);
        let options = [&shape.options()[..], &["--strategy", "merge"]].concat();
        Self::undisturbed(server, input, CLASHES, &options, on_existing).await
    }

    /// A bulk load into empty tables.
    pub(crate) async fn bulk(server: &TestServer, shape: Shape, on_existing: &'static str) -> Self {
        let input = Input::for_empty_tables(shape.documents(), 17);
        let options = [&shape.options()[..], &["--strategy", "bulk"]].concat();
        Self::undisturbed(server, input, "", &options, on_existing).await
    }

    /// Loads the input undisturbed, and holds the outcome against an independent reading and the catalog against
    /// what it was.
    async fn undisturbed(
        server: &TestServer,
        input: Input,
        of_owner: &str,
        options: &[&'static str],
        on_existing: &'static str,
    ) -> Self {
        let template = input.store(server, "undisturbed");
        template.database.execute(of_owner);
        put_back::keep(&template);
        let options = [&OPTIONS[..], options, &["--on-existing", on_existing]].concat();
        let store = store_of(template.copy(), &input);
        let client = store.connect().await;
        let before = catalog(&client).await;
        let ended = Loader::start(&store, &store.database.url, &options).end();
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
        let (code, undisturbed) = (ended.code(), Remains::of(&store, &client).await);
        assert_eq!(catalog_differences(&undisturbed.catalog, &before), [""; 0]);
        assert_eq!(undisturbed.files, FILES);
        let run = ended.into_run(&store);
        assert_stored(&client, surviving(&input.stored, &input.text, &run, on_existing)).await;
        drop(client);
        Self { input, options, template, sessions: Mutex::default(), code, undisturbed }
    }

    /// A store in which the load has not begun.
    pub(crate) fn store(&self) -> Store {
        store_of(self.template.copy(), &self.input)
    }

    /// Makes a store that was judged one in which the load has not begun.
    pub(crate) async fn put_back(&self, store: &Store) {
        put_back::put_back(&*self.session(store).await).await;
        for name in FILES.into_iter().filter(|name| *name != INPUT) {
            fs::remove_file(store.path(name)).expect("it was judged to be there");
        }
    }

    /// Ends the judge's session, for what needs a database that nobody is connected to.
    pub(crate) fn leave(&self, store: &Store) {
        self.sessions().remove(&store.database.name);
    }

    async fn session(&self, store: &Store) -> Arc<Client> {
        let kept = self.sessions().get(&store.database.name).cloned();
        if let Some(client) = kept {
            // Servers are stopped and sessions ended by the tests.
            if client.batch_execute("").await.is_ok() {
                return client;
            }
        }
        let client = Arc::new(store.connect().await);
        self.sessions().insert(store.database.name.clone(), Arc::clone(&client));
        client
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Client>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The options with another value of one of them.
    pub(crate) fn options_with(&self, name: &str, value: &'static str) -> Vec<&'static str> {
        let mut options = self.options.clone();
        let at = options.iter().position(|option| *option == name).expect("it is one of them");
        options[at + 1] = value;
        options
    }

    /// An attempt that nothing disturbs.
    pub(crate) fn load(&self, store: &Store) -> Ended {
        Loader::start(store, &store.database.url, &self.options).end()
    }

    /// Panics unless the last attempt has left what an undisturbed load leaves, and nothing else. A load that had
    /// come to its end before it was disturbed needs no other attempt.
    pub(crate) async fn assert_exactly_once(&self, store: &Store, last: &Ended) {
        let differences = self.differences(store, last, PATIENCE).await;
        assert!(differences.is_empty(), "{}\n{}", differences.join("\n"), last.stderr);
    }

    /// Starts the load again if the attempt that was disturbed did not end it, and judges what is left then.
    pub(crate) async fn ends_exactly_once(&self, store: &Store, disturbed: Ended) {
        let last = if self.is_over(store, &disturbed).await { disturbed } else { self.load(store) };
        self.assert_exactly_once(store, &last).await;
    }

    /// Panics unless the tables are those of an undisturbed load.
    pub(crate) async fn assert_tables(&self, store: &Store) {
        assert_eq!(digests(&*self.session(store).await, "public").await, self.undisturbed.tables);
    }

    /// Whether nothing is left to load; it may have been disturbed on its way out.
    pub(crate) async fn is_over(&self, store: &Store, ended: &Ended) -> bool {
        ended.code() == self.code || texts(&*self.session(store).await, RUNS).await == self.undisturbed.runs
    }

    /// All that is not as it should be, in words without values. Sessions get some time to end.
    pub(crate) async fn differences(&self, store: &Store, last: &Ended, patience: Duration) -> Vec<String> {
        let expected = &self.undisturbed;
        if !self.is_over(store, last).await {
            return vec![format!("the last attempt ended with {}, not {:?}", last.status, self.code)];
        }
        let client = self.session(store).await;
        let mut differences = left_over(&client, patience).await;
        let remains = Remains::of(store, &client).await;
        let mut compare = |what: &str, is_same: bool| {
            if !is_same {
                differences.push(format!("{what} of an undisturbed load"));
            }
        };
        compare("the relations of the ledger are not those", remains.relations == expected.relations);
        let in_catalog = catalog_differences(&remains.catalog, &expected.catalog).join("\n");
        compare(&format!("the catalog ({in_catalog}) is not that"), in_catalog.is_empty());
        compare("the runs of the ledger are not those", remains.runs == expected.runs);
        compare("rejects.ndjson is not that", remains.rejects == expected.rejects);
        compare("rejects.errors.ndjson is not that", remains.errors == expected.errors);
        compare("the files are not those", remains.files == expected.files);
        for (table, digest) in &remains.tables {
            compare(&format!("{table} has {digest}, not the contents"), *digest == expected.tables[table]);
        }
        differences.extend(differing(&remains.report, &expected.report, "report"));
        let refused = String::from_utf8(remains.errors).expect("the errors file is UTF-8");
        differences.extend(in_ledger(&client, &read_report(store), &refused).await);
        differences
    }
}

fn store_of(store: Store, input: &Input) -> Store {
    store.file(INPUT, &input.text);
    store
}

fn read_report(store: &Store) -> Value {
    let text = fs::read(store.path("report.json")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// The runs of the ledger and what they came to; an id may be missing, as those of sequences may.
const RUNS: &str = "
    SELECT concat_ws(' ', strategy, state, lanes, documents_read, documents_accepted, documents_rejected)
    FROM profile_loader.runs ORDER BY id";

/// The catalog has those of other schemas.
const RELATIONS: &str = "
    SELECT concat_ws(' ', relname, relkind) FROM pg_class
    WHERE relnamespace = 'profile_loader'::regnamespace ORDER BY 1";

impl Remains {
    async fn of(store: &Store, client: &Client) -> Self {
        let read = |name: &str| fs::read(store.path(name)).unwrap_or_default();
        let mut report = read_report(store);
        for name in OF_THE_RUN {
            report[name].take();
        }
        if let Some(retries) = report.pointer_mut("/load/retries") {
            retries.take();
        }
        Self {
            tables: digests(client, "public").await,
            relations: texts(client, RELATIONS).await,
            catalog: catalog(client).await,
            runs: texts(client, RUNS).await,
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
