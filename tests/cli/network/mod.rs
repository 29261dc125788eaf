//! Inputs over the network: the same as from a file, whatever the server does, or the right exit code.

mod faults;
mod options;
mod plans;
#[cfg(feature = "cloud")]
mod stores;

use std::{
    sync::{Condvar, Mutex},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    documents::mixed,
    folder::Folder,
    http_server::{HttpServer, Length, Request, ServedFile, Treat},
    process::{Output, run},
};

/// In no output.
const SECRET: &str = "s3cret";

/// Small ranges, so that a short file has many.
const QUICK: &str = "--range-bytes 30000 --chunk-bytes 10000 --input-stall 400ms --output json";

fn documents() -> String {
    mixed(3000, 7)
}

fn fine(_: &Request) -> Treat {
    Treat::Fine
}

/// Validates a URL that has something secret in its query.
fn validate(folder: &Folder, server: &HttpServer, options: &str) -> Output {
    let url = server.url(&format!("export/customers.ndjson?X-Amz-Signature={SECRET}&x=1"));
    let output = run(&mut folder.command(&format!("validate {url} {QUICK} --rejects rejects {options}")));
    assert_secret(folder, &output);
    output
}

fn assert_secret(folder: &Folder, output: &Output) {
    let mut texts = vec![output.stdout.clone(), output.stderr.clone()];
    for name in ["rejects.ndjson", "rejects.errors.ndjson"] {
        if folder.path("rejects").join(name).exists() {
            texts.push(String::from_utf8(folder.read(&format!("rejects/{name}"))).expect("it is UTF-8"));
        }
    }
    for text in texts {
        assert!(!text.contains(SECRET) && !text.contains("X-Amz"), "{text}");
    }
}

/// What became of the documents, wherever they came from.
fn judged(folder: &Folder, output: &Output) -> Value {
    let report: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", output.stderr));
    let errors = report["errors"].as_array().expect("a list");
    let errors: Vec<_> =
        errors.iter().map(|error| json!([error["code"], error["pointer"], error["documents"]])).collect();
    let input = &report["inputs"][0];
    let rejects = std::fs::read(folder.path("rejects/rejects.ndjson")).unwrap_or_default();
    let rejects = blake3::hash(&rejects).to_hex().to_string();
    json!([report["failure"], report["documents"], input["bytes"], input["digest"], errors, rejects])
}

fn from_file(folder: &Folder, text: &str) -> Value {
    folder.write("customers.ndjson", text);
    let output = run(&mut folder.command("validate customers.ndjson --output json --rejects rejects"));
    judged(folder, &output)
}

#[test]
fn every_way_of_serving_gives_the_same_documents() {
    let text = documents();
    let folder = Folder::new();
    let expected = from_file(&folder, &text);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, text.as_bytes()).expect("writing to a Vec");
    let stored = [
        text.clone().into_bytes(),
        gzip.finish().expect("writing to a Vec"),
        zstd::encode_all(text.as_bytes(), 3).expect("writing to a Vec"),
    ];
    for bytes in stored {
        for etag in [Some("\"first\""), Some("W/\"first\""), None] {
            for (has_ranges, length) in
                [(true, Length::Told), (false, Length::Told), (false, Length::Chunked)]
            {
                let file = ServedFile { bytes: bytes.clone(), etag, has_ranges, length };
                let server = HttpServer::start(file, fine);
                let output = validate(&folder, &server, "");
                assert_eq!(judged(&folder, &output), expected, "{etag:?} {has_ranges} {length:?}");
                let is_in_ranges = has_ranges && etag == Some("\"first\"");
                let requests = server.requests();
                let guarded = requests.iter().filter(|request| request.header("if-match").is_some()).count();
                assert_eq!(guarded > 1, is_in_ranges && bytes.len() > 30_000, "{} requests", requests.len());
            }
        }
    }
}

#[test]
fn an_array_and_an_empty_file_come_over_the_network_as_well() {
    let folder = Folder::new();
    let array = format!("[{}]", documents().trim_end().replace('\n', ",\n"));
    let server = HttpServer::start(ServedFile::of(array), fine);
    let documents = &judged(&folder, &validate(&folder, &server, ""))[1];
    assert_eq!((&documents["read"], &documents["rejected"]), (&3000.into(), &429.into()));
    for has_ranges in [true, false] {
        let server = HttpServer::start(ServedFile { has_ranges, ..ServedFile::of("") }, fine);
        let output = validate(&folder, &server, "");
        assert_eq!((output.code, &judged(&folder, &output)[1]["read"]), (Some(0), &0.into()));
    }
}

