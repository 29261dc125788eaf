//! The line of jq that fixes a kind of faults, where what is to be done is certain: for `--map`, behind what else is
//! in it, for the places of faults are those of the mapped document.
//!
//! A line changes only values that have the fault, and is told only where a sample has it.

use crate::document::{ADDRESS_PROPERTIES, PHONE_PROPERTIES, PRIVACY_PROPERTIES, PROFILE_PROPERTIES};

/// What may be left out, by its pointer.
const OPTIONAL: [&str; 6] =
    ["/middleName", "/phoneNumbers", "/phoneNumbers/*", "/address", "/address/line2", "/emails/*"];

/// The objects of a document, and their properties.
const PROPERTIES: [(&str, &[&str]); 4] = [
    ("", &PROFILE_PROPERTIES),
    ("/phoneNumbers/*", &PHONE_PROPERTIES),
    ("/address", &ADDRESS_PROPERTIES),
    ("/privacySettings", &PRIVACY_PROPERTIES),
];

const NUMBER: &str = "/phoneNumbers/*/number";
const PHONE_TYPE: &str = "/phoneNumbers/*/type";
const COUNTRY: &str = "/address/country";
const ID: &str = "/id";
const UUID_CHARS: usize = 36;

/// `shapes` are those of samples ([`value_shape`](crate::document)).
pub(super) fn jq_line<'a>(
    code: &str,
    pointer: &str,
    message: &str,
    shapes: &(impl Iterator<Item = &'a str> + Clone),
) -> Option<String> {
    if !is_known(pointer) {
        return None;
    }
    let path = path(pointer);
    let any = |test: &dyn Fn(&str) -> bool| shapes.clone().any(test);
    let on_texts = |filter: &str| Some(format!("({path} | strings) |= {filter}"));
    let is_optional = OPTIONAL.contains(&pointer);
    match code {
        "schema:type" if is_optional && message.ends_with("but is null") => Some(leave_out(pointer, "null")),
        "schema:type" if pointer == NUMBER && any(&|shape| shape.starts_with("integer of")) => {
            Some(format!("({path} | numbers) |= tostring"))
        }
        "schema:type" if pointer.starts_with("/privacySettings/") && any(&is_text_of_boolean) => on_texts(
            "(ascii_downcase as $word | if $word == \"true\" then true elif $word == \"false\" then false else . end)",
        ),
        "schema:minLength" if is_optional && any(&|shape| shape == "empty string") => {
            Some(leave_out(pointer, "\"\""))
        }
        "schema:minItems" if is_optional => Some(leave_out(pointer, "[]")),
        "schema:additionalProperties" if !message.contains("meant?") => known_only(pointer, &path),
        "schema:uniqueItems" => Some(format!(
            "({path} | arrays) |= (to_entries | unique_by(.value) | sort_by(.key) | map(.value))"
        )),
        "db:nul" => on_texts("gsub(\"\\\\x00\"; \"\")"),
        "schema:format" if pointer == ID && any(&is_wrapped_uuid) => {
            on_texts("(gsub(\"[{}\\\\s]\"; \"\") | ltrimstr(\"urn:uuid:\"))")
        }
        "schema:pattern" if pointer == NUMBER && any(&is_spaced_number) => {
            on_texts("gsub(\"[\\\\s()./-]\"; \"\")")
        }
        "schema:enum" if pointer == PHONE_TYPE && any(&|shape| has_capitals_only(text_of(shape))) => {
            on_texts("ascii_downcase")
        }
        "schema:pattern" | "schema:enum" if pointer == COUNTRY && any(&is_small_country) => {
            on_texts("ascii_upcase")
        }
        "schema:format" | "schema:pattern" | "schema:enum" | "schema:maxLength"
            if pointer != ID && any(&has_blank_around) =>
        {
            on_texts("gsub(\"^\\\\s+|\\\\s+$\"; \"\")")
        }
        _ => None,
    }
}

/// Whether it is a place of a document that the tables can hold.
fn is_known(pointer: &str) -> bool {
    let is_property = |(object, names): &(&str, &[&str])| {
        let rest = pointer.strip_prefix(object).and_then(|rest| rest.strip_prefix('/'));
        rest.is_some_and(|name| names.contains(&name))
    };
    ["", "/emails/*", "/phoneNumbers/*"].contains(&pointer) || PROPERTIES.iter().any(is_property)
}

/// Nothing where a document has no such place: an update of a place that is missing would make one.
fn path(pointer: &str) -> String {
    steps(pointer, " // empty")
}

