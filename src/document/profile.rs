//! A customer profile as the four tables will hold it, borrowed from its document.
//!
//! It can only be built from a document that breaks none of the tables' rules. The built-in JSON Schema
//! leaves few of them to check (U+0000, lengths in characters); one given by the operator may leave any.

use std::borrow::Cow;

use super::{
    DocumentSchema,
    place::Segment,
    rejection::{FAULTS_MAX, Fault, push},
    tree::{Kind, Node, Tree},
    uuid::parse_uuid,
};
use crate::limits::{COUNTRY_CHARS_MAX, EMAIL_CHARS_MAX, NUMBER_CHARS_MAX, PHONE_TYPES};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile<'a> {
    pub id: [u8; 16],
    pub first_name: &'a str,
    pub middle_name: Option<&'a str>,
    pub last_name: &'a str,
    pub marketing_emails_enabled: bool,
    pub two_factor_enabled: bool,
    pub address: Option<PostalAddress<'a>>,
    /// None twice.
    pub emails: Cow<'a, [&'a str]>,
    /// In the document's order; the same number may come more than once.
    pub phone_numbers: Cow<'a, [PhoneNumber<'a>]>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PostalAddress<'a> {
    pub line1: &'a str,
    pub line2: Option<&'a str>,
    pub city: &'a str,
    pub state: &'a str,
    pub postal_code: &'a str,
    pub country: &'a str,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PhoneNumber<'a> {
    /// A label of the tables' phone type.
    pub kind: &'a str,
    pub number: &'a str,
}

impl<'a> Profile<'a> {
    /// Reads a document that its schema accepts, or says which of the tables' rules it breaks.
    pub(super) fn of_valid(document: Node<'a>) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let profile = read_profile(&mut Fields::root(document, &mut faults));
        if faults.is_empty() { Ok(profile) } else { Err(faults) }
    }
}

/// The properties that the tables have a place for.
pub const PROFILE_PROPERTIES: [&str; 8] =
    ["id", "firstName", "middleName", "lastName", "emails", "phoneNumbers", "address", "privacySettings"];
pub const PHONE_PROPERTIES: [&str; 2] = ["type", "number"];
pub const ADDRESS_PROPERTIES: [&str; 6] = ["line1", "line2", "city", "state", "postalCode", "country"];
pub const PRIVACY_PROPERTIES: [&str; 2] = ["marketingEmailsEnabled", "twoFactorEnabled"];

fn read_profile<'a>(root: &mut Fields<'a, '_>) -> Profile<'a> {
    root.refuse_others(&PROFILE_PROPERTIES);
    let mut profile = Profile {
        id: root.uuid("id"),
        first_name: root.required_text("firstName", usize::MAX),
        middle_name: root.text("middleName", usize::MAX),
        last_name: root.required_text("lastName", usize::MAX),
        marketing_emails_enabled: false,
        two_factor_enabled: false,
        address: root.object("address").map(|mut address| read_address(&mut address)),
        emails: root.items("emails", |place, faults, item| read_email(place, faults, item)).into(),
        phone_numbers: root
            .items("phoneNumbers", |place, faults, item| read_phone_number(place, faults, item))
            .into(),
    };
    refuse_repeated_emails(&profile.emails, root);
    if root.get("privacySettings").is_none() {
        root.missing("privacySettings");
    } else if let Some(mut privacy) = root.object("privacySettings") {
        privacy.refuse_others(&PRIVACY_PROPERTIES);
        profile.marketing_emails_enabled = privacy.boolean("marketingEmailsEnabled");
        profile.two_factor_enabled = privacy.boolean("twoFactorEnabled");
    }
    profile
}

fn read_address<'a>(address: &mut Fields<'a, '_>) -> PostalAddress<'a> {
    address.refuse_others(&ADDRESS_PROPERTIES);
    PostalAddress {
        line1: address.required_text("line1", usize::MAX),
        line2: address.text("line2", usize::MAX),
        city: address.required_text("city", usize::MAX),
        state: address.required_text("state", usize::MAX),
        postal_code: address.required_text("postalCode", usize::MAX),
        country: address.required_text("country", COUNTRY_CHARS_MAX),
    }
}

fn read_email<'a>(place: &[Segment<'a>], faults: &mut Vec<Fault>, item: Node<'a>) -> &'a str {
    match item.as_str() {
        Some(text) => {
            check_text(place, faults, text, EMAIL_CHARS_MAX);
            text
        }
        None => {
            push(faults, || Fault::at("db:type", place, "the column holds text").with_shape(item));
            ""
        }
    }
}

