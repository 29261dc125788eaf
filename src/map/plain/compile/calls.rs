//! jq's own filters, those that are plain, where the map has none of the same name.

use jaq_core::load::parse::{BinaryOp, Term as Parsed};
use regex::RegexBuilder;

use super::{Compiler, T, choice, function, id, literal, names, pipe};
use crate::map::{
    plain::{
        filter::{Filter, Function, OfTexts, Part, Step, Term},
        value::Type,
    },
    regexes::REGEX_BYTES_MAX,
};

impl<'s> Compiler<'s> {
    pub(super) fn call(&mut self, name: &'s str, arguments: &[T<'s>]) -> Option<Filter> {
        let own =
            self.scope.iter().rev().find(|(other, count, _)| (*other, *count) == (name, arguments.len()));
        if let Some((_, _, index)) = own {
            let index = (*index)?;
            return Some(Filter { term: Term::Call(index), is_single: self.definitions[index].is_single });
        }
        match arguments {
            [] => without_arguments(name),
            [one] => self.of_one(name, one),
            [one, other] => self.of_both(name, one, other),
            _ => None,
        }
    }

    fn of_one(&mut self, name: &str, one: &T<'s>) -> Option<Filter> {
        Some(match name {
            "select" => choice(self.filter(one)?, id(), Filter::many(Term::Empty)),
            "map" => {
                let each = pipe(each(), self.filter(one)?);
                Filter::single(Term::Array(Some(each.into())))
            }
            "map_values" => Filter::single(Term::MapValues(self.single(one)?)),
            "with_entries" => Filter::single(Term::WithEntries(self.part(one)?)),
            "any" => any(each(), true, self.single(one)?),
            "all" => any(each(), false, self.single(one)?),
            "del" => deleted(one)?,
            "range" => range(0, integer(one)?),
            "test" => Filter::single(Term::Matches(regex(one)?)),
            _ => {
                let of = match name {
                    "startswith" => OfTexts::StartsWith,
                    "endswith" => OfTexts::EndsWith,
                    "ltrimstr" => OfTexts::WithoutStart,
                    "rtrimstr" => OfTexts::WithoutEnd,
                    "split" => OfTexts::Split,
                    "join" => OfTexts::Join,
                    "has" => OfTexts::Has,
                    "uuid5" => OfTexts::Uuid5,
                    _ => return None,
                };
                Filter::single(Term::OfTexts(of, self.single(one)?))
            }
        })
    }

    fn of_both(&mut self, name: &str, one: &T<'s>, other: &T<'s>) -> Option<Filter> {
        let replace = |is_global| {
            let (regex, with) = (regex(one)?, literal(other)?.into());
            Some(Filter::single(Term::Replace { regex, is_global, with }))
        };
        match name {
            "any" => Some(any(self.filter(one)?, true, self.single(other)?)),
            "all" => Some(any(self.filter(one)?, false, self.single(other)?)),
            "range" => Some(range(integer(one)?, integer(other)?)),
            "sub" => replace(false),
            "gsub" => replace(true),
            _ => None,
        }
    }
}

fn without_arguments(name: &str) -> Option<Filter> {
    let is = |of: Type| function(Function::Is(of));
    let selected = |of: Type| Some(choice(is(of), id(), Filter::many(Term::Empty)));
    let of = match name {
        "empty" => return Some(Filter::many(Term::Empty)),
        "null" => return Some(Filter::single(Term::Null)),
        "true" => return Some(Filter::single(Term::Boolean(true))),
        "false" => return Some(Filter::single(Term::Boolean(false))),
        "values" => return Some(choice(is(Type::Null), Filter::many(Term::Empty), id())),
        "nulls" => return selected(Type::Null),
        "booleans" => return selected(Type::Boolean),
        "numbers" => return selected(Type::Number),
        "strings" => return selected(Type::Text),
        "arrays" => return selected(Type::Array),
        "objects" => return selected(Type::Object),
        "first" => return Some(item(0)),
        "last" => return Some(item(-1)),
        "any" => return Some(any(each(), true, id().into())),
        "all" => return Some(any(each(), false, id().into())),
        "to_entries" => return Some(Filter::single(Term::ToEntries)),
        "isboolean" => Function::Is(Type::Boolean),
        "isnumber" => Function::Is(Type::Number),
        "isstring" => Function::Is(Type::Text),
        "isarray" => Function::Is(Type::Array),
        "isobject" => Function::Is(Type::Object),
        "not" => Function::Not,
        "tostring" => Function::ToText,
        "type" => Function::TypeName,
        "length" => Function::Length,
        "ascii_downcase" => Function::LowerCase,
        "ascii_upcase" => Function::UpperCase,
        "trim" => Function::Trim,
        "ltrim" => Function::TrimStart,
        "rtrim" => Function::TrimEnd,
        "add" => Function::Add,
        "unique" => Function::Unique,
        "sort" => Function::Sort,
        "reverse" => Function::Reverse,
        _ => return None,
    };
    Some(function(of))
}

/// `.[]`
fn each() -> Filter {
    Filter::many(Term::Path(id().into(), vec![Step { key: None, is_optional: false }]))
}

fn item(at: i64) -> Filter {
    let key = Some(Filter::single(Term::Integer(at)));
    Filter::single(Term::Path(id().into(), vec![Step { key, is_optional: false }]))
}

fn any(of: Filter, looked_for: bool, is: Part) -> Filter {
    Filter::single(Term::Any(of.into(), looked_for, is))
}

fn range(from: i64, to: i64) -> Filter {
    Filter::many(Term::Range(from, to))
}

fn integer(term: &T<'_>) -> Option<i64> {
    match term {
        Parsed::Num(number) => number.parse().ok(),
        _ => None,
    }
}

/// `del(.a, .b.c)`
fn deleted(paths: &T<'_>) -> Option<Filter> {
    match paths {
        Parsed::BinOp(one, BinaryOp::Comma, other) => Some(pipe(deleted(one)?, deleted(other)?)),
        path => Some(Filter::single(Term::Delete(names(path)?))),
    }
}

/// Bounded as the interpreter's are; one that is not sound fails there.
fn regex(pattern: &T<'_>) -> Option<regex::Regex> {
    RegexBuilder::new(&literal(pattern)?)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .build()
        .ok()
}
