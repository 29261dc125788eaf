//! Objects of stores, which are read as files behind URLs are: of servers that cut, stall, change and refuse. What real stores
//! say is shown by `scripts/test-cloud`.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
};

use serde_json::Value;

use super::{QUICK, SECRET, assert_secret, documents, fine, from_file, judged};
use crate::{
    documents::mixed,
    folder::Folder,
    http_server::{HttpServer, Request, ServedFile, Treat},
    process::{self, Output, run},
};

/// A URL, and the variables with which it is read from a server of this machine.
type Store = (&'static str, fn(&HttpServer) -> Vec<(&'static str, String)>);

const STORES: [Store; 4] = [
    ("s3://exports/customers.ndjson", s3),
    ("gs://exports/customers.ndjson", gcs),
    ("az://exports/customers.ndjson", azure),
    ("abfss://exports@account.dfs.core.windows.net/customers.ndjson", azure_host),
];

fn s3(server: &HttpServer) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", server.url("")),
        ("AWS_ACCESS_KEY_ID", "key".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ("AWS_SESSION_TOKEN", SECRET.to_owned()),
    ]
}

fn gcs(server: &HttpServer) -> Vec<(&'static str, String)> {
    let base = server.url("");
    vec![
        ("GOOGLE_BASE_URL", base.trim_end_matches('/').to_owned()),
        ("GOOGLE_BEARER_TOKEN", SECRET.to_owned()),
    ]
}

fn azure(server: &HttpServer) -> Vec<(&'static str, String)> {
    let base = server.url("account");
    vec![
        ("AZURE_STORAGE_ACCOUNT", "account".to_owned()),
        ("AZURE_STORAGE_ENDPOINT", base),
        ("AZURE_STORAGE_SAS_TOKEN", format!("sv=2024-01-01&sig={SECRET}")),
    ]
}

fn azure_host(server: &HttpServer) -> Vec<(&'static str, String)> {
    vec![
        ("AZURE_STORAGE_ENDPOINT", server.url("account")),
        // "s3cretkey/s3cret" and the like have to be in Base64.
        ("AZURE_STORAGE_KEY", "czNjcmV0a2V5".to_owned()),
    ]
}

fn validate(folder: &Folder, server: &HttpServer, (url, variables): Store, options: &str) -> Output {
    let mut command = folder.command(&format!("validate {url} {QUICK} --rejects rejects {options}"));
    let output = run(command.envs(variables(server)));
    assert_secret(folder, &output);
    output
}

/// Each store gives what the file gives, whatever is done to its server.
fn disturbed(treat: impl Fn(&Request) -> Treat + Clone + Send + Sync + 'static) {
    let text = documents();
    let folder = Folder::new();
    let expected = from_file(&folder, &text);
    for store in STORES {
        let server = HttpServer::start(ServedFile::of(text.clone()), treat.clone());
        let output = validate(&folder, &server, store, "");
        assert!(server.faults() > 0, "{}: no fault in {} requests", store.0, server.requests().len());
        assert_eq!(judged(&folder, &output), expected, "{}: {}", store.0, output.stderr);
    }
}

fn answer(text: String) -> Treat {
    Treat::Other(ServedFile { etag: None, has_ranges: false, ..ServedFile::of(text) })
}

/// As S3 lists names and sizes.
fn listed(objects: &[(&str, u64)], next: Option<&str>) -> Treat {
    let mut text = "<ListBucketResult>".to_owned();
    for (name, size) in objects {
        write!(
            text,
            "<Contents><Key>{name}</Key><Size>{size}</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
        )
        .expect("writing to a String");
    }
    if let Some(next) = next {
        write!(text, "<NextContinuationToken>{next}</NextContinuationToken>").expect("writing to a String");
    }
    answer(format!("{text}</ListBucketResult>"))
}

