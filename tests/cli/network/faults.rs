//! Servers that cut, stall, change and lie. Each fault has to fire.

use std::time::Duration;

use super::{documents, fine, from_file, judged, validate};
use crate::{
    folder::Folder,
    http_server::{HttpServer, Length, Request, ServedFile, Treat},
};

/// Every way in which a file may be served.
fn served(bytes: &[u8]) -> [ServedFile; 5] {
    let file = |etag, has_ranges, length| ServedFile { bytes: bytes.to_vec(), etag, has_ranges, length };
    [
        file(Some("\"first\""), true, Length::Told),
        file(Some("\"first\""), false, Length::Told),
        file(Some("W/\"first\""), true, Length::Told),
        file(None, false, Length::Told),
        file(None, false, Length::Chunked),
    ]
}

/// Of the requests from `first` on, every k-th.
fn is_due(request: &Request, first: u64, every: u64) -> bool {
    request.number >= first && (request.number - first).is_multiple_of(every)
}

/// A file that is disturbed in some way gives what it gives undisturbed.
fn disturbed(options: &str, treat: impl Fn(&Request) -> Treat + Clone + Send + Sync + 'static) {
    let text = documents();
    let folder = Folder::new();
    let expected = from_file(&folder, &text);
    for file in served(text.as_bytes()) {
        let what = format!("{:?} {} {:?}", file.etag, file.has_ranges, file.length);
        let server = HttpServer::start(file, treat.clone());
        let output = validate(&folder, &server, options);
        assert!(server.faults() > 0, "{what}: no fault in {} requests", server.requests().len());
        assert_eq!(judged(&folder, &output), expected, "{what}: {}", output.stderr);
    }
}

#[test]
fn cut_after_every_kth_range() {
    for every in [1, 2, 3, 7] {
        // A stream gets further each time.
        disturbed("", move |request| {
            let is_due = is_due(request, 2, every) && request.number < 60;
            let bytes = usize::try_from(request.number).expect("few") * 10_007;
            if is_due { Treat::Cut(bytes) } else { Treat::Fine }
        });
    }
}

#[test]
fn cut_before_the_first_byte() {
    disturbed("", |request| if is_due(request, 1, 2) { Treat::Cut(0) } else { Treat::Fine });
}

#[test]
fn silent_connections_are_made_anew() {
    disturbed("", |request| if is_due(request, 2, 6) { Treat::Stall(5000) } else { Treat::Fine });
}

#[test]
fn overloaded_servers_are_asked_again() {
    for status in [429, 500, 502, 503, 504] {
        disturbed("", move |request| {
            let busy = Treat::Status(status, "Retry-After: 0\r\n".to_owned());
            if is_due(request, 1, 3) { busy } else { Treat::Fine }
        });
    }
}

#[test]
fn servers_are_not_asked_before_they_want_to_be() {
    let folder = Folder::new();
    let server = HttpServer::start(ServedFile::of(documents()), |request| match request.number {
        1 => Treat::Status(503, "Retry-After: 1\r\n".to_owned()),
        _ => Treat::Fine,
    });
    let output = validate(&folder, &server, "");
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    let requests = server.requests();
    assert!(requests[1].at - requests[0].at >= Duration::from_secs(1));

    let server = HttpServer::start(ServedFile::of(documents()), |_| {
        Treat::Status(503, "Retry-After: 60\r\n".to_owned())
    });
    let output = validate(&folder, &server, "--input-wait 2s");
    assert_eq!((output.code, server.requests().len()), (Some(4), 1), "{}", output.stderr);
    assert!(output.stderr.contains("503 Service Unavailable, and asks to wait 1m;"), "{}", output.stderr);
}

