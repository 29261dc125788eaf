//! What is wrong, in words that quote the schema and never the document.

use jsonschema::error::{TypeKind, ValidationErrorKind};

use super::tree::{Kind, Node};

/// Words for the kinds that need nothing but themselves.
pub(super) fn plain_message(kind: &ValidationErrorKind) -> String {
    use ValidationErrorKind as Kind;
    let plural = |count: u64, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    match kind {
        Kind::Format { format } if format == "email" => "must be an e-mail address (user@domain)".to_owned(),
        Kind::Format { format } if format == "uuid" => {
            "must be a UUID (8-4-4-4-12 hexadecimal digits)".to_owned()
        }
        Kind::Format { format } => format!("must have the format `{format}`"),
        Kind::Pattern { pattern } => format!("must match the pattern {pattern}"),
        Kind::Enum { options } => format!("must be one of {options}"),
        Kind::Constant { expected_value } => format!("must be {expected_value}"),
        Kind::MinLength { limit } => format!("must have at least {}", plural(*limit, "character")),
        Kind::MaxLength { limit } => format!("must have at most {}", plural(*limit, "character")),
        Kind::MinItems { limit } => format!("must hold at least {}", plural(*limit, "item")),
        Kind::MaxItems { limit } => format!("must hold at most {}", plural(*limit, "item")),
        Kind::UniqueItems => "must not hold the same item twice".to_owned(),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => "matches none of the allowed shapes".to_owned(),
        Kind::OneOfMultipleValid { .. } => "matches more than one of the allowed shapes".to_owned(),
        Kind::FalseSchema => "must not be there".to_owned(),
        other => format!("does not satisfy `{}`", other.keyword()),
    }
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

pub(super) fn instance_type(instance: Node<'_>) -> &'static str {
    match instance.kind() {
        Kind::Null => "null",
        Kind::Boolean(_) => "a boolean",
        Kind::Number(_) => "a number",
        Kind::Text(_) => "a string",
        Kind::Array(_) => "an array",
        Kind::Object(_) => "an object",
    }
}
