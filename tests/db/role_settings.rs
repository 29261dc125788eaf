//! Settings that a role or a database brings along: they change nothing about a load, or are told with what undoes them.

use std::{process::Command, thread, time::Duration};

use crate::support::{Output, Store, Tables, assert_stored, binary, document_lines, generate, run, texts};

/// A role of the store's, dropped with this value.
struct Role<'a> {
    store: &'a Store,
    name: String,
}

impl<'a> Role<'a> {
    fn new(store: &'a Store, suffix: &str, attributes: &str) -> Self {
        let name = format!("{suffix}_of_{}", store.database.name);
        store.database.execute(&format!("CREATE ROLE {name} {attributes}"));
        Self { store, name }
    }

    fn url(&self) -> String {
        self.store.database.url.replace("postgres@", &format!("{}@", self.name))
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.store.database.execute(&format!("DROP OWNED BY {0}; DROP ROLE {0}", self.name));
        }
    }
}

fn load_command(store: &Store, url: &str, options: &[&str]) -> Command {
    let mut command = binary();
    command.current_dir(store.path("")).args(["load", "input.ndjson", "--database-url", url]).args(options);
    command
}

fn load(store: &Store, url: &str, options: &[&str]) -> Output {
    run(&mut load_command(store, url, options))
}

fn command(store: &Store, url: &str, words: &str) -> Output {
    let mut command: Command = binary();
    run(command.current_dir(store.path("")).args(words.split(' ')).args(["--database-url", url]))
}

fn store(name: &str) -> (Store, Vec<u8>) {
    let store = Store::new(name, Tables::Migrated);
    let input = generate(&["--count", "100", "--seed", "3"]);
    store.file("input.ndjson", &input);
    (store, input)
}

async fn assert_all(store: &Store, input: &[u8]) {
    assert_stored(&store.connect().await, document_lines(input).into_iter().map(|(_, line)| line)).await;
}

/// Neither may the role that is switched to see the sessions of the login role, nor end them.
#[tokio::test]
async fn a_login_role_that_switches_to_another() {
    for strategy in ["merge", "bulk"] {
        let (store, input) = store("switches");
        let owner = Role::new(&store, "owner", "NOLOGIN");
        let login = Role::new(&store, "login", &format!("LOGIN NOINHERIT IN ROLE {}", owner.name));
        store.database.execute(&format!(
            "ALTER ROLE {} SET role = {1}; GRANT CREATE ON DATABASE {2} TO {1}; GRANT ALL ON SCHEMA public TO {1}",
            login.name, owner.name, store.database.name
        ));
        let url = login.url();
        let output = load(&store, &url, &["--strategy", strategy]);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert_all(&store, &input).await;
        let owners = "SELECT DISTINCT tableowner::text FROM pg_tables WHERE schemaname IN ('public', 'profile_loader')";
        assert_eq!(texts(&store.connect().await, owners).await, std::slice::from_ref(&owner.name));
        let again = load(&store, &url, &["--strategy", "merge", "--on-existing", "update"]);
        assert_eq!(again.code, Some(0), "{}", again.stderr);
        assert!(again.stdout.contains("100  unchanged"), "{}", again.stdout);
        for words in ["migrate verify", "migrate status", "runs list", "runs show 1"] {
            let output = command(&store, &url, words);
            assert_eq!(output.code, Some(0), "{words}: {}", output.stderr);
        }
        // A limit is that of the login role.
        store.database.execute(&format!("ALTER ROLE {} CONNECTION LIMIT 1", login.name));
        let limited = load(&store, &url, &[]);
        assert_eq!(limited.code, Some(5), "{}", limited.stderr);
        let statement = format!("ALTER ROLE \"{}\" CONNECTION LIMIT 2", login.name);
        assert!(limited.stderr.contains(&statement), "{}", limited.stderr);
        drop(login);
        drop(owner);
    }
}

/// Whose lock a lane waits for is seen, and told, by the login role.
#[tokio::test]
async fn a_login_role_that_switches_sees_who_is_in_the_way() {
    let (store, input) = store("in_the_way");
    let owner = Role::new(&store, "owner", "NOLOGIN");
    let login = Role::new(&store, "login", &format!("LOGIN NOINHERIT IN ROLE {}", owner.name));
    store.database.execute(&format!(
        "ALTER ROLE {} SET role = {1}; GRANT CREATE ON DATABASE {2} TO {1}; GRANT ALL ON SCHEMA public TO {1}",
        login.name, owner.name, store.database.name
    ));
    assert_eq!(command(&store, &login.url(), "migrate up").code, Some(0));
    let holder = store.connect().await;
    let lock = "SET application_name = 'a report'; BEGIN; LOCK customer_profiles IN SHARE MODE";
    holder.batch_execute(lock).await.expect("free");
    let mut command = load_command(&store, &login.url(), &["--strategy", "merge", "--watch-every", "300ms"]);
    let loading = tokio::task::spawn_blocking(move || run(&mut command));
    let client = store.connect().await;
    let waits = "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database()
                 AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > '2s'::interval";
    while texts(&client, waits).await.is_empty() && !loading.is_finished() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    holder.batch_execute("ROLLBACK").await.expect("it is well");
    let waiting = loading.await.expect("it runs");
    assert_eq!(waiting.code, Some(0), "{}", waiting.stderr);
    let words = "waiting for a lock that is held by pid";
    assert!(waiting.stderr.contains(words) && waiting.stderr.contains("(a report"), "{}", waiting.stderr);
    assert_all(&store, &input).await;
    drop((client, holder));
    drop(login);
    drop(owner);
}

