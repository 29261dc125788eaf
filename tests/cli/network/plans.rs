//! Plans of inputs over the network: their splits find what one run finds, in the version that was planned and no other.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::{Arc, Mutex},
};

use serde_json::json;

use super::{QUICK, SECRET, documents, fine};
use crate::{
    documents::mixed,
    folder::Folder,
    http_server::{HttpServer, Length, Request, ServedFile, Treat},
    plan::{assert_splits_add_up_to, splits},
    process::Output,
};

/// Small ranges, so that a short file has many.
const RANGES: &str = "--range-bytes 10000 --input-stall 400ms";

fn plan(folder: &Folder, words: &str) -> Output {
    folder.run(&format!("plan {words} {RANGES} -o plan.json"))
}

fn check(folder: &Folder, split: usize) -> Output {
    folder.run(&format!("validate --plan plan.json --split {split} {QUICK}"))
}

/// A server whose file can be put in place of by another one.
fn with_versions(first: ServedFile) -> (HttpServer, Arc<Mutex<ServedFile>>) {
    let served = Arc::new(Mutex::new(first));
    let now = Arc::clone(&served);
    let treat = move |_: &Request| Treat::Other(now.lock().expect("no thread panics with it").clone());
    (HttpServer::start(ServedFile::of(""), treat), served)
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, text.as_bytes()).expect("writing to a Vec");
    encoder.finish().expect("writing to a Vec")
}

#[test]
fn splits_of_urls_add_up_to_one_run() {
    let folder = Folder::with("c.ndjson", mixed(200, 5));
    // So few ids that repeats are counted, not estimated.
    let text = mixed(500, 7);
    for etag in [Some("\"first\""), Some("W/\"first\""), None] {
        for (has_ranges, length) in [(true, Length::Told), (false, Length::Told), (false, Length::Chunked)] {
            let file = move |bytes: Vec<u8>| ServedFile { bytes, etag, has_ranges, length };
            let server = HttpServer::start(file(text.clone().into_bytes()), move |request| {
                let zipped = || Treat::Other(file(gzip(&mixed(300, 4))));
                if request.path == "/b.gz" { zipped() } else { Treat::Fine }
            });
            let inputs = format!("{} {} c.ndjson", server.url("a%20b"), server.url("b.gz"));
            folder.run(&format!("validate {inputs} {RANGES} --report whole.json --rejects whole"));
            let planned = plan(&folder, &format!("{inputs} --split-size 20KiB"));
            assert_eq!((planned.code, planned.stderr.as_str()), (Some(0), ""));
            // What is behind a URL is one split.
            let splits = splits(&folder);
            assert!(splits > 3, "{splits}");
            let sources = folder.read_json("plan.json")["sources"].clone();
            assert_eq!(sources[0]["url"], server.url("a%20b"));
            let is_pinned = etag == Some("\"first\"") && length == Length::Told;
            assert_eq!(sources[0]["digest"].is_null(), is_pinned, "{sources}");
            assert_splits_add_up_to(&folder, splits, RANGES);
        }
    }
}

/// Whoever plans a lake asks for the beginning of each object, not for all of it.
#[test]
fn of_a_url_with_an_etag_a_plan_reads_the_beginning() {
    let folder = Folder::new();
    let text = documents();
    assert!(text.len() > 1 << 19);
    let server = HttpServer::start(ServedFile::of(text), fine);
    let urls: Vec<_> = (0..20).map(|number| server.url(&number.to_string())).collect();
    assert_eq!(folder.run(&format!("plan {} -o plan.json", urls.join(" "))).code, Some(0));
    let requests = server.requests();
    assert_eq!(requests.len(), urls.len());
    assert!(requests.iter().all(|request| request.range() == Some((0, (256 << 10) - 1))));
}

