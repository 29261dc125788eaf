use std::thread;

use super::*;
use crate::document::{DocumentSchema, Scratch, sound_text};

const DNS: &str = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

/// What a map makes of a text: the text of a document, `dropped`, or a code. The short way agrees, where it is sure.
fn mapped(map: &str, text: &str) -> String {
    let mut map = DocumentMap::compile(map, "test.jq").unwrap();
    let text = text.to_owned();
    let apply = move || {
        let mapped = applied(&map, &text);
        if map.plain.take().is_some() {
            assert_eq!(mapped, applied(&map, &text), "the interpreter agrees");
        }
        mapped
    };
    thread::Builder::new().stack_size(STACK_BYTES).spawn(apply).unwrap().join().unwrap()
}

fn applied(map: &DocumentMap, text: &str) -> String {
    let (schema, mut scratch) = (DocumentSchema::built_in(), Scratch::default());
    let mut map_scratch = MapScratch::default();
    let apply = |text: &str, values: Node<'_>| match map.apply(text, values, &mut map_scratch) {
        Ok(Some(text)) => text.to_owned(),
        Ok(None) => "dropped".to_owned(),
        Err(fault) => fault.code.to_string(),
    };
    sound_text(text.as_bytes(), &schema, &mut scratch, apply).unwrap()
}

fn refused(map: &str) -> String {
    DocumentMap::compile(map, "test.jq").unwrap_err().to_string()
}