#[test]
fn patience_has_an_end() {
    let folder = Folder::new();
    let always = |request: &Request| match request.number {
        1..=4 => Treat::Fine,
        _ => Treat::Status(503, String::new()),
    };
    for file in served(documents().as_bytes()) {
        let whole = !file.has_ranges || file.etag != Some("\"first\"");
        let server = HttpServer::start(file, move |request| {
            if whole && request.number > 1 && request.number <= 4 {
                Treat::Cut(300_000)
            } else {
                always(request)
            }
        });
        let output = validate(&folder, &server, "--input-wait 300ms");
        assert!(server.faults() > 1, "it was disturbed");
        assert_eq!(output.code, Some(4), "{}", output.stderr);
        assert!(output.stderr.contains("(--input-wait); run the same command again"), "{}", output.stderr);
    }
}

#[test]
fn a_file_that_changes_is_not_mixed() {
    let text = documents();
    let other = text.replace("Ann", "Bob").into_bytes();
    let folder = Folder::new();
    for fine_requests in [1, 7, 12, 25] {
        let other = ServedFile { etag: Some("\"second\""), ..ServedFile::of(other.clone()) };
        let server = HttpServer::start(ServedFile::of(text.clone()), move |request| {
            if request.number <= fine_requests { Treat::Fine } else { Treat::Other(other.clone()) }
        });
        let output = validate(&folder, &server, "");
        assert!(server.faults() > 0);
        assert_eq!(output.code, Some(5), "{fine_requests}: {}", output.stderr);
        assert!(output.stderr.contains("it was changed at the server"), "{}", output.stderr);
    }
}

/// Servers of several machines do not all look at If-Match.
#[test]
fn a_changed_part_is_not_mixed_in_though_it_was_asked_for_with_its_etag() {
    let text = documents();
    let other = text.replace("Ann", "Bob").into_bytes();
    let folder = Folder::new();
    let server = HttpServer::start(ServedFile::of(text), move |request| match request.number {
        12 => Treat::Careless(ServedFile { etag: Some("\"second\""), ..ServedFile::of(other.clone()) }),
        _ => Treat::Fine,
    });
    let output = validate(&folder, &server, "");
    assert_eq!((output.code, server.faults()), (Some(5), 1), "{}", output.stderr);
    assert!(output.stderr.contains("its ETag was \"first\" and is \"second\""), "{}", output.stderr);
}

#[test]
fn a_stream_that_changes_where_it_was_cut_is_not_mixed() {
    let text = documents();
    let other = text.replace("Ann", "Bob").into_bytes();
    let folder = Folder::new();
    for file in served(text.as_bytes()).into_iter().filter(|file| !file.has_ranges) {
        let other = ServedFile { bytes: other.clone(), ..file.clone() };
        let server = HttpServer::start(file, move |request| match request.number {
            1 => Treat::Fine,
            2 => Treat::Cut(200_000),
            _ => Treat::Other(other.clone()),
        });
        let output = validate(&folder, &server, "");
        assert_eq!((output.code, server.faults()), (Some(5), 2), "{}", output.stderr);
        assert!(output.stderr.contains("its first 200000 bytes are not what they were"), "{}", output.stderr);
    }
}

#[test]
fn a_longer_or_shorter_file_is_another_one() {
    let text = documents();
    let folder = Folder::new();
    for length in [text.len() / 2, text.len() - 1, text.len() + 1] {
        let mut bytes = text.clone().into_bytes();
        bytes.resize(length, b'\n');
        let other = ServedFile::of(bytes);
        let server = HttpServer::start(ServedFile::of(text.clone()), move |request| match request.number {
            1..=4 => Treat::Fine,
            _ => Treat::Other(other.clone()),
        });
        let output = validate(&folder, &server, "");
        assert!(server.faults() > 0);
        assert_eq!(output.code, Some(5), "{}", output.stderr);
        assert!(output.stderr.contains(&format!("and has {length} bytes")), "{}", output.stderr);
    }
}

