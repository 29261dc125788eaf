//! What plain filters work on: parts of the document as they stand there, and what was made of them.
//!
//! Comparing, adding and indexing are jaq's where this knows what jaq does, and [`Unsure`] everywhere else.

use std::{cmp::Ordering, rc::Rc};

use crate::document::{Kind, LINE_BYTES_MAX, Node, VALUES_MAX};

/// The interpreter has to say what becomes of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unsure;

pub(super) type Answer<T> = Result<T, Unsure>;

/// A longer one made by a filter is left to the interpreter: members are looked for one by one.
const MEMBERS_MAX: usize = 256;

/// A text of the document or the filter, or one that was made.
#[derive(Debug, Clone)]
pub(super) enum Text<'d> {
    Given(&'d str),
    Made(Rc<str>),
}

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Given(text) => text,
            Self::Made(text) => text,
        }
    }
}

pub(super) type Members<'d> = Vec<(Text<'d>, Value<'d>)>;

#[derive(Debug, Clone)]
pub(super) enum Value<'d> {
    Null,
    Boolean(bool),
    Integer(i64),
    Text(Text<'d>),
    /// An array, an object, or a number that is no integer of 64 bits, of which the text is not known here.
    Given(Node<'d>),
    Array(Rc<Vec<Value<'d>>>),
    Object(Rc<Members<'d>>),
}

/// In the order that jq has for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Type {
    Null,
    Boolean,
    Number,
    Text,
    Array,
    Object,
}

impl Type {
    const ALL: [Self; 6] = [Self::Null, Self::Boolean, Self::Number, Self::Text, Self::Array, Self::Object];

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|of| of.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::Text => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

impl<'d> Value<'d> {
    pub(super) fn of(node: Node<'d>) -> Self {
        match node.kind() {
            Kind::Null => Self::Null,
            Kind::Boolean(value) => Self::Boolean(*value),
            Kind::Number(number) => number.as_i64().map_or(Self::Given(node), Self::Integer),
            Kind::Text(text) => Self::text(text),
            Kind::Array(_) | Kind::Object(_) => Self::Given(node),
        }
    }

    pub(super) fn text(text: &'d str) -> Self {
        Self::Text(Text::Given(text))
    }

    pub(super) fn made(text: String) -> Self {
        Self::Text(Text::Made(text.into()))
    }

    pub(super) fn array(items: Vec<Self>) -> Self {
        Self::Array(Rc::new(items))
    }

    pub(super) fn object(members: Members<'d>) -> Self {
        Self::Object(Rc::new(members))
    }

    pub(super) fn type_of(&self) -> Type {
        match self {
            Self::Null => Type::Null,
            Self::Boolean(_) => Type::Boolean,
            Self::Integer(_) => Type::Number,
            Self::Text(_) => Type::Text,
            Self::Array(_) => Type::Array,
            Self::Object(_) => Type::Object,
            Self::Given(node) => match node.kind() {
                Kind::Array(_) => Type::Array,
                Kind::Object(_) => Type::Object,
                _ => Type::Number,
            },
        }
    }

    pub(super) fn is_true(&self) -> bool {
        !matches!(self, Self::Null | Self::Boolean(false))
    }

    pub(super) fn as_text(&self) -> Answer<&str> {
        match self {
            Self::Text(text) => Ok(text.as_str()),
            _ => Err(Unsure),
        }
    }

    pub(super) fn into_text(self) -> Answer<Text<'d>> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(Unsure),
        }
    }

    /// What `.[]` gives; none where it has nothing to give.
    pub(super) fn children(&self) -> Option<Vec<Self>> {
        Some(match self {
            Self::Array(items) => items.to_vec(),
            Self::Object(members) => members.iter().map(|(_, value)| value.clone()).collect(),
            Self::Given(node) if node.is_array() => node.items().map(Self::of).collect(),
            Self::Given(node) if node.is_object() => {
                node.members().map(|(_, value)| Self::of(value)).collect()
            }
            _ => return None,
        })
    }

    pub(super) fn items(&self) -> Answer<Rc<Vec<Self>>> {
        match self {
            Self::Array(items) => Ok(Rc::clone(items)),
            Self::Given(node) if node.is_array() => Ok(Rc::new(node.items().map(Self::of).collect())),
            _ => Err(Unsure),
        }
    }

    pub(super) fn members(&self) -> Answer<Rc<Members<'d>>> {
        let members = match self {
            Self::Object(members) => Rc::clone(members),
            Self::Given(node) if node.is_object() => {
                Rc::new(node.members().map(|(name, value)| (Text::Given(name), Self::of(value))).collect())
            }
            _ => return Err(Unsure),
        };
        if members.len() <= MEMBERS_MAX { Ok(members) } else { Err(Unsure) }
    }

    /// None where it has no such member.
    pub(super) fn get(&self, name: &str) -> Option<Self> {
        match self {
            Self::Given(node) => node.get(name).map(Self::of),
            Self::Object(members) => find(members, name).map(|at| members[at].1.clone()),
            _ => None,
        }
    }

    /// What `.name` gives.
    #[inline]
    pub(super) fn member(&self, name: &str) -> Answer<Self> {
        match self {
            Self::Null => Ok(Self::Null),
            Self::Object(members) => match find(members, name) {
                Some(at) => Ok(members[at].1.clone()),
                None => Ok(Self::Null),
            },
            Self::Given(node) if node.is_object() => match node.get(name) {
                Some(value) => Ok(Self::of(value)),
                None => Ok(Self::Null),
            },
            _ => Err(Unsure),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Given(node) => matches!(node.kind(), Kind::Array(0) | Kind::Object(0)),
            Self::Array(items) => items.is_empty(),
            Self::Object(members) => members.is_empty(),
            _ => false,
        }
    }

    /// What `.[key]` gives.
    pub(super) fn index(&self, key: &Self) -> Answer<Self> {
        match (self, key) {
            (_, Self::Text(name)) => self.member(name.as_str()),
            (Self::Null, _) => Ok(Self::Null),
            (_, Self::Integer(at)) if self.type_of() == Type::Array => Ok(self.item(*at)),
            _ => Err(Unsure),
        }
    }

    /// Whether jq fails for `.[key]`.
    pub(super) fn has_no_index(&self, key: &Self) -> bool {
        matches!(key, Self::Text(_)) && !matches!(self.type_of(), Type::Null | Type::Object)
    }

    fn item(&self, at: i64) -> Self {
        let position = |length: usize| {
            let distance = usize::try_from(at.unsigned_abs()).ok()?;
            if at < 0 { length.checked_sub(distance) } else { Some(distance) }
        };
        let item = match self {
            Self::Array(items) => position(items.len()).and_then(|at| items.get(at)).cloned(),
            Self::Given(node) => position(node.items().count()).and_then(|at| node.item(at)).map(Self::of),
            _ => None,
        };
        item.unwrap_or(Self::Null)
    }

    pub(super) fn length(&self) -> Answer<usize> {
        match self {
            Self::Null => Ok(0),
            Self::Text(text) => Ok(text.as_str().chars().count()),
            Self::Boolean(_) | Self::Integer(_) => Err(Unsure),
            Self::Given(_) | Self::Array(_) | Self::Object(_) => {
                self.children().map(|children| children.len()).ok_or(Unsure)
            }
        }
    }

    pub(super) fn equals(&self, other: &Self) -> Answer<bool> {
        let types = (self.type_of(), other.type_of());
        if types.0 != types.1 {
            return Ok(false);
        }
        match types.0 {
            Type::Array => {
                let (items, others) = (self.items()?, other.items()?);
                if items.len() != others.len() {
                    return Ok(false);
                }
                all(items.iter().zip(others.iter()), |(item, other)| item.equals(other))
            }
            Type::Object => {
                let (members, others) = (self.members()?, other.members()?);
                if members.len() != others.len() {
                    return Ok(false);
                }
                all(members.iter(), |(name, value)| match find(&others, name.as_str()) {
                    Some(at) => value.equals(&others[at].1),
                    None => Ok(false),
                })
            }
            _ => self.order(other).map(Ordering::is_eq),
        }
    }

    /// In jq's order.
    pub(super) fn order(&self, other: &Self) -> Answer<Ordering> {
        match (self, other) {
            (Self::Null, Self::Null) => Ok(Ordering::Equal),
            (Self::Boolean(one), Self::Boolean(other)) => Ok(one.cmp(other)),
            (Self::Integer(one), Self::Integer(other)) => Ok(one.cmp(other)),
            (Self::Text(one), Self::Text(other)) => Ok(one.as_str().cmp(other.as_str())),
            _ => {
                let (one, other) = (self.type_of(), other.type_of());
                if one == other { Err(Unsure) } else { Ok(one.cmp(&other)) }
            }
        }
    }

    pub(super) fn plus(self, other: Self) -> Answer<Self> {
        Ok(match (self, other) {
            (Self::Null, value) | (value, Self::Null) => value,
            (Self::Integer(one), Self::Integer(other)) => {
                Self::Integer(one.checked_add(other).ok_or(Unsure)?)
            }
            (Self::Text(one), Self::Text(other)) => {
                let (one, other) = (one.as_str(), other.as_str());
                short(one.len() + other.len(), LINE_BYTES_MAX)?;
                Self::made([one, other].concat())
            }
            (one, other) if one.type_of() == Type::Array => {
                let (mut items, others) = (one.items()?, other.items()?);
                drop(one);
                short(items.len() + others.len(), VALUES_MAX)?;
                Rc::make_mut(&mut items).extend(others.iter().cloned());
                Self::Array(items)
            }
            (one, other) => {
                let (mut members, others) = (one.members()?, other.members()?);
                drop(one);
                let all = Rc::make_mut(&mut members);
                for (name, value) in Rc::unwrap_or_clone(others) {
                    insert(all, name, value)?;
                }
                Self::Object(members)
            }
        })
    }
}

pub(super) fn find(members: &Members<'_>, name: &str) -> Option<usize> {
    members.iter().position(|(other, _)| other.as_str() == name)
}

/// In place of the member of this name, or behind all others.
pub(super) fn insert<'d>(members: &mut Members<'d>, name: Text<'d>, value: Value<'d>) -> Answer<()> {
    match find(members, name.as_str()) {
        Some(at) => members[at].1 = value,
        None if members.len() >= MEMBERS_MAX => return Err(Unsure),
        None => members.push((name, value)),
    }
    Ok(())
}

/// What grows beyond a document is left to the interpreter.
pub(super) fn short(length: usize, most: usize) -> Answer<()> {
    if length <= most { Ok(()) } else { Err(Unsure) }
}

fn all<T>(of: impl Iterator<Item = T>, mut is: impl FnMut(T) -> Answer<bool>) -> Answer<bool> {
    for one in of {
        if !is(one)? {
            return Ok(false);
        }
    }
    Ok(true)
}
