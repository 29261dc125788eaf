//! A plain filter as it is run: names are resolved, and what is not plain is not there.

use jaq_core::ops::Cmp;
use regex::Regex;

use super::value::Type;

/// A filter, and whether it always has one output.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) term: Term,
    pub(super) is_single: bool,
}

pub(super) type Part = Box<Filter>;

/// Where not told otherwise, as jq's manual has it.
#[derive(Debug)]
pub(super) enum Term {
    Id,
    Empty,
    Null,
    Boolean(bool),
    Integer(i64),
    Text(Box<str>),
    /// So many bindings out from here.
    Variable(usize),
    Array(Option<Part>),
    Object(Vec<(Filter, Filter)>),
    Path(Part, Vec<Step>),
    Pipe(Part, Part),
    Comma(Part, Part),
    /// `a as $x | b`
    Bind(Part, Part),
    /// `a // b`
    Alternative(Part, Part),
    /// `and`; with the value that decides it without the right side: `or`.
    Logic(Part, bool, Part),
    Plus(Part, Part),
    Compare(Part, Cmp, Part),
    /// `==` with what is the same for all documents, or with `false` `!=`: most comparisons.
    Is(Part, bool, What),
    If(Part, Part, Part),
    /// A definition without arguments.
    Call(usize),
    /// `.a.b |= f`, of members by their names.
    Update(Vec<Box<str>>, Change, Part),
    /// `del(.a.b)`
    Delete(Vec<Box<str>>),
    /// `.[] |= f`
    MapValues(Part),
    WithEntries(Part),
    ToEntries,
    /// `any(of; is)`, or with `false` `all(of; is)`.
    Any(Part, bool, Part),
    Range(i64, i64),
    Function(Function),
    /// Of a text and the one that the filter makes.
    OfTexts(OfTexts, Part),
    /// `test`
    Matches(Regex),
    /// `sub`, `gsub`
    Replace {
        regex: Regex,
        is_global: bool,
        with: Box<str>,
    },
}

/// A part of a path.
#[derive(Debug)]
pub(super) struct Step {
    /// None for `[]`.
    pub(super) key: Option<Filter>,
    /// With `?`.
    pub(super) is_optional: bool,
}

/// What a value is compared with.
#[derive(Debug)]
pub(super) enum What {
    Type(Type),
    Text(Box<str>),
    EmptyArray,
    EmptyObject,
}

/// What an assignment makes of the old value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// `|=`
    By,
    /// `=`
    To,
    /// `+=`
    Plus,
    /// `//=`
    Else,
}

/// Without arguments, with one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Not,
    ToText,
    TypeName,
    Is(Type),
    Length,
    LowerCase,
    UpperCase,
    Trim,
    TrimStart,
    TrimEnd,
    Add,
    Unique,
    Sort,
    Reverse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OfTexts {
    StartsWith,
    EndsWith,
    WithoutStart,
    WithoutEnd,
    Split,
    Join,
    Has,
    Uuid5,
}

impl Filter {
    pub(super) fn single(term: Term) -> Self {
        Self { term, is_single: true }
    }

    pub(super) fn many(term: Term) -> Self {
        Self { term, is_single: false }
    }
}