fn steps(pointer: &str, last: &str) -> String {
    let names: Vec<_> = pointer.split('/').skip(1).collect();
    let step = |(index, name): (usize, &&str)| match (*name, index + 1 == names.len()) {
        ("*", _) => ".[]?".to_owned(),
        (name, true) => format!(".{name}?{last}"),
        (name, false) => format!(".{name}? // empty"),
    };
    let steps: Vec<_> = names.iter().enumerate().map(step).collect();
    if steps.is_empty() { ".".to_owned() } else { steps.join(" | ") }
}

/// A null has no alternative.
fn leave_out(pointer: &str, what: &str) -> String {
    format!("del({} | select(. == {what}))", steps(pointer, ""))
}

fn known_only(pointer: &str, path: &str) -> Option<String> {
    let (_, names) = PROPERTIES.iter().find(|(object, _)| *object == pointer)?;
    let names: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    Some(format!("({path} | objects) |= with_entries(select(.key == ({})))", names.join(", ")))
}

/// The form of a text, without quotation marks and length.
fn text_of(shape: &str) -> &str {
    let text = shape.strip_prefix('"').and_then(|rest| rest.rsplit_once("\", string of "));
    text.map_or("", |(text, _)| text)
}

fn has_blank_around(shape: &str) -> bool {
    let text = text_of(shape);
    text.starts_with(' ') || text.ends_with(' ')
}

fn is_text_of_boolean(shape: &str) -> bool {
    let is_as_long = shape.ends_with("of 4 characters") || shape.ends_with("of 5 characters");
    is_as_long && ["a", "A", "Aa"].contains(&text_of(shape))
}

/// As long as a UUID with what is around it; a form is cut off before the end of so long a text.
fn is_wrapped_uuid(shape: &str) -> bool {
    let length =
        shape.rsplit_once("string of ").and_then(|(_, length)| length.split(' ').next()?.parse().ok());
    let is_longer = length.is_some_and(|length: usize| length > UUID_CHARS);
    is_longer && (text_of(shape).starts_with(['{', ' ']) || text_of(shape).starts_with("a:a:"))
}

fn is_spaced_number(shape: &str) -> bool {
    let text = text_of(shape);
    let bare: String = text.chars().filter(|char| !" ()./-".contains(*char)).collect();
    bare.len() < text.len()
        && !bare.is_empty()
        && bare.trim_start_matches('+').chars().all(|char| char == '9')
}

fn has_capitals_only(text: &str) -> bool {
    text.contains('A') && text.chars().all(char::is_alphabetic)
}

fn is_small_country(shape: &str) -> bool {
    shape.ends_with("of 2 characters") && ["a", "Aa", "aA"].contains(&text_of(shape))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::document::BUILT_IN_SCHEMA;

    #[test]
    fn what_is_known_is_what_the_schema_has() {
        let schema: Value = serde_json::from_str(BUILT_IN_SCHEMA).expect("it is JSON");
        let object = |pointer: &str| match pointer {
            "" => &schema,
            "/phoneNumbers/*" => &schema["definitions"]["PhoneNumber"],
            "/address" => &schema["definitions"]["PostalAddress"],
            _ => &schema["definitions"]["PrivacySettings"],
        };
        for (pointer, names) in PROPERTIES {
            let object = object(pointer);
            let properties: Vec<_> = object["properties"].as_object().expect("an object").keys().collect();
            let mut known = names.to_vec();
            let mut properties: Vec<_> = properties.iter().map(|name| name.as_str()).collect();
            known.sort_unstable();
            properties.sort_unstable();
            assert_eq!(known, properties, "{pointer}");
            let required: Vec<_> =
                object["required"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
            for name in names {
                let is_optional = OPTIONAL.contains(&&*format!("{pointer}/{name}"));
                assert_eq!(is_optional, !required.contains(name), "{pointer}/{name}");
            }
        }
    }

    #[test]
    fn no_line_where_it_is_not_certain() {
        let check = |code: &str, pointer: &str, message: &str, shape: &str| {
            assert_eq!(
                jq_line(code, pointer, message, &[shape].into_iter()),
                None,
                "{code} {pointer} {shape}"
            );
        };
        check("schema:type", "/firstName", "must be a string, but is null", "null");
        check("schema:type", "/somewhere", "must be a string, but is null", "null");
        check("schema:format", "/emails/*", "", "\"a a@a.a\", string of 12 characters");
        check("schema:pattern", NUMBER, "", "\"+9a9\", string of 12 characters");
        check("schema:pattern", NUMBER, "", "\"- -\", string of 3 characters");
        check("schema:additionalProperties", "", "has a property … (is `lastName` meant?)", "");
        check("schema:minLength", "/firstName", "", "empty string");
        check("json:syntax", "", "", "");
    }
}