/// Each at the role, at the database, or both; text of the catalog, dates and numbers read otherwise with them.
const SETTINGS: [(&str, &str); 22] = [
    ("quote_all_identifiers", "on"),
    ("search_path", "nowhere"),
    ("search_path", "public, pg_catalog"),
    ("DateStyle", "'SQL, DMY'"),
    ("IntervalStyle", "sql_standard"),
    ("TimeZone", "'Pacific/Chatham'"),
    ("bytea_output", "escape"),
    ("standard_conforming_strings", "off"),
    ("backslash_quote", "off"),
    ("extra_float_digits", "-15"),
    ("client_encoding", "LATIN1"),
    ("row_security", "off"),
    ("exit_on_error", "on"),
    ("transform_null_equals", "on"),
    ("array_nulls", "off"),
    ("synchronous_commit", "off"),
    ("default_transaction_isolation", "serializable"),
    ("default_transaction_deferrable", "on"),
    ("statement_timeout", "'20ms'"),
    ("lock_timeout", "'1ms'"),
    ("client_min_messages", "debug1"),
    ("enable_indexscan", "off"),
];

#[tokio::test]
async fn settings_change_nothing() {
    for (name, value) in SETTINGS {
        let (store, input) = store("settings");
        let database = &store.database.name;
        store.database.execute(&format!("ALTER DATABASE {database} SET {name} = {value}"));
        for (options, counted) in
            [(&["--strategy", "bulk"][..], "100  inserted"), (&["--strategy", "merge"], "100  unchanged")]
        {
            let output = load(&store, &store.database.url, options);
            assert_eq!(output.code, Some(0), "{name} {options:?}: {}", output.stderr);
            assert!(output.stdout.contains(counted), "{name}: {}", output.stdout);
            assert!(!output.stderr.contains("warning"), "{name}: {}", output.stderr);
        }
        store.database.execute(&format!("ALTER DATABASE {database} RESET {name}"));
        assert_all(&store, &input).await;
        store.database.execute(&format!("ALTER DATABASE {database} SET {name} = {value}"));
        let verified = command(&store, &store.database.url, "migrate verify");
        assert_eq!(verified.stdout, "the tables are as they should be\n", "{name}: {}", verified.stderr);
        let listed = command(&store, &store.database.url, "runs list");
        assert!(listed.stdout.matches("complete").count() == 2, "{name}: {}", listed.stdout);
    }
}

/// What somebody meant is not changed, but told.
#[tokio::test]
async fn what_is_meant_is_told_with_what_undoes_it() {
    let (store, input) = store("meant");
    for (name, value, code, commands) in [
        // A managed server sets it for as long as its disk is full.
        (
            "default_transaction_read_only",
            "on",
            4,
            &["migrate up", "load input.ndjson", "runs abandon 1"][..],
        ),
        ("session_replication_role", "replica", 5, &["load input.ndjson"]),
    ] {
        store.database.execute(&format!("ALTER DATABASE {} SET {name} = {value}", store.database.name));
        let mut told = None;
        for words in commands {
            let output = command(&store, &store.database.url, words);
            assert_eq!(output.code, Some(code), "{words}: {}", output.stderr);
            assert!(
                output.stderr.contains(&format!("{name} is {value} in this session")),
                "{}",
                output.stderr
            );
            told = Some(output.stderr);
        }
        assert_eq!(command(&store, &store.database.url, "runs list").code, Some(0));
        let told = told.expect("there are commands");
        let (_, statement) = told.split_once("has to run: ").expect("it is told");
        store.database.execute(statement);
        assert_eq!(command(&store, &store.database.url, "migrate up").code, Some(0));
        let name_of = |option: &str| format!("{}&options=-c%20{option}", store.database.url);
        let output = load(&store, &name_of(&format!("{name}%3D{value}")), &[]);
        assert_eq!(output.code, Some(5), "{}", output.stderr);
        assert!(output.stderr.contains("PGOPTIONS"), "{}", output.stderr);
    }
    let output = load(&store, &store.database.url, &[]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_all(&store, &input).await;
    store.database.execute("ALTER ROLE postgres IN DATABASE postgres RESET ALL");
}
