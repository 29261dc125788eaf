//! The short way of ordinary documents against the validator: what it accepts, the validator accepts, with the
//! same profile; and it does accept nearly all that is ordinary.

#[path = "../support/mutate.rs"]
mod mutate;
mod oracle;
mod schemas;

use std::{fs, path::Path, process::Command, sync::LazyLock};

use mutate::{Random, mutate};
use oracle::Oracle;
use profile_loader::internals::document::{
    BUILT_IN_SCHEMA, DocumentSchema, Profile, Scratch, check, check_in_full, check_ordinary, is_blank,
};
use proptest::prelude::*;

static SCHEMA: LazyLock<DocumentSchema> = LazyLock::new(DocumentSchema::built_in);
static ORACLE: LazyLock<Oracle> = LazyLock::new(|| Oracle::of_schema(BUILT_IN_SCHEMA));

static GENERATED: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let program = Path::new(env!("CARGO_BIN_EXE_profile-loader")).with_file_name("examples/generate");
    assert!(program.exists(), "{} is missing; build it with: cargo build --examples", program.display());
    let output = Command::new(program).args(["--count", "5000", "--seed", "11"]).output().expect("it starts");
    assert!(output.status.success(), "the generator writes documents");
    output.stdout.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
});

/// Whether a line is accepted the short way; if so, it must be in full, with the same profile. And the two
/// together must come to what the validator says, and this to what others say.
fn compare(line: &[u8]) -> bool {
    compare_by(line, &SCHEMA, &ORACLE)
}

fn compare_by(line: &[u8], schema: &DocumentSchema, oracle: &Oracle) -> bool {
    let words = |profile: &Profile<'_>| format!("{profile:?}");
    let short = check_ordinary(line, schema, &mut Scratch::default(), words);
    let full = check_in_full(line, schema, words);
    if let Some(short) = &short {
        assert_eq!(Ok(short), full.as_ref(), "{}", String::from_utf8_lossy(line));
    }
    assert_eq!(check(line, schema, words), full, "{}", String::from_utf8_lossy(line));
    oracle.compare(line, full.as_ref().err().map_or(&[], Vec::as_slice));
    short.is_some()
}

/// Text that is one ordinary document, all of its properties in the usual order.
const WHOLE: &str = r#"{"id":"6f9619ff-8b86-4011-b42d-00c04fc964ff","firstName":"Jo\u00e9","middleName":"\"Q\" \\","lastName":"Lee Ω","emails":["a.b+c@example.com","a-b@x-1.example"],"phoneNumbers":[{"type":"home","number":"+4915112345678"},{"type":"work","number":"12"}],"address":{"line1":"1 Oak","line2":"","city":"Ulm","state":"BW","postalCode":"","country":"DE"},"privacySettings":{"marketingEmailsEnabled":true,"twoFactorEnabled":false}}"#;

/// The same in another order and with white space, as other programs write it.
const LOOSE: &str = "{ \"privacySettings\" : {\"twoFactorEnabled\": false,\t\"marketingEmailsEnabled\":true} , \"lastName\": \"Lee\",
  \"address\": {\"country\": \"DE\", \"postalCode\": \"1\", \"state\": \"BW\", \"city\": \"Ulm\", \"line1\": \"1\"},
  \"phoneNumbers\": [ {\"number\": \"12\", \"type\": \"other\"} ], \"emails\": [ \"a@b\" , \"b@b\" ],
  \"id\": \"6F9619FF-8B86-4011-B42D-00C04FC964FF\", \"firstName\": \"Jo\" }  \r";

#[test]
fn nearly_all_that_is_generated_goes_the_short_way() {
    let short = GENERATED.iter().filter(|line| compare(line)).count();
    assert!(short * 1000 >= GENERATED.len() * 999, "{short} of {}", GENERATED.len());
}

#[test]
fn the_order_of_properties_and_white_space_do_not_matter() {
    assert!(compare(WHOLE.as_bytes()));
    let loose = LOOSE.replace('\n', "");
    assert!(compare(loose.as_bytes()), "{loose}");
    let escaped = WHOLE.replace("firstName", "first\\u004eame").replace("\"city", "\"\\u0063ity");
    assert!(compare(escaped.as_bytes()), "{escaped}");
    // A value that looks like a name with its colon.
    compare(WHOLE.replace("\"firstName\":", "\"first\\u004eame\":\"id\":").as_bytes());
    assert!(compare(format!(" {WHOLE}\t\r\n").as_bytes()));
}

#[test]
fn the_fixtures_come_to_the_same_both_ways() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let (mut lines, mut short) = (0, 0);
    for entry in fs::read_dir(fixtures.join("invalid")).unwrap() {
        let text = fs::read(entry.unwrap().path()).unwrap();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            compare(line);
        }
    }
    for line in fs::read(fixtures.join("customers.ndjson")).unwrap().split_inclusive(|byte| *byte == b'\n') {
        lines += usize::from(!is_blank(line) && check_in_full(line, &SCHEMA, |_| ()).is_ok());
        short += usize::from(compare(line));
    }
    assert!(short * 10 >= lines * 9, "{short} of {lines}");
}

/// Every byte of a document as every other byte, left out, doubled, and as the last one.
#[test]
fn no_single_byte_makes_a_difference() {
    for text in [WHOLE.as_bytes(), GENERATED[0].trim_ascii_end(), GENERATED[1].trim_ascii_end()] {
        assert!(compare(text));
        for at in 0..text.len() {
            let (before, after) = (&text[..at], &text[at + 1..]);
            compare(before);
            compare(&[before, after].concat());
            compare(&[before, &text[at..=at], &text[at..]].concat());
            for byte in 0..=u8::MAX {
                compare(&[before, &[byte], after].concat());
            }
        }
    }
}

