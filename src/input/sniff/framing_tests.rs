//! How documents are told apart, from the first bytes of a source.

use super::{
    tests::{DOCUMENT, JSON, check},
    *,
};

#[test]
fn documents_behind_each_other() {
    for text in [
        DOCUMENT.repeat(2),
        DOCUMENT.repeat(5000),
        format!("{DOCUMENT} {DOCUMENT}\n{DOCUMENT}{DOCUMENT}\n"),
        format!("\n{DOCUMENT}\t{DOCUMENT}\n").repeat(2000),
        format!("{DOCUMENT}{{\"cut\":"),
    ] {
        check(text, JSON);
    }
    check(format!("{DOCUMENT}{DOCUMENT}\n{DOCUMENT}\n"), None);
    check(format!("{DOCUMENT}\n{DOCUMENT}{DOCUMENT}\n"), None);
    check(format!("{DOCUMENT}x{DOCUMENT}\n"), None);
    check(format!("{DOCUMENT} 12"), None);
    let pretty = "{\n  \"id\": 1\n}";
    check(
        format!("{pretty},\n{pretty}\n"),
        Some("documents with commas between them and no array around them"),
    );
}

#[test]
fn rejected_documents_are_a_sequence_whatever_is_wrong_with_them() {
    let broken = "\u{1e}{\n \"id\": oops,\n{\"type\":\"home\"}\n}\n";
    check(broken, JSON);
    check(format!("\u{1e}{DOCUMENT}\n{broken}"), JSON);
    check(format!("\u{1e}oops\n{broken}\u{1e}[1\n"), JSON);
    check(broken.repeat(3000), JSON);
}

#[test]
fn the_option_has_the_last_word_about_json() {
    let with = |head: &[u8], framing| super::framing(head, FramingRequest::Only(framing), "f", "plain");
    for head in [&b"[{}]"[..], b"{}\n{}\n", b"\"{}\"\n", b"{\"a\":[\n{},\n"] {
        for framing in [Framing::Ndjson, Framing::Json] {
            assert_eq!(with(head, framing), Ok(framing));
        }
    }
    for framing in [Framing::Ndjson, Framing::Json] {
        assert_eq!(with(b"id,name\n1,2\n", framing).map_err(|foreign| foreign.found), Err("CSV"));
    }
    assert!(is_overridden(b"[{}]", Framing::Ndjson) && is_overridden(b"{}\n", Framing::Json));
    assert!(!is_overridden(b"[{}]", Framing::Json) && !is_overridden(b"", Framing::Ndjson));
}
