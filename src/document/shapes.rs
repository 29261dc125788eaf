//! A form of a JSON Schema in which `anyOf` and `oneOf` say that they fail and no more.
//!
//! The validator gathers, for each of them, the faults of every branch, and of those within: where they are nested, each
//! level doubles that. Under two `not` only the answer is asked for. What it loses is annotations, so a schema with
//! `unevaluatedProperties` or `unevaluatedItems` has no such form.

use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value, json};

const KEYWORDS: [&str; 2] = ["anyOf", "oneOf"];

/// Whether one of them may be evaluated within another, by standing there or by reference.
pub(super) fn are_nested(schema: &Value) -> bool {
    let refers = has_key(schema, |key| matches!(key, "$ref" | "$dynamicRef" | "$recursiveRef"));
    let mut count = 0;
    count_shapes(schema, &mut count);
    count > 1 && (refers || is_within(schema, false)) || count == 1 && refers
}

fn has_key(schema: &Value, is_meant: impl Fn(&str) -> bool + Copy) -> bool {
    match schema {
        Value::Object(object) => object.iter().any(|(key, inner)| is_meant(key) || has_key(inner, is_meant)),
        Value::Array(items) => items.iter().any(|inner| has_key(inner, is_meant)),
        _ => false,
    }
}

fn count_shapes(schema: &Value, count: &mut usize) {
    match schema {
        Value::Object(object) => {
            for (key, inner) in object {
                *count += usize::from(KEYWORDS.contains(&key.as_str()) && inner.is_array());
                count_shapes(inner, count);
            }
        }
        Value::Array(items) => items.iter().for_each(|inner| count_shapes(inner, count)),
        _ => {}
    }
}

fn is_within(schema: &Value, is_inside: bool) -> bool {
    match schema {
        Value::Object(object) => object.iter().any(|(key, inner)| {
            let is_shape = KEYWORDS.contains(&key.as_str()) && inner.is_array();
            is_shape && is_inside || is_within(inner, is_inside || is_shape)
        }),
        Value::Array(items) => items.iter().any(|inner| is_within(inner, is_inside)),
        _ => false,
    }
}

/// `None` where there is none.
pub(super) fn answering_only(schema: &Value) -> Option<Value> {
    if has_key(schema, |key| matches!(key, "unevaluatedProperties" | "unevaluatedItems")) {
        return None;
    }
    Some(wrapped(schema))
}

fn wrapped(schema: &Value) -> Value {
    match schema {
        Value::Object(object) => Value::Object(wrapped_object(object)),
        Value::Array(items) => items.iter().map(wrapped).collect(),
        other => other.clone(),
    }
}

fn wrapped_object(object: &Map<String, Value>) -> Map<String, Value> {
    let mut form = Map::new();
    let mut answers = Vec::new();
    // Names of properties are no keywords, but an array of schemas is under none of them.
    for (key, inner) in object {
        if KEYWORDS.contains(&key.as_str()) && inner.is_array() {
            answers.push(json!({"not": {"not": {key: wrapped(inner)}}}));
        } else {
            form.insert(key.clone(), wrapped(inner));
        }
    }
    if !answers.is_empty() {
        let all = form.entry("allOf").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(all) = all {
            all.extend(answers);
        }
    }
    form
}

/// The keyword and its place in the schema as it was written, of an error of the form.
pub(super) fn shape_of(kind: &ValidationErrorKind, schema_path: &str) -> Option<(&'static str, String)> {
    let ValidationErrorKind::Not { schema } = kind else { return None };
    let inner = schema.get("not")?.as_object()?;
    let keyword = KEYWORDS.into_iter().find(|keyword| inner.len() == 1 && inner.contains_key(*keyword))?;
    let (element, _) = schema_path.rsplit_once("/not")?;
    let (list, _) = element.rsplit_once('/')?;
    Some((keyword, format!("{}/{keyword}", list.strip_suffix("/allOf")?)))
}

/// Whether the validator gave up on a pattern somewhere in what it says.
pub(super) fn gave_up(kind: &ValidationErrorKind) -> bool {
    match kind {
        ValidationErrorKind::BacktrackLimitExceeded { .. }
        | ValidationErrorKind::RegexEngineFailure { .. } => true,
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            context.iter().flatten().any(|error| gave_up(error.kind()))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_shapes_are_found() {
        let leaf = json!({"type": "integer"});
        for (schema, expected) in [
            (json!({"anyOf": [leaf, leaf]}), false),
            (json!({"properties": {"anyOf": leaf, "oneOf": leaf}}), false),
            (json!({"properties": {"a": {"anyOf": [leaf]}, "b": {"oneOf": [leaf]}}}), false),
            (json!({"anyOf": [leaf, {"items": {"oneOf": [leaf]}}]}), true),
            (json!({"anyOf": [leaf, {"properties": {"a": {"$ref": "#"}}}]}), true),
        ] {
            assert_eq!(are_nested(&schema), expected, "{schema}");
        }
    }

    #[test]
    fn the_form_gives_the_same_answers_at_the_same_places() {
        let schema = json!({"properties": {"a": {"allOf": [true], "anyOf": [{"type": "null"}, {"oneOf": [{"minimum": 3}, false]}]}}});
        let form = jsonschema::validator_for(&answering_only(&schema).unwrap()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for document in [json!({}), json!({"a": null}), json!({"a": 3}), json!({"a": 2})] {
            assert_eq!(form.is_valid(&document), validator.is_valid(&document), "{document}");
        }
        let document = json!({"a": 2});
        let errors: Vec<_> = form.iter_errors(&document).collect();
        assert_eq!(errors.len(), 1);
        let shape = shape_of(errors[0].kind(), errors[0].schema_path().as_str());
        assert_eq!(shape, Some(("anyOf", "/properties/a/anyOf".to_owned())));
    }
}