/// What a valid document may have and seldom has goes the short way, too.
#[test]
fn what_is_rare_and_valid_goes_the_short_way() {
    let replace = |old: &str, new: &str| {
        assert!(WHOLE.contains(old));
        let text = WHOLE.replace(old, new);
        assert!(compare(text.as_bytes()), "{text}");
    };
    for name in [r"\ud83d\ude00", r"\u0416", "Жанна", "山田", &"x".repeat(70_000), &r"\u0416".repeat(7000)]
    {
        replace("Lee", name);
    }
    for country in ["éé", "中国", r"\u4e2d\u56fd", r"\n\t"] {
        replace("\"DE\"", &format!("\"{country}\""));
    }
    let (local, label) = ("l".repeat(64), "d".repeat(61));
    for email in [
        "a@xn--p1ai",
        "a@xn--mnchen-3ya.example",
        "a@[127.0.0.1]",
        &format!("{local}@{label}.{label}.{label}.{label}.exam"),
    ] {
        replace("a.b+c@example.com", email);
    }
    let more = |count: usize| (0..count).fold(String::new(), |text, n| text + &format!(",\"e{n}@b\""));
    replace(",\"a-b@x-1.example\"", &more(5000));
    replace(
        ",{\"type\":\"work\"",
        &format!("{},{{\"type\":\"work\"", ",{\"type\":\"work\",\"number\":\"12\"}".repeat(5000)),
    );
}

/// Values that stand near a limit, each in the place of one that is ordinary.
#[test]
fn values_at_the_border_come_to_the_same() {
    let long = |count: usize| "x".repeat(count);
    let emails = [1, 51, 52, 53, 64, 65, 241, 242, 300].map(|count| format!("{}@example.com", long(count)));
    let domains = [60, 61, 62, 63, 64].map(|count| format!("a@{}", long(count)));
    let numbers = ["1", "12", "+1", "+12", "012", "+012", "123456789012345", "+123456789012345"];
    let countries = ["", "D", "DE", "DEU", "é", "éé", "中国", "\\u0044E", "\\n\\t"];
    let replace = |old: &str, new: &str| {
        assert!(WHOLE.contains(old));
        compare(WHOLE.replace(old, new).as_bytes());
    };
    emails.iter().chain(&domains).for_each(|email| replace("a.b+c@example.com", email));
    for email in
        ["a@b--c.d", "a@xn--p1ai", "a@b-", "a@-b", "a@b.", "a@.b", ".a@b", "a.@b", "a..b@c", "a@1", "@", ""]
    {
        replace("a.b+c@example.com", email);
    }
    replace("a.b+c@example.com", "a-b@x-1.example");
    replace("a.b+c@example.com", "a\\u002db@x-1.example");
    numbers
        .iter()
        .chain(&["1234567890123456", "+1234567890123456", "", "+", "1a", "\\u0031\\u0032"])
        .for_each(|number| {
            replace("+4915112345678", number);
            replace("\"12\"", &format!("\"{number}\""));
        });
    countries.iter().for_each(|country| replace("\"DE\"", &format!("\"{country}\"")));
    for kind in ["mobile", "home", "work", "other", "fax", "", "Home", "h\\u006fme"] {
        replace("\"home\"", &format!("\"{kind}\""));
    }
    for name in
        ["\\u0000", "\\ud83d\\ude00", "\\ud83d", "\\ude00", "\\uD83D\\u0041", "\\x", "\\u12", "\\/", "\u{7f}"]
    {
        replace("Lee", name);
    }
    for count in [100, 511, 512, 513, 70_000] {
        replace("Lee", &long(count));
        replace("Lee", &format!("\\n{}", long(count)));
    }
    let more = |count: usize| (0..count).fold(String::new(), |text, n| text + &format!(",\"e{n}@b\""));
    let counts = || (1..20).chain([100, 19_999, 20_001, 40_000]);
    counts().for_each(|count| replace(",\"a-b@x-1.example\"", &more(count)));
    counts().for_each(|count| replace(",\"a-b@x-1.example\"", &(more(count) + ",\"e0@b\"")));
    let more = |count: usize| ",{\"type\":\"work\",\"number\":\"12\"}".repeat(count);
    counts().for_each(|count| replace(",{\"type\":\"work\",\"number\":\"12\"}", &more(count)));
}

fn line() -> impl Strategy<Value = &'static [u8]> {
    any::<prop::sample::Index>().prop_map(|index| index.get(&GENERATED).trim_ascii_end())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn changed_documents_come_to_the_same(line in line(), seed: u64) {
        compare(&mutate(line, &mut Random(seed)));
    }

    #[test]
    fn changed_bytes_come_to_the_same(
        line in line(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..3, "[\\PC\"\\\\{}\\[\\],: \t\u{0}0-9a-f]{0,3}"), 1..4),
    ) {
        let mut text = line.to_vec();
        for (at, removed, inserted) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + removed).min(text.len());
            text.splice(at..end, inserted.into_bytes());
        }
        compare(&text);
    }

    #[test]
    fn emails_come_to_the_same(email in "[a-c0-9.@+_!-]{0,12}@[a-c0-9.-]{1,12}|[ -~]{0,8}@[ -~]{0,8}") {
        let email = serde_json::to_string(&email).expect("a text is JSON");
        compare(WHOLE.replace("\"a.b+c@example.com\"", &email).as_bytes());
    }

    #[test]
    fn texts_come_to_the_same(text in "([ -~]|\\\\[\"\\\\/bfnrtu]|\\\\u[0-9a-fD]{4}|\\PC){0,20}") {
        compare(WHOLE.replace("Lee", &text).as_bytes());
        compare(WHOLE.replace("\"Lee", &text).as_bytes());
    }
}
