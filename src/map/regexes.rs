//! jq's regular expressions by the crate `regex`, whose time is bounded by the lengths of pattern and text; each is compiled
//! once, not once a document.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use jaq_core::{
    Cv, Error, ValT as _,
    native::{Fun, bome, run, v},
    val::ValR,
};
use jaq_json::Val;
use jaq_std::ValT as _;
use regex::{Captures, Regex, RegexBuilder};

use super::{OneDocument, natives::Outputs};

/// More than a map has, unless it makes them of documents.
const REGEXES_MAX: usize = 100;

/// What a compiled pattern may take.
pub(super) const REGEX_BYTES_MAX: usize = 1 << 20;

/// Compiled patterns by flags and pattern.
#[derive(Debug, Default)]
pub(super) struct Regexes(RefCell<HashMap<String, Rc<Pattern>>>);

#[derive(Debug)]
struct Pattern {
    regex: Regex,
    is_global: bool,
    ignores_empty: bool,
}

/// What is wanted of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Matches,
    /// With the texts between them.
    Split,
    /// Texts between matches alone.
    Between,
    /// Texts between matches, and of these an object of what was captured by name.
    Captures,
}

pub(super) fn functions() -> [Fun<OneDocument>; 4] {
    [
        run(("matches", v(2), |cv| look(cv, Wanted::Matches))),
        run(("split_matches", v(2), |cv| look(cv, Wanted::Split))),
        run(("split_", v(2), |cv| look(cv, Wanted::Between))),
        run(("split_captures", v(2), |cv| look(cv, Wanted::Captures))),
    ]
}

fn look(mut cv: Cv<'_, OneDocument>, wanted: Wanted) -> Outputs<'_> {
    let (flags, pattern) = (cv.0.pop_var(), cv.0.pop_var());
    let regexes = cv.0.data().regexes;
    let found = regexes.get(&pattern, &flags).and_then(|pattern| parts(&cv.1, &pattern, wanted));
    bome(found)
}

pub(super) fn text_of(value: &Val) -> Result<&str, Error<Val>> {
    let bytes = value.as_utf8_bytes().ok_or_else(|| Error::typ(value.clone(), "string"))?;
    std::str::from_utf8(bytes).map_err(Error::str)
}

impl Regexes {
    fn get(&self, pattern: &Val, flags: &Val) -> Result<Rc<Pattern>, Error<Val>> {
        let (pattern, flags) = (text_of(pattern)?, text_of(flags)?);
        let key = format!("{flags}/{pattern}");
        let mut all = self.0.borrow_mut();
        if let Some(found) = all.get(&key) {
            return Ok(Rc::clone(found));
        }
        let compiled = Rc::new(Pattern::of(pattern, flags)?);
        if all.len() >= REGEXES_MAX {
            all.clear();
        }
        all.insert(key, Rc::clone(&compiled));
        Ok(compiled)
    }
}

impl Pattern {
    fn of(pattern: &str, flags: &str) -> Result<Self, Error<Val>> {
        let mut builder = RegexBuilder::new(pattern);
        builder.size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX);
        let (mut is_global, mut ignores_empty) = (false, false);
        for flag in flags.chars() {
            match flag {
                'g' => is_global = true,
                'n' => ignores_empty = true,
                'i' => _ = builder.case_insensitive(true),
                'm' => _ = builder.multi_line(true),
                's' => _ = builder.dot_matches_new_line(true),
                'p' => _ = builder.multi_line(true).dot_matches_new_line(true),
                'l' => _ = builder.swap_greed(true),
                'x' => _ = builder.ignore_whitespace(true),
                _ => return Err(Error::str("a flag that regular expressions do not have")),
            }
        }
        let regex = builder.build().map_err(|_| Error::str("a pattern that is no regular expression"))?;
        Ok(Self { regex, is_global, ignores_empty })
    }
}

/// Texts between matches, and matches as arrays of their groups, in order, as the definitions of jq's standard library
/// want them.
fn parts(value: &Val, pattern: &Pattern, wanted: Wanted) -> ValR<Val> {
    let text = text_of(value)?;
    let sub = |part: &str| value.as_sub_str(part.as_bytes());
    let (mut last, mut out) = (0, Vec::new());
    // So many characters stand before the last match.
    let (mut counted, mut characters) = (0, 0);
    for captures in pattern.regex.captures_iter(text) {
        let whole = captures.get(0).expect("a match has a text");
        if pattern.ignores_empty && whole.is_empty() {
            continue;
        }
        if wanted != Wanted::Matches {
            out.push(sub(&text[last..whole.start()]));
            last = whole.end();
        }
        match wanted {
            Wanted::Between => {}
            Wanted::Captures => out.push(named(&captures, pattern, sub)),
            Wanted::Matches | Wanted::Split => {
                characters += text[counted..whole.start()].chars().count();
                counted = whole.start();
                out.push(groups(&captures, pattern, characters, sub)?);
            }
        }
        if !pattern.is_global {
            break;
        }
    }
    if wanted != Wanted::Matches {
        out.push(sub(&text[last..]));
    }
    Ok(out.into_iter().collect())
}

/// What the groups with names have captured.
fn named(captures: &Captures<'_>, pattern: &Pattern, sub: impl Fn(&str) -> Val) -> Val {
    let group = |(group, name): (Option<regex::Match<'_>>, Option<&str>)| {
        Some((Val::from(name?.to_owned()), sub(group?.as_str())))
    };
    Val::from_map(captures.iter().zip(pattern.regex.capture_names()).filter_map(group))
        .expect("names are texts")
}

/// `before` is how many characters stand before the match.
fn groups(captures: &Captures<'_>, pattern: &Pattern, before: usize, sub: impl Fn(&str) -> Val) -> ValR<Val> {
    let whole = captures.get(0).expect("a match has a text");
    let group = |(group, name): (Option<regex::Match<'_>>, Option<&str>)| {
        let group = group?;
        let key = |name: &str| Val::from(name.to_owned());
        let offset = before + whole.as_str()[..group.start() - whole.start()].chars().count();
        let members = [
            (key("offset"), Val::from(offset)),
            (key("length"), Val::from(group.as_str().chars().count())),
            (key("string"), sub(group.as_str())),
        ];
        let name = name.map(|name| (key("name"), key(name)));
        Some(Val::from_map(members.into_iter().chain(name)))
    };
    captures.iter().zip(pattern.regex.capture_names()).filter_map(group).collect()
}