fn read_phone_number<'a>(place: &[Segment<'a>], faults: &mut Vec<Fault>, item: Node<'a>) -> PhoneNumber<'a> {
    if !item.is_object() {
        push(faults, || {
            Fault::at("db:type", place, "the table holds an object's properties").with_shape(item)
        });
        return PhoneNumber { kind: "", number: "" };
    }
    let mut fields = Fields { object: item, place: place.to_vec(), faults };
    fields.refuse_others(&PHONE_PROPERTIES);
    let faults_before = fields.faults.len();
    let kind = fields.required_text("type", usize::MAX);
    if fields.faults.len() == faults_before && !PHONE_TYPES.contains(&kind) {
        fields.fault("type", "db:enum", "the type is none of mobile, home, work, other");
    }
    PhoneNumber { kind, number: fields.required_text("number", NUMBER_CHARS_MAX) }
}

fn refuse_repeated_emails(emails: &[&str], root: &mut Fields<'_, '_>) {
    let mut sorted = emails.to_vec();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        root.fault("emails", "db:unique", "the same e-mail stands more than once");
    }
}

/// The faults that texts have wherever they stand, for a document that its schema refuses.
pub(super) fn text_faults(tree: &Tree<'_>, schema: &DocumentSchema) -> Vec<Fault> {
    let mut faults = Vec::new();
    if tree.may_have_text_fault() {
        walk(tree.root(), &mut Vec::new(), schema, &mut faults);
    }
    faults
}

/// A step from a value to one inside it, by a name that the schema may not know.
#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

fn walk<'a>(value: Node<'a>, steps: &mut Vec<Step<'a>>, schema: &DocumentSchema, faults: &mut Vec<Fault>) {
    if faults.len() > FAULTS_MAX {
        return;
    }
    if let Kind::Text(text) = value.kind()
        && may_have_fault(text)
    {
        let segment = |step: &Step<'a>| match *step {
            Step::Name(name) => schema.segment(name),
            Step::Index(index) => Segment::Index(index),
        };
        let place: Vec<_> = steps.iter().map(segment).collect();
        let is_email = matches!(&place[..], [Segment::Name(name), Segment::Index(_)] if name == "emails");
        check_text(&place, faults, text, if is_email { EMAIL_CHARS_MAX } else { usize::MAX });
    }
    for (index, item) in value.items().enumerate() {
        steps.push(Step::Index(index));
        walk(item, steps, schema, faults);
        steps.pop();
    }
    for (name, item) in value.members() {
        steps.push(Step::Name(name));
        walk(item, steps, schema, faults);
        steps.pop();
    }
}

/// Whether a text has U+0000 or more bytes than any column may have characters.
fn may_have_fault(text: &str) -> bool {
    text.len() > EMAIL_CHARS_MAX || memchr::memchr(0, text.as_bytes()).is_some()
}

