//! What the properties of the documents look like: how often they are there, how long they are, and the few values that
//! are not a customer's own.
//!
//! No text of a document gets in here. Of values there are only those of public lists: the labels of phone types, true
//! and false, and the country codes of ISO 3166-1.

mod rejected;

use std::collections::BTreeMap;

use super::{
    ChoiceField, FieldProfile, Lengths, ListField, TextField,
    characters::{characters, is_part},
    countries::COUNTRIES,
};
use crate::{
    document::Profile,
    tables::{COUNTRY_CHARS_MAX, EMAIL_CHARS_MAX, NUMBER_CHARS_MAX, PHONE_TYPES},
};

/// Pairs of capital letters.
const PAIRS: usize = 26 * 26;

/// Texts below this length are counted in an array.
const SHORT: usize = 48;

const EMAILS: usize = 0;
const PHONE_NUMBERS: usize = 1;

/// A text property, in the order of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    FirstName,
    MiddleName,
    LastName,
    Email,
    PhoneNumber,
    Line1,
    Line2,
    City,
    State,
    PostalCode,
    Country,
}

impl Text {
    const ALL: [Self; 11] = [
        Self::FirstName,
        Self::MiddleName,
        Self::LastName,
        Self::Email,
        Self::PhoneNumber,
        Self::Line1,
        Self::Line2,
        Self::City,
        Self::State,
        Self::PostalCode,
        Self::Country,
    ];

    const ADDRESS: [(Self, &str); 6] = [
        (Self::Line1, "line1"),
        (Self::Line2, "line2"),
        (Self::City, "city"),
        (Self::State, "state"),
        (Self::PostalCode, "postalCode"),
        (Self::Country, "country"),
    ];

    fn pointer(self) -> &'static str {
        match self {
            Self::FirstName => "/firstName",
            Self::MiddleName => "/middleName",
            Self::LastName => "/lastName",
            Self::Email => "/emails/*",
            Self::PhoneNumber => "/phoneNumbers/*/number",
            Self::Line1 => "/address/line1",
            Self::Line2 => "/address/line2",
            Self::City => "/address/city",
            Self::State => "/address/state",
            Self::PostalCode => "/address/postalCode",
            Self::Country => "/address/country",
        }
    }

    /// Of the column, in characters.
    fn limit(self) -> Option<usize> {
        match self {
            Self::Email => Some(EMAIL_CHARS_MAX),
            Self::PhoneNumber => Some(NUMBER_CHARS_MAX),
            Self::Country => Some(COUNTRY_CHARS_MAX),
            _ => None,
        }
    }
}

/// What is counted while documents are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldCounts {
    documents: u64,
    ids: u64,
    /// Texts of fewer characters than [`SHORT`], by length: most of them.
    short: [[u32; SHORT]; Text::ALL.len()],
    texts: [Lengths; Text::ALL.len()],
    /// E-mails and phone numbers of a document: fewer than [`SHORT`], and more.
    short_lists: [[u32; SHORT]; 2],
    lists: [Lengths; 2],
    addresses: u64,
    phone_types: [u64; PHONE_TYPES.len()],
    /// Strings that are no label.
    other_phone_types: u64,
    countries: Box<[u64; PAIRS]>,
    /// Strings that are no pair of capital letters.
    other_countries: u64,
    /// Marketing e-mails, two-factor authentication: false, true.
    booleans: [[u64; 2]; 2],
}

impl Default for FieldCounts {
    fn default() -> Self {
        Self {
            documents: 0,
            ids: 0,
            short: [[0; SHORT]; Text::ALL.len()],
            texts: Default::default(),
            short_lists: [[0; SHORT]; 2],
            lists: Default::default(),
            addresses: 0,
            phone_types: [0; PHONE_TYPES.len()],
            other_phone_types: 0,
            countries: Box::new([0; PAIRS]),
            other_countries: 0,
            booleans: [[0; 2]; 2],
        }
    }
}