#[test]
fn objects_are_read_in_signed_and_guarded_ranges() {
    let text = documents();
    let folder = Folder::new();
    let expected = from_file(&folder, &text);
    for (store, is_signed) in STORES.into_iter().zip([
        (|request: &Request| {
            request.header("authorization").is_some_and(|a| a.starts_with("AWS4-HMAC-SHA256 Credential=key/"))
        }) as fn(&Request) -> bool,
        |request| request.header("authorization") == Some("Bearer s3cret"),
        |request| request.path.ends_with("sig=s3cret"),
        |request| request.header("authorization").is_some_and(|a| a.starts_with("SharedKey account:")),
    ]) {
        let server = HttpServer::start(ServedFile::of(text.clone()), fine);
        let output = validate(&folder, &server, store, "");
        assert_eq!(judged(&folder, &output), expected, "{}", output.stderr);
        let report: Value = serde_json::from_str(&output.stdout).expect("it is JSON");
        assert_eq!(report["inputs"][0]["source"], store.0);
        let requests = server.requests();
        assert!(requests.iter().all(is_signed), "{:?}", requests[0]);
        let stray = requests.iter().find(|request| !request.path.contains("/exports/customers"));
        assert!(stray.is_none(), "{stray:?}");
        let guarded =
            requests.iter().filter(|request| request.header("if-match") == Some("\"first\"")).count();
        assert!(guarded > 5, "{guarded} of {} requests", requests.len());
    }
}

#[test]
fn connections_that_break_are_made_anew() {
    disturbed(|request| if request.number.is_multiple_of(3) { Treat::Cut(1000) } else { Treat::Fine });
    disturbed(|request| if request.number % 7 == 2 { Treat::Stall(1000) } else { Treat::Fine });
}

#[test]
fn stores_that_are_overloaded_are_asked_again() {
    disturbed(|request| {
        let busy = Treat::Status(503, "Retry-After: 0\r\n".to_owned());
        if request.number % 3 == 1 { busy } else { Treat::Fine }
    });
}

#[test]
fn an_object_that_changes_is_not_mixed() {
    let folder = Folder::new();
    let other = ServedFile { etag: Some("\"second\""), ..ServedFile::of(documents().replace("Ann", "Bob")) };
    for store in STORES {
        let other = other.clone();
        let server = HttpServer::start(ServedFile::of(documents()), move |request| {
            if request.number <= 12 { Treat::Fine } else { Treat::Other(other.clone()) }
        });
        let output = validate(&folder, &server, store, "");
        assert_eq!(output.code, Some(5), "{}", output.stderr);
        assert!(output.stderr.contains("it was changed at the server"), "{}", output.stderr);
    }
}

#[test]
fn what_a_store_refuses_says_what_to_do() {
    let folder = Folder::new();
    for (store, fine_requests, status, headers, code, words) in [
        (STORES[0], 0, 404, "", 2, "404 Not Found; there is no object of this name"),
        (STORES[0], 0, 403, "", 2, "403 Forbidden; the credentials may not read it"),
        (STORES[1], 0, 403, "", 2, "storage.objects.get"),
        (STORES[1], 0, 401, "", 2, "GOOGLE_APPLICATION_CREDENTIALS"),
        (
            STORES[2],
            0,
            404,
            "x-ms-error-code: ContainerNotFound\r\n",
            2,
            "(ContainerNotFound); there is no such container",
        ),
        (STORES[2], 0, 403, "x-ms-error-code: AuthenticationFailed\r\n", 2, "AZURE_STORAGE_ACCOUNT_KEY"),
        (STORES[0], 0, 301, "x-amz-bucket-region: eu-west-1\r\n", 2, "set AWS_REGION=eu-west-1"),
        (STORES[0], 20, 403, "", 4, "or have expired"),
    ] {
        let server = HttpServer::start(ServedFile::of(documents()), move |request| {
            let refused = Treat::Status(status, headers.to_owned());
            if request.number <= fine_requests { Treat::Fine } else { refused }
        });
        let output = validate(&folder, &server, store, "");
        assert_eq!(output.code, Some(code), "{}", output.stderr);
        assert!(output.stderr.contains(words), "{words}: {}", output.stderr);
    }
}

