//! A connection pooler before the server: one that keeps a session for each connection is loaded through, any other is
//! refused before anything is done, whatever its name, port and settings.

use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::support::{
    Output, Store, Tables, assert_stored, binary, document_lines, generate,
    pooler::{PgBouncer, pgbouncer},
    run, server,
    server::connect,
    texts,
};

const SESSIONS: &str = "pool_mode = session";

/// What lends a session for less than a connection, in all the ways that a pool may be set up and used: the session
/// used last or first, only one, cleared after each transaction, and for a statement alone.
const SHARING: [&str; 6] = [
    "pool_mode = transaction",
    "pool_mode = transaction\nserver_round_robin = 1\nmin_pool_size = 3",
    "pool_mode = transaction\ndefault_pool_size = 1",
    "pool_mode = transaction\nserver_reset_query_always = 1",
    "pool_mode = transaction\nserver_reset_query_always = 1\ndefault_pool_size = 1",
    "pool_mode = statement",
];

fn store(name: &str) -> (Store, Vec<u8>) {
    let store = Store::new(name, Tables::Foreign);
    let input = generate(&["--count", "300", "--seed", "3"]);
    store.file("input.ndjson", &input);
    (store, input)
}

fn start(program: &Path, settings: &str) -> PgBouncer {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("p{}", COUNT.fetch_add(1, Ordering::Relaxed));
    PgBouncer::start(program, server(), &name, settings)
}

fn load(store: &Store, url: &str, options: &[&str]) -> Output {
    let mut command = binary();
    command.current_dir(store.path("")).args(["load", "input.ndjson", "--database-url", url]);
    run(command.args(["--batch-bytes", "20000"]).args(options))
}

/// What a load would leave, and the locks that a session would hold for ever.
const TRACES: &str = "
    SELECT 'the ledger' FROM pg_namespace WHERE nspname = 'profile_loader'
    UNION ALL SELECT 'a profile' FROM customer_profiles
    UNION ALL SELECT 'a lock' FROM pg_locks JOIN pg_database AS d ON d.oid = database
              WHERE locktype = 'advisory' AND datname = current_database()
    UNION ALL SELECT 'a table' FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'";

async fn assert_refused(store: &Store, program: &Path, settings: &str, clients: usize) {
    let pgbouncer = start(program, settings);
    let url = pgbouncer.url(&store.database.name);
    let others: Vec<_> = (0..clients).map(|_| tokio::spawn(keep_busy(url.clone()))).collect();
    for command in [&[][..], &[], &["runs", "list"], &["migrate", "up"]] {
        let output = match command {
            [] => load(store, &url, &[]),
            words => run(binary().args(words).args(["--database-url", &url])),
        };
        assert_eq!(output.code, Some(5), "{settings}: {}", output.stderr);
        assert!(output.stderr.contains("for one transaction or statement"), "{settings}: {}", output.stderr);
        assert!(output.stderr.contains("pool_mode = session"), "{settings}: {}", output.stderr);
    }
    let output = run(binary().args(["doctor", "--output", "json", "--database-url", &url]));
    assert_eq!(output.code, Some(5), "{settings}: {}", output.stderr);
    assert!(output.stdout.contains("\"connection:pooler\""), "{settings}: {}", output.stdout);
    others.iter().for_each(tokio::task::JoinHandle::abort);
    assert_eq!(texts(&store.connect().await, TRACES).await, [""; 0], "{settings}");
}

