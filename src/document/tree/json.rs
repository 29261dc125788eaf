//! The tree as the jsonschema crate sees it.

use std::{borrow::Cow, slice, sync::OnceLock};

use jsonschema::{
    JsonType,
    json::{self, Json, NodeIdentity, cmp},
};
use jsonschema_value::LazyInstance;
use serde::Deserialize as _;
use serde_json::{Number, Value};

use super::{Entry, Items, Kind, Members, Node};

/// Lists of more texts are sorted to find those that come twice.
const COMPARED_MAX: usize = 8;

/// The representation of JSON that validators are compiled for.
#[derive(Debug)]
pub(crate) struct TreeJson;

impl Json for TreeJson {
    type Node<'a> = Node<'a>;
    type PreparedKey = String;
    type StringBuffer = ();

    // A lookup goes through the members.
    const KEYS_PER_LOOKUP: usize = 4;
    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(Node<'_>) -> T) -> T {
        with_text(string, f)
    }
}

/// A text by itself as a value.
pub(crate) fn with_text<T>(text: &str, use_it: impl FnOnce(Node<'_>) -> T) -> T {
    let entry = Entry { name: "", kind: Kind::Text(text), end: 1, is_replaced: false, is_again: false };
    use_it(Node { entries: slice::from_ref(&entry), at: 0 })
}

/// The value of a text that was read before.
fn value_of(text: &[u8]) -> Value {
    let mut parser = serde_json::Deserializer::from_slice(text);
    parser.disable_recursion_limit(); // `parse` has looked at it
    Value::deserialize(&mut parser).unwrap_or_default()
}

impl<'a> json::Node<'a, TreeJson> for Node<'a> {
    type Object = Self;
    type Array = Self;
    type Number = &'a Number;

    fn as_object(&self) -> Option<Self> {
        self.is_object().then_some(*self)
    }

    fn as_array(&self) -> Option<Self> {
        self.is_array().then_some(*self)
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        self.as_str().map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<&'a Number> {
        match self.kind() {
            Kind::Number(number) => Some(number),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        self.as_bool()
    }

    fn is_null(&self) -> bool {
        Node::is_null(*self)
    }

    fn json_type(&self) -> JsonType {
        match self.kind() {
            Kind::Null => JsonType::Null,
            Kind::Boolean(_) => JsonType::Boolean,
            Kind::Number(_) => JsonType::Number,
            Kind::Text(_) => JsonType::String,
            Kind::Array(_) => JsonType::Array,
            Kind::Object(_) => JsonType::Object,
        }
    }

    fn string_length_within(&self, min: u64, max: u64) -> Option<bool> {
        let text = self.as_str()?;
        // A character takes one to four bytes.
        let (bytes, to_u64) = (text.len() as u64, |count: usize| count as u64);
        let fewest = bytes.div_ceil(4);
        Some(if bytes < min || fewest > max {
            false
        } else if min <= fewest && bytes <= max {
            true
        } else {
            (min..=max).contains(&to_u64(text.chars().count()))
        })
    }

    fn equals_value(&self, expected: &Value) -> bool {
        match (self.kind(), expected) {
            (Kind::Text(text), Value::String(expected)) => text == expected,
            (Kind::Boolean(value), Value::Bool(expected)) => value == expected,
            (Kind::Null, Value::Null) => true,
            (Kind::Text(_) | Kind::Boolean(_) | Kind::Null, _) => false,
            _ => cmp::equal(&self.to_value(), expected),
        }
    }

    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Owned(match self.kind() {
            Kind::Null => Value::Null,
            Kind::Boolean(value) => Value::Bool(*value),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String((*text).to_owned()),
            Kind::Array(_) => Value::Array(self.items().map(|item| item.to_value().into_owned()).collect()),
            Kind::Object(_) => Value::Object(
                Node::members(*self)
                    .map(|(name, value)| (name.to_owned(), value.to_value().into_owned()))
                    .collect(),
            ),
        })
    }

    /// An error gives its place and kind, from which all else is found: a copy of the value would cost more than all the rest.
    /// The crate itself looks into the whole document where a pattern gives up.
    fn lazy_value(&self) -> LazyInstance<'a> {
        if self.at > 0 {
            return LazyInstance::Ready(Cow::Owned(Value::Null));
        }
        let bytes = self.entry().name.as_bytes();
        LazyInstance::Deferred { bytes, tag: 0, make: |bytes, _| value_of(bytes), cell: OnceLock::new() }
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref(self.entry()).addr()))
    }
}

impl<'a> json::Object<'a, TreeJson> for Node<'a> {
    type Node = Self;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        match self.kind() {
            Kind::Object(members) => *members,
            _ => 0,
        }
    }

    fn get(&self, key: &String) -> Option<Self> {
        Node::get(*self, key)
    }

    fn members(&self) -> Members<'a> {
        Node::members(*self)
    }
}

impl<'a> json::Array<'a, TreeJson> for Node<'a> {
    type Node = Self;
    type ElementsIter = Items<'a>;

    fn len(&self) -> usize {
        match self.kind() {
            Kind::Array(items) => *items,
            _ => 0,
        }
    }

    fn elements(&self) -> Items<'a> {
        self.items()
    }

    fn is_unique(&self) -> bool {
        if json::Array::len(self) <= COMPARED_MAX && self.items().all(|item| item.as_str().is_some()) {
            let is_new = |(at, text): (usize, Self)| {
                self.items().take(at).all(|other| other.as_str() != text.as_str())
            };
            return self.items().enumerate().all(is_new);
        }
        let texts: Option<Vec<_>> = self.items().map(Node::as_str).collect();
        let Some(mut texts) = texts else {
            let values: Vec<_> = self.items().map(|item| json::Node::to_value(&item)).collect();
            return json::unique::is_unique(&values);
        };
        texts.sort_unstable();
        texts.windows(2).all(|pair| pair[0] != pair[1])
    }
}
