use std::{cell::Cell, thread};

use proptest::{prelude::*, test_runner::TestRunner};

use crate::{
    document::{DocumentSchema, Node, Scratch, sound_text},
    map::{DocumentMap, MapScratch, STACK_BYTES, plain::Plain},
};

/// What the short way makes of each document, and what the interpreter makes of it: a text, or a code. `None` where the filter
/// is not plain.
fn both_ways(map: &str, documents: &[&str]) -> Option<Vec<(Option<String>, String)>> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, || run_both_ways(map, documents));
        thread.expect("a thread can be started").join().expect("it does not panic")
    })
}

fn run_both_ways(map: &str, documents: &[&str]) -> Option<Vec<(Option<String>, String)>> {
    let mut map = DocumentMap::compile(map, "test.jq").expect("it is jq");
    let plain = map.plain.take()?;
    let (schema, mut scratch) = (DocumentSchema::built_in(), Scratch::default());
    let mut map_scratch = MapScratch::default();
    let mut apply = |text: &str, values: Node<'_>| {
        let mut out = Vec::new();
        let short = plain.apply(values, &mut out).map(|plain| match plain {
            Plain::Mapped => String::from_utf8(out).expect("it is JSON"),
            Plain::Dropped => "dropped".to_owned(),
        });
        let full = match map.apply(text, values, &mut map_scratch) {
            Ok(Some(text)) => text.to_owned(),
            Ok(None) => "dropped".to_owned(),
            Err(fault) => fault.code.to_string(),
        };
        (short, full)
    };
    let both =
        |text: &&str| sound_text(text.as_bytes(), &schema, &mut scratch, &mut apply).expect("it is JSON");
    Some(documents.iter().map(both).collect())
}

const DOCUMENT: &str = r#"{"a":{"b":"Ann  Lée","c":null,"d":[1,2,1]},"b":" x-Y ","d":["b","a","b",null],"e":[],"n":-7,"t":true,"f":1.50,"g":{"h":12345678901234567890}}"#;