#[test]
fn lengths_that_are_lies_are_noticed() {
    let text = documents();
    let folder = Folder::new();
    let lie = |has_ranges, etag, bytes| ServedFile {
        length: Length::Lie(bytes),
        has_ranges,
        etag,
        ..ServedFile::of(text.clone())
    };
    for (file, code, words) in [
        (lie(true, Some("\"first\""), 10), 5, "bytes long and has "),
        (lie(true, Some("\"first\""), 100_000), 5, "bytes long and has "),
        (lie(false, Some("\"first\""), 10), 4, "the connection broke"),
        (lie(false, None, 10), 4, "the connection broke"),
    ] {
        let server = HttpServer::start(file, fine);
        let output = validate(&folder, &server, "--input-wait 300ms");
        assert_eq!(output.code, Some(code), "{}", output.stderr);
        assert!(output.stderr.contains(words), "{}", output.stderr);
    }
    let untold = ServedFile { length: Length::Untold, has_ranges: false, ..ServedFile::of(text.clone()) };
    let output = validate(&folder, &HttpServer::start(untold, fine), "");
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert!(output.stderr.contains("does not say how long it is or where it ends"), "{}", output.stderr);
}

/// Some servers give more than is asked for, and none says how much memory is taken.
#[test]
fn a_range_beyond_what_was_asked_for_takes_no_memory() {
    let folder = Folder::new();
    for last in [99_999_999_999_999, u64::MAX - 2] {
        let headers = format!("ETag: \"a\"\r\nContent-Range: bytes 0-{last}/{}\r\n", last + 1);
        let server = HttpServer::start(ServedFile::of(""), move |_| Treat::Status(206, headers.clone()));
        let output = validate(&folder, &server, "--input-wait 0");
        assert_eq!(output.code, Some(2), "{}", output.stderr);
        assert!(output.stderr.contains("says its length in two ways that differ"), "{}", output.stderr);
    }
}

/// Its bytes are no documents, and nobody could tell what they are.
#[test]
fn what_is_compressed_on_the_way_is_no_document() {
    let folder = Folder::new();
    let headers = "Content-Encoding: br\r\n".to_owned();
    let server = HttpServer::start(ServedFile::of(""), move |_| Treat::Status(200, headers.clone()));
    let output = validate(&folder, &server, "");
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert!(output.stderr.contains("the server compresses it (br)"), "{}", output.stderr);
}

#[test]
fn ranges_that_are_no_longer_given_are_made_up_for() {
    let text = documents();
    let folder = Folder::new();
    let expected = from_file(&folder, &text);
    let whole = ServedFile { has_ranges: false, ..ServedFile::of(text.clone()) };
    let server = HttpServer::start(ServedFile::of(text), move |request| match request.number {
        1..=15 => Treat::Fine,
        _ => Treat::Other(whole.clone()),
    });
    let output = validate(&folder, &server, "");
    assert!(server.faults() > 5);
    assert_eq!(judged(&folder, &output), expected, "{}", output.stderr);
}

#[test]
fn a_url_that_expires_says_how_to_go_on() {
    let folder = Folder::new();
    for (fine_requests, status, code, words) in [
        (0, 403, 2, "403 Forbidden; a signed URL may have expired"),
        (0, 401, 2, "--header-file"),
        (0, 404, 2, "404 Not Found; nothing is there"),
        (0, 410, 2, "410 Gone; nothing is there"),
        (0, 400, 2, "400 Bad Request; a signed URL may have expired"),
        (0, 501, 2, "501 Not Implemented"),
        (20, 403, 4, "403 Forbidden; a signed URL may have expired"),
    ] {
        let server = HttpServer::start(ServedFile::of(documents()), move |request| {
            if request.number <= fine_requests { Treat::Fine } else { Treat::Status(status, String::new()) }
        });
        let output = validate(&folder, &server, "");
        assert!(server.faults() > 0);
        assert_eq!(output.code, Some(code), "{}", output.stderr);
        assert!(output.stderr.contains(words), "{}", output.stderr);
    }
}

#[test]
fn nobody_listens() {
    let folder = Folder::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let url = format!("http://{}/a", listener.local_addr().expect("it is bound"));
    drop(listener);
    let output = folder.run(&format!("validate {url} --input-wait 300ms"));
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    assert!(
        output.stderr.contains("the server refuses connections, and nothing came for 1s"),
        "{}",
        output.stderr
    );
}
