//! Schemas that operators might write: what they allow is what the validator allows, whichever way a document goes.

use profile_loader::internals::document::{BUILT_IN_SCHEMA, DocumentSchema};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{
    GENERATED, WHOLE, compare_by,
    mutate::{Random, mutate},
    oracle::Oracle,
};

const DIALECTS: [&str; 5] = [
    "http://json-schema.org/draft-04/schema#",
    "http://json-schema.org/draft-06/schema#",
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
];

/// Places of the built-in schema.
const TEXTS: [&str; 12] = [
    "/properties/id",
    "/properties/firstName",
    "/properties/middleName",
    "/properties/lastName",
    "/properties/emails/items",
    "/definitions/PhoneNumber/properties/type",
    "/definitions/PhoneNumber/properties/number",
    "/definitions/PostalAddress/properties/line1",
    "/definitions/PostalAddress/properties/line2",
    "/definitions/PostalAddress/properties/city",
    "/definitions/PostalAddress/properties/postalCode",
    "/definitions/PostalAddress/properties/country",
];
const LISTS: [&str; 2] = ["/properties/emails", "/properties/phoneNumbers"];
const OBJECTS: [&str; 4] =
    ["", "/definitions/PhoneNumber", "/definitions/PostalAddress", "/definitions/PrivacySettings"];
const ANYTHING: [&str; 4] = [
    "/properties/address",
    "/properties/privacySettings",
    "/definitions/PrivacySettings/properties/twoFactorEnabled",
    "/properties/middleName",
];

fn built_in() -> Value {
    serde_json::from_str(BUILT_IN_SCHEMA).expect("it is JSON")
}

/// The built-in schema with a few changes.
fn schema(random: &mut Random) -> Value {
    let mut schema = built_in();
    schema["$schema"] = json!(random.pick(&DIALECTS));
    if random.below(4) == 0 {
        schema[*random.pick(&["$id", "id"])] = json!("https://example.com/customer.json");
    }
    for _ in 0..random.below(6) {
        match random.below(8) {
            0 => change_object(&mut schema, random),
            1 => change_list(&mut schema, random),
            2 => change_anything(&mut schema, random),
            _ => change_text(&mut schema, random),
        }
    }
    schema
}

fn object_at<'v>(schema: &'v mut Value, pointer: &str) -> Option<&'v mut Map<String, Value>> {
    schema.pointer_mut(pointer)?.as_object_mut()
}

fn change_text(schema: &mut Value, random: &mut Random) {
    let pointer = *random.pick(&TEXTS);
    let Some(text) = object_at(schema, pointer) else { return };
    let any_type = [json!("string"), json!(["string", "null"]), json!(["null"]), json!(["string", "number"])];
    match random.below(10) {
        0 => text.insert("minLength".to_owned(), json!(random.below(4))),
        1 => text.insert("maxLength".to_owned(), json!(random.pick(&[1, 2, 5, 12, 40, 1000]))),
        2 => {
            let patterns =
                ["^[A-Z]", "^[^@]+@[^@]+$", r"^\d+$", r"^\+?[1-9]\d{1,14}$", "e", r"^\p{L}*$", "^.{2,}$"];
            text.insert("pattern".to_owned(), json!(random.pick(&patterns)))
        }
        3 => text
            .insert("format".to_owned(), json!(random.pick(&["email", "uuid", "hostname", "ipv4", "regex"]))),
        4 => text.insert("enum".to_owned(), json!(["home", "DE", "Ulm", "", null, 1, "Lee Ω", "work"])),
        5 => text.insert("const".to_owned(), json!(random.pick(&["DE", "home", ""]))),
        6 => text.insert("type".to_owned(), random.pick(&any_type).clone()),
        7 => text.remove("type"),
        8 => text.insert("allOf".to_owned(), json!([{"minLength": 1}, {"maxLength": 30}])),
        _ => text.remove(*random.pick(&["minLength", "format", "pattern", "enum"])),
    };
}

fn change_list(schema: &mut Value, random: &mut Random) {
    let pointer = *random.pick(&LISTS);
    let Some(list) = object_at(schema, pointer) else { return };
    match random.below(8) {
        0 => list.insert("minItems".to_owned(), json!(random.below(4))),
        1 => list.insert("maxItems".to_owned(), json!(random.below(4))),
        2 => list.insert("uniqueItems".to_owned(), json!(random.below(2) == 0)),
        3 => list.insert("type".to_owned(), json!(["array", "null"])),
        4 => list.insert("items".to_owned(), json!({})),
        5 => list.insert("contains".to_owned(), json!({"minLength": 12})),
        6 => list.remove("minItems"),
        _ => list.remove("items"),
    };
}

fn change_object(schema: &mut Value, random: &mut Random) {
    let pointer = *random.pick(&OBJECTS);
    let Some(object) = object_at(schema, pointer) else { return };
    match random.below(10) {
        0 => object.insert("additionalProperties".to_owned(), json!(true)),
        1 => object.insert("additionalProperties".to_owned(), json!({"type": "string", "maxLength": 20})),
        2 => object.remove("additionalProperties"),
        3 => object.insert("minProperties".to_owned(), json!(random.below(9))),
        4 => object.insert("maxProperties".to_owned(), json!(random.below(9))),
        5 => object.insert(
            "required".to_owned(),
            json!(random.pick(&[&["id", "line2"][..], &["middleName"], &["x"]])),
        ),
        6 => object.remove("required"),
        7 => object.insert("patternProperties".to_owned(), json!({"Name$": {"minLength": 3}})),
        8 => object.insert("x-note".to_owned(), json!("of the operator's")),
        _ => {
            let properties = object.get_mut("properties").and_then(Value::as_object_mut);
            properties.and_then(|properties| {
                properties.remove(*random.pick(&["middleName", "line2", "address", "number", "lastName"]))
            })
        }
    };
}

