//! `doctor`: one thing that is wrong is one finding, and what it says helps.

use std::{process::Command, thread};

use serde_json::Value;

use crate::support::{Output, Store, Tables, binary, generate, run, server};

/// A role without privileges, dropped with this value.
struct Role<'a> {
    store: &'a Store,
    name: String,
}

impl<'a> Role<'a> {
    fn new(store: &'a Store, attributes: &str) -> Self {
        let name = format!("role of {}", store.database.name);
        store.database.execute(&format!(
            "CREATE ROLE \"{name}\" LOGIN {attributes};
             REVOKE CREATE ON SCHEMA public FROM PUBLIC;
             REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC",
            store.database.name
        ));
        Self { store, name }
    }

    fn url(&self) -> String {
        self.store.database.url.replacen("postgres@", &format!("{}@", self.name.replace(' ', "%20")), 1)
    }

    /// Runs what was told to a superuser.
    fn grant(&self, findings: &[(String, Vec<String>)]) {
        for statement in findings.iter().flat_map(|(_, sql)| sql) {
            assert!(statement.contains(&self.name) || !statement.starts_with("GRANT"), "{statement}");
            self.store.database.execute(statement);
        }
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.store.database.execute(&format!("DROP OWNED BY \"{0}\"; DROP ROLE \"{0}\"", self.name));
        }
    }
}

fn doctor(url: &str, options: &[&str]) -> Output {
    let mut command: Command = binary();
    run(command.args(["doctor", "--database-url", url]).args(options))
}

/// The exit code and what was found, with the SQL that is told.
fn findings(url: &str, options: &[&str]) -> (Option<i32>, Vec<(String, Vec<String>)>) {
    let output = doctor(url, &[&["--json"], options].concat());
    let json: Value = serde_json::from_str(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", output.stdout, output.stderr));
    let text = |value: &Value| value.as_str().expect("it is text").to_owned();
    let findings = json["findings"].as_array().expect("a list").iter().map(|finding| {
        let sql = finding["sql"].as_array().expect("a list").iter().map(text).collect();
        (text(&finding["code"]), sql)
    });
    let findings = findings.collect();
    assert_eq!(json["exit_code"].as_i64(), output.code.map(i64::from));
    assert_eq!(json["is_ready"], output.code == Some(0));
    (output.code, findings)
}

fn codes(url: &str, options: &[&str]) -> (Option<i32>, Vec<String>) {
    let (code, findings) = findings(url, options);
    (code, findings.into_iter().map(|(code, _)| code).collect())
}

/// What is there before the role comes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum There {
    Nothing,
    /// What `migrate up` makes.
    Migrated,
    /// What another program makes.
    Foreign,
}

fn store(there: There) -> Store {
    let tables = if there == There::Foreign { Tables::Foreign } else { Tables::Migrated };
    let store = Store::new("doctor", tables);
    store.file("input.ndjson", &generate(&["--count", "3", "--seed", "5"]));
    if there == There::Migrated {
        migrate_up(&store);
    }
    store
}

fn migrate_up(store: &Store) {
    let up = run(binary().args(["migrate", "up", "--database-url", &store.database.url]));
    assert_eq!(up.code, Some(0), "{}", up.stderr);
}

fn load(store: &Store, url: &str, options: &[&str]) -> Output {
    let mut command: Command = binary();
    command.current_dir(store.path("")).args(["load", "input.ndjson", "--database-url", url]);
    run(command.args(options))
}

#[test]
fn nothing_is_in_the_way_of_a_superuser() {
    let store = store(There::Migrated);
    assert_eq!(codes(&store.database.url, &[]), (Some(0), Vec::new()));
    let told = doctor(&store.database.url, &["--connections", "3"]);
    for words in [
        "  dbname  ",
        "from --database-url",
        "a primary, encoding UTF8, no TLS",
        "role postgres, a superuser",
        "a load makes up to 6",
        "tables of schema public: there; ledger version",
        "a load would use bulk",
        "ready: nothing is in the way of a load",
    ] {
        assert!(told.stdout.contains(words), "{words}: {}", told.stdout);
    }
}

