//! The lines of jq that the report names: each fixes the documents that it is told for.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use crate::{documents::valid, folder::Folder};

/// Code, pointer and line of each kind of fault that has a line.
fn lines(report: &Value) -> Vec<(String, String, String)> {
    let errors = report["errors"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    errors
        .filter(|error| !error["jq"].is_null())
        .map(|error| (text(&error["code"]), text(&error["pointer"]), text(&error["jq"])))
        .collect()
}

fn report(folder: &Folder, options: &str) -> Value {
    let output = folder.run(&format!("validate in.ndjson --output json {options}"));
    assert!(matches!(output.code, Some(0 | 1)), "{}", output.stderr);
    serde_json::from_str(&output.stdout).expect("it is JSON")
}

/// Applies all lines that are told, and returns them; none of their kinds of faults is left.
fn fixed(folder: &Folder, options: &str, name: &str) -> Vec<(String, String, String)> {
    let lines = lines(&report(folder, options));
    if lines.is_empty() {
        return lines;
    }
    let map: Vec<_> = lines.iter().map(|(_, _, line)| line.as_str()).collect();
    folder.write("fix.jq", map.join("\n| "));
    let after = report(folder, &format!("{options} --map fix.jq"));
    for error in after["errors"].as_array().expect("a list") {
        let is_told =
            lines.iter().any(|(code, pointer, _)| *code == error["code"] && *pointer == error["pointer"]);
        assert!(!is_told, "{name}: {error} is left of {lines:?}");
    }
    lines
}

#[test]
fn each_fixture_with_a_line_is_fixed_by_it() {
    let mut kinds = BTreeSet::new();
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/invalid");
    for entry in fs::read_dir(dir).expect("they are there") {
        let path = entry.expect("it can be read").path();
        if path.extension().is_none_or(|extension| extension != "ndjson") {
            continue;
        }
        let folder = Folder::new();
        folder.write("in.ndjson", fs::read(&path).expect("it can be read"));
        let lines = fixed(&folder, "", &path.display().to_string());
        kinds.extend(lines.into_iter().map(|(code, pointer, _)| format!("{code} {pointer}")));
    }
    let expected = [
        "db:nul /address/line2",
        "db:nul /address/postalCode",
        "db:nul /emails/*",
        "db:nul /firstName",
        "schema:additionalProperties ",
        "schema:additionalProperties /phoneNumbers/*",
        "schema:additionalProperties /privacySettings",
        "schema:enum /phoneNumbers/*/type",
        "schema:format /emails/*",
        "schema:format /id",
        "schema:minItems /phoneNumbers",
        "schema:minLength /middleName",
        "schema:pattern /phoneNumbers/*/number",
        "schema:type /address",
        "schema:type /address/line2",
        "schema:type /emails/*",
        "schema:type /middleName",
        "schema:type /phoneNumbers",
        "schema:type /phoneNumbers/*",
        "schema:type /phoneNumbers/*/number",
        "schema:type /privacySettings/marketingEmailsEnabled",
        "schema:uniqueItems /emails",
    ];
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

/// What no fixture has: the shape of values decides, and documents without the fault stay as they are.
#[test]
fn what_exports_do_is_fixed() {
    let with = |number: usize, pointer: &str, value: Value| {
        let mut document: Value = serde_json::from_str(&valid(number)).expect("it is JSON");
        let (object, name) = pointer.rsplit_once('/').expect("a pointer");
        let object = document.pointer_mut(object).expect("it is there");
        match object {
            Value::Array(items) => items.push(value),
            object => object[name] = value,
        }
        format!("{document}\n")
    };
    let phone = |number: Value| json!([{ "type": "work", "number": number }]);
    let address = |country: &str| json!({ "line1": "1 Road", "city": "Graz", "state": "", "postalCode": "8010", "country": country });
    let schema = json!({
        "type": "object",
        "properties": {
            "id": { "type": "string", "format": "uuid" },
            "emails": { "type": "array", "items": { "type": "string", "format": "email" } },
            "address": { "properties": { "country": { "pattern": "^[A-Z]{2}$" } } }
        }
    });
    let folder = Folder::with("schema.json", schema.to_string());
    let built_in = "";
    for (options, pointer, value, expected) in [
        (
            built_in,
            "/phoneNumbers",
            phone(json!(" +49 (170) 12-34.5/6 ")),
            "schema:pattern /phoneNumbers/*/number",
        ),
        (built_in, "/phoneNumbers", phone(json!(491_701_234_567_u64)), "schema:type /phoneNumbers/*/number"),
        (built_in, "/emails/-", json!(" ann@example.org\t"), "schema:format /emails/*"),
        (built_in, "/id", json!("urn:uuid:6f8e0d52-6f5c-4a0e-9a53-0000000000aa"), "schema:format /id"),
        (
            built_in,
            "/privacySettings/twoFactorEnabled",
            json!("True"),
            "schema:type /privacySettings/twoFactorEnabled",
        ),
        ("--json-schema schema.json", "/address", address("at"), "schema:pattern /address/country"),
    ] {
        folder.write("in.ndjson", [valid(1), with(2, pointer, value.clone()), valid(3)].concat());
        let lines = fixed(&folder, options, expected);
        let [(code, at, _)] = &*lines else { panic!("{pointer} {value}: {lines:?}") };
        assert_eq!(format!("{code} {at}"), expected);
        let after = report(&folder, &format!("{options} --map fix.jq"));
        assert_eq!(after["documents"]["accepted"], 3, "{pointer} {value}: {}", after["errors"]);
    }
}

/// The text and the page have the line as well.
#[test]
fn the_line_is_where_people_look() {
    let folder = Folder::with("in.ndjson", valid(1).replace("\"emails\"", "\"middleName\":null,\"emails\""));
    let output = folder.run("validate in.ndjson --report page.html --report table.csv");
    let line = "del(.middleName? | select(. == null))";
    assert!(output.stdout.contains(&format!("a --map may fix it: {line}")), "{}", output.stdout);
    for name in ["page.html", "table.csv"] {
        let text = String::from_utf8(folder.read(name)).expect("it is text");
        assert!(text.contains(line), "{text}");
    }
}