#[test]
fn a_source_is_named_without_its_query() {
    let folder = Folder::new();
    let server = HttpServer::start(ServedFile::of(mixed(20, 3)), fine);
    let output = validate(&folder, &server, "");
    let name = server.url("export/customers.ndjson");
    let report: Value = serde_json::from_str(&output.stdout).expect("it is JSON");
    assert_eq!(report["inputs"][0]["source"], name);
    let errors = String::from_utf8(folder.read("rejects/rejects.errors.ndjson")).expect("it is UTF-8");
    assert!(errors.contains(&format!("\"source\":\"{name}\"")), "{errors}");
    let output = folder.run(&format!("validate {}?{SECRET} {}", server.url("a"), server.url("b")));
    assert_secret(&folder, &output);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
}

#[test]
fn what_is_no_documents_is_refused_before_anything_else() {
    let folder = Folder::new();
    let server = HttpServer::start(ServedFile::of("<!DOCTYPE html>\n<html></html>\n"), fine);
    let output = validate(&folder, &server, "");
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert!(output.stderr.contains("customers.ndjson is not NDJSON but "), "{}", output.stderr);
}

#[test]
fn a_certificate_is_verified() {
    let folder = Folder::with("README", "");
    let server = HttpServer::start_tls(ServedFile::of(mixed(2000, 9)));
    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tls/ca.pem");
    let words = format!("validate {} {QUICK} --rejects rejects", server.url("a"));
    let verified = run(folder.command(&words).env("SSL_CERT_FILE", authority));
    assert_eq!(verified.code, Some(1), "{}", verified.stderr);
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tls/server.key");
    let refused = run(folder.command(&words).env("SSL_CERT_FILE", other).env_remove("SSL_CERT_DIR"));
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("SSL_CERT_FILE"), "{}", refused.stderr);
}

#[test]
fn several_urls_are_looked_at_at_the_same_time() {
    const AT_A_TIME: usize = 8;
    let (asked, is_asked) = (Mutex::new(0), Condvar::new());
    let server = HttpServer::start(ServedFile::of(mixed(20, 100)), move |_| {
        let mut count = asked.lock().expect("no thread panics with it");
        *count += 1;
        is_asked.notify_all();
        let all = is_asked.wait_timeout_while(count, Duration::from_secs(20), |count| *count < AT_A_TIME);
        let is_alone = all.expect("no thread panics with it").1.timed_out();
        if is_alone { Treat::Status(404, String::new()) } else { Treat::Fine }
    });
    let urls: Vec<_> = (0..AT_A_TIME).map(|number| server.url(&number.to_string())).collect();
    let folder = Folder::new();
    let output = folder.run(&format!("validate {} --output json", urls.join(" ")));
    let report: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", output.stderr));
    let sources: Vec<_> = (0..AT_A_TIME).map(|at| report["inputs"][at]["source"].clone()).collect();
    assert_eq!(
        (report["documents"]["read"].clone(), sources),
        (160.into(), urls.iter().map(|url| json!(url)).collect())
    );
}

#[test]
fn the_first_url_that_is_not_there_is_told() {
    let folder = Folder::new();
    let server = HttpServer::start(ServedFile::of(mixed(20, 100)), |request| {
        let is_there = request.path.len() == "/1".len();
        if is_there { Treat::Fine } else { Treat::Status(404, String::new()) }
    });
    let urls: Vec<_> = (1..40).map(|number| server.url(&number.to_string())).collect();
    let output = folder.run(&format!("validate {}", urls.join(" ")));
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert!(output.stderr.contains("/10 can't be read: the server answers 404"), "{}", output.stderr);
}

#[test]
fn a_map_is_shown_of_a_url() {
    let folder = Folder::with("map.jq", ".");
    let server = HttpServer::start(ServedFile::of(mixed(20, 100)), fine);
    let output = folder.run(&format!("map map.jq {}?{SECRET} --first 2", server.url("a")));
    assert_secret(&folder, &output);
    assert!(output.stdout.starts_with(&server.url("a, line 1")), "{}", output.stdout);
}