/// All of it at once, and one round of statements is enough, for a load that makes the tables itself and for one that
/// finds another's.
#[test]
fn one_round_of_grants_is_enough() {
    for (there, options) in [
        (There::Nothing, &["--on-existing", "update"][..]),
        (There::Nothing, &["--no-migrate"]),
        (There::Nothing, &["--no-migrate", "--on-existing", "update"]),
        (There::Migrated, &["--on-existing", "update"]),
        (There::Migrated, &["--no-migrate"]),
        (There::Foreign, &["--on-existing", "update"]),
    ] {
        let store = store(there);
        let role = Role::new(&store, "CONNECTION LIMIT 1");
        let (code, found) = findings(&role.url(), options);
        assert_eq!(code, Some(5), "{there:?} {options:?}: {found:?}");
        // A load tells the same.
        let refused = load(&store, &role.url(), options);
        assert_eq!(refused.code, Some(5), "{}", refused.stderr);
        assert!(refused.stderr.contains("nothing was begun"), "{}", refused.stderr);
        if options.contains(&"--no-migrate") && there == There::Nothing {
            migrate_up(&store);
        }
        role.grant(&found);
        let (code, after) = findings(&role.url(), &[options, &["--connections", "1"]].concat());
        let after: Vec<_> = after.iter().map(|(code, _)| code.as_str()).collect();
        // Two connections are few, and enough.
        assert_eq!((code, &*after), (Some(0), &["server:connections"][..]), "{there:?} {options:?}");
        let loaded = load(&store, &role.url(), options);
        assert_eq!(loaded.code, Some(0), "{there:?} {options:?}: {}", loaded.stderr);
    }
}

/// What has the name of a table and is none, with what is missing beside it.
#[test]
fn one_round_is_enough_where_a_view_has_the_name_of_a_table() {
    let (view, others) = (
        "CREATE VIEW {table} AS SELECT 1 AS id",
        [
            "CREATE MATERIALIZED VIEW {table} AS SELECT 1 AS id",
            "CREATE SEQUENCE {table}",
            "CREATE TABLE other (id int); CREATE INDEX {table} ON other (id)",
        ],
    );
    let mut cases = vec![
        (There::Nothing, view.replace("{table}", "customer_profiles")),
        (
            There::Migrated,
            format!("DROP TABLE customer_profiles CASCADE; {}", view.replace("{table}", "customer_profiles")),
        ),
    ];
    for other in others {
        let other = other.replace("{table}", "customer_profile_emails");
        cases.push((There::Migrated, format!("DROP TABLE customer_profile_emails; {other}")));
    }
    for (there, setup) in cases {
        let store = store(there);
        store.database.execute(&setup);
        let role = Role::new(&store, "");
        let options = &["--on-existing", "update"];
        let (code, found) = findings(&role.url(), options);
        assert_eq!(code, Some(5), "{setup}: {found:?}");
        role.grant(&found);
        assert_eq!(codes(&role.url(), options), (Some(0), Vec::new()), "{setup}: {found:?}");
        let loaded = load(&store, &role.url(), options);
        assert_eq!(loaded.code, Some(0), "{setup}: {}", loaded.stderr);
    }
}

