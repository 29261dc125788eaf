//! jq's own functions, over what they are plain for.

use std::cmp::Ordering;

use jaq_core::ops::Cmp;
use regex::Regex;

use super::{
    filter::{Function, OfTexts, What},
    value::{Answer, Text, Type, Unsure, Value, short},
};
use crate::{
    document::{LINE_BYTES_MAX, parse_uuid},
    map::natives::hyphenated,
};

/// A sum of more is copied too often.
const ADDED_MAX: usize = 1000;

impl Function {
    pub(super) fn of<'d>(self, input: &Value<'d>) -> Answer<Value<'d>> {
        Ok(match self {
            Self::Not => Value::Boolean(!input.is_true()),
            Self::ToText => return to_text(input),
            Self::TypeName => Value::text(input.type_of().name()),
            Self::Is(other) => Value::Boolean(input.type_of() == other),
            Self::Length => Value::Integer(i64::try_from(input.length()?).map_err(|_| Unsure)?),
            Self::LowerCase => in_case(input, u8::is_ascii_uppercase, str::to_ascii_lowercase)?,
            Self::UpperCase => in_case(input, u8::is_ascii_lowercase, str::to_ascii_uppercase)?,
            Self::Trim => part(input, str::trim)?,
            Self::TrimStart => part(input, str::trim_start)?,
            Self::TrimEnd => part(input, str::trim_end)?,
            Self::Add => {
                let children = input.children().ok_or(Unsure)?;
                short(children.len(), ADDED_MAX)?;
                children.into_iter().try_fold(Value::Null, Value::plus)?
            }
            Self::Unique => {
                let mut items = sorted(input)?;
                items.dedup_by(|item, before| before.equals(item) == Ok(true));
                Value::array(items)
            }
            Self::Sort => Value::array(sorted(input)?),
            Self::Reverse => Value::array(input.items()?.iter().rev().cloned().collect()),
        })
    }
}

impl OfTexts {
    pub(super) fn of<'d>(self, input: &Value<'d>, other: &Value<'d>) -> Answer<Value<'d>> {
        let other = other.as_text()?;
        Ok(match self {
            Self::StartsWith => Value::Boolean(input.as_text()?.starts_with(other)),
            Self::EndsWith => Value::Boolean(input.as_text()?.ends_with(other)),
            Self::WithoutStart => part(input, |text| text.strip_prefix(other).unwrap_or(text))?,
            Self::WithoutEnd => part(input, |text| text.strip_suffix(other).unwrap_or(text))?,
            Self::Split => match input.as_text()? {
                "" => Value::array(Vec::new()),
                _ if other.is_empty() => return Err(Unsure),
                text => match input {
                    Value::Text(Text::Given(text)) => {
                        Value::array(text.split(other).map(Value::text).collect())
                    }
                    _ => Value::array(text.split(other).map(|part| Value::made(part.to_owned())).collect()),
                },
            },
            Self::Join => {
                let items = input.items()?;
                let texts = items.iter().map(|item| to_text(item)?.into_text());
                let texts = texts.collect::<Answer<Vec<_>>>()?;
                let length = texts.iter().map(|text| text.as_str().len() + other.len()).sum();
                short(length, LINE_BYTES_MAX)?;
                Value::made(texts.iter().map(Text::as_str).collect::<Vec<_>>().join(other))
            }
            Self::Has => {
                input.members()?;
                Value::Boolean(input.get(other).is_some())
            }
            Self::Uuid5 => {
                let namespace = parse_uuid(other).ok_or(Unsure)?;
                Value::made(hyphenated(&namespace, input.as_text()?.as_bytes()))
            }
        })
    }
}

pub(super) fn is(value: &Value<'_>, what: &What) -> bool {
    match what {
        What::Type(of) => value.type_of() == *of,
        What::Text(text) => value.as_text() == Ok(text),
        What::EmptyArray => value.type_of() == Type::Array && value.is_empty(),
        What::EmptyObject => value.type_of() == Type::Object && value.is_empty(),
    }
}

pub(super) fn compare(op: Cmp, one: &Value<'_>, other: &Value<'_>) -> Answer<bool> {
    let order = || one.order(other);
    Ok(match op {
        Cmp::Eq => one.equals(other)?,
        Cmp::Ne => !one.equals(other)?,
        Cmp::Lt => order()?.is_lt(),
        Cmp::Le => order()?.is_le(),
        Cmp::Gt => order()?.is_gt(),
        Cmp::Ge => order()?.is_ge(),
    })
}

pub(super) fn entry<'d>(name: Text<'d>, value: Value<'d>) -> Value<'d> {
    Value::object(vec![(Text::Given("key"), Value::Text(name)), (Text::Given("value"), value)])
}

pub(super) fn to_entries<'d>(input: &Value<'d>) -> Answer<Value<'d>> {
    let members = input.members()?;
    Ok(Value::array(members.iter().map(|(name, value)| entry(name.clone(), value.clone())).collect()))
}

/// The text with what the pattern matches, once or wherever it does, replaced.
pub(super) fn replace<'d>(
    input: &Value<'d>,
    regex: &Regex,
    is_global: bool,
    with: &str,
) -> Answer<Value<'d>> {
    let text = input.as_text()?;
    let mut matches = regex.find_iter(text).take(if is_global { usize::MAX } else { 1 }).peekable();
    if matches.peek().is_none() {
        return Ok(input.clone());
    }
    let (mut replaced, mut from) = (String::with_capacity(text.len()), 0);
    for found in matches {
        replaced.push_str(&text[from..found.start()]);
        replaced.push_str(with);
        from = found.end();
        short(replaced.len(), LINE_BYTES_MAX)?;
    }
    replaced.push_str(&text[from..]);
    short(replaced.len(), LINE_BYTES_MAX)?;
    Ok(Value::made(replaced))
}

fn to_text<'d>(input: &Value<'d>) -> Answer<Value<'d>> {
    Ok(match input {
        Value::Null => Value::text("null"),
        Value::Boolean(true) => Value::text("true"),
        Value::Boolean(false) => Value::text("false"),
        Value::Integer(integer) => Value::made(integer.to_string()),
        Value::Text(_) => input.clone(),
        Value::Given(_) | Value::Array(_) | Value::Object(_) => return Err(Unsure),
    })
}

fn in_case<'d>(
    input: &Value<'d>,
    is_other: fn(&u8) -> bool,
    change: fn(&str) -> String,
) -> Answer<Value<'d>> {
    let text = input.as_text()?;
    if text.bytes().any(|byte| is_other(&byte)) { Ok(Value::made(change(text))) } else { Ok(input.clone()) }
}

/// A part of the text, or all of it.
fn part<'d>(input: &Value<'d>, part: impl for<'t> Fn(&'t str) -> &'t str) -> Answer<Value<'d>> {
    let Value::Text(text) = input else { return Err(Unsure) };
    Ok(match text {
        Text::Given(text) => Value::text(part(text)),
        Text::Made(text) => match part(text) {
            all if all.len() == text.len() => input.clone(),
            part => Value::made(part.to_owned()),
        },
    })
}

fn sorted<'d>(input: &Value<'d>) -> Answer<Vec<Value<'d>>> {
    let mut items = input.items()?.to_vec();
    let has_order = |item: &Value<'d>| !matches!(item, Value::Given(_) | Value::Array(_) | Value::Object(_));
    if !items.iter().all(has_order) {
        return Err(Unsure);
    }
    items.sort_by(|one, other| one.order(other).unwrap_or(Ordering::Equal));
    Ok(items)
}
