//! Loads from a URL: disturbed, killed and resumed with a URL that is signed anew, they leave what an undisturbed one leaves,
//! and that is what a load of the file leaves.

use std::{process::Command, time::Duration};

use rustix::process::Signal;

use crate::{
    cases::{array_case, bulk_case, case, load_of, server},
    faults::{Case, Ended, Loader, Outcome, Shape, run_states},
    http_server::{HttpServer, Request, ServedFile, Treat},
    support::{Store, binary, run, texts},
};

/// One file under one path; what becomes of requests is said by the query, which is no part of the input's name.
fn serve(case: &Case) -> HttpServer {
    let changed =
        String::from_utf8_lossy(&case.input.text).replace("\"firstName\": \"", "\"firstName\": \"X");
    let changed = changed.replace("\"firstName\":\"", "\"firstName\":\"X").into_bytes();
    let changed = ServedFile { etag: Some("\"second\""), ..ServedFile::of(changed) };
    let half = case.input.text.len() / 2;
    let treat = move |request: &Request| {
        let query = request.path.split_once('?').map_or("", |(_, query)| query);
        let is_due = |every| request.number.is_multiple_of(every);
        // Whatever is looked at before a run begins is in the first half.
        let is_late = || request.range().is_some_and(|(first, _)| first > half);
        match query {
            "cut" if is_due(2) => Treat::Cut(3000),
            "stall" if is_due(9) => Treat::Stall(1000),
            "busy" if is_due(3) => Treat::Status(503, "Retry-After: 0\r\n".to_owned()),
            "expired" if is_late() => Treat::Status(403, String::new()),
            "down" if is_late() => Treat::Status(503, "Retry-After: 600\r\n".to_owned()),
            "silent" if is_late() => Treat::Stall(10),
            "swapped" if is_late() => Treat::Other(changed.clone()),
            "changed" => Treat::Other(changed.clone()),
            _ => Treat::Fine,
        }
    };
    HttpServer::start(ServedFile::of(case.input.text.clone()), treat)
}

fn command(case: &Case, store: &Store, server: &HttpServer, query: &str) -> Command {
    let url = format!("{}?{query}", server.url("export.ndjson"));
    let mut command = load_of(case, store, &url);
    command.args(["--range-bytes", "10000"]);
    command.args(["--input-stall", if query == "silent" { "10m" } else { "300ms" }]);
    command
}

fn load(case: &Case, store: &Store, server: &HttpServer, query: &str) -> Ended {
    Loader::of(store, command(case, store, server, query)).end()
}

/// What an undisturbed load from this server leaves, which is in the tables what one of the file leaves.
async fn undisturbed(case: &Case, server: &HttpServer) -> Outcome {
    let store = case.store();
    let ended = load(case, &store, server, "");
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    case.assert_tables(&store).await;
    Outcome::of(&store, &ended).await
}

