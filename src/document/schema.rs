//! The JSON Schema that documents are held against, and its faults in plain words.
//!
//! The only user of the jsonschema crate. Its own messages quote the instance, so none of them is used;
//! neither are `$ref`s to anything outside the schema (the crate is built without its resolvers).

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use jsonschema::{Validator, error::ValidationErrorKind};
use serde_json::Value;
use thiserror::Error;

use super::{
    checks::Checks,
    digest::sha256_hex,
    meant::{Meant, Remembered},
    place::Segment,
    rejection::{FAULTS_MAX, Fault},
    rules::Rules,
    schema_message::{self as words, INSTANCE_TYPES, instance_type, plain_message, type_names},
    shapes,
    tree::{Node, TreeJson},
    validator::validator_of,
};

/// The schema of a customer profile (JSON Schema draft-07), as `profile-loader schema` prints it.
pub const BUILT_IN_SCHEMA: &str = include_str!("customer_profile.schema.json");

/// No schema is longer.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Of a document for which the validator would need more memory than this only the first fault is reported: it gathers
/// all of them, each with its own copy of the path, before the first can be looked at.
const VALIDATOR_BYTES_MAX: usize = 16 << 20;

/// A text of so many bytes can't have as many faults: one for every other byte, with a path as long as the text.
const SHORT_BYTES: usize = 4 << 10;

/// What a fault takes in the validator besides its path, about.
const VALIDATOR_FAULT_BYTES: usize = 500;

/// Neither right nor wrong: the schema's fault.
const UNDECIDED: &str = "schema:undecided";
const UNDECIDED_MESSAGE: &str = "the pattern of the JSON Schema gives up on it (too much backtracking), so it is neither \
                                 known to be right nor wrong; write the pattern without nested repetition or lookaround";

/// Why a schema can't be used.
#[derive(Debug, Error)]
pub enum SchemaError {
    #[error("the JSON Schema {name} can't be read")]
    Read { name: String, source: io::Error },
    #[error("the JSON Schema {name} is not JSON")]
    NotJson { name: String, source: serde_json::Error },
    #[error("the JSON Schema {name} can't be used: {reason}")]
    Invalid { name: String, reason: String },
}

/// How faults are found in a document that is not valid.
#[derive(Debug)]
enum Finder {
    Validator,
    /// Of a form of the schema that gathers less.
    OfShapes(Box<Validator<TreeJson>>),
    /// There is no such form.
    None,
}

/// A compiled schema; shared by all workers.
#[derive(Debug)]
pub struct DocumentSchema {
    validator: Validator<TreeJson>,
    /// What finds faults where the validator would gather too much of them.
    finder: Finder,
    /// Every property name that the schema itself speaks of.
    names: Meant,
    /// What finds faults without the validator; not every schema has them.
    checks: Option<Box<Checks>>,
    /// What the short way goes by, or why there is none.
    rules: Result<Box<Rules>, String>,
    /// `built-in`, or the file's path.
    pub source: String,
    /// Of the schema's text, in hexadecimal.
    pub sha256: String,
}

impl DocumentSchema {
    pub fn built_in() -> Self {
        Self::compile(BUILT_IN_SCHEMA, "built-in").expect("the built-in schema is tested")
    }

    /// `name` is how the file is called in messages.
    pub fn from_file(path: &Path, name: &str) -> Result<Self, SchemaError> {
        let unreadable = |source| SchemaError::Read { name: name.to_owned(), source };
        let mut text = String::new();
        // Somebody else's export may be named in its place.
        let file = File::open(path).map_err(unreadable)?;
        let count = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
        if u64::try_from(count).is_ok_and(|count| count > FILE_BYTES_MAX) {
            let words = "it is longer than 64 MiB, so it is something else";
            return Err(unreadable(io::Error::new(io::ErrorKind::FileTooLarge, words)));
        }
        Self::compile(&text, name)
    }

