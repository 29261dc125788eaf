//! jq's regular expressions by the crate `regex`, whose time is bounded by the lengths of pattern and text; each is compiled
//! once, not once a document.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use jaq_core::{
    Cv, Error,
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
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Compiled patterns by flags and pattern.
#[derive(Debug, Default)]
pub(super) struct Regexes(RefCell<HashMap<String, Rc<Pattern>>>);

#[derive(Debug)]
struct Pattern {
    regex: Regex,
    is_global: bool,
    ignores_empty: bool,
}

pub(super) fn functions() -> [Fun<OneDocument>; 3] {
    [
        run(("matches", v(2), |cv| look(cv, false, true))),
        run(("split_matches", v(2), |cv| look(cv, true, true))),
        run(("split_", v(2), |cv| look(cv, true, false))),
    ]
}

fn look(mut cv: Cv<'_, OneDocument>, between: bool, matches: bool) -> Outputs<'_> {
    let (flags, pattern) = (cv.0.pop_var(), cv.0.pop_var());
    let regexes = cv.0.data().regexes;
    let found = regexes.get(&pattern, &flags).and_then(|pattern| parts(&cv.1, &pattern, between, matches));
    bome(found)
}

fn text_of(value: &Val) -> Result<&str, Error<Val>> {
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
fn parts(value: &Val, pattern: &Pattern, between: bool, matches: bool) -> ValR<Val> {
    let text = text_of(value)?;
    let sub = |part: &str| value.as_sub_str(part.as_bytes());
    let (mut last, mut out) = (0, Vec::new());
    for captures in pattern.regex.captures_iter(text) {
        let whole = captures.get(0).expect("a match has a text");
        if pattern.ignores_empty && whole.is_empty() {
            continue;
        }
        if between {
            out.push(sub(&text[last..whole.start()]));
            last = whole.end();
        }
        if matches {
            out.push(groups(text, &captures, pattern, sub)?);
        }
        if !pattern.is_global {
            break;
        }
    }
    if between {
        out.push(sub(&text[last..]));
    }
    Ok(out.into_iter().collect())
}

fn groups(text: &str, captures: &Captures<'_>, pattern: &Pattern, sub: impl Fn(&str) -> Val) -> ValR<Val> {
    use jaq_core::ValT as _;
    let group = |(group, name): (Option<regex::Match<'_>>, Option<&str>)| {
        let group = group?;
        let key = |name: &str| Val::from(name.to_owned());
        let members = [
            (key("offset"), Val::from(text[..group.start()].chars().count())),
            (key("length"), Val::from(group.as_str().chars().count())),
            (key("string"), sub(group.as_str())),
        ];
        let name = name.map(|name| (key("name"), key(name)));
        Some(Val::from_map(members.into_iter().chain(name)))
    };
    captures.iter().zip(pattern.regex.capture_names()).filter_map(group).collect()
}
