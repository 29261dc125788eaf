//! A JSON document as a list of its values in their order, which borrows its texts from the line.
//!
//! One list is used for one document after another (see [`Storage`]), so that a document costs no allocation.

mod json;
mod parse;

pub(super) use json::{TreeJson, with_text};
pub(super) use parse::{SAMPLES, sample};
use serde_json::Number;

use super::place::Segment;

/// How deep arrays and objects may stand in each other, the outermost counted as 1.
pub const DEPTH_MAX: usize = 128;

/// How many values a document may hold, those of its members and items included: hundreds of times as many as any
/// customer has, and few enough to be held in memory.
pub const VALUES_MAX: usize = 100_000;

/// What a value is; arrays and objects say how many values or members they hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind<'t> {
    Null,
    Boolean(bool),
    Number(Number),
    Text(&'t str),
    Array(usize),
    Object(usize),
}

#[derive(Debug, Clone, PartialEq)]
struct Entry<'t> {
    /// Of a member; empty for an item. The document has its own text here.
    name: &'t str,
    kind: Kind<'t>,
    /// Index of the first entry that is not within this value.
    end: usize,
    /// Whether the same name comes again in its object: what comes last counts.
    is_replaced: bool,
    /// Whether the same name came before in its object.
    is_again: bool,
}

/// Memory for one tree after another.
#[derive(Debug, Default)]
pub(super) struct Storage {
    entries: Vec<Entry<'static>>,
}

/// More than this is given back before the next document.
const STORED_ENTRIES_MAX: usize = 10_000;

/// The values of a document.
#[derive(Debug)]
pub(super) struct Tree<'t> {
    entries: Vec<Entry<'t>>,
    /// Members whose names came before in their objects.
    duplicates: usize,
    /// Whether a text, wherever it stands, has U+0000 or more bytes than a column may have characters.
    may_have_text_fault: bool,
}

impl Storage {
    fn take<'t>(&mut self) -> Vec<Entry<'t>> {
        recycled(std::mem::take(&mut self.entries))
    }
}

impl Tree<'_> {
    pub(super) fn may_have_text_fault(&self) -> bool {
        self.may_have_text_fault
    }

    pub(super) fn root(&self) -> Node<'_> {
        Node { entries: &self.entries, at: 0 }
    }

    /// The places of members whose names came before in their objects, of so many at most.
    pub(super) fn duplicates(
        &self,
        most: usize,
        segment: impl Fn(&str) -> Segment<'static>,
    ) -> Vec<Vec<Segment<'static>>> {
        let mut found = Vec::new();
        if self.duplicates > 0 {
            self.collect_duplicates(0, &mut Vec::new(), &mut |place: &[(usize, Option<usize>)]| {
                let step = |(at, index): &(usize, Option<usize>)| {
                    index.map_or_else(|| segment(self.entries[*at].name), Segment::Index)
                };
                if found.len() < most {
                    found.push(place.iter().map(step).collect());
                }
            });
        }
        found
    }

    /// `place` is made of entries, and of their indices in arrays.
    fn collect_duplicates(
        &self,
        at: usize,
        place: &mut Vec<(usize, Option<usize>)>,
        found: &mut impl FnMut(&[(usize, Option<usize>)]),
    ) {
        let is_array = matches!(self.entries[at].kind, Kind::Array(_));
        let (mut next, mut index) = (at + 1, 0);
        while next < self.entries[at].end {
            let entry = &self.entries[next];
            place.push((next, is_array.then_some(index)));
            self.collect_duplicates(next, place, found);
            if entry.is_again {
                found(place);
            }
            place.pop();
            (next, index) = (entry.end, index + 1);
        }
    }

    /// Leaves its memory to the next one.
    pub(super) fn give_back(self, storage: &mut Storage) {
        if self.entries.capacity() <= STORED_ENTRIES_MAX {
            storage.entries = recycled(self.entries);
        }
    }
}

/// The same memory, empty, for entries that borrow from somewhere else: collecting in place does not allocate.
fn recycled<'a>(mut entries: Vec<Entry<'_>>) -> Vec<Entry<'a>> {
    entries.clear();
    entries.into_iter().map(|_| unreachable!("the list is empty")).collect()
}

/// A value of a document.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    entries: &'a [Entry<'a>],
    at: usize,
}

impl<'a> Node<'a> {
    fn entry(self) -> &'a Entry<'a> {
        &self.entries[self.at]
    }

    pub fn kind(self) -> &'a Kind<'a> {
        &self.entry().kind
    }

    pub fn is_null(self) -> bool {
        matches!(self.kind(), Kind::Null)
    }

    pub fn is_object(self) -> bool {
        matches!(self.kind(), Kind::Object(_))
    }

    pub fn is_array(self) -> bool {
        matches!(self.kind(), Kind::Array(_))
    }

    pub fn as_str(self) -> Option<&'a str> {
        match self.kind() {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_bool(self) -> Option<bool> {
        match self.kind() {
            Kind::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    /// The value of a member; none where this is no object.
    pub fn get(self, name: &str) -> Option<Self> {
        self.members().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// An item; none where this is no array.
    pub fn item(self, index: usize) -> Option<Self> {
        self.items().nth(index)
    }

    /// None where this is no object.
    pub fn members(self) -> Members<'a> {
        Members(if self.is_object() { self.children() } else { self.no_children() })
    }

    /// None where this is no array.
    pub fn items(self) -> Items<'a> {
        Items(if self.is_array() { self.children() } else { self.no_children() })
    }

    fn children(self) -> Children<'a> {
        Children { entries: self.entries, at: self.at + 1, end: self.entry().end }
    }

    fn no_children(self) -> Children<'a> {
        Children { entries: self.entries, at: 0, end: 0 }
    }
}

#[derive(Debug)]
struct Children<'a> {
    entries: &'a [Entry<'a>],
    at: usize,
    end: usize,
}

impl<'a> Iterator for Children<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        while self.at < self.end {
            let node = Node { entries: self.entries, at: self.at };
            self.at = node.entry().end;
            if !node.entry().is_replaced {
                return Some(node);
            }
        }
        None
    }
}

#[derive(Debug)]
pub struct Members<'a>(Children<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Node<'a>);

    fn next(&mut self) -> Option<(&'a str, Node<'a>)> {
        self.0.next().map(|node| (node.entry().name, node))
    }
}

#[derive(Debug)]
pub struct Items<'a>(Children<'a>);

impl<'a> Iterator for Items<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        self.0.next()
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::{Node, Storage, Tree};

    /// Gives a value as a tree.
    pub(crate) fn with_tree<T>(value: &serde_json::Value, use_it: impl FnOnce(Node<'_>) -> T) -> T {
        let text = value.to_string();
        let mut room = vec![0; text.len()];
        let tree = Tree::parse(&text, &mut room, &mut Storage::default()).expect("JSON");
        use_it(tree.root())
    }
}