    /// Of its text; `name` is how it is called in messages.
    pub fn compile(text: &str, name: &str) -> Result<Self, SchemaError> {
        let schema: Value = serde_json::from_str(text)
            .map_err(|source| SchemaError::NotJson { name: name.to_owned(), source })?;
        // The instance of such an error is the schema, which is the operator's own text.
        let invalid = |error: jsonschema::ValidationError<'_>| SchemaError::Invalid {
            name: name.to_owned(),
            reason: at_place(&error),
        };
        let validator = validator_of(&schema).map_err(invalid)?;
        let form = shapes::are_nested(&schema).then(|| shapes::answering_only(&schema));
        let finder = match form {
            None => Finder::Validator,
            Some(form) => form
                .and_then(|form| validator_of(&form).ok())
                .map_or(Finder::None, |finder| Finder::OfShapes(Box::new(finder))),
        };
        let names = Meant::of_schema(&schema);
        let sha256 = sha256_hex(text);
        let rules = Rules::of_schema(&schema, validator.draft()).map(Box::new);
        let checks = Checks::of_schema(&schema, validator.draft(), &names).filter(|_| rules.is_ok());
        let checks = checks.map(Box::new);
        Ok(Self { validator, finder, names, checks, rules, source: name.to_owned(), sha256 })
    }

    pub(super) fn rules(&self) -> Option<&Rules> {
        self.rules.as_deref().ok()
    }

    /// What stands in the schema that keeps its documents from being checked the short way, if anything does.
    pub fn goes_the_long_way(&self) -> Option<&str> {
        self.rules.as_ref().err().map(String::as_str)
    }

    pub(super) fn is_valid(&self, document: Node<'_>) -> bool {
        self.validator.is_valid(document)
    }

    pub(super) fn has_checks(&self) -> bool {
        self.checks.is_some()
    }

    /// The rules of the schema that the document breaks, whose text has so many bytes, and whether these are all; none where
    /// only the validator can tell.
    pub(super) fn checked(
        &self,
        document: Node<'_>,
        text_bytes: usize,
        remembered: &mut Remembered,
    ) -> Option<Vec<Fault>> {
        let checks = self.checks.as_ref()?;
        if !is_checked_whole(document, text_bytes) {
            return None;
        }
        checks.faults(document, &self.names, remembered)
    }

    /// The same, as the validator tells it.
    pub(super) fn faults(
        &self,
        document: Node<'_>,
        text_bytes: usize,
        remembered: &mut Remembered,
    ) -> (Vec<Fault>, bool) {
        let finder = match &self.finder {
            Finder::Validator => &self.validator,
            Finder::OfShapes(finder) => finder,
            Finder::None => return (vec![unexplained()], false),
        };
        let is_complete = is_checked_whole(document, text_bytes);
        let errors: Vec<_> = if is_complete {
            finder.iter_errors(document).take(FAULTS_MAX + 1).collect()
        } else {
            finder.validate(document).err().into_iter().collect()
        };
        let faults: Vec<_> = errors.iter().map(|error| self.fault(document, error, remembered)).collect();
        // A pattern that was given up within a shape may be all that is wrong.
        if faults.is_empty() && !self.is_valid(document) {
            return (vec![unexplained()], false);
        }
        (faults, is_complete)
    }

    fn fault(
        &self,
        document: Node<'_>,
        error: &jsonschema::ValidationError<'_>,
        remembered: &mut Remembered,
    ) -> Fault {
        let kind = error.kind();
        let (place, instance) = self.place(document, error.instance_path().as_str());
        let schema_path = error.schema_path().as_str();
        let (code, message, schema_path) = if shapes::gave_up(kind) {
            (Cow::Borrowed(UNDECIDED), Cow::Borrowed(UNDECIDED_MESSAGE), schema_path.to_owned())
        } else if let Some((keyword, schema_path)) = shapes::shape_of(kind, schema_path) {
            let message = if keyword == "oneOf" {
                "matches none or more than one of the allowed shapes"
            } else {
                "matches none of the allowed shapes"
            };
            (words::code_of(keyword), message.into(), schema_path)
        } else {
            let message = Cow::Owned(self.message(kind, instance, remembered));
            (words::code_of(kind.keyword()), message, schema_path.to_owned())
        };
        Fault::in_schema(code, &place, message, schema_path).with_shape(instance)
    }

    pub(super) fn duplicate_faults(places: &[Vec<Segment<'static>>]) -> Vec<Fault> {
        let message = "the key stands more than once in its object";
        let fault = |place: &Vec<Segment<'static>>| Fault::at("json:duplicate_key", place, message);
        places.iter().map(fault).collect()
    }

    /// A property's step, nameless where the schema does not know the name: it may be a customer's value.
    pub(super) fn segment<'a>(&self, name: &'a str) -> Segment<'a> {
        if self.names.contains(name) { Segment::Name(Cow::Borrowed(name)) } else { Segment::UnknownName }
    }

    /// The steps of an instance's pointer, and the instance; the document tells which of them are array indices.
    fn place<'a, 'p>(&self, document: Node<'a>, pointer: &'p str) -> (Vec<Segment<'p>>, Node<'a>) {
        let mut place = Vec::new();
        let mut value = document;
        for token in pointer.split('/').skip(1) {
            let next = if value.is_array() {
                let index: usize = token.parse().unwrap_or_default();
                place.push(Segment::Index(index));
                value.item(index)
            } else if token.contains('~') {
                let name = token.replace("~1", "/").replace("~0", "~");
                place.push(self.segment(&name).into_owned());
                value.get(&name)
            } else {
                place.push(self.segment(token));
                value.get(token)
            };
            value = next.unwrap_or(value);
        }
        (place, value)
    }

    fn message(&self, kind: &ValidationErrorKind, instance: Node<'_>, remembered: &mut Remembered) -> String {
        match kind {
            ValidationErrorKind::Required { property } => {
                words::required(property.as_str().unwrap_or_default())
            }
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                self.names.message(unexpected, remembered)
            }
            ValidationErrorKind::Type { kind } => {
                words::of_type(&type_names(kind), INSTANCE_TYPES[instance_type(instance)])
            }
            other => plain_message(other),
        }
    }
}

