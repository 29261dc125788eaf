//! Rejects that were fixed are loaded from the very file that the load replaces at its end: whatever goes wrong with
//! that end, the same command finds its input.

use std::{fs, process::Command};

use tokio::sync::OnceCell;

use crate::{
    cases::server,
    faults::{Action, Loader, Moment, Outcome, Proxy, Refusal},
    support::{Store, Tables, binary, document_lines, generate},
};

/// A store in which a load has rejected documents, of which half are fixed, and how loading those ends.
struct Rejects {
    template: Store,
    undisturbed: Outcome,
}

const DOCUMENTS: &str = "rejects/rejects.ndjson";
const ERRORS: &str = "rejects/rejects.errors.ndjson";

async fn rejects() -> &'static Rejects {
    static REJECTS: OnceCell<Rejects> = OnceCell::const_new();
    REJECTS.get_or_init(Rejects::new).await
}

impl Rejects {
    async fn new() -> Self {
        let template = Store::at(server().database("fixed"), Tables::Foreign);
        template.file("input.ndjson", &generate(&["--count", "200", "--seed", "23", "--invalid", "0.3"]));
        let ended =
            Loader::of(&template, command(&template, &template.database.url, "input.ndjson", &[])).end();
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
        let rejected = fs::read(template.path(DOCUMENTS)).expect("some were rejected");
        let valid = generate(&["--count", "500", "--seed", "24"]);
        let lines = document_lines(&rejected).into_iter().zip(document_lines(&valid));
        let fixed = lines.flat_map(|((line, old), (_, new))| if line % 2 == 0 { new } else { old });
        fs::write(template.path(DOCUMENTS), fixed.copied().collect::<Vec<u8>>()).expect("it is ours");
        let store = copy(&template);
        let ended = Loader::of(&store, command(&store, &store.database.url, DOCUMENTS, &[])).end();
        let undisturbed = Outcome::of(&store, &ended).await;
        assert_eq!(undisturbed.code, Some(1), "{}", ended.stderr);
        Self { template, undisturbed }
    }
}

/// The same database and reject files.
fn copy(template: &Store) -> Store {
    let store = template.copy();
    fs::create_dir(store.path("rejects")).expect("the folder is ours");
    for name in [DOCUMENTS, ERRORS] {
        fs::copy(template.path(name), store.path(name)).expect("it is there");
    }
    store
}

/// A load of this input, with small batches, in the store's folder.
fn command(store: &Store, url: &str, input: &str, options: &[&str]) -> Command {
    let mut command = binary();
    command.current_dir(store.path("")).args(["load", input, "--rejects", "rejects", "--database-url", url]);
    command.args(["--connections", "2", "--chunk-bytes", "2000", "--batch-bytes", "20000"]).args(options);
    command
}

/// The same command ends as if nothing had happened, with the same run.
async fn the_same_command_ends_it(store: &Store, input: &str, what: &str) {
    let ended = Loader::of(store, command(store, &store.database.url, input, &[])).end();
    let (found, expected) = (Outcome::of(store, &ended).await, &rejects().await.undisturbed);
    assert_eq!(found.code, expected.code, "{what}: {}", ended.stderr);
    assert_eq!(found.runs, expected.runs, "{what}: {}", ended.stderr);
    assert!(found == *expected, "{what}: {found:?}\n{expected:?}\n{}", ended.stderr);
}

async fn abort_at(store: &Store, input: &str, failpoint: &str) {
    let mut loading = command(store, &store.database.url, input, &[]);
    loading.env("FAILPOINTS", format!("{failpoint}=return"));
    let ended = Loader::of(store, loading).end();
    assert_eq!(ended.signal(), Some(6), "{failpoint} did not fire: {}", ended.stderr);
    the_same_command_ends_it(store, input, &format!("{input} after {failpoint}")).await;
}