/// A database that has just one thing wrong with it, and the one finding.
#[test]
fn each_thing_is_one_finding() {
    let policy = "ALTER TABLE customer_profiles ENABLE ROW LEVEL SECURITY; GRANT ALL ON ALL TABLES IN SCHEMA public, profile_loader TO {role};
                  GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}; GRANT USAGE ON SCHEMA profile_loader TO {role};
                  GRANT TEMPORARY ON DATABASE {database} TO {role}";
    for (setup, options, expected) in [
        (policy, &[][..], &["tables:row_security"][..]),
        (
            "ALTER ROLE {role} SUPERUSER; CREATE RULE keep AS ON UPDATE TO customer_profiles DO INSTEAD NOTHING",
            &[],
            &["tables:rule"],
        ),
        (
            "ALTER ROLE {role} SUPERUSER; ALTER DATABASE {database} SET session_replication_role = replica",
            &[],
            &["session:setting"],
        ),
        (
            "ALTER ROLE {role} SUPERUSER; ALTER TABLE customer_profiles ALTER first_name TYPE varchar(10)",
            &[],
            &["tables:differ"],
        ),
        (
            "ALTER ROLE {role} SUPERUSER; DROP INDEX IF EXISTS ix_customer_profile_emails_email; ALTER TABLE customer_profile_phone_numbers SET UNLOGGED",
            &[],
            &["tables:drift"],
        ),
        (
            "ALTER ROLE {role} SUPERUSER; DROP SCHEMA profile_loader CASCADE",
            &["--no-migrate"],
            &["ledger:missing"],
        ),
        (
            "ALTER ROLE {role} SUPERUSER; UPDATE profile_loader.ledger SET version = 99",
            &[],
            &["ledger:unusable"],
        ),
        ("ALTER ROLE {role} SUPERUSER", &["--db-schema", "elsewhere"], &["tables:schema"]),
        ("ALTER ROLE {role} SUPERUSER; DROP TABLE customer_profile_emails", &[], &["tables:differ"]),
    ] {
        let store = store(There::Migrated);
        let role = Role::new(&store, "");
        let quoted = format!("\"{}\"", role.name);
        let setup = setup.replace("{role}", &quoted).replace("{database}", &store.database.name);
        store.database.execute(&setup);
        let found = codes(&role.url(), options);
        let code = if expected == ["tables:drift"] { 0 } else { 5 };
        store.database.execute(&format!("ALTER DATABASE {} RESET ALL", store.database.name));
        store.database.execute(&format!("ALTER ROLE {quoted} NOSUPERUSER"));
        assert_eq!(found, (Some(code), expected.iter().map(|code| (*code).to_owned()).collect()), "{setup}");
    }
}

/// A server that lacks gen_random_uuid(), as those before PostgreSQL 13 do.
#[test]
fn a_missing_extension_is_one_of_the_grants() {
    let store = store(There::Nothing);
    let role = Role::new(&store, "");
    let hide = "DO $$ BEGIN
                    IF to_regprocedure('pg_catalog.gen_random_uuid()') IS NOT NULL THEN
                        ALTER FUNCTION pg_catalog.gen_random_uuid() RENAME TO built_in_uuid;
                    END IF;
                END $$";
    store.database.execute(hide);
    let (code, found) = findings(&role.url(), &[]);
    assert_eq!(code, Some(5), "{found:?}");
    let asks = |found: &[(String, Vec<String>)]| {
        let create = "CREATE EXTENSION \"pgcrypto\"";
        found.iter().any(|(code, sql)| code == "role:privileges" && sql.iter().any(|sql| sql == create))
    };
    assert!(asks(&found), "{found:?}");
    role.grant(&found);
    let (code, after) = findings(&role.url(), &[]);
    assert!(code == Some(0) && !asks(&after), "{after:?}");
    let loaded = load(&store, &role.url(), &[]);
    assert_eq!(loaded.code, Some(0), "{}", loaded.stderr);
}