/// The worth of the short way is that usual maps go it.
#[test]
fn usual_filters_are_plain_and_sure() {
    for (filter, expected) in [
        (".", DOCUMENT.replace(r#","f":1.50,"g":{"h":12345678901234567890}"#, "").as_str()),
        (
            "{x: .a.b, y: .none.at.all, \"b\", t, \"n\\(.n)\": .n}",
            r#"{"x":"Ann  Lée","y":null,"b":" x-Y ","t":true,"n-7":-7}"#,
        ),
        (
            "{x: [.d[] | select(. != null) | ascii_upcase], y: (.d[0] + .d[-1] + .d[9])}",
            r#"{"x":["B","A","B"],"y":"b"}"#,
        ),
        (
            "{x: (.a.c // .e[0] // \"none\"), y: (.none? // false), z: [.n[]?, .a.d[]?]}",
            r#"{"x":"none","y":false,"z":[1,2,1]}"#,
        ),
        (
            "if .t then {x: 1} elif .n then {x: 2} else {} end + {y: (.n < 0 and (.b | not | not))}",
            r#"{"x":1,"y":true}"#,
        ),
        (
            ".b as $b | {x: (\"q\" | . + $b), y: [$b, .n as $n | $n + 1]}",
            r#"{"x":"q x-Y ","y":[" x-Y ",-6]}"#,
        ),
        (
            "def f: ascii_downcase | trim; def g: f | split(\"-\"); {x: (.b | g), y: (.b | f | length)}",
            r#"{"x":["x","y"],"y":3}"#,
        ),
        (
            "def f: if type == \"array\" then map(f) elif type == \"string\" then 1 else . end; {d: (.d | f)}",
            r#"{"d":[1,1,1,null]}"#,
        ),
        (
            ".a | with_entries(select(.value != null) | .key |= ascii_upcase)",
            r#"{"B":"Ann  Lée","D":[1,2,1]}"#,
        ),
        (".a | .b = 1 | .c += 2 | .d |= add | .e //= 3 | del(.b)", r#"{"e":3,"c":2,"d":4}"#),
        (
            "{x: (.d | unique), y: (.d | sort | reverse | first), z: (.a.d | map(tostring) | join(\"/\"))}",
            r#"{"x":[null,"a","b"],"y":"b","z":"1/2/1"}"#,
        ),
        (
            "{x: (.a.b | gsub(\"\\\\s+\"; \" \")), y: (.b | test(\"^ x\")), z: any(1, 2; . == 2), a: all(.a.d[]; . > 0)}",
            r#"{"x":"Ann Lée","y":true,"z":true,"a":true}"#,
        ),
        ("{x: [{a: (1, 2), b: (3, 4)} | .a, .b], y: [range(1; 3)]}", r#"{"x":[1,3,1,4,2,3,2,4],"y":[1,2]}"#),
        (
            "{x: (.b | uuid5(\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\") | length), y: (.b | startswith(\" \"))}",
            r#"{"x":36,"y":true}"#,
        ),
        ("select(.n == 1)", "dropped"),
        (".a | .d[] |= 5 | map_values(type) | {d, x: (has(\"d\"))}", ""),
    ] {
        let document = if filter == "." { expected } else { DOCUMENT };
        let found = both_ways(filter, &[document]).map(|mut found| found.remove(0));
        if expected.is_empty() {
            assert_eq!(found, None, "{filter}");
        } else {
            assert_eq!(found, Some((Some(expected.to_owned()), expected.to_owned())), "{filter}");
        }
    }
}

#[test]
fn what_is_not_known_here_is_left_to_the_interpreter() {
    for filter in [
        "{x: .f}",
        "{x: .g.h}",
        "{x: (.f == 1)}",
        ".f",
        ".a, .a",
        ".b.c",
        "{x: .b[0]}",
        "{(.n | tostring | length): 1}",
        "{x: (.n + .b)}",
        "{x: ([.a, .a] | sort)}",
        "{x: (9223372036854775807 + 1)}",
        "def f: f; f",
        "def f: [f]; f",
        "{x: (.e | add | ascii_downcase)}",
        "{x: (.a | tostring)}",
    ] {
        let found = both_ways(filter, &[DOCUMENT]).map(|mut found| found.remove(0).0);
        assert_eq!(found, Some(None), "{filter}");
    }
    for filter in [
        "..",
        "reduce .d[] as $x (0; 1)",
        "def f(g): g; f(.)",
        ". as $x | def f: $x; f",
        "try error catch .",
        "[limit(1; .d[])]",
        ".d[1:]",
        "@json",
        "label $x | break $x",
        "{x: (.n * 2)}",
        "gsub(\"(?<x>.)\"; .x)",
        "def map(f): 1; map(.)",
        "input_line",
    ] {
        if let Ok(map) = DocumentMap::compile(filter, "test.jq") {
            assert!(map.plain.is_none(), "{filter}");
        }
    }
}

const LEAVES: &[&str] = &[
    ".",
    ".a",
    ".a.b",
    ".d",
    ".d[0]",
    ".[\"b\"]",
    ".a?",
    ".[0]?",
    ".[]?",
    ".a[]?",
    ".d[]",
    "null",
    "true",
    "false",
    "1",
    "-2",
    "\"x\"",
    "\"\"",
    "[]",
    "{}",
    "empty",
    "type",
    "tostring",
    "length",
    "not",
    "add",
    "unique",
    "sort",
    "reverse",
    "first",
    "last",
    "ascii_upcase",
    "ascii_downcase",
    "trim",
    "ltrim",
    "rtrim",
    "values",
    "nulls",
    "strings",
    "arrays",
    "objects",
    "numbers",
    "booleans",
    "isstring",
    "to_entries",
    "any",
    "all",
    "$x",
    "f",
    "range(2)",
    "range(1; 3)",
    "join(\"-\")",
    "split(\"-\")",
    "has(\"a\")",
    "startswith(\"x\")",
    "endswith(\"Y\")",
    "ltrimstr(\"x\")",
    "rtrimstr(\" \")",
    "sub(\"[aL]\"; \"x\")",
    "gsub(\"\"; \"-\")",
    "gsub(\"[a-z]\"; \"\")",
    "test(\"A\")",
    "del(.a, .b)",
    "del(.a.b)",
];

/// F, G and H stand for filters.
const FORMS: &[&str] = &[
    "(F | G)",
    "(F, G)",
    "(F // G)",
    "(F + G)",
    "(F == G)",
    "(F == null)",
    "(F != {})",
    "(F == [])",
    "(F != \"x\")",
    "(type == \"null\")",
    "(type != \"object\")",
    "((F | type) == \"null\")",
    "(F != G)",
    "(F < G)",
    "(F >= G)",
    "(F and G)",
    "(F or G)",
    "if F then G else H end",
    "if F then G end",
    "[F]",
    "{a: (F), b: (G)}",
    "{(F | tostring): (G)}",
    "{a, \"b\": (F), $x}",
    "select(F)",
    "map(F)",
    "map_values(F)",
    "with_entries(F)",
    "with_entries(.value |= F)",
    "any(F; G)",
    "all(F)",
    "(F as $x | G)",
    "(.a |= F)",
    "(.a.b |= F)",
    "(.a = F)",
    "(.b += F)",
    "(.a //= F)",
    "(.[] |= F)",
    "\"<\\(F)\\(G)>\"",
    "(def g: F; G | g)",
    "(F)?",
    "(F | .[G]?)",
    "(def g: if type == \"object\" then map_values(g) else F end; G | g)",
];

/// Filters of all that is plain, in any place.
fn filters() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(LEAVES).prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let forms = prop::sample::select(FORMS);
        (forms, inner.clone(), inner.clone(), inner).prop_map(|(form, f, g, h)| {
            let mut filter = String::new();
            for char in form.chars() {
                match char {
                    'F' => filter.push_str(&f),
                    'G' => filter.push_str(&g),
                    'H' => filter.push_str(&h),
                    char => filter.push(char),
                }
            }
            filter
        })
    })
}

/// Where the short way is sure, it says what the interpreter says.
#[test]
fn both_ways_agree() {
    let documents = [
        DOCUMENT,
        r#"{"a":{"b":1,"a":{"b":"x"}},"d":{"a":"x-Y","b":null}}"#,
        r#"{"a":["x","","é-L "],"b":{"key":"k","value":[]},"d":[{"a":1},{"a":{"b":2}}]}"#,
        r#"[{"a":{"b":false}},"xA",[1,[2]],null,0]"#,
        r#""xAL-b ""#,
    ];
    let (sure, all) = (Cell::new(0), Cell::new(0));
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let agree = |filter: String| {
        // In an array, so that there is a document whatever comes out.
        let filter = format!("1 as $x | def f: .; {{o: [{filter}]}}");
        for (short, full) in both_ways(&filter, &documents).into_iter().flatten() {
            all.set(all.get() + 1);
            if let Some(short) = short {
                sure.set(sure.get() + 1);
                prop_assert_eq!(short, full, "{}", filter);
            }
        }
        Ok(())
    };
    TestRunner::new(config).run(&filters(), agree).expect("both ways agree");
    let (sure, all) = (sure.get(), all.get());
    assert!(sure > 100 && all > 500, "{sure} of {all} were sure");
}