async fn is_aborted_at(failpoint: &str) {
    abort_at(&copy(&rejects().await.template), DOCUMENTS, failpoint).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn fixed_rejects_are_found_after_an_abort_at_finish() {
    is_aborted_at("finish").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn fixed_rejects_are_found_after_an_abort_at_run_ending() {
    is_aborted_at("run-ending").await;
}

/// The ledger has the end then: the same command is another load, of what the file holds by now. That is either the
/// input, whose documents are there already, or its rejects; and never is there no such file.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_abort_among_the_names_leaves_a_file_to_load() {
    for failpoint in ["rejects-renaming", "rejects-renamed"] {
        let store = copy(&rejects().await.template);
        let input = fs::read(store.path(DOCUMENTS)).expect("it is there");
        let mut loading = command(&store, &store.database.url, DOCUMENTS, &["--on-existing", "update"]);
        loading.env("FAILPOINTS", format!("{failpoint}=return"));
        let ended = Loader::of(&store, loading).end();
        assert_eq!(ended.signal(), Some(6), "{failpoint} did not fire: {}", ended.stderr);
        let aside = fs::read(store.path("rejects/rejects.1.ndjson")).expect("it is kept");
        assert!(aside == input, "{failpoint}");
        let again = command(&store, &store.database.url, DOCUMENTS, &["--on-existing", "update"]);
        let ended = Loader::of(&store, again).end();
        let (found, expected) = (Outcome::of(&store, &ended).await, &rejects().await.undisturbed);
        assert_eq!(found.code, expected.code, "{failpoint}: {}", ended.stderr);
        assert_eq!(found.tables, expected.tables, "{failpoint}: {}", ended.stderr);
        assert_eq!(found.rejects[DOCUMENTS], expected.rejects[DOCUMENTS], "{failpoint}: {}", ended.stderr);
    }
}

/// However the input is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn fixed_rejects_are_found_under_any_name() {
    for name in ["absolute", "link.ndjson", "./rejects/../rejects/rejects.ndjson", "rejects/reject[s].ndjson"]
    {
        let store = copy(&rejects().await.template);
        let target = store.path(DOCUMENTS);
        std::os::unix::fs::symlink(&target, store.path("link.ndjson")).expect("links can be made");
        let absolute = target.to_str().expect("the path is UTF-8");
        let input = if name == "absolute" { absolute } else { name };
        // The name is part of the errors file; what follows compares the rest of the end.
        let mut loading = command(&store, &store.database.url, input, &[]);
        loading.env("FAILPOINTS", "finish=return");
        let ended = Loader::of(&store, loading).end();
        assert_eq!(ended.signal(), Some(6), "{name}: {}", ended.stderr);
        let ended = Loader::of(&store, command(&store, &store.database.url, input, &[])).end();
        let (found, expected) = (Outcome::of(&store, &ended).await, &rejects().await.undisturbed);
        assert_eq!((found.code, &found.runs), (expected.code, &expected.runs), "{name}: {}", ended.stderr);
        assert_eq!(found.rejects[DOCUMENTS], expected.rejects[DOCUMENTS], "{name}: {}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn fixed_rejects_are_found_where_the_end_can_not_be_written() {
    let (store, proxy) = (copy(&rejects().await.template), Proxy::start(server().address()));
    let held = proxy.arm(Moment::Statement("SET state = $3", 1), Action::Hold);
    let url = proxy.url(&store.database.name);
    let mut loader = Loader::of(&store, command(&store, &url, DOCUMENTS, &["--db-wait", "0"]));
    assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
    proxy.turn_away(u64::MAX, Refusal::Close);
    assert!(server().terminate_loaders(&store.database) > 0);
    held.release();
    let ended = loader.end();
    assert_eq!(ended.code(), Some(4), "{}", ended.stderr);
    assert!(ended.stderr.contains("can't be marked as ended"), "{}", ended.stderr);
    drop(proxy);
    the_same_command_ends_it(&store, DOCUMENTS, "unmarked").await;
}