impl FieldCounts {
    /// Counts an accepted document, whose text is `line`.
    pub(crate) fn add(&mut self, profile: &Profile<'_>, line: &[u8]) {
        let is_ascii = line.is_ascii();
        let characters = |text: &str| characters_of(text, line, is_ascii);
        self.documents += 1;
        self.ids += 1;
        self.text(Text::FirstName, characters(profile.first_name));
        if let Some(name) = profile.middle_name {
            self.text(Text::MiddleName, characters(name));
        }
        self.text(Text::LastName, characters(profile.last_name));
        self.list(EMAILS, profile.emails.len());
        profile.emails.iter().for_each(|email| self.text(Text::Email, characters(email)));
        if !profile.phone_numbers.is_empty() {
            self.list(PHONE_NUMBERS, profile.phone_numbers.len());
        }
        for phone in profile.phone_numbers.iter() {
            // One of the labels, which differ in their first bytes.
            self.phone_types[label_like(phone.kind).unwrap_or_default()] += 1;
            self.text(Text::PhoneNumber, characters(phone.number));
        }
        if let Some(address) = &profile.address {
            self.addresses += 1;
            self.text(Text::Line1, characters(address.line1));
            if let Some(line2) = address.line2 {
                self.text(Text::Line2, characters(line2));
            }
            self.text(Text::City, characters(address.city));
            self.text(Text::State, characters(address.state));
            self.text(Text::PostalCode, characters(address.postal_code));
            self.country(address.country, characters);
        }
        let booleans = [profile.marketing_emails_enabled, profile.two_factor_enabled];
        for (counts, value) in self.booleans.iter_mut().zip(booleans) {
            counts[usize::from(value)] += 1;
        }
    }

    #[inline]
    fn text(&mut self, text: Text, length: usize) {
        match self.short[text as usize].get_mut(length) {
            Some(count) => *count += 1,
            None => self.texts[text as usize].add(count(length)),
        }
    }

    #[inline]
    fn list(&mut self, list: usize, items: usize) {
        match self.short_lists[list].get_mut(items) {
            Some(count) => *count += 1,
            None => self.lists[list].add(count(items)),
        }
    }

    fn phone_type(&mut self, kind: &str) {
        match label_like(kind).filter(|at| PHONE_TYPES[*at] == kind) {
            Some(at) => self.phone_types[at] += 1,
            None => self.other_phone_types += 1,
        }
    }