fn change_anything(schema: &mut Value, random: &mut Random) {
    let pointer = *random.pick(&ANYTHING);
    let inner = schema.pointer(pointer).cloned().unwrap_or(Value::Bool(true));
    let changed = match random.below(7) {
        0 => json!({"anyOf": [inner, {"type": "null"}]}),
        1 => json!({"allOf": [inner]}),
        2 => json!({"$ref": "#/definitions/PhoneNumber", "maxProperties": 1}),
        3 => json!({"enum": [true, null]}),
        4 => Value::Bool(random.below(2) == 0),
        5 => json!({"not": {"type": "number"}}),
        _ => json!({}),
    };
    if let Some(place) = schema.pointer_mut(pointer) {
        *place = changed;
    }
}

/// A document with nulls and without some of its properties, as the schema may allow.
fn holes(line: &[u8], random: &mut Random) -> Vec<u8> {
    let mut document: Value = serde_json::from_slice(line).expect("it is JSON");
    for _ in 0..=random.below(2) {
        let pointers = ["", "", "", "/address", "/phoneNumbers/0", "/privacySettings"];
        let pointer = *random.pick(&pointers);
        let Some(object) = object_at(&mut document, pointer) else { continue };
        let names: Vec<_> = object.keys().cloned().collect();
        let name = random.pick(&names);
        match random.below(3) {
            0 => drop(object.remove(name)),
            1 => drop(object.insert(name.clone(), Value::Null)),
            _ => drop(object.insert(name.clone(), json!([]))),
        }
    }
    document.to_string().into_bytes()
}

/// How many documents go the short way by a schema.
fn check_schema(seed: u64, documents: usize) -> (bool, usize) {
    let random = &mut Random(seed);
    let text = schema(random).to_string();
    let Ok(schema) = DocumentSchema::compile(&text, "generated") else { return (false, 0) };
    let oracle = Oracle::of_schema(&text);
    let mut short = 0;
    for _ in 0..documents {
        let line = random.pick(&GENERATED).trim_ascii_end();
        let line = match random.below(4) {
            0 => line.to_vec(),
            1 => WHOLE.as_bytes().to_vec(),
            2 => holes(line, random),
            _ => mutate(line, random),
        };
        short += usize::from(compare_by(&line, &schema, &oracle));
    }
    (schema.goes_the_long_way().is_none(), short)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_schema_comes_to_the_same_both_ways(seed: u64) {
        check_schema(seed, 20);
    }
}

#[test]
fn most_generated_schemas_have_rules_that_let_documents_pass() {
    let (mut with_rules, mut with_short) = (0, 0);
    for seed in 0..100 {
        let (has_rules, short) = check_schema(seed, 10);
        with_rules += usize::from(has_rules);
        with_short += usize::from(short > 0);
    }
    assert!(with_rules >= 50 && with_short >= 25, "{with_rules} with rules, {with_short} let documents pass");
}

/// How operators write the same schema, and what goes beyond it.
#[test]
fn schemas_of_the_known_kinds_have_rules() {
    let long_way = |schema: &Value| {
        let schema = DocumentSchema::compile(&schema.to_string(), "test").unwrap();
        schema.goes_the_long_way().map(str::to_owned)
    };
    assert_eq!(long_way(&built_in()), None);
    for (pointer, value) in [
        ("/properties/firstName/pattern", json!("^\\p{Lu}")),
        ("/properties/firstName/type", json!(["string", "null"])),
        ("/properties/lastName/enum", json!(["Lee", "Kim"])),
        ("/properties/emails/maxItems", json!(3)),
        ("/properties/phoneNumbers/uniqueItems", json!(true)),
        ("/additionalProperties", json!({"type": "string"})),
        ("/definitions/PostalAddress/properties/postalCode/format", json!("ipv4")),
        ("/definitions/PhoneNumber/properties/number", json!({"$ref": "#/properties/firstName"})),
        (
            "/properties/address",
            json!({"allOf": [{"$ref": "#/definitions/PostalAddress"}, {"maxProperties": 5}]}),
        ),
        ("/$id", json!("https://example.com/customer.json")),
    ] {
        assert_eq!(long_way(&with(pointer, value)), None, "{pointer}");
    }
    for (pointer, value, reason) in [
        ("/properties/firstName/not", json!({"const": "x"}), "`not` of `firstName`"),
        ("/properties/emails/contains", json!({"minLength": 9}), "`contains` of `emails`"),
        ("/if", json!({"required": ["address"]}), "`if` of the document"),
        (
            "/properties/address",
            json!({"anyOf": [{"$ref": "#/definitions/PostalAddress"}, {"type": "null"}]}),
            "`anyOf` of addresses",
        ),
        ("/required", json!(["nickname"]), "`required` of the document"),
    ] {
        let found = long_way(&with(pointer, value)).unwrap_or_default();
        assert!(found.starts_with(reason), "{pointer}: {found}");
    }
}

fn with(pointer: &str, value: Value) -> Value {
    let mut schema = built_in();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer begins with a slash");
    object_at(&mut schema, parent).expect("an object").insert(name.to_owned(), value);
    schema
}