/// Servers that only speak PostgreSQL's protocol are told by what they say that they are.
#[test]
fn an_impostor_is_refused() {
    let store = store(There::Nothing);
    store.database.execute(
        "SET allow_system_table_mods = on;
         CREATE OR REPLACE FUNCTION pg_catalog.version() RETURNS text LANGUAGE sql STABLE AS
             $$ SELECT 'CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu)' $$",
    );
    assert_eq!(codes(&store.database.url, &[]), (Some(5), vec!["server:not_postgresql".to_owned()]));
    for words in ["migrate up", "runs list", "load input.ndjson", "load input.ndjson --dry-run"] {
        let mut command: Command = binary();
        command.current_dir(store.path("")).args(words.split(' '));
        let refused = run(command.args(["--database-url", &store.database.url]));
        assert_eq!(refused.code, Some(5), "{words}: {}", refused.stderr);
        assert!(refused.stderr.contains("the server is CockroachDB"), "{words}: {}", refused.stderr);
    }
}

#[test]
fn tables_that_citus_distributes_are_refused() {
    let store = store(There::Migrated);
    store.database.execute(
        "SET allow_system_table_mods = on;
         CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass);
         INSERT INTO pg_catalog.pg_dist_partition VALUES ('customer_profiles')",
    );
    assert_eq!(codes(&store.database.url, &[]), (Some(5), vec!["tables:distributed".to_owned()]));
}

#[tokio::test]
async fn whoever_is_at_work_is_told() {
    let store = store(There::Migrated);
    let holder = store.connect().await;
    let lock = format!("SELECT pg_advisory_lock({}, hashtext('public'))", i32::from_be_bytes(*b"prld"));
    holder.batch_execute(&lock).await.expect("nobody has it");
    assert_eq!(codes(&store.database.url, &[]), (Some(4), vec!["target:held".to_owned()]));
}

/// Where each setting is from, and never what is secret.
#[test]
fn settings_tell_where_they_are_from() {
    let store = store(There::Migrated);
    let name = format!("r{}", store.database.name);
    store.database.execute(&format!("CREATE ROLE {name} LOGIN SUPERUSER PASSWORD 's3cret-word'"));
    let socket = server().dir.to_str().expect("the path is UTF-8").to_owned();
    let mut command: Command = binary();
    command.args(["doctor", "--json"]).env("DATABASE_NAME", &store.database.name).env("PGUSER", &name);
    command.env("PGHOST", &socket).env("PGPASSWORD", "s3cret-word").env("PGOPTIONS", "-c work_mem=8MB");
    let output = run(&mut command);
    store.database.execute(&format!("DROP OWNED BY {name}; DROP ROLE {name}"));
    assert!(!output.stdout.contains("s3cret") && !output.stderr.contains("s3cret"), "{}", output.stdout);
    let json: Value = serde_json::from_str(&output.stdout).expect("it is JSON");
    let told: Vec<_> = json["settings"].as_array().expect("a list").iter().map(ToString::to_string).collect();
    for expected in [
        format!(r#"{{"keyword":"dbname","value":"{}","origin":"DATABASE_NAME"}}"#, store.database.name),
        format!(r#"{{"keyword":"host","value":"{socket}","origin":"PGHOST"}}"#),
        r#"{"keyword":"options","value":null,"origin":"PGOPTIONS"}"#.to_owned(),
        r#"{"keyword":"password","value":null,"origin":"PGPASSWORD"}"#.to_owned(),
        r#"{"keyword":"sslmode","value":"disable","origin":"the default"}"#.to_owned(),
    ] {
        let same = |one: &String| {
            serde_json::from_str::<Value>(one).expect("JSON")
                == serde_json::from_str::<Value>(&expected).expect("JSON")
        };
        assert!(told.iter().any(same), "{expected}: {told:?}");
    }
}

#[test]
fn a_private_server_is_not_made() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let refused =
        run(binary().arg("doctor").arg(format!("--embedded={}", folder.path().join("none").display())));
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    assert!(refused.stderr.contains("there is no private server in"), "{}", refused.stderr);
    assert!(!folder.path().join("none").exists());
}

#[test]
fn a_server_that_is_not_there_is_a_finding() {
    let url = "postgresql://app@127.0.0.1:1/app?connect_timeout=2";
    assert_eq!(codes(url, &[]), (Some(4), vec!["connection:failed".to_owned()]));
}
