use super::*;

const GOOD: &str = r#"{"id":"6F9619FF-8B86-4011-B42D-00C04FC964FF","firstName":"Ann","lastName":"Lee","emails":["a@example.com"],"privacySettings":{"marketingEmailsEnabled":true,"twoFactorEnabled":false}}"#;

fn check(line: &[u8], expected: &[(&str, &str)]) {
    let schema = DocumentSchema::built_in();
    let faults = super::check(line, &schema, |_| ()).err().unwrap_or_default();
    let found: Vec<_> = faults.iter().map(|f| (f.code.as_ref(), f.pointer.as_str())).collect();
    assert_eq!(found, expected, "{}", String::from_utf8_lossy(&line[..line.len().min(300)]));
}

fn with(from: &str, to: &str) -> Vec<u8> {
    assert!(GOOD.contains(from));
    GOOD.replace(from, to).into_bytes()
}

#[test]
fn line_ends_and_white_space_are_no_faults() {
    check(GOOD.as_bytes(), &[]);
    check(format!("  {GOOD}\t\r\n").as_bytes(), &[]);
    assert!(is_blank(b"") && is_blank(b" \t\r\n") && !is_blank(b"\x0b") && !is_blank(b"{}"));
}

#[test]
fn every_beginning_of_a_document_is_cut_off() {
    let numbers = r#"{"a":[-0.5e+10,1E9,true,null,"\u00e9\n\ud83d\ude00 é😀"],"b":{"c":1e999}} "#;
    for whole in [GOOD, numbers, &format!("{}1{}", "[".repeat(5000), "]".repeat(5000))] {
        let end = whole.trim_end().len();
        for length in 1..end {
            assert!(is_cut_off(&whole.as_bytes()[..length]), "the first {length} bytes");
        }
        assert!(!is_cut_off(whole.as_bytes()) && !is_cut_off(&whole.as_bytes()[..end]));
    }
    assert!(is_cut_off(b"{\"a\":\"\xff\",\"b"), "the end is missing, whatever else is wrong");
}

#[test]
fn other_faults_are_not_taken_for_a_missing_end() {
    for line in ["", " \t\r", "{}", "12", "{x", "{\"a\":x", "{}}", "nul!", "{\"a\":01", "{\"a\" 1", "[1,,"] {
        assert!(!is_cut_off(line.as_bytes()), "{line}");
    }
}

#[test]
fn all_faults_of_a_document_are_found() {
    check(
        &with(r#""Ann","lastName":"Lee""#, r#""","lastName":null,"lastname":"\u0000""#),
        &[
            ("schema:minLength", "/firstName"),
            ("schema:type", "/lastName"),
            ("schema:additionalProperties", ""),
            ("db:nul", "/?"),
        ],
    );
}

#[test]
fn a_key_that_comes_twice_is_one_fault_among_the_others() {
    check(
        &with(r#""Ann""#, r#""Ann","firstName":"""#),
        &[("json:duplicate_key", "/firstName"), ("schema:minLength", "/firstName")],
    );
    check(
        &with(r#""Ann""#, r#""Ann","a@b.example":1,"a@b.example":2"#),
        &[("json:duplicate_key", "/?"), ("schema:additionalProperties", "")],
    );
}

#[test]
fn what_the_tables_cannot_hold_is_refused() {
    check(&with("Ann", r"A\u0000n"), &[("db:nul", "/firstName")]);
}

/// What came before decides the way of a document, and nothing else.
#[test]
fn a_document_is_judged_as_it_is_after_any_others() {
    let schema = DocumentSchema::built_in();
    let faulty = [
        with("Ann", ""),
        with("\"Ann\"", "\"Ann\",\"firstName\":\"A\""),
        with("Ann", r"A\u0000n"),
        b"{".to_vec(),
    ];
    for before in 0..2 * REJECTED_IN_A_ROW {
        let mut scratch = Scratch::default();
        for (line, _) in faulty.iter().cycle().zip(0..before) {
            let found = check_in(line, &schema, &mut scratch, |_| ());
            assert_eq!(found, check_in_full(line, &schema, |_| ()));
        }
        for _ in 0..2 {
            let name = |profile: &Profile<'_>| profile.first_name.to_owned();
            assert_eq!(check_in(GOOD.as_bytes(), &schema, &mut scratch, name), Ok("Ann".to_owned()));
        }
    }
}

#[test]
fn the_line_length_limit_is_exact() {
    let padding = LINE_BYTES_MAX - GOOD.len();
    check(format!("{GOOD}{}\r\n", " ".repeat(padding)).as_bytes(), &[]);
    check(format!("{GOOD}{}", " ".repeat(padding + 1)).as_bytes(), &[("json:line_too_long", "")]);
}
