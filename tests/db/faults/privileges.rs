//! What a load needs and the role has not: said before anything has begun, with the statement that gives it.

use std::time::Duration;

use crate::{
    cases::{bulk_case, case, server},
    faults::{Case, Ended, Loader, Outcome, Role, Shape, run_states},
    support::{Store, catalog},
};

/// A load that has nothing to do but to refuse.
const SOON: Duration = Duration::from_secs(10);

/// What the ledger and the catalog are before the load.
async fn before(store: &Store) -> (Vec<String>, Vec<String>) {
    (run_states(store).await, catalog(&store.connect().await).await)
}

/// The statements that the message tells to run.
fn statements(ended: &Ended) -> String {
    let (_, rest) = ended.stderr.split_once("has to run: ").expect("it says what to run");
    rest.lines().next().expect("it is a line").to_owned()
}

/// Is refused before anything has begun, with a statement that has these words; running that makes the same command
/// end as an undisturbed one does.
async fn is_refused(case: &Case, store: &Store, role: &Role<'_>, words: &str) {
    let as_it_was = before(store).await;
    let load = || Loader::start(store, &role.url(), &case.options).ends_within(SOON);
    let refused = load();
    assert_eq!(refused.code(), Some(5), "{words}: {}", refused.stderr);
    assert!(refused.stderr.contains(words), "no '{words}': {}", refused.stderr);
    assert_eq!(before(store).await, as_it_was, "{words}: nothing has begun");
    let statements = statements(&refused);
    assert!(statements.contains(words), "'{words}' is not told as a statement: {statements}");
    store.database.execute(&statements);
    let ended = load();
    assert_eq!(ended.code(), Some(1), "{statements}: {}", ended.stderr);
    case.assert_exactly_once(store, &ended).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_connection_of_the_role_is_refused() {
    for case in [bulk_case(Shape::Few, "reject").await, case(Shape::Few, "reject").await] {
        let store = case.store();
        let role = Role::new(server(), &store, "CONNECTION LIMIT 1 IN ROLE postgres");
        let words = format!("ALTER ROLE \"{}\" CONNECTION LIMIT 2", role.name);
        is_refused(&case, &store, &role, &words).await;
        case.leave(&store);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_connection_to_the_database_is_refused() {
    for case in [bulk_case(Shape::Few, "reject").await, case(Shape::Few, "reject").await] {
        let store = case.store();
        let name = &store.database.name;
        let role = Role::new(server(), &store, "IN ROLE postgres");
        server().execute(format!("ALTER DATABASE {name} CONNECTION LIMIT 1"));
        is_refused(&case, &store, &role, &format!("ALTER DATABASE \"{name}\" CONNECTION LIMIT 2")).await;
        case.leave(&store);
    }
}

/// Owns the tables, as a bulk load needs, and has all else but temporary tables.
fn owner_without_temp(store: &Store) -> Role<'_> {
    let role = Role::new(server(), store, "");
    let tables = ["profiles", "profile_addresses", "profile_emails", "profile_phone_numbers"];
    let owned = tables.map(|table| format!("ALTER TABLE customer_{table} OWNER TO {}", role.name)).join("; ");
    store.database.execute(&format!(
        "{owned}; GRANT CREATE, USAGE ON SCHEMA public TO {0}; REVOKE TEMP ON DATABASE {1} FROM PUBLIC; {2}",
        role.name,
        store.database.name,
        ledger_grants(&role.name)
    ));
    role
}

fn ledger_grants(role: &str) -> String {
    format!(
        "GRANT USAGE ON SCHEMA profile_loader TO {role};
         GRANT ALL ON ALL TABLES IN SCHEMA profile_loader TO {role};
         GRANT ALL ON ALL SEQUENCES IN SCHEMA profile_loader TO {role}"
    )
}

async fn no_temp(case: &Case) {
    let store = case.store();
    let role = owner_without_temp(&store);
    let reference = case.store();
    let other = owner_without_temp(&reference);
    reference
        .database
        .execute(&format!("GRANT TEMP ON DATABASE {} TO {}", reference.database.name, other.name));
    let ended = Loader::start(&reference, &other.url(), &case.options).end();
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    let as_it_was = before(&store).await;
    let load = || Loader::start(&store, &role.url(), &case.options).ends_within(SOON);
    let refused = load();
    assert_eq!(refused.code(), Some(5), "{}", refused.stderr);
    assert!(refused.stderr.contains("GRANT TEMPORARY ON DATABASE"), "{}", refused.stderr);
    assert_eq!(before(&store).await, as_it_was, "nothing has begun");
    store.database.execute(&statements(&refused));
    let ended = load();
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    assert_eq!(Outcome::of(&store, &ended).await.runs.len(), as_it_was.0.len() + 1, "one run is all");
    case.assert_tables(&store).await;
    case.assert_tables(&reference).await;
    case.leave(&store);
    case.leave(&reference);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bulk_load_without_temporary_tables_is_refused() {
    no_temp(&*bulk_case(Shape::Few, "reject").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_merge_without_temporary_tables_is_refused() {
    no_temp(&*case(Shape::Few, "reject").await).await;
}

/// Nothing would be merged, and so no temporary table made.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bulk_load_of_distinct_documents_without_temporary_tables_is_refused() {
    let case = bulk_case(Shape::Few, "reject").await;
    let store = case.store();
    let distinct = crate::support::generate(&["--count", "40", "--seed", "5"]);
    store.file(crate::faults::INPUT, &distinct);
    let role = owner_without_temp(&store);
    let as_it_was = before(&store).await;
    let load = || Loader::start(&store, &role.url(), &case.options).ends_within(SOON);
    let refused = load();
    assert_eq!(refused.code(), Some(5), "{}", refused.stderr);
    assert!(refused.stderr.contains("GRANT TEMPORARY ON DATABASE"), "{}", refused.stderr);
    assert_eq!(before(&store).await, as_it_was, "nothing has begun");
    store.database.execute(&statements(&refused));
    let ended = load();
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
}

const TABLES: [&str; 4] = [
    "customer_profiles",
    "customer_profile_addresses",
    "customer_profile_emails",
    "customer_profile_phone_numbers",
];

/// All that a load with this policy needs, as `privilege ON object`.
fn needed(on_existing: &str) -> Vec<String> {
    let mut needed = vec!["USAGE ON SCHEMA public".to_owned()];
    for table in TABLES {
        needed.extend(["SELECT", "INSERT"].map(|privilege| format!("{privilege} ON TABLE public.{table}")));
    }
    for table in &TABLES[2..] {
        needed.push(format!("USAGE ON SEQUENCE public.{table}_id_seq"));
    }
    if on_existing == "update" {
        needed.push("UPDATE ON TABLE public.customer_profiles".to_owned());
        needed.push("UPDATE ON TABLE public.customer_profile_addresses".to_owned());
        needed.extend(TABLES[1..].iter().map(|table| format!("DELETE ON TABLE public.{table}")));
    }
    needed
}

/// One after another is revoked of a role that has these and no others.
async fn each_privilege(on_existing: &'static str) {
    let case = case(Shape::Few, on_existing).await;
    let store = case.store();
    let role = Role::new(server(), &store, "");
    let needed = needed(on_existing);
    let grants = needed.iter().map(|one| format!("GRANT {one} TO {}", role.name)).collect::<Vec<_>>();
    store.database.execute(&format!(
        "REVOKE ALL ON SCHEMA public FROM PUBLIC; {}; {}",
        grants.join("; "),
        ledger_grants(&role.name)
    ));
    // It needs no more than these: nothing else is revoked when the load ends as it should.
    let ended = Loader::start(&store, &role.url(), &case.options).end();
    case_tables(&case, &store, &ended).await;
    for one in &needed {
        case.put_back(&store).await;
        store.database.execute(&format!("REVOKE {one} FROM {}", role.name));
        let as_it_was = before(&store).await;
        let load = || Loader::start(&store, &role.url(), &case.options).ends_within(SOON);
        let refused = load();
        assert_eq!(refused.code(), Some(5), "without {one}: {}", refused.stderr);
        let grant = format!("GRANT {one} TO {}", role.name);
        assert_eq!(statements(&refused), grant, "without {one}: {}", refused.stderr);
        assert_eq!(before(&store).await, as_it_was, "without {one}: nothing has begun");
        store.database.execute(&statements(&refused));
        case_tables(&case, &store, &load()).await;
    }
    case.leave(&store);
}

/// The catalog has the role's privileges besides, so it is not that of another role's load.
async fn case_tables(case: &Case, store: &Store, ended: &Ended) {
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    case.assert_tables(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_privilege_is_needed_while_existing_profiles_reject() {
    each_privilege("reject").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_privilege_is_needed_while_existing_profiles_are_updated() {
    each_privilege("update").await;
}

/// What the owner has set up on the tables that hides rows, or that our statements can't be used with.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn rules_and_policies_of_the_owner_are_refused() {
    let case = case(Shape::Few, "update").await;
    let store = case.store();
    let role = Role::new(server(), &store, "");
    let grants: Vec<_> = needed("update").iter().map(|one| format!("GRANT {one} TO {}", role.name)).collect();
    store.database.execute(&format!("{}; {}", grants.join("; "), ledger_grants(&role.name)));
    let hidden = "USING (last_name <> 'x')";
    for (set_up, words) in [
        ("ALTER TABLE customer_profiles ENABLE ROW LEVEL SECURITY".to_owned(), "BYPASSRLS"),
        (
            format!(
                "ALTER TABLE customer_profiles ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON customer_profiles {hidden}"
            ),
            "BYPASSRLS",
        ),
        (
            "CREATE RULE r AS ON UPDATE TO customer_profiles DO ALSO NOTIFY changed".to_owned(),
            "DROP RULE r ON public.customer_profiles",
        ),
        (
            "CREATE RULE r AS ON INSERT TO customer_profiles DO ALSO NOTIFY changed".to_owned(),
            "DROP RULE r ON public.customer_profiles",
        ),
        (
            "CREATE RULE r AS ON DELETE TO customer_profile_emails DO ALSO NOTIFY changed".to_owned(),
            "DROP RULE r ON public.customer_profile_emails",
        ),
    ] {
        store.database.execute(&set_up);
        let as_it_was = before(&store).await;
        let load = || Loader::start(&store, &role.url(), &case.options).ends_within(SOON);
        let refused = load();
        assert_eq!(refused.code(), Some(5), "{set_up}: {}", refused.stderr);
        assert!(statements(&refused).contains(words), "{set_up}: {}", refused.stderr);
        assert_eq!(before(&store).await, as_it_was, "{set_up}: nothing has begun");
        store.database.execute(&statements(&refused));
        case_tables(&case, &store, &load()).await;
        store.database.execute(&format!(
            "ALTER TABLE customer_profiles DISABLE ROW LEVEL SECURITY; DROP POLICY IF EXISTS p ON customer_profiles;
             ALTER ROLE {} NOBYPASSRLS",
            role.name
        ));
        case.put_back(&store).await;
    }
    // A policy that lets the role have everything is no obstacle.
    store.database.execute(&format!(
        "ALTER TABLE customer_profiles ENABLE ROW LEVEL SECURITY;
         CREATE POLICY p ON customer_profiles TO {} USING (true)",
        role.name
    ));
    let ended = Loader::start(&store, &role.url(), &case.options).end();
    case_tables(&case, &store, &ended).await;
    case.leave(&store);
}

/// Some columns are not enough, and all that are used are.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn privileges_on_columns() {
    let case = case(Shape::Few, "reject").await;
    let store = case.store();
    let role = Role::new(server(), &store, "");
    let grants: Vec<_> = needed("reject").iter().map(|one| format!("GRANT {one} TO {}", role.name)).collect();
    store.database.execute(&format!(
        "{}; {}; REVOKE SELECT ON customer_profiles FROM {2}; GRANT SELECT (id, first_name) ON customer_profiles TO {2}",
        grants.join("; "),
        ledger_grants(&role.name),
        role.name
    ));
    let load = || Loader::start(&store, &role.url(), &case.options).ends_within(SOON);
    let refused = load();
    assert_eq!(refused.code(), Some(5), "{}", refused.stderr);
    let statement = format!("GRANT SELECT ON TABLE public.customer_profiles TO {}", role.name);
    assert_eq!(statements(&refused), statement, "{}", refused.stderr);
    store.database.execute(&format!(
        "GRANT SELECT (xmin, id, first_name, middle_name, last_name, marketing_emails_enabled, two_factor_enabled)
         ON customer_profiles TO {}",
        role.name
    ));
    case_tables(&case, &store, &load()).await;
    case.leave(&store);
}
