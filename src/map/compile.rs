//! The file of a map to a filter, or to what is wrong with it and where.

use std::{io, path::Path, thread};

use jaq_core::{
    Compiler,
    load::{Arena, File, Lexer, Loader, Parser, lex::Token, parse::Def, span},
};

use super::{DocumentMap, OneDocument, budget::STACK_BYTES, guard, natives, plain::PlainMap};
use crate::{document::sha256_hex, read_file::read_text_at_most};

/// A longer file is no map that somebody wrote; what is nested in it is looked at by calls that are nested as deep.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// The definition that the text of the file becomes.
const MAIN: &str = "__map";

/// Why there is no map.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MapError {
    #[error("the map {name} can't be read")]
    Read { name: String, source: io::Error },
    #[error("the map {name} can't be used: line {line}, column {column}: {reason}")]
    Invalid { name: String, line: usize, column: usize, reason: String },
}

impl DocumentMap {
    /// `name` is how the file is called in messages.
    pub(crate) fn from_file(path: &Path, name: &str) -> Result<Self, MapError> {
        let unreadable = |source| MapError::Read { name: name.to_owned(), source };
        Self::compile(&read_text_at_most(path, FILE_BYTES_MAX).map_err(unreadable)?, name)
    }

    /// Of its text; `name` is how it is called in messages.
    pub(crate) fn compile(text: &str, name: &str) -> Result<Self, MapError> {
        let sha256 = sha256_hex(text);
        let compiled = thread::scope(|scope| {
            let compile = || {
                let arena = Arena::default();
                compile(text, &arena).map_err(|(part, reason)| (place(text, part), reason))
            };
            let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, compile);
            thread.expect("a thread can be started").join().expect("compiling a filter does not panic")
        });
        let invalid =
            |((line, column), reason)| MapError::Invalid { name: name.to_owned(), line, column, reason };
        let (filter, plain) = compiled.map_err(invalid)?;
        Ok(Self { source: name.to_owned(), sha256, filter, plain })
    }
}

/// A fault: the part of the text where it is, and what it is.
type At<'t> = (&'t str, String);

/// The filter, and its short way if it has one.
type Compiled = (jaq_core::Filter<OneDocument>, Option<PlainMap>);

fn compile<'t>(text: &'t str, arena: &'t Arena) -> Result<Compiled, At<'t>> {
    let tokens = Lexer::new(text).lex().map_err(|faults| {
        first(
            text,
            faults.into_iter().map(|(expected, found)| (found, format!("expected {}", expected.as_str()))),
        )
    })?;
    refuse_modules(&tokens)?;
    // A map that says nothing is the document as it is, as for jq.
    let body = if tokens.is_empty() {
        jaq_core::load::parse::Term::Id
    } else {
        let parsed = Parser::new(&tokens).parse(Parser::term);
        parsed.map_err(|faults| {
            let words = |(expected, found): (jaq_core::load::parse::Expect<&str>, _)| {
                (Token::opt_as_str(found, text), format!("expected {}", expected.as_str()))
            };
            first(text, faults.into_iter().map(words))
        })?
    };
    let plain = PlainMap::compile(&body);
    let main = Def { name: MAIN, args: Vec::new(), body };
    let prelude = natives::definitions().map(shortened).chain([main]).map(guard::definition);
    let modules = Loader::new(prelude).load(arena, File { code: MAIN, path: () });
    let modules = modules.map_err(|_| (text, "it can't be loaded".to_owned()))?;
    let compiled = Compiler::default().with_funs(natives::functions()).compile(modules);
    let filter = compiled.map_err(|faults| {
        let faults = faults.into_iter().flat_map(|(_, faults)| faults);
        first(text, faults.map(|(name, undefined)| (name, undefined_words(name, &undefined))))
    })?;
    Ok((filter, plain))
}

/// jq's definitions live as long as any text.
fn shortened<'t>(def: Def<&'static str>) -> Def<&'t str> {
    def
}

/// `import` and `include`: a map is one file, and its digest says all of it.
fn refuse_modules<'t>(tokens: &[Token<&'t str>]) -> Result<(), At<'t>> {
    match tokens.iter().find(|token| matches!(token.0, "import" | "include")) {
        Some(token) => Err((token.0, "a map is one file; it can't import or include others".to_owned())),
        None => Ok(()),
    }
}

fn undefined_words(name: &str, undefined: &jaq_core::compile::Undefined) -> String {
    use jaq_core::compile::Undefined;
    let what = match undefined {
        Undefined::Filter(arguments) => format!("there is no filter {name}/{arguments}"),
        other => format!("there is no {} {name}", other.as_str()),
    };
    match natives::why_missing(name) {
        Some(why) => format!("{what}: {why}"),
        None => what,
    }
}

/// The one that stands first; the end of the text where none is told.
fn first<'t>(text: &'t str, faults: impl Iterator<Item = At<'t>>) -> At<'t> {
    let first = faults.min_by_key(|(part, _)| part.as_ptr());
    first.unwrap_or((&text[text.len()..], "it is not whole".to_owned()))
}

/// Line and column of a part, in characters, from 1.
fn place(text: &str, part: &str) -> (usize, usize) {
    let is_within = text.as_bytes().as_ptr_range().contains(&part.as_ptr());
    let before = if is_within { &text[..span(text, part).start] } else { text };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}
