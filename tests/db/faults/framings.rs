//! The same documents in every framing, compressed or not, from a file, a pipe and a URL: killed and resumed, each load leaves
//! what an undisturbed one leaves.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    cases::{array_case, load_of},
    faults::{Case, Ended, INPUT, Loader, Outcome},
    http_server::{HttpServer, ServedFile, Treat},
    support::Store,
};

/// The documents of an array as `Input::in_array` writes it, each as it stands there, and on one line.
fn documents(array: &[u8]) -> (Vec<String>, Vec<String>) {
    let text = String::from_utf8(array.to_vec()).expect("it is UTF-8");
    let text = text.strip_prefix("[\n").and_then(|text| text.strip_suffix("\n]\n")).expect("it is an array");
    let pretty: Vec<_> = text.split("\n,\n").map(ToOwned::to_owned).collect();
    let on_one_line = |document: &String| match serde_json::from_str::<Value>(document) {
        Ok(value) => value.to_string(),
        Err(_) => document.replace('\n', " "),
    };
    let lines = pretty.iter().map(on_one_line).collect();
    (pretty, lines)
}

fn framings(array: &[u8]) -> [(&'static str, String); 6] {
    let (pretty, lines) = documents(array);
    let array_of = |documents: &[String], between| format!("[{}]\n", documents.join(between));
    let records = |documents: &[String]| format!("\u{1e}{}\n", documents.join("\n\u{1e}"));
    [
        ("NDJSON", lines.join("\n") + "\n"),
        ("an array on one line", array_of(&lines, ",")),
        ("a pretty-printed array", array_of(&pretty, ",\n")),
        ("one after another", pretty.join("")),
        ("records of RFC 7464", records(&lines)),
        ("pretty-printed records", records(&pretty)),
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("writing to a Vec");
    encoder.finish().expect("writing to a Vec")
}

/// Where the bytes of a load come from.
enum Origin {
    File,
    Pipe,
    Url(HttpServer),
}

impl Origin {
    /// A load of the input under another name, which dies behind so many commits of a lane, if any.
    fn load(&self, case: &Case, store: &Store, dies_behind: Option<u32>) -> Ended {
        let mut command = match self {
            Self::File => load_of(case, store, "export"),
            Self::Pipe => load_of(case, store, "-"),
            Self::Url(server) => load_of(case, store, &server.url("export")),
        };
        if let Some(commits) = dies_behind {
            command.env("FAILPOINTS", format!("lane-after-commit={commits}*off->return"));
        }
        if !matches!(self, Self::Pipe) {
            return Loader::of(store, command).end();
        }
        let mut cat = Command::new("cat");
        let mut cat = cat.arg(store.path("export")).stdout(Stdio::piped()).spawn().expect("cat starts");
        let bytes = cat.stdout.take().expect("it is piped");
        let ended = Loader::reading(store, command, bytes.into()).end();
        cat.wait().expect("cat ends");
        ended
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_framing_is_loaded_exactly_once_from_anywhere() {
    let case = array_case("reject").await;
    let store = case.store();
    let outcome = Outcome::of(&store, &Loader::of(&store, load_of(&case, &store, INPUT)).end()).await;
    let expected = (outcome.code, outcome.tables, outcome.runs);
    let mut commits = (1..=3).cycle();
    for (framing, text) in framings(&case.input.text) {
        let wrapped = [
            ("plain", text.clone().into_bytes()),
            ("gzip", gzip(text.as_bytes())),
            ("zstd", zstd::encode_all(text.as_bytes(), 1).expect("writing to a Vec")),
        ];
        for (at, (wrapping, bytes)) in wrapped.into_iter().enumerate() {
            let what = format!("{framing}, {wrapping}");
            let store = case.store();
            fs::write(store.path("export"), &bytes).expect("the folder is writable");
            // Every wrapping and every origin once.
            let origin = match at {
                0 => Origin::Pipe,
                1 => Origin::Url(HttpServer::start(ServedFile::of(bytes), |_| Treat::Fine)),
                _ => Origin::File,
            };
            let killed = origin.load(&case, &store, commits.next());
            assert_eq!(killed.signal(), Some(6), "{what}: {}", killed.stderr);
            let ended = origin.load(&case, &store, None);
            let outcome = Outcome::of(&store, &ended).await;
            let found = (outcome.code, outcome.tables, outcome.runs);
            assert_eq!(found, expected, "{what}: {}", ended.stderr);
        }
    }
}