fn unexplained() -> Fault {
    Fault::of_document(
        "schema:unexplained",
        "does not satisfy the JSON Schema, whose nested anyOf and oneOf do not let it be said where",
    )
}

fn at_place(error: &jsonschema::ValidationError<'_>) -> String {
    let mut words = error.to_string();
    if let Some(options) = words.find(". Adjust configuration") {
        words.truncate(options);
    } else if words.starts_with("Resource '") && words.contains(" is not present in a registry") {
        let target = words.split('\'').nth(1).unwrap_or_default();
        words = format!(
            "it refers to {target}, which is never fetched; put it under `definitions` and refer to it as #/definitions/NAME"
        );
    }
    match error.instance_path().as_str() {
        "" => words,
        pointer => format!("{words} (at {pointer})"),
    }
}

/// Whether all faults of a document are looked for, whose text has so many bytes.
fn is_checked_whole(document: Node<'_>, text_bytes: usize) -> bool {
    text_bytes <= SHORT_BYTES || validator_bytes(document, 0) <= VALIDATOR_BYTES_MAX
}

/// What the validator needs at most for the faults of a value whose path has so many bytes: one for each value in it.
fn validator_bytes(value: Node<'_>, path_bytes: usize) -> usize {
    // Longer than any index.
    const INDEX_BYTES: usize = 8;
    let items: usize = value.items().map(|item| validator_bytes(item, path_bytes + INDEX_BYTES)).sum();
    let members = value.members().map(|(name, value)| validator_bytes(value, path_bytes + name.len() + 1));
    VALIDATOR_FAULT_BYTES + path_bytes + items + members.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tree::testing::with_tree;

    fn faults(schema: &DocumentSchema, document: &Value) -> (Vec<Fault>, bool) {
        with_tree(document, |root| schema.faults(root, usize::MAX, &mut Remembered::default()))
    }

    fn refused(schema: &Value) -> String {
        DocumentSchema::compile(&schema.to_string(), "test.json").unwrap_err().to_string()
    }

    #[test]
    fn schemas_that_would_pass_silently_are_refused() {
        assert!(refused(&json!({"$ref": "https://example.com/schema.json"})).contains("example.com"));
        assert!(refused(&json!({"$ref": "file:///etc/passwd"})).contains("passwd"));
        assert!(refused(&json!({"$ref": "#/definitions/none"})).contains("none"));
        let draft_07 = "http://json-schema.org/draft-07/schema#";
        assert!(refused(&json!({"$schema": draft_07, "format": "e-mail"})).contains("e-mail"));
        assert!(refused(&json!({"type": "strng"})).contains("strng"));
        assert!(matches!(DocumentSchema::compile("{", "x"), Err(SchemaError::NotJson { .. })));
    }

    #[test]
    fn messages_and_pointers_hold_no_value_of_the_document() {
        let schema = json!({"additionalProperties": {"maxProperties": 0}, "properties": {"a": {"const": 1}}});
        let schema = DocumentSchema::compile(&schema.to_string(), "test.json").unwrap();
        let document = json!({"ann@example.com": {"+4912345": 2}, "a": "secret"});
        let (faults, _) = faults(&schema, &document);
        assert_eq!(faults.len(), 2, "{faults:?}");
        let words = format!("{faults:?}");
        for value in ["ann@example.com", "+4912345", "secret"] {
            assert!(!words.contains(value), "{words}");
        }
        assert!(words.contains("must be 1"), "{words}");
    }

    #[test]
    fn a_pattern_that_gives_up_is_the_schemas_fault() {
        let pattern = json!({"pattern": r"^(a|aa)+\1$"});
        let deep = (0..120).fold(json!(1), |inner, _| json!([inner]));
        let document = json!({"a": "a".repeat(60) + "b", "deep": deep});
        for property in [pattern.clone(), json!({"anyOf": [{"type": "null"}, pattern]})] {
            let schema = json!({"properties": {"a": property}}).to_string();
            let schema = DocumentSchema::compile(&schema, "test.json").unwrap();
            assert!(!with_tree(&document, |root| schema.is_valid(root)));
            let (faults, _) = faults(&schema, &document);
            assert_eq!((faults.len(), &*faults[0].code, &*faults[0].pointer), (1, UNDECIDED, "/a"));
        }
    }

    /// Each level would double what the validator gathers.
    #[test]
    fn nested_shapes_are_told_without_what_is_in_them() {
        const LEVELS: usize = 14;
        let mut definitions = serde_json::Map::new();
        for level in 0..LEVELS {
            let next = json!({"$ref": format!("#/definitions/{}", level + 1)});
            definitions.insert(level.to_string(), json!({"anyOf": [next, next]}));
        }
        definitions.insert(LEVELS.to_string(), json!({"type": "integer"}));
        let schema = json!({
            "definitions": definitions,
            "properties": {"a": {"$ref": "#/definitions/0"}, "b": {"type": "null"}},
        });
        let schema = DocumentSchema::compile(&schema.to_string(), "test.json").unwrap();
        let (mut faults, is_complete) = faults(&schema, &json!({"a": "x", "b": 1}));
        faults.sort_by(|a, b| a.pointer.cmp(&b.pointer));
        let faults: Vec<_> = faults.iter().map(|fault| (&*fault.code, &*fault.schema_path)).collect();
        assert_eq!(faults, [("schema:anyOf", "/definitions/0/anyOf"), ("schema:type", "/properties/b/type")]);
        assert!(is_complete);
    }

    #[test]
    fn display_names_are_no_part_of_an_address() {
        let schema = DocumentSchema::built_in();
        let email = |text: &str| {
            let (faults, _) = faults(&schema, &json!({"emails": [text]}));
            !faults.iter().any(|fault| fault.pointer == "/emails/0")
        };
        assert!(email("joe@example.com") && email("joe+x@mail.example.com") && email("joe@[127.0.0.1]"));
        assert!(
            !email("Joe <joe@example.com>") && !email("joe@") && !email("joe") && !email(" joe@example.com")
        );
    }
}