#[test]
fn what_is_not_touched_stays_as_it_is() {
    for text in [
        r#"{"a":[1,-1,0,9007199254740993,123456789012345678901234567890,1.0,1.10,1e2,-0.5E+3,true,false,null]}"#,
        r#"{"é 😀":"a\nb\tc\\d\"e\u0000\u001f","":{},"b":[[]]}"#,
    ] {
        for map in [".", "", "map_values(.)", ". + {}", "with_entries(.)"] {
            assert_eq!(mapped(map, text), text, "{map}");
        }
    }
    assert_eq!(mapped("{a: (.a | tostring)}", r#"{"a":1.10}"#), r#"{"a":"1.10"}"#);
    assert_eq!(mapped("{a: .a, b: .a}", r#"{"a":"\u00e9\ud83d\ude00/\/"}"#), r#"{"a":"é😀//","b":"é😀//"}"#);
}

#[test]
fn a_document_none_or_a_reason() {
    for (map, expected) in [
        ("{id: .a}", r#"{"id":1}"#),
        ("empty", "dropped"),
        ("select(.a > 1)", "dropped"),
        ("., .", "map:many"),
        ("(., error)", "map:error"),
        ("error(.)", "map:error"),
        (".a.b", "map:error"),
        (".a", "map:not_object"),
        ("[.]", "map:not_object"),
        ("{a: nan}", "map:not_json"),
        ("{a: infinite}", "map:not_json"),
        ("{a: (\"x\" | tobytes)}", "map:not_json"),
        ("{a: ([200] | tobytes | tostring)}", "map:not_json"),
        ("{(1): 1}", "map:not_json"),
    ] {
        assert_eq!(mapped(map, r#"{"a":1}"#), expected, "{map}");
    }
}

#[test]
fn loops_without_end_are_ended() {
    for map in [
        "def f: f; f",
        "def f: f | f; f",
        "def f: 1 + f; {a: f}",
        "def f: [f]; f",
        "def f(g): f(g | g); f(.)",
        "def f: try f catch f; f",
        "[try repeat(1) catch .]",
        "last(repeat(1))",
        "[repeat(1)]",
        "last(range(1; 2; 0))",
        "[range(1e12)]",
        "until(false; .)",
        "[while(true; .)]",
        "[recurse(.)]",
        "reduce range(1e9) as $i (0; . + 1)",
        "reduce range(60) as $i (\"xx\"; . + .) | {a: .}",
        "reduce range(60) as $i ([1]; . + .) | {a: .}",
        "[limit(1e9; repeat(1))]",
        "last(foreach repeat(1) as $x (0; .))",
        "{a: (\"x\" * 1000000000000)}",
        "{a: \"x\"} | .a *= 1000000000000",
        "reduce range(200) as $i (1; [.]) | {a: .}",
        "{a: [range(100000)]}",
        "{a: (\"x\" * 16777216)}",
        "reduce range(60) as $i (1; [., .]) | {a: .}",
    ] {
        assert_eq!(mapped(map, "{}"), "map:limit", "{map}");
    }
    assert_eq!(mapped("reduce range(450000) as $i (0; [.]) | {}", "{}"), "{}", "freed again");
}

#[test]
fn the_guard_changes_nothing_else() {
    for (map, expected) in [
        ("{a: [0 | recurse(if . < 3 then . + 1 else empty end)]}", r#"{"a":[0,1,2,3]}"#),
        ("{a: (2 * 3), b: (\"ab\" * 2), c: ({x: 1} * {y: 2})}", r#"{"a":6,"b":"abab","c":{"x":1,"y":2}}"#),
        ("{a: [(1, 2) * (3, 4)], b: [(1, 2) + (10, 20)]}", r#"{"a":[3,4,6,8],"b":[11,21,12,22]}"#),
        ("{a: 2, b: [1, 2]} | .a *= 3 | .b[] *= 2", r#"{"a":6,"b":[2,4]}"#),
        ("{a: {b: 1}} | getpath([\"a\", \"b\"]) = 2", r#"{"a":{"b":2}}"#),
        ("{a: {b: null, c: [null, 1]}} | del(.. | select(. == null))", r#"{"a":{"c":[1]}}"#),
        ("{a: [1, [2]]} | walk(if type == \"number\" then . + 1 else . end)", r#"{"a":[2,[3]]}"#),
        ("{a: [paths]} | .a |= length", r#"{"a":0}"#),
        ("def f($n): if $n > 0 then $n, f($n - 1) else empty end; {a: [f(3)]}", r#"{"a":[3,2,1]}"#),
        (
            "{a: [range(3)], b: [range(3; 0; -1)], c: [range(0; 1; 0.5)]}",
            r#"{"a":[0,1,2],"b":[3,2,1],"c":[0,0.5]}"#,
        ),
        ("{a: ([1, 2, 3] | add), b: ([[1, 2], [3]] | flatten | join(\"-\"))}", r#"{"a":6,"b":"1-2-3"}"#),
        ("{a: [splits(\"a\"; null)?]}", r#"{"a":[]}"#),
        ("{a: (\"[1,2]\" | fromjson), b: (\"12\" | tonumber)}", r#"{"a":[1,2],"b":12}"#),
        (". as {a: $x} | {b: $x}", r#"{"b":null}"#),
    ] {
        assert_eq!(mapped(map, "{}"), expected, "{map}");
    }
}

/// jq's own keeps each state of the text: 4 GB for this.
#[test]
fn many_matches_take_little() {
    let document = format!(r#"{{"a":"{}"}}"#, "a".repeat(100_000));
    assert_eq!(mapped("{a: (.a | gsub(\"a\"; \"bc\") | length)}", &document), r#"{"a":200000}"#);
    assert_eq!(mapped("{a: ([.a | scan(\"a\")] | length)}", &document), r#"{"a":100000}"#);
    assert_eq!(mapped("{a: (.a | gsub(\"a\"; \"b\", \"c\"))}", &document), "map:error");
}

#[test]
fn regular_expressions_are_jqs() {
    for (map, expected) in [
        ("gsub(\"\\\\s\"; \"\")", "a1b22"),
        ("sub(\"(?<d>[0-9]+)\"; \"<\\(.d)>\")", "a <1> b 22"),
        ("gsub(\"(?<d>[0-9])\"; .d + .d)", "a 11 b 2222"),
        ("gsub(\"\"; \"-\")", "-a- -1- -b- -2-2-"),
        ("[\"zä1ö2\" | match(\"[0-9]\"; \"g\").offset] | tostring", "[2,4]"),
        ("if test(\"B\"; \"i\") then \"yes\" else \"no\" end", "yes"),
        ("[match(\"[0-9]+\"; \"g\").offset] | tostring", "[2,6]"),
        ("[scan(\"[0-9]\")] | join(\",\")", "1,2,2"),
        ("capture(\"(?<x>[a-z]) (?<y>.)\") | .x + .y", "a1"),
        ("[splits(\" +\")] | join(\"|\")", "a|1|b|22"),
        ("ascii_upcase | ltrimstr(\"A\") | trim", "1 B 22"),
    ] {
        let document = mapped(&format!("{{a: (.a | {map})}}"), r#"{"a":"a 1 b 22"}"#);
        assert_eq!(document, format!(r#"{{"a":{}}}"#, serde_json::to_string(expected).unwrap()), "{map}");
    }
}

#[test]
fn uuids_are_those_of_the_rfc() {
    // RFC 9562, appendix A.4.
    let expected = r#"{"id":"2ed6657d-e927-568b-95e1-2665a8aea6a2"}"#;
    assert_eq!(mapped(&format!("{{id: (.a | uuid5(\"{DNS}\"))}}"), r#"{"a":"www.example.com"}"#), expected);
    assert_eq!(mapped(&format!("{{id: (.a | uuid5(\"{DNS}\"))}}"), r#"{"a":1}"#), "map:error");
    assert_eq!(mapped("{id: (.a | uuid5(\"no\"))}", r#"{"a":"1"}"#), "map:error");
}

#[test]
fn what_sees_more_than_the_document_is_refused() {
    for (map, words) in [
        ("env", "line 1, column 1: there is no filter env/0: a map sees one document"),
        ("{a: 1,\n b: $ENV.HOME}", "line 2, column 5: there is no variable $ENV: a map sees"),
        ("input", "there is no filter input/0: a map sees"),
        ("[inputs]", "line 1, column 2: there is no filter inputs/0: a map sees"),
        ("now", "there is no filter now/0: a map sees"),
        ("halt", "there is no filter halt/0: a map can't end the run"),
        (". | halt_error(1)", "there is no filter halt_error/1: a map can't end"),
        ("debug", "there is no filter debug/0: what a map wrote"),
        ("stderr", "there is no filter stderr/0: what a map wrote"),
        ("input_filename", "there is no filter input_filename/0: a map sees"),
        ("import \"a\" as a; .", "line 1, column 1: a map is one file"),
        ("include \"a\"; .", "line 1, column 1: a map is one file"),
        ("{a: 1", "line 1, column 6: expected closing brace"),
        ("{a: }", "line 1, column 5: expected "),
        (".a\n| .b c", "line 2, column 6: expected nothing"),
        ("nothing_of_this_name(1)", "there is no filter nothing_of_this_name/1"),
        ("é | \"\\x\"", "line 1, column 1: "),
    ] {
        let message = refused(map);
        assert!(message.contains(words), "{map}: {message}");
    }
    assert!(refused(&"(".repeat(60_000)).contains("can't be used"));
}
