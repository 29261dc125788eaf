//! Where a value stands in its document, as reports name it.

use std::{borrow::Cow, fmt::Write as _};

/// A step from a value to one inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment<'a> {
    Name(Cow<'a, str>),
    /// A property that the schema does not name; its name may be a customer's value.
    UnknownName,
    Index(usize),
}

impl Segment<'_> {
    pub(super) fn into_owned(self) -> Segment<'static> {
        match self {
            Self::Name(name) => Segment::Name(Cow::Owned(name.into_owned())),
            Self::UnknownName => Segment::UnknownName,
            Self::Index(index) => Segment::Index(index),
        }
    }
}

/// The pointer with real indices, and the one with `*` in their place.
pub(super) fn pointers(place: &[Segment<'_>]) -> (String, String) {
    let (mut exact, mut grouped) = (String::new(), String::new());
    for segment in place {
        exact.push('/');
        grouped.push('/');
        match segment {
            Segment::Name(name) if name.contains(['~', '/']) => {
                let name = name.replace('~', "~0").replace('/', "~1");
                exact.push_str(&name);
                grouped.push_str(&name);
            }
            Segment::Name(name) => {
                exact.push_str(name);
                grouped.push_str(name);
            }
            Segment::UnknownName => {
                exact.push('?');
                grouped.push('?');
            }
            Segment::Index(index) => {
                write!(exact, "{index}").expect("writing to a String");
                grouped.push('*');
            }
        }
    }
    (exact, grouped)
}