#[test]
fn names_and_patterns_are_looked_up() {
    let folder = Folder::new();
    let pages = |request: &Request| {
        if !request.path.contains("list-type=2") {
            return if request.path.contains("exports/x/") {
                Treat::Fine
            } else {
                Treat::Status(404, String::new())
            };
        }
        if !request.path.contains("prefix=x%2F") {
            return listed(&[], None);
        }
        if request.path.contains("continuation-token=more") {
            listed(&[("x/b.ndjson", 5), ("x/_SUCCESS", 0), ("x/_log/1", 5), ("x/deep/c.ndjson", 5)], None)
        } else {
            listed(
                &[("x", 0), ("x/d.ndjson.gz", 5), ("x/a.ndjson", 5), ("x/.d.ndjson", 5), ("x/e.ndjson", 0)],
                Some("more"),
            )
        }
    };
    let server = HttpServer::start(ServedFile::of(mixed(20, 100)), pages);
    let x = |names: &[&str]| names.iter().map(|name| format!("s3://exports/x/{name}")).collect::<Vec<_>>();
    for (url, expected) in [
        ("s3://exports/x/", x(&["a.ndjson", "b.ndjson", "d.ndjson.gz", "deep/c.ndjson"])),
        ("s3://exports/x/*.ndjson", x(&["a.ndjson", "b.ndjson"])),
        ("s3://exports/x/**/*.ndjson", x(&["a.ndjson", "b.ndjson", "deep/c.ndjson"])),
        ("s3://exports/x/[bd]*", x(&["b.ndjson", "d.ndjson.gz"])),
    ] {
        let output = run(folder.command(&format!("validate {url} --output json")).envs(s3(&server)));
        // The documents are such that some are rejected.
        assert_eq!(output.code, Some(1), "{url}: {}", output.stderr);
        let report: Value = serde_json::from_str(&output.stdout).expect("it is JSON");
        let sources: Vec<_> = report["inputs"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|input| input["source"].clone())
            .collect();
        assert_eq!(sources, expected, "{url}");
        assert_eq!(
            output.stderr.contains("s3://exports/x/: left out 2 whose names"),
            url.ends_with('/'),
            "{}",
            output.stderr
        );
        assert_secret(&folder, &output);
    }
    for (url, words) in [
        ("s3://exports/none/", "s3://exports/none/ holds no object that is not empty"),
        ("s3://exports/x/*.zst", "s3://exports/x/*.zst matches no object"),
        ("s3://exports/x/**b", "can't be understood"),
        ("s3://exports/a//b", "empty part"),
        ("s3://exports", "write a / behind it"),
    ] {
        let output = run(folder.command(&format!("validate {url}")).envs(s3(&server)));
        assert_eq!(output.code, Some(2), "{url}: {}", output.stderr);
        assert!(output.stderr.contains(words), "{url}: {}", output.stderr);
    }
}

/// Each object is a split, whatever is in its name; another version of it is refused.
#[test]
fn objects_are_planned_and_read_by_splits() {
    let names = ["x/a [1]*.ndjson", "x/b%20é#.ndjson"];
    let version = Arc::new(Mutex::new("\"first\""));
    let now = Arc::clone(&version);
    let server = HttpServer::start(ServedFile::of(""), move |request| {
        if request.path.contains("list-type=2") {
            return listed(&names.map(|name| (name, 5)), None);
        }
        let etag = Some(*now.lock().expect("no thread panics with it"));
        Treat::Other(ServedFile { etag, ..ServedFile::of(mixed(300, 7)) })
    });
    let folder = Folder::new();
    let run = |words: &str| run(folder.command(words).envs(s3(&server)));
    let planned = run("plan s3://exports/x/ -o plan.json");
    assert_eq!((planned.code, planned.stderr.as_str()), (Some(0), ""));
    assert!(!String::from_utf8_lossy(&folder.read("plan.json")).contains(SECRET));
    for (split, name) in names.iter().enumerate() {
        let before = server.requests().len();
        let checked = run(&format!("validate --plan plan.json --split {split} --output json"));
        let report: Value = serde_json::from_str(&checked.stdout).expect("it is JSON");
        let input = &report["inputs"][0];
        assert_eq!(
            (&input["source"], &report["documents"]["read"]),
            (&format!("s3://exports/{name}").into(), &300.into())
        );
        let asked = &server.requests()[before..];
        // Nothing is listed or found out again.
        assert!(asked.iter().all(|request| request.path.starts_with("/exports/x/")), "{asked:?}");
    }
    *version.lock().expect("no thread panics with it") = "\"second\"";
    let told = run("validate --plan plan.json --split 1");
    assert_eq!(told.code, Some(5), "{}", told.stderr);
    assert!(told.stderr.contains("its ETag was \"first\" and is \"second\""), "{}", told.stderr);
    for store in STORES {
        let server = HttpServer::start(ServedFile::of(documents()), fine);
        let run = |words: &str| process::run(folder.command(words).envs(store.1(&server)));
        let planned = run(&format!("plan {} -o plan.json", store.0));
        assert_eq!((planned.code, planned.stderr.as_str()), (Some(0), ""));
        let checked = run("validate --plan plan.json --split 0 --output json");
        let report: Value = serde_json::from_str(&checked.stdout).expect("it is JSON");
        assert_eq!((&report["inputs"][0]["source"], checked.code), (&store.0.into(), Some(1)));
    }
}

