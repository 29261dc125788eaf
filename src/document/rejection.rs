//! What is wrong with a document: values that are counted, written and reported, never errors of the program.
//!
//! Nothing in here holds a customer's value: messages speak of the rule, and pointers name only properties
//! that the schema names too.

use std::{borrow::Cow, fmt::Write as _};

/// One rule that a document breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `json:*`, `schema:<keyword>`, `db:*` or `load:*`.
    pub code: Cow<'static, str>,
    /// JSON Pointer (RFC 6901) of the value at fault; names that the schema does not know are `?`.
    pub pointer: String,
    /// The same with every array index as `*`, by which reports group.
    pub group_pointer: String,
    /// JSON Pointer into the JSON Schema; empty for rules that stand elsewhere.
    pub schema_path: String,
    /// Plain words, equal for every document that breaks the rule in this way.
    pub message: String,
    /// The 1-based byte of the line where it shows, for faults of syntax.
    pub column: Option<usize>,
}

/// A rejected document with all of its faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// 1-based line in its source.
    pub line: u64,
    /// Where the line starts in the decompressed source.
    pub byte_offset: u64,
    pub faults: Vec<Fault>,
}

impl Fault {
    /// A fault of the whole document.
    pub fn of_document(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::at(code, &[], message)
    }

    pub(super) fn at(
        code: impl Into<Cow<'static, str>>,
        place: &[Segment<'_>],
        message: impl Into<String>,
    ) -> Self {
        let (pointer, group_pointer) = pointers(place);
        Self {
            code: code.into(),
            pointer,
            group_pointer,
            schema_path: String::new(),
            message: message.into(),
            column: None,
        }
    }

    pub(super) fn in_line(code: &'static str, column: usize, message: impl Into<String>) -> Self {
        Self { column: Some(column), ..Self::of_document(code, message) }
    }

    /// For a line whose end was skipped without looking at it.
    pub fn line_too_long() -> Self {
        Self::of_document("json:line_too_long", "the line is longer than 16 MiB")
    }
}

/// A step from a value to one inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment<'a> {
    Name(Cow<'a, str>),
    /// A property that the schema does not name; its name may be a customer's value.
    UnknownName,
    Index(usize),
}

impl Segment<'_> {
    pub(super) fn into_owned(self) -> Segment<'static> {
        match self {
            Self::Name(name) => Segment::Name(Cow::Owned(name.into_owned())),
            Self::UnknownName => Segment::UnknownName,
            Self::Index(index) => Segment::Index(index),
        }
    }
}

/// The pointer with real indices, and the one with `*` in their place.
fn pointers(place: &[Segment<'_>]) -> (String, String) {
    let (mut exact, mut grouped) = (String::new(), String::new());
    for segment in place {
        exact.push('/');
        grouped.push('/');
        match segment {
            Segment::Name(name) if name.contains(['~', '/']) => {
                let name = name.replace('~', "~0").replace('/', "~1");
                exact.push_str(&name);
                grouped.push_str(&name);
            }
            Segment::Name(name) => {
                exact.push_str(name);
                grouped.push_str(name);
            }
            Segment::UnknownName => {
                exact.push('?');
                grouped.push('?');
            }
            Segment::Index(index) => {
                write!(exact, "{index}").expect("writing to a String");
                grouped.push('*');
            }
        }
    }
    (exact, grouped)
}