    #[inline]
    fn country(&mut self, country: &str, characters: impl FnOnce(&str) -> usize) {
        match country.as_bytes() {
            &[a @ b'A'..=b'Z', b @ b'A'..=b'Z'] => {
                self.text(Text::Country, 2);
                self.countries[usize::from(a - b'A') * 26 + usize::from(b - b'A')] += 1;
            }
            _ => {
                self.text(Text::Country, characters(country));
                self.other_countries += 1;
            }
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.documents += other.documents;
        self.ids += other.ids;
        for (texts, (short, more)) in self.texts.iter_mut().zip(other.short.iter().zip(&other.texts)) {
            add_short(texts, short);
            texts.merge(more);
        }
        for (lists, (short, more)) in self.lists.iter_mut().zip(other.short_lists.iter().zip(&other.lists)) {
            add_short(lists, short);
            lists.merge(more);
        }
        self.addresses += other.addresses;
        add_all(&mut self.phone_types, &other.phone_types);
        self.other_phone_types += other.other_phone_types;
        add_all(&mut *self.countries, &*other.countries);
        self.other_countries += other.other_countries;
        self.booleans.iter_mut().zip(&other.booleans).for_each(|(counts, more)| add_all(counts, more));
    }

    /// As the report has it.
    pub(crate) fn into_profile(self) -> FieldProfile {
        let mut texts = self.texts;
        texts.iter_mut().zip(&self.short).for_each(|(texts, short)| add_short(texts, short));
        let mut lists = self.lists;
        lists.iter_mut().zip(&self.short_lists).for_each(|(lists, short)| add_short(lists, short));
        let [emails, phone_numbers] = lists;
        let mut text = |text: Text| TextField {
            pointer: text.pointer().to_owned(),
            characters: std::mem::take(&mut texts[text as usize]),
            limit: text.limit().map(count),
        };
        let labels = |counts: &[u64], labels: &[&str]| {
            labels.iter().map(|label| (*label).to_owned()).zip(counts.iter().copied()).collect()
        };
        let choice = |pointer: &str, values: BTreeMap<String, u64>, other| ChoiceField {
            pointer: pointer.to_owned(),
            values,
            other,
        };
        let mut countries = BTreeMap::new();
        for code in COUNTRIES.split_ascii_whitespace() {
            let bytes = code.as_bytes();
            let of_code = self.countries[usize::from(bytes[0] - b'A') * 26 + usize::from(bytes[1] - b'A')];
            if of_code > 0 {
                countries.insert(code.to_owned(), of_code);
            }
        }
        let coded: u64 = countries.values().sum();
        let other_countries = self.countries.iter().sum::<u64>() - coded + self.other_countries;
        let [marketing, two_factor] = self.booleans;
        let words = ["false", "true"];
        FieldProfile {
            documents: self.documents,
            ids: self.ids,
            addresses: self.addresses,
            texts: Text::ALL.map(&mut text).into(),
            lists: vec![
                ListField { pointer: "/emails".to_owned(), items: emails },
                ListField { pointer: "/phoneNumbers".to_owned(), items: phone_numbers },
            ],
            choices: vec![
                choice("/address/country", countries, other_countries),
                choice(
                    "/phoneNumbers/*/type",
                    labels(&self.phone_types, &PHONE_TYPES),
                    self.other_phone_types,
                ),
                choice("/privacySettings/marketingEmailsEnabled", labels(&marketing, &words), 0),
                choice("/privacySettings/twoFactorEnabled", labels(&two_factor, &words), 0),
            ],
        }
    }
}

/// How many characters a text of a document has, whose own text is `line`.
#[inline]
fn characters_of(text: &str, line: &[u8], is_ascii: bool) -> usize {
    if is_ascii && is_part(text, line) { text.len() } else { characters(text, line) }
}

/// The phone type that begins with the same byte; each has its own.
#[inline]
fn label_like(kind: &str) -> Option<usize> {
    PHONE_TYPES.iter().position(|label| label.as_bytes().first() == kind.as_bytes().first())
}

fn add_short(lengths: &mut Lengths, short: &[u32; SHORT]) {
    for (length, more) in short.iter().enumerate().filter(|(_, more)| **more > 0) {
        lengths.add_many(count(length), u64::from(*more));
    }
}

fn add_all(counts: &mut [u64], more: &[u64]) {
    counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
}

fn count(length: usize) -> u64 {
    u64::try_from(length).expect("a length has 64 bits")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::document::{DocumentSchema, Node, Scratch, check, check_with};

    fn document(country: &str) -> Value {
        json!({
            "id": "6f9619ff-8b86-4011-b42d-00c04fc964ff", "firstName": "Zoë", "lastName": "Lee",
            "emails": ["a@example.com", "b@example.com"], "phoneNumbers": [{"type": "home", "number": "+12"}],
            "address": {"line1": "1", "city": "c", "state": "s", "postalCode": "", "country": country},
            "privacySettings": {"marketingEmailsEnabled": true, "twoFactorEnabled": false},
        })
    }

    /// The document has a property besides that no schema allows.
    fn reject(document: &Value, counts: &mut FieldCounts) {
        let mut document = document.clone();
        document["unknown"] = json!(1);
        let (line, schema) = (document.to_string(), DocumentSchema::built_in());
        let count = |root: Node<'_>| counts.add_rejected(root, line.as_bytes());
        check_with(line.as_bytes(), &schema, &mut Scratch::default(), |_| (), count).unwrap_err();
    }

    #[test]
    fn rejected_documents_are_counted_like_accepted_ones() {
        let schema = DocumentSchema::built_in();
        let (mut accepted, mut rejected) = (FieldCounts::default(), FieldCounts::default());
        let document = document("DE");
        let line = document.to_string();
        let accept = |profile: &Profile<'_>| accepted.add(profile, line.as_bytes());
        check(line.as_bytes(), &schema, accept).unwrap();
        reject(&document, &mut rejected);
        assert_eq!(accepted, rejected);
        let profile = accepted.into_profile();
        assert_eq!(profile.texts[0].characters.maximum(), Some(3));
        assert_eq!(profile.choices[0].values.get("DE"), Some(&1));
    }

    #[test]
    fn no_value_of_a_customer_is_kept() {
        let mut counts = FieldCounts::default();
        for country in ["ZQ", "zq", "S3NTINEL", "🏴"] {
            reject(&document(country), &mut counts);
        }
        let odd = json!({"emails": "none", "address": 1, "phoneNumbers": [1, {"type": "fax"}]});
        reject(&odd, &mut counts);
        let profile = counts.into_profile();
        assert_eq!((profile.choices[0].other, profile.choices[1].other), (4, 1));
        assert_eq!((profile.documents, profile.ids, profile.addresses), (5, 4, 4));
        let text = serde_json::to_string(&profile).unwrap();
        for value in ["ZQ", "zq", "S3NTINEL", "fax", "Zoë", "example"] {
            assert!(!text.contains(value), "{text}");
        }
    }

    #[test]
    fn labels_differ_in_their_first_bytes() {
        let mut first: Vec<_> = PHONE_TYPES.iter().map(|label| label.as_bytes()[0]).collect();
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), PHONE_TYPES.len());
    }
}