#[test]
fn listings_wait_for_the_store_as_well() {
    let folder = Folder::new();
    let server = HttpServer::start(ServedFile::of(mixed(20, 100)), |request| match request.number {
        1 => Treat::Status(503, "Retry-After: 0\r\n".to_owned()),
        2 => Treat::Cut(10),
        3 => listed(&[("x/a.ndjson", 5)], None),
        _ => Treat::Fine,
    });
    let output = run(folder.command("validate s3://exports/x/").envs(s3(&server)));
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    for (status, words) in [(403, "s3:ListBucket"), (503, "503 Service Unavailable")] {
        let server = HttpServer::start(ServedFile::of(""), move |_| Treat::Status(status, String::new()));
        let output = run(folder.command("validate s3://exports/x/ --input-wait 300ms").envs(s3(&server)));
        assert_eq!(output.code, Some(if status == 503 { 4 } else { 2 }), "{}", output.stderr);
        assert!(output.stderr.contains(words), "{}", output.stderr);
    }
}

#[test]
fn credentials_that_are_missing_or_wrong_are_told() {
    let folder = Folder::new();
    let server = HttpServer::start(ServedFile::of(documents()), |_| Treat::Status(404, String::new()));
    let metadata = server.url("").trim_end_matches('/').to_owned();
    let no_key = format!("{{\"type\": \"service_account\", \"private_key\": 5, \"x\": \"{SECRET}\"");
    for (url, variables, words) in [
        (
            "s3://b/a",
            vec![("AWS_METADATA_ENDPOINT", &*metadata)],
            "which answers 404 Not Found; set AWS_ACCESS_KEY_ID",
        ),
        ("s3://b/a", vec![("AWS_SECRET_ACCESS_KEY", SECRET)], "AWS_ACCESS_KEY_ID"),
        (
            "s3://b/a",
            vec![("AWS_ENDPOINT_URL", "http://192.0.2.1"), ("AWS_SKIP_SIGNATURE", "true")],
            "--allow-http",
        ),
        (
            "s3://b/a/",
            vec![("AWS_ENDPOINT_URL", "http://192.0.2.1"), ("AWS_SKIP_SIGNATURE", "true")],
            "--allow-http",
        ),
        ("gs://b/a", vec![("GOOGLE_SERVICE_ACCOUNT_KEY", &*no_key)], "GOOGLE_APPLICATION_CREDENTIALS"),
        (
            "az://b/a",
            vec![("AZURE_STORAGE_ACCOUNT", "a"), ("AZURE_STORAGE_KEY", "s3cret%")],
            "AZURE_STORAGE_ACCOUNT_KEY",
        ),
        ("az://b/a", vec![], "AZURE_STORAGE_ACCOUNT_NAME"),
    ] {
        let output = run(folder.command(&format!("validate {url}")).envs(variables));
        assert_eq!(output.code, Some(2), "{url}: {}", output.stderr);
        assert!(output.stderr.contains(words), "{words}: {}", output.stderr);
        assert_secret(&folder, &output);
    }
}