fn check_text(place: &[Segment<'_>], faults: &mut Vec<Fault>, text: &str, chars_max: usize) {
    if memchr::memchr(0, text.as_bytes()).is_some() {
        push(faults, || {
            Fault::at("db:nul", place, "the text holds U+0000, which PostgreSQL cannot store")
                .with_text_shape(text)
        });
    }
    if text.len() > chars_max && text.chars().count() > chars_max {
        let message = || format!("the text is longer than the column's {chars_max} characters");
        push(faults, || Fault::at("db:too_long", place, message()).with_text_shape(text));
    }
}

/// An object of the document, read by name; what does not fit becomes a fault and an empty value.
struct Fields<'a, 'f> {
    object: Node<'a>,
    place: Vec<Segment<'a>>,
    faults: &'f mut Vec<Fault>,
}

impl<'a> Fields<'a, '_> {
    fn root<'f>(document: Node<'a>, faults: &'f mut Vec<Fault>) -> Fields<'a, 'f> {
        Fields { object: document, place: Vec::new(), faults }
    }

    fn fault(&mut self, name: &'static str, code: &'static str, message: &'static str) {
        self.place.push(Segment::Name(Cow::Borrowed(name)));
        let value = self.object.get(name);
        push(self.faults, || {
            let fault = Fault::at(code, &self.place, message);
            match value {
                Some(value) => fault.with_shape(value),
                None => fault,
            }
        });
        self.place.pop();
    }

    fn missing(&mut self, name: &'static str) {
        let message = || format!("the column needs a value, but `{name}` is missing or null");
        push(self.faults, || Fault::at("db:required", &self.place, message()));
    }

    /// The built-in schema accepts no null; where the operator's does, it stands for absence.
    fn get(&self, name: &str) -> Option<Node<'a>> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    fn uuid(&mut self, name: &'static str) -> [u8; 16] {
        match self.get(name) {
            Some(value) => match value.as_str().and_then(parse_uuid) {
                Some(id) => return id,
                None => self.fault(name, "db:type", "the column holds a UUID"),
            },
            None => self.missing(name),
        }
        [0; 16]
    }

    fn text(&mut self, name: &'static str, chars_max: usize) -> Option<&'a str> {
        match self.get(name)?.as_str() {
            Some(text) => {
                self.place.push(Segment::Name(Cow::Borrowed(name)));
                check_text(&self.place, self.faults, text, chars_max);
                self.place.pop();
                Some(text)
            }
            None => {
                self.fault(name, "db:type", "the column holds text");
                Some("")
            }
        }
    }

    fn required_text(&mut self, name: &'static str, chars_max: usize) -> &'a str {
        self.text(name, chars_max).unwrap_or_else(|| {
            self.missing(name);
            ""
        })
    }

    fn boolean(&mut self, name: &'static str) -> bool {
        match self.get(name).map(Node::as_bool) {
            Some(Some(value)) => return value,
            Some(None) => self.fault(name, "db:type", "the column holds true or false"),
            None => self.missing(name),
        }
        false
    }

    fn object(&mut self, name: &'static str) -> Option<Fields<'a, '_>> {
        let object = self.get(name)?;
        if object.is_object() {
            let mut place = self.place.clone();
            place.push(Segment::Name(Cow::Borrowed(name)));
            return Some(Fields { object, place, faults: self.faults });
        }
        self.fault(name, "db:type", "the table holds an object's properties");
        None
    }

    fn items<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&[Segment<'a>], &mut Vec<Fault>, Node<'a>) -> T,
    ) -> Vec<T> {
        let Some(array) = self.get(name) else { return Vec::new() };
        if !array.is_array() {
            self.fault(name, "db:type", "the table holds an array's items");
            return Vec::new();
        }
        let mut place = self.place.clone();
        place.extend([Segment::Name(Cow::Borrowed(name)), Segment::Index(0)]);
        let mut read_items = Vec::new();
        for (index, item) in array.items().enumerate() {
            *place.last_mut().expect("just pushed") = Segment::Index(index);
            read_items.push(read(&place, self.faults, item));
        }
        read_items
    }

    /// A property without a column would be lost without a word.
    fn refuse_others(&mut self, names: &[&str]) {
        if self.object.members().any(|(name, _)| !names.contains(&name)) {
            let message = "holds properties that the tables have no column for";
            push(self.faults, || Fault::at("db:no_column", &self.place, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::tree::testing::with_tree;

    fn check(document: &Value, expected: &[(&str, &str)]) {
        let faults = with_tree(document, |root| Profile::of_valid(root).err().unwrap_or_default());
        let found: Vec<_> = faults.iter().map(|f| (f.code.as_ref(), f.pointer.as_str())).collect();
        assert_eq!(found, expected, "{document}");
    }

    fn document() -> Value {
        json!({
            "id": "6f9619ff-8b86-4011-b42d-00c04fc964ff", "firstName": "Ann", "lastName": "Lee",
            "emails": ["a@example.com"], "phoneNumbers": [{"type": "home", "number": "+12"}],
            "address": {"line1": "1", "city": "c", "state": "s", "postalCode": "", "country": "DE"},
            "privacySettings": {"marketingEmailsEnabled": true, "twoFactorEnabled": false},
        })
    }

    fn with(pointer: &str, value: Value) -> Value {
        let mut changed = document();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    }

    #[test]
    fn a_whole_document_becomes_a_profile() {
        with_tree(&document(), |root| {
            let profile = Profile::of_valid(root).unwrap();
            assert_eq!(profile.id[..4], [0x6f, 0x96, 0x19, 0xff]);
            assert_eq!(profile.emails[..], ["a@example.com"]);
            assert_eq!(profile.phone_numbers[..], [PhoneNumber { kind: "home", number: "+12" }]);
            assert_eq!(profile.address.unwrap().line2, None);
        });
    }

    #[test]
    fn a_looser_schema_does_not_loosen_the_tables() {
        check(
            &json!({}),
            &[("db:required", ""), ("db:required", ""), ("db:required", ""), ("db:required", "")],
        );
        check(&with("/id", json!("{6f9619ff-8b86-4011-b42d-00c04fc964ff}")), &[("db:type", "/id")]);
        check(&with("/lastName", json!(1)), &[("db:type", "/lastName")]);
        check(&with("/emails", json!(["a", "b", "a"])), &[("db:unique", "/emails")]);
        check(&with("/emails", json!(["é".repeat(320)])), &[]);
        check(&with("/emails", json!(["é".repeat(321)])), &[("db:too_long", "/emails/0")]);
        check(&with("/address/country", json!("DEU")), &[("db:too_long", "/address/country")]);
        check(&with("/address", json!([])), &[("db:type", "/address")]);
        check(&with("/phoneNumbers/0/type", json!("fax")), &[("db:enum", "/phoneNumbers/0/type")]);
        check(&with("/phoneNumbers/0/type", json!("")), &[("db:enum", "/phoneNumbers/0/type")]);
        check(&with("/phoneNumbers/0", json!("1")), &[("db:type", "/phoneNumbers/0")]);
        check(
            &with("/privacySettings", json!({"x": 1})),
            &[
                ("db:no_column", "/privacySettings"),
                ("db:required", "/privacySettings"),
                ("db:required", "/privacySettings"),
            ],
        );
    }
}