/// Uses sessions of the pool as an API does.
async fn keep_busy(url: String) {
    let client = connect(&url).await;
    while client.simple_query("SELECT pg_sleep(random() / 500)").await.is_ok() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_in_transaction_mode_is_refused() {
    let Some(program) = pgbouncer() else { return };
    for settings in SHARING {
        let (store, _) = store("pooled");
        assert_refused(&store, &program, settings, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_pooler_in_transaction_mode_is_refused() {
    let Some(program) = pgbouncer() else { return };
    for settings in SHARING {
        let (store, _) = store("busy");
        assert_refused(&store, &program, settings, 6).await;
    }
}

#[tokio::test]
async fn a_pooler_in_session_mode_is_loaded_through() {
    let Some(program) = pgbouncer() else { return };
    for options in [&["--strategy", "merge"][..], &["--strategy", "bulk"], &["--atomic"]] {
        let (store, input) = store("sessions");
        let pgbouncer = start(&program, SESSIONS);
        let url = pgbouncer.url(&store.database.name);
        let lines = || document_lines(&input).into_iter().map(|(_, line)| line);
        // The second in sessions that the first was lent.
        for inserted in ["300  inserted", "300  unchanged"] {
            let options = if inserted.contains("unchanged") { &["--strategy", "merge"][..] } else { options };
            let output = load(&store, &url, options);
            assert_eq!(output.code, Some(0), "{}", output.stderr);
            assert!(output.stdout.contains(inserted), "{}", output.stdout);
            assert!(!output.stderr.contains("warning"), "{}", output.stderr);
            assert_stored(&store.connect().await, lines()).await;
        }
    }
}

/// One holds the target, and those that load share what is left.
#[tokio::test]
async fn a_pooler_with_fewer_sessions_than_connections_is_loaded_through() {
    let Some(program) = pgbouncer() else { return };
    let (store, input) = store("few_sessions");
    let pgbouncer = start(&program, &format!("{SESSIONS}\ndefault_pool_size = 2"));
    let url = format!("{}&connect_timeout=2", pgbouncer.url(&store.database.name));
    let output = load(&store, &url, &[]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_stored(&store.connect().await, document_lines(&input).into_iter().map(|(_, line)| line)).await;

    let pgbouncer = start(&program, &format!("{SESSIONS}\ndefault_pool_size = 1"));
    let url = format!("{}&connect_timeout=2", pgbouncer.url(&store.database.name));
    let output = load(&store, &url, &["--db-wait", "0"]);
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    assert!(output.stderr.contains("no session of the server to spare"), "{}", output.stderr);
}

#[tokio::test]
async fn a_pooler_that_does_not_clear_its_sessions_is_refused() {
    let Some(program) = pgbouncer() else { return };
    let (store, _) = store("unclean");
    let pgbouncer = start(&program, &format!("{SESSIONS}\nserver_reset_query ="));
    let url = pgbouncer.url(&store.database.name);
    let lent = connect(&url).await;
    lent.query("SELECT 1", &[]).await.expect("the server answers");
    drop(lent);
    let output = load(&store, &url, &[]);
    assert_eq!(output.code, Some(5), "{}", output.stderr);
    assert!(output.stderr.contains("server_reset_query = DISCARD ALL"), "{}", output.stderr);
    assert_eq!(texts(&store.connect().await, TRACES).await, [""; 0]);
}

/// Poolers take no `options`, or keep them to themselves.
#[tokio::test]
async fn options_that_a_pooler_leaves_out_are_told() {
    let Some(program) = pgbouncer() else { return };
    let (store, _) = store("options");
    for (settings, code, words) in [
        (SESSIONS.to_owned(), 5, "have the role set what has to be set"),
        (format!("{SESSIONS}\nignore_startup_parameters = options"), 0, "may leave out what options="),
    ] {
        let pgbouncer = start(&program, &settings);
        let url = format!("{}&options=-cwork_mem%3D8MB", pgbouncer.url(&store.database.name));
        let output = load(&store, &url, &[]);
        assert_eq!(output.code, Some(code), "{}", output.stderr);
        assert!(output.stderr.contains(words), "{}", output.stderr);
    }
}

/// PgBouncer has the SQLSTATE of a lost connection for these too.
#[tokio::test]
async fn what_a_pooler_refuses_for_good_is_not_waited_for() {
    let Some(program) = pgbouncer() else { return };
    let (store, _) = store("refuses");
    let pgbouncer = start(&program, SESSIONS);
    let name = &store.database.name;
    for (url, words) in [
        (pgbouncer.url("nowhere"), "\"nowhere\" does not exist"),
        (pgbouncer.url(name).replace("postgres@", "nobody@"), "knows no such user"),
    ] {
        let output = load(&store, &url, &[]);
        assert_eq!(output.code, Some(5), "{}", output.stderr);
        assert!(output.stderr.contains(words), "{}", output.stderr);
        assert!(!output.stderr.contains("trying again"), "{}", output.stderr);
    }
}
