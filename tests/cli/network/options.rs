//! Which URLs are taken, what is sent to whom, and where redirects lead.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::{SECRET, assert_secret, documents, fine, from_file, judged, validate};
use crate::{
    documents::mixed,
    folder::Folder,
    http_server::{HttpServer, ServedFile, Treat},
    process::run,
};

fn with_token(mode: u32) -> Folder {
    let folder = Folder::with("token", format!("Authorization: Bearer {SECRET}\nX-Key: {SECRET}\n"));
    fs::set_permissions(folder.path("token"), fs::Permissions::from_mode(mode)).expect("it is ours");
    folder
}

#[test]
fn a_token_is_sent_to_the_server_that_was_named() {
    let folder = with_token(0o600);
    let server = HttpServer::start(ServedFile::of(documents()), |request| {
        let is_ours = request.header("authorization") == Some("Bearer s3cret");
        if is_ours { Treat::Fine } else { Treat::Status(401, String::new()) }
    });
    let output = validate(&folder, &server, "");
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    let output = validate(&folder, &server, "--header-file token");
    assert_eq!((output.code, server.faults()), (Some(1), 1), "{}", output.stderr);
}

#[test]
fn a_token_is_not_sent_to_where_a_redirect_leads() {
    let folder = with_token(0o600);
    let expected = from_file(&folder, &documents());
    let second = HttpServer::start(ServedFile::of(documents()), fine);
    let target = second.url(&format!("signed?{SECRET}"));
    let first =
        HttpServer::start(ServedFile::of(""), move |_| Treat::Status(307, format!("Location: {target}\r\n")));
    let output = validate(&folder, &first, "--header-file token");
    assert_eq!(judged(&folder, &output), expected, "{}", output.stderr);
    assert!(first.requests().iter().all(|request| request.header("x-key") == Some(SECRET)));
    let requests = second.requests();
    assert!(requests.len() > 10);
    for request in requests {
        assert_eq!((request.header("authorization"), request.header("x-key")), (None, None));
        assert_eq!(request.path, format!("/signed?{SECRET}"));
    }
    // Where they lead is remembered.
    assert_eq!(first.requests().len(), 1);
}

#[test]
fn a_redirect_that_expires_is_followed_anew() {
    let folder = Folder::new();
    let second = HttpServer::start(ServedFile::of(documents()), |request| match request.number {
        6 | 20 => Treat::Status(403, String::new()),
        _ => Treat::Fine,
    });
    let target = second.url("signed");
    let first =
        HttpServer::start(ServedFile::of(""), move |_| Treat::Status(302, format!("Location: {target}\r\n")));
    let output = validate(&folder, &first, "");
    assert_eq!((output.code, second.faults()), (Some(1), 2), "{}", output.stderr);
    assert!((3..=9).contains(&first.requests().len()), "{}", first.requests().len());
}

/// A misspelt one would be passed over, and the way taken that was not meant.
#[test]
fn a_proxy_that_is_none_is_refused() {
    let folder = Folder::new();
    for (variable, value) in [
        ("HTTPS_PROXY", "htp://u:s3cret@proxy:3128"),
        ("https_proxy", "http://"),
        ("ALL_PROXY", "http://pro xy:3128"),
    ] {
        let mut command = folder.command("validate https://files.invalid/a.ndjson --input-wait 0");
        for other in ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
            command.env_remove(other);
        }
        let output = run(command.env(variable, value));
        assert_eq!(output.code, Some(2), "{value}: {}", output.stderr);
        let words = format!("the variable {variable} does not hold the address of a proxy");
        assert!(output.stderr.contains(&words), "{value}: {}", output.stderr);
        assert_secret(&folder, &output);
    }
}

#[test]
fn a_file_of_headers_has_to_be_there_whatever_the_inputs_are() {
    let folder = Folder::with("in.ndjson", documents());
    let output = folder.run("validate in.ndjson --header-file tokn");
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert!(output.stderr.contains("the file tokn of --header-file can't be read"), "{}", output.stderr);
}

#[test]
fn redirects_end_somewhere() {
    let folder = Folder::new();
    let server = HttpServer::start(ServedFile::of(""), |request| {
        Treat::Status(301, format!("Location: /a{}?{SECRET}\r\n", request.number))
    });
    let output = validate(&folder, &server, "");
    assert_eq!((output.code, server.requests().len()), (Some(2), 6), "{}", output.stderr);
    assert!(output.stderr.contains("redirects more than 5 times"), "{}", output.stderr);
    let server = HttpServer::start(ServedFile::of(""), |_| {
        Treat::Status(302, format!("Location: ftp://elsewhere/{SECRET}\r\n"))
    });
    let output = validate(&folder, &server, "");
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert!(output.stderr.contains("redirects to something else than HTTP"), "{}", output.stderr);
}

#[test]
fn files_of_tokens_are_for_one_reader_and_one_server() {
    let server = HttpServer::start(ServedFile::of(mixed(20, 3)), fine);
    let output = validate(&with_token(0o644), &server, "--header-file token");
    assert_eq!((output.code, server.requests().len()), (Some(2), 0), "{}", output.stderr);
    assert!(output.stderr.contains("chmod 600 token"), "{}", output.stderr);
    let folder = with_token(0o600);
    let other = HttpServer::start(ServedFile::of(mixed(20, 3)), fine);
    let output = folder.run(&format!("validate {} {} --header-file token", server.url("a"), other.url("b")));
    assert_eq!((output.code, server.requests().len()), (Some(2), 0), "{}", output.stderr);
    assert!(output.stderr.contains("--header-file is for one server"), "{}", output.stderr);
}

#[test]
fn urls_that_can_not_be_read_are_told() {
    let folder = Folder::new();
    for (url, words) in [
        ("http://192.0.2.1/a?s3cret", "would come unencrypted"),
        ("http://export.example/a", "--allow-http"),
        ("https://u:s3cret@h.example/a", "--header-file"),
        ("https://h.example/*.ndjson?s3cret", "name each URL"),
        ("https:///a", "names no host"),
        ("https:/h.example/a?s3cret", "write https://HOST/PATH"),
        ("https://u:s3cret/s3cret@h.example/a", "is no "),
        ("HTTP://export.example/a?s3cret", "--allow-http"),
        #[cfg(not(feature = "cloud"))]
        ("s3://bucket/a.ndjson?s3cret", "--features cloud, or name its URL over https://, signed"),
        #[cfg(feature = "cloud")]
        ("s3://bucket/a.ndjson?s3cret", "holds a ?, as where a query with a signature begins"),
        ("ftp://u:s3cret@h/a", "curl -fsS URL |"),
        ("file:///a", "name the path itself"),
    ] {
        for command in ["validate", "load --database-url postgresql:///none"] {
            let output = folder.run(&format!("{command} {url}"));
            assert_eq!(output.code, Some(2), "{url}: {}", output.stderr);
            assert!(output.stderr.contains(words), "{url}: {}", output.stderr);
            assert_secret(&folder, &output);
        }
    }
    let output = folder.run("validate postgresql://u:s3cret@h/d");
    assert!(output.stderr.contains("looks like connection settings"), "{}", output.stderr);
    assert_secret(&folder, &output);
}