#[test]
fn another_version_than_the_planned_one_is_told_before_anything_is_read() {
    let text = documents();
    for (etag, other) in [
        (Some("\"first\""), ServedFile { etag: Some("\"second\""), ..ServedFile::of(text.clone()) }),
        (Some("\"first\""), ServedFile::of(text.clone() + "\n")),
        (None, ServedFile { etag: None, ..ServedFile::of(text.clone() + "\n") }),
        // Only its digest says so, at its end.
        (None, ServedFile { etag: None, ..ServedFile::of(text.replace("\"Ann\"", "\"Bob\"")) }),
    ] {
        let folder = Folder::new();
        let (server, served) = with_versions(ServedFile { etag, ..ServedFile::of(text.clone()) });
        assert_eq!(plan(&folder, &server.url("a")).code, Some(0));
        assert_eq!(check(&folder, 0).code, Some(1));
        *served.lock().expect("no thread panics with it") = other;
        let told = check(&folder, 0);
        assert_eq!(told.code, Some(5), "{}", told.stderr);
        assert!(told.stderr.contains("/a is not what it was when the plan was made: "), "{}", told.stderr);
    }
    // Without an ETag nobody knows which version it is.
    let folder = Folder::new();
    let (server, served) = with_versions(ServedFile::of(text.clone()));
    assert_eq!(plan(&folder, &server.url("a")).code, Some(0));
    *served.lock().expect("no thread panics with it") =
        ServedFile { etag: None, has_ranges: false, ..ServedFile::of(text) };
    let told = check(&folder, 0);
    assert_eq!(told.code, Some(2), "{}", told.stderr);
    assert!(told.stderr.contains("gave an ETag when the plan was made, and gives none"), "{}", told.stderr);
}

#[test]
fn connections_that_break_are_made_anew_for_a_split() {
    let folder = Folder::new();
    let server = HttpServer::start(ServedFile::of(documents()), |request| match request.number % 4 {
        2 => Treat::Cut(9000),
        3 => Treat::Status(503, String::new()),
        _ => Treat::Fine,
    });
    folder.run(&format!("validate {} {RANGES} --report whole.json --rejects whole", server.url("a")));
    assert_eq!(plan(&folder, &server.url("a")).code, Some(0));
    let before = server.faults();
    assert_splits_add_up_to(&folder, 1, RANGES);
    assert!(server.faults() > before + 3, "{}", server.faults());
}

#[test]
fn a_plan_holds_no_secret() {
    let folder = Folder::with("token", format!("Authorization: Bearer {SECRET}\n"));
    fs::set_permissions(folder.path("token"), fs::Permissions::from_mode(0o600)).expect("it is ours");
    let server = HttpServer::start(ServedFile::of(documents()), |request| {
        let is_ours = request.header("authorization") == Some("Bearer s3cret");
        if is_ours { Treat::Fine } else { Treat::Status(401, String::new()) }
    });
    let query = format!("{}?X-Amz-Signature={SECRET}", server.url("a"));
    let refused = plan(&folder, &format!("{query} --header-file token"));
    assert_eq!((refused.code, folder.path("plan.json").exists()), (Some(2), false), "{}", refused.stderr);
    assert!(refused.stderr.contains("/a has a query, which may be a credential"), "{}", refused.stderr);
    assert!(!refused.stderr.contains(SECRET), "{}", refused.stderr);
    assert_eq!(server.requests().len(), 0);
    let denied = plan(&folder, &server.url("a"));
    assert_eq!(denied.code, Some(2), "{}", denied.stderr);

    assert_eq!(plan(&folder, &format!("{} --header-file token", server.url("a"))).code, Some(0));
    assert!(!String::from_utf8_lossy(&folder.read("plan.json")).contains(SECRET));
    for command in ["validate", "scatter"] {
        let words = format!("{command} --plan plan.json --split 0 --accept-rejects");
        let denied = folder.command(&words).output().expect("the program starts");
        assert_eq!(denied.status.code(), Some(2), "{}", String::from_utf8_lossy(&denied.stderr));
        let words = format!("{words} --header-file token --report {command}.json");
        let read = folder.command(&words).output().expect("the program starts");
        assert_eq!(read.status.code(), Some(0), "{}", String::from_utf8_lossy(&read.stderr));
        let report = folder.read_report(&format!("{command}.json"));
        assert_eq!(
            (&report["documents"]["read"], &report["inputs"][0]["source"]),
            (&json!(3000), &json!(server.url("a")))
        );
    }
}
