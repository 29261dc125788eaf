//! What is wrong with a document: values that are counted, written and reported, never errors of the program.
//!
//! Nothing in here holds a customer's value: messages speak of the rule, and pointers name only properties
//! that the schema names too.

use std::{borrow::Cow, ops::Deref, sync::Arc};

use super::{
    place::{Segment, pointers},
    stray,
    tree::Node,
    value_shape::{text_shape, value_shape},
};

/// How many faults of a document are gathered; a line may hold millions of values.
pub(super) const FAULTS_MAX: usize = 1000;

/// How much the report says about a document at most: so much, and more for a longer one, up to a bound. 2 KiB are
/// about ten faults. It depends on the document alone, so that every attempt at a run says the same.
const RECORD_BYTES_MIN: usize = 2 << 10;
const RECORD_BYTES_PER_BYTE: usize = 4;
const RECORD_BYTES_MAX: usize = 1 << 20;

/// What a fault takes besides its own text.
const FAULT_BYTES: usize = 80;

/// Longest text of a fault: what comes from a schema may be of any length.
const TEXT_BYTES_MAX: usize = 500;

/// How much is said about lines of so many bytes together, at most.
pub fn record_bytes_max(lines: usize, bytes: usize) -> usize {
    let most = lines.saturating_mul(RECORD_BYTES_MAX);
    most.min(
        lines.saturating_mul(RECORD_BYTES_MIN).saturating_add(bytes.saturating_mul(RECORD_BYTES_PER_BYTE)),
    )
}

/// One rule that a document breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    kind: Arc<FaultKind>,
    /// JSON Pointer (RFC 6901) of the value at fault; names that the schema does not know are `?`.
    pub pointer: String,
    /// The 1-based byte of the line where it shows, for faults of syntax.
    pub column: Option<usize>,
    /// The form of the value at fault; empty where there is none.
    pub shape: Cow<'static, str>,
}

/// What faults of the same rule at the same place have in common; those of a schema are made once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FaultKind {
    /// `json:*`, `map:*`, `schema:<keyword>`, `db:*` or `load:*`.
    pub code: Cow<'static, str>,
    /// The pointer with every array index as `*`, by which reports group.
    pub group_pointer: String,
    /// JSON Pointer into the JSON Schema; empty for rules that stand elsewhere.
    pub schema_path: String,
    /// Plain words, equal for every document that breaks the rule in this way.
    pub message: Cow<'static, str>,
}

impl Deref for Fault {
    type Target = FaultKind;

    fn deref(&self) -> &FaultKind {
        &self.kind
    }
}

impl FaultKind {
    /// Cuts texts that are longer than anybody reads.
    pub(super) fn shortened(mut self) -> Self {
        if self.message.len() > TEXT_BYTES_MAX {
            shorten(self.message.to_mut());
        }
        shorten(&mut self.group_pointer);
        shorten(&mut self.schema_path);
        self
    }
}

impl Fault {
    /// A fault of the whole document.
    pub fn of_document(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::at(code, &[], message)
    }

    pub(super) fn at(
        code: impl Into<Cow<'static, str>>,
        place: &[Segment<'_>],
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::in_schema(code, place, message, String::new())
    }

    /// Of a rule that stands in the schema.
    pub(super) fn in_schema(
        code: impl Into<Cow<'static, str>>,
        place: &[Segment<'_>],
        message: impl Into<Cow<'static, str>>,
        schema_path: String,
    ) -> Self {
        let (pointer, group_pointer) = pointers(place);
        let kind = FaultKind { code: code.into(), group_pointer, schema_path, message: message.into() };
        Self::of_kind(Arc::new(kind.shortened()), pointer)
    }

    /// Of a kind that was made before, whose texts are short.
    pub(super) fn of_kind(kind: Arc<FaultKind>, mut pointer: String) -> Self {
        shorten(&mut pointer);
        Self { kind, pointer, column: None, shape: Cow::Borrowed("") }
    }

    /// One of a group, for what counts them.
    pub fn of_group(
        code: impl Into<Cow<'static, str>>,
        group_pointer: &str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (code, message, pointer) = (code.into(), message.into(), group_pointer.to_owned());
        let kind = FaultKind { code, group_pointer: pointer.clone(), schema_path: String::new(), message };
        Self::of_kind(Arc::new(kind), pointer)
    }

    pub fn kind(&self) -> &Arc<FaultKind> {
        &self.kind
    }

    /// The same with the form of the text at fault.
    pub(super) fn with_text_shape(self, text: &str) -> Self {
        Self { shape: text_shape(text), ..self }
    }

    /// The same with the form of the value at fault.
    pub(super) fn with_shape(self, value: Node<'_>) -> Self {
        Self { shape: value_shape(value), ..self }
    }

    pub(super) fn in_line(code: &'static str, column: usize, message: impl Into<Cow<'static, str>>) -> Self {
        Self { column: Some(column), ..Self::of_document(code, message) }
    }

    fn text_bytes(&self) -> usize {
        self.code.len()
            + self.pointer.len()
            + self.schema_path.len()
            + self.message.len()
            + self.shape.len()
            + FAULT_BYTES
    }

    /// For a line whose end was skipped without looking at it.
    pub fn line_too_long() -> Self {
        Self::of_document("json:line_too_long", LINE_TOO_LONG)
    }

    /// For one in which there are zero bytes in a row.
    pub fn long_line_with_hole() -> Self {
        Self::of_document("json:line_too_long", format!("{LINE_TOO_LONG}: {}", stray::HOLE))
    }
}

/// Cuts a text that is longer than anybody reads.
fn shorten(text: &mut String) {
    if text.len() > TEXT_BYTES_MAX {
        let end = (0..=TEXT_BYTES_MAX).rev().find(|&at| text.is_char_boundary(at));
        text.truncate(end.unwrap_or(0));
        text.push('…');
        text.shrink_to_fit();
    }
}

const LINE_TOO_LONG: &str = "the document is longer than 16 MiB";

/// Adds a fault, unless there are enough of them.
pub(super) fn push(faults: &mut Vec<Fault>, fault: impl FnOnce() -> Fault) {
    if faults.len() <= FAULTS_MAX {
        faults.push(fault());
    }
}

/// Keeps as many faults of a line of so many bytes as are reported; the last one says where there are more, or where
/// more were not looked for.
pub(super) fn limit(faults: &mut Vec<Fault>, line_bytes: usize, is_complete: bool) {
    let mut left = record_bytes_max(1, line_bytes);
    let fits = |fault: &&Fault| {
        let fits = fault.text_bytes() <= left;
        left = left.saturating_sub(fault.text_bytes());
        fits
    };
    let kept = faults.iter().take(FAULTS_MAX).take_while(fits).count().max(1);
    if kept < faults.len() || !is_complete {
        faults.truncate(kept);
        faults.push(Fault::of_document(
            "report:more_faults",
            "the document may have more faults than are listed; fix these, then check it again",
        ));
    }
}
