//! A JSON Schema as rules for each property of a customer profile, as far as they say all that it asks.
//!
//! The tables hold one shape, so a document of any other is refused whatever its schema says. For that shape most schemas
//! can be taken apart into few kinds of rules, which `scan` holds a document against while it reads it. A schema that asks
//! for more than these can say (`anyOf`, `if`, …) has no rules, and its documents all go to the validator.

mod compile;
mod flatten;

use jsonschema::Validator;

use super::{
    formats::{is_phone_type, is_plain_email, is_plain_number},
    tree::{TreeJson, with_text},
};

/// The properties of an object in the order of their bits.
pub(super) mod bits {
    pub(crate) const ROOT: [&str; 8] =
        ["id", "firstName", "middleName", "lastName", "emails", "phoneNumbers", "address", "privacySettings"];
    pub(crate) const ID: u8 = 1;
    pub(crate) const FIRST_NAME: u8 = 1 << 1;
    pub(crate) const MIDDLE_NAME: u8 = 1 << 2;
    pub(crate) const LAST_NAME: u8 = 1 << 3;
    pub(crate) const EMAILS: u8 = 1 << 4;
    pub(crate) const PHONE_NUMBERS: u8 = 1 << 5;
    pub(crate) const ADDRESS: u8 = 1 << 6;
    pub(crate) const PRIVACY_SETTINGS: u8 = 1 << 7;
    /// What the tables need.
    pub(crate) const ROOT_NEEDED: u8 = ID | FIRST_NAME | LAST_NAME | PRIVACY_SETTINGS;

    pub(crate) const PHONE: [&str; 2] = ["type", "number"];
    pub(crate) const TYPE: u8 = 1;
    pub(crate) const NUMBER: u8 = 1 << 1;

    pub(crate) const POSTAL: [&str; 6] = ["line1", "line2", "city", "state", "postalCode", "country"];
    pub(crate) const LINE1: u8 = 1;
    pub(crate) const LINE2: u8 = 1 << 1;
    pub(crate) const CITY: u8 = 1 << 2;
    pub(crate) const STATE: u8 = 1 << 3;
    pub(crate) const POSTAL_CODE: u8 = 1 << 4;
    pub(crate) const COUNTRY: u8 = 1 << 5;
    pub(crate) const POSTAL_NEEDED: u8 = LINE1 | CITY | STATE | POSTAL_CODE | COUNTRY;

    pub(crate) const PRIVACY: [&str; 2] = ["marketingEmailsEnabled", "twoFactorEnabled"];
    pub(crate) const MARKETING_EMAILS_ENABLED: u8 = 1;
    pub(crate) const TWO_FACTOR_ENABLED: u8 = 1 << 1;
}

#[derive(Debug)]
pub(super) struct Rules {
    pub(super) root: ObjectRule,
    pub(super) id: TextRule,
    pub(super) first_name: TextRule,
    pub(super) middle_name: TextRule,
    pub(super) last_name: TextRule,
    pub(super) emails: ListRule,
    pub(super) email: TextRule,
    pub(super) phone_numbers: ListRule,
    pub(super) phone: ObjectRule,
    pub(super) kind: TextRule,
    pub(super) number: TextRule,
    pub(super) address: ObjectRule,
    pub(super) line1: TextRule,
    pub(super) line2: TextRule,
    pub(super) city: TextRule,
    pub(super) state: TextRule,
    pub(super) postal_code: TextRule,
    pub(super) country: TextRule,
    pub(super) privacy_settings: ObjectRule,
    /// Whether false and true are allowed.
    pub(super) marketing_emails_enabled: [bool; 2],
    pub(super) two_factor_enabled: [bool; 2],
}

/// Which properties an object may have, a bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ObjectRule {
    /// Those that have to be there.
    pub(super) required: u8,
    /// Those that may be there with a value other than null.
    pub(super) allowed: u8,
    /// Those that may be null, and are then as good as absent.
    pub(super) nullable: u8,
    /// How many there are.
    pub(super) least: u64,
    pub(super) most: u64,
}

impl ObjectRule {
    /// Whether an object may have these properties and no others.
    pub(super) fn accepts(&self, seen: u8) -> bool {
        let count = u64::from(seen.count_ones());
        seen & self.required == self.required && self.least <= count && count <= self.most
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListRule {
    pub(super) least: u64,
    pub(super) most: u64,
    pub(super) is_unique: bool,
}

impl ListRule {
    pub(super) fn accepts(&self, items: usize) -> bool {
        (self.least..=self.most).contains(&(items as u64))
    }
}

#[derive(Debug)]
pub(super) struct TextRule {
    /// In characters.
    least: u64,
    most: u64,
    /// All that it has to look like.
    forms: Vec<Form>,
}

/// What a text has to look like.
#[derive(Debug)]
enum Form {
    /// An e-mail address; the validator decides on unusual ones.
    Email(Box<Validator<TreeJson>>),
    /// `^\+?[1-9]\d{1,14}$`
    Number,
    /// One of those of the table.
    PhoneType,
    OneOf(Vec<String>),
    /// Anything else, in the validator's words.
    Other(Box<Validator<TreeJson>>),
}

impl TextRule {
    #[inline]
    pub(super) fn accepts(&self, text: &str) -> bool {
        self.has_length(text) && (self.forms.is_empty() || self.has_forms(text))
    }

    #[inline(never)]
    fn has_forms(&self, text: &str) -> bool {
        self.forms.iter().all(|form| form.accepts(text))
    }

    /// A character takes one to four bytes.
    #[inline]
    fn has_length(&self, text: &str) -> bool {
        let bytes = text.len() as u64;
        let is_sure = bytes.div_ceil(4) >= self.least && bytes <= self.most;
        is_sure || self.has_characters(text)
    }

    #[inline(never)]
    fn has_characters(&self, text: &str) -> bool {
        (self.least..=self.most).contains(&(text.chars().count() as u64))
    }
}

impl Form {
    fn accepts(&self, text: &str) -> bool {
        match self {
            Self::Email(validator) => is_plain_email(text) || is_valid(validator, text),
            Self::Number => is_plain_number(text),
            Self::PhoneType => is_phone_type(text),
            Self::OneOf(texts) => texts.iter().any(|one| one == text),
            Self::Other(validator) => is_valid(validator, text),
        }
    }
}

#[cold]
fn is_valid(validator: &Validator<TreeJson>, text: &str) -> bool {
    with_text(text, |text| validator.is_valid(text))
}
