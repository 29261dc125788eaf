//! What the properties look like, as reports have it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Lengths;

/// What the properties look like, of accepted documents and of rejected ones as far as they could be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldProfile {
    /// How many documents are described.
    pub documents: u64,
    /// Those with an `id`.
    pub ids: u64,
    /// Those with an `address`.
    pub addresses: u64,
    pub texts: Vec<TextField>,
    pub lists: Vec<ListField>,
    pub choices: Vec<ChoiceField>,
}

/// A text property, or the texts in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextField {
    pub pointer: String,
    pub characters: Lengths,
    /// Of the column, in characters.
    pub limit: Option<u64>,
}

/// A list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListField {
    pub pointer: String,
    pub items: Lengths,
}

/// A property that has one of a few public values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceField {
    pub pointer: String,
    pub values: BTreeMap<String, u64>,
    /// Values that are none of the public ones; they are not kept.
    pub other: u64,
}

impl FieldProfile {
    /// Adds what another part of the documents looks like.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.documents += other.documents;
        self.ids += other.ids;
        self.addresses += other.addresses;
        for more in &other.texts {
            match self.texts.iter_mut().find(|field| field.pointer == more.pointer) {
                Some(field) => field.characters.merge(&more.characters),
                None => self.texts.push(more.clone()),
            }
        }
        for more in &other.lists {
            match self.lists.iter_mut().find(|field| field.pointer == more.pointer) {
                Some(field) => field.items.merge(&more.items),
                None => self.lists.push(more.clone()),
            }
        }
        for more in &other.choices {
            let Some(field) = self.choices.iter_mut().find(|field| field.pointer == more.pointer) else {
                self.choices.push(more.clone());
                continue;
            };
            field.other += more.other;
            for (value, count) in &more.values {
                *field.values.entry(value.clone()).or_default() += count;
            }
        }
    }
}
