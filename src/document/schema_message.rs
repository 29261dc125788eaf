//! What is wrong, in words that quote the schema and never the document.

use std::borrow::Cow;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use super::tree::{Kind, Node};

/// The code of a keyword; those of most faults are at hand.
pub(super) fn code_of(keyword: &str) -> Cow<'static, str> {
    const CODES: [&str; 12] = [
        "schema:required",
        "schema:type",
        "schema:additionalProperties",
        "schema:format",
        "schema:minLength",
        "schema:maxLength",
        "schema:pattern",
        "schema:enum",
        "schema:minItems",
        "schema:maxItems",
        "schema:uniqueItems",
        "schema:const",
    ];
    let is_of = |code: &&str| code.strip_prefix("schema:") == Some(keyword);
    CODES.into_iter().find(is_of).map_or_else(|| format!("schema:{keyword}").into(), Cow::Borrowed)
}

/// Words for the kinds that need nothing but themselves.
pub(super) fn plain_message(kind: &ValidationErrorKind) -> String {
    use ValidationErrorKind as Kind;
    match kind {
        Kind::Format { format: name } => format(name),
        Kind::Pattern { pattern: text } => pattern(text),
        Kind::Enum { options } => one_of(options),
        Kind::Constant { expected_value } => one(expected_value),
        Kind::MinLength { limit } => least(*limit, "character"),
        Kind::MaxLength { limit } => most(*limit, "character"),
        Kind::MinItems { limit } => fewest(*limit, "item"),
        Kind::MaxItems { limit } => at_most(*limit, "item"),
        Kind::UniqueItems => unique(),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => "matches none of the allowed shapes".to_owned(),
        Kind::OneOfMultipleValid { .. } => "matches more than one of the allowed shapes".to_owned(),
        Kind::FalseSchema => "must not be there".to_owned(),
        unnamed => other(unnamed.keyword()),
    }
}

pub(super) fn format(name: &str) -> String {
    match name {
        "email" => "must be an e-mail address (user@domain)".to_owned(),
        "uuid" => "must be a UUID (8-4-4-4-12 hexadecimal digits)".to_owned(),
        _ => format!("must have the format `{name}`"),
    }
}

pub(super) fn pattern(pattern: &str) -> String {
    format!("must match the pattern {pattern}")
}

pub(super) fn one_of(options: &Value) -> String {
    format!("must be one of {options}")
}

pub(super) fn one(value: &Value) -> String {
    format!("must be {value}")
}

fn plural(count: u64, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

pub(super) fn least(limit: u64, one: &str) -> String {
    format!("must have at least {}", plural(limit, one))
}

pub(super) fn most(limit: u64, one: &str) -> String {
    format!("must have at most {}", plural(limit, one))
}

pub(super) fn fewest(limit: u64, one: &str) -> String {
    format!("must hold at least {}", plural(limit, one))
}

pub(super) fn at_most(limit: u64, one: &str) -> String {
    format!("must hold at most {}", plural(limit, one))
}

pub(super) fn unique() -> String {
    "must not hold the same item twice".to_owned()
}

pub(super) fn required(name: &str) -> String {
    format!("the required property `{name}` is missing")
}

/// For a value of another type.
pub(super) fn of_type(allowed: &str, instance: &str) -> String {
    format!("must be {allowed}, but is {instance}")
}

/// For a keyword that has no words of its own.
pub(super) fn other(keyword: &str) -> String {
    format!("does not satisfy `{keyword}`")
}

pub(super) fn type_names(kind: &TypeKind) -> String {
    let article = |name: &str| match name {
        "array" | "integer" | "object" => format!("an {name}"),
        "null" => name.to_owned(),
        _ => format!("a {name}"),
    };
    match kind {
        TypeKind::Single(kind) => article(&kind.to_string()),
        TypeKind::Multiple(kinds) => {
            let names: Vec<_> = kinds.iter().map(|kind| article(&kind.to_string())).collect();
            names.join(" or ")
        }
    }
}

/// In the order of [`instance_type`].
pub(super) const INSTANCE_TYPES: [&str; 6] =
    ["null", "a boolean", "a number", "a string", "an array", "an object"];

pub(super) fn instance_type(instance: Node<'_>) -> usize {
    match instance.kind() {
        Kind::Null => 0,
        Kind::Boolean(_) => 1,
        Kind::Number(_) => 2,
        Kind::Text(_) => 3,
        Kind::Array(_) => 4,
        Kind::Object(_) => 5,
    }
}