/// Disturbed all the time, and killed at the n-th commit of a lane, again and again.
async fn disturbed_and_killed(case: &Case) {
    let server = serve(case);
    let expected = undisturbed(case, &server).await;
    for query in ["cut", "stall", "busy"] {
        let store = case.store();
        let before = server.faults();
        let mut kills = 0;
        for commits in [1, 2, 3] {
            let mut killed = command(case, &store, &server, query);
            killed.env("FAILPOINTS", format!("lane-after-commit={commits}*off->return"));
            let ended = Loader::of(&store, killed).end();
            kills += u32::from(ended.signal() == Some(6));
        }
        assert!(kills >= 2, "{query}: it was killed {kills} times");
        let ended = load(case, &store, &server, query);
        assert!(server.faults() > before, "{query}: no fault");
        assert_eq!(Outcome::of(&store, &ended).await, expected, "{query}: {}", ended.stderr);
        assert_eq!(run_states(&store).await.len(), expected.runs.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_merge_of_a_url_is_exactly_once() {
    disturbed_and_killed(&*case(Shape::Many, "update").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bulk_load_of_a_url_is_exactly_once() {
    disturbed_and_killed(&*bulk_case(Shape::Many, "reject").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_load_of_an_array_behind_a_url_is_exactly_once() {
    disturbed_and_killed(&*array_case("reject").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_ends_a_load_of_a_url_is_gone_on_from() {
    let case = &*case(Shape::Many, "update").await;
    let server = serve(case);
    let expected = undisturbed(case, &server).await;
    for (query, code, words) in [
        ("expired", 4, "403 Forbidden; a signed URL may have expired"),
        ("down", 4, "503 Service Unavailable, and asks to wait 10m"),
        ("swapped", 5, "it was changed at the server while it was read"),
    ] {
        let store = case.store();
        let before = server.faults();
        let ended = load(case, &store, &server, query);
        assert!(server.faults() > before, "{query}: no fault");
        assert_eq!(ended.code(), Some(code), "{query}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{query}: {}", ended.stderr);
        let (said, url) = (&ended.stderr, server.url("export.ndjson"));
        assert!(said.contains(&url) && !said.contains(&format!("?{query}")), "{query}: {said}");
        let ended = load(case, &store, &server, "signed-anew");
        assert_eq!(Outcome::of(&store, &ended).await, expected, "{query}: {}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn another_file_behind_the_url_is_refused() {
    let case = &*case(Shape::Many, "update").await;
    let server = serve(case);
    let expected = undisturbed(case, &server).await;
    let store = case.store();
    let mut killed = command(case, &store, &server, "");
    killed.env("FAILPOINTS", "lane-after-commit=2*off->return");
    assert_eq!(Loader::of(&store, killed).end().signal(), Some(6));
    let refused = load(case, &store, &server, "changed");
    assert_eq!(refused.code(), Some(5), "{}", refused.stderr);
    assert!(refused.stderr.contains("export.ndjson was changed before byte "), "{}", refused.stderr);
    assert!(refused.stderr.contains("has another ETag than when run"), "{}", refused.stderr);
    let ended = load(case, &store, &server, "");
    assert!(
        !ended.stderr.contains("another ETag"),
        "the refused attempt has left what was known: {}",
        ended.stderr
    );
    assert_eq!(Outcome::of(&store, &ended).await, expected, "{}", ended.stderr);
    let sql = "SELECT concat_ws(' ', i.name, e.etag) FROM profile_loader.run_inputs AS i
               JOIN profile_loader.run_etags AS e USING (run_id, position)
               WHERE i.run_id = (SELECT max(id) FROM profile_loader.runs)";
    let url = server.url("export.ndjson");
    assert_eq!(texts(&store.connect().await, sql).await, [format!("{url} \"first\"")]);
    let id = expected.runs.len().to_string();
    let database = self::server().tcp_url(&store.database);
    let shown = run(binary().args(["runs", "show", &id, "--database-url", &database]));
    assert!(
        shown.stdout.contains(&format!("{url} has the ETag \"first\"")),
        "{}{}",
        shown.stdout,
        shown.stderr
    );
}

/// Of a server that is silent and waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_signal_does_not_wait_for_the_server() {
    let case = &*case(Shape::Many, "update").await;
    let server = serve(case);
    let expected = undisturbed(case, &server).await;
    let store = case.store();
    let before = server.faults();
    let mut loader = Loader::of(&store, command(case, &store, &server, "silent"));
    while server.faults() == before {
        assert!(!loader.has_ended(), "{}", loader.stderr());
        std::thread::sleep(crate::faults::LOOK_EVERY);
    }
    loader.signal(Signal::INT);
    let ended = loader.ends_within(Duration::from_secs(30));
    assert_eq!(ended.code(), Some(130), "{}", ended.stderr);
    let ended = load(case, &store, &server, "");
    assert_eq!(Outcome::of(&store, &ended).await, expected, "{}", ended.stderr);
}
