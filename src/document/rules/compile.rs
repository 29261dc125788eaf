//! Taking a schema apart.

use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

use super::{
    Form, ListRule, ObjectRule, Rules, TextRule, bits,
    flatten::{Applied, Reason, Source},
};
use crate::{
    limits::{COUNTRY_CHARS_MAX, EMAIL_CHARS_MAX, NUMBER_CHARS_MAX, PHONE_TYPES},
    tree::TreeJson,
    validator::validator_of,
};

/// The pattern of phone numbers that has a check of its own.
const NUMBER_PATTERN: &str = r"^\+?[1-9]\d{1,14}$";

const OBJECT_KEYWORDS: [&str; 6] =
    ["type", "properties", "required", "additionalProperties", "minProperties", "maxProperties"];
const LIST_KEYWORDS: [&str; 5] = ["type", "items", "minItems", "maxItems", "uniqueItems"];
const TEXT_KEYWORDS: [&str; 7] = ["type", "minLength", "maxLength", "pattern", "format", "enum", "const"];
const BOOLEAN_KEYWORDS: [&str; 3] = ["type", "enum", "const"];

impl Rules {
    /// The rules of a schema that the crate accepts, of this draft, or what keeps it from having rules.
    pub(crate) fn of_schema(schema: &Value, draft: Draft) -> Result<Self, Reason> {
        if !matches!(
            draft,
            Draft::Draft4 | Draft::Draft6 | Draft::Draft7 | Draft::Draft201909 | Draft::Draft202012
        ) {
            return Err("a `$schema` of its own".to_owned());
        }
        let source = Source { root: schema, draft };
        let root = source.applied(&[schema])?;
        let root_object = Object { source: &source, applied: &root, place: "of the document" };
        let property = |name: &str| source.applied(&root.property(name));
        let (emails, phones) = (property("emails")?, property("phoneNumbers")?);
        let (email, phone) = (source.items(&emails)?, source.items(&phones)?);
        let (address, privacy) = (property("address")?, property("privacySettings")?);
        let phone_object = Object { source: &source, applied: &phone, place: "of phone numbers" };
        let address_object = Object { source: &source, applied: &address, place: "of addresses" };
        let privacy_object = Object { source: &source, applied: &privacy, place: "of privacy settings" };
        let rules = Self {
            id: root_object.text("id", None)?,
            first_name: root_object.text("firstName", None)?,
            middle_name: root_object.text("middleName", None)?,
            last_name: root_object.text("lastName", None)?,
            email: source.text(&email, "of e-mails", Some(EMAIL_CHARS_MAX))?,
            kind: phone_object.text("type", None)?.one_of(&PHONE_TYPES),
            number: phone_object.text("number", Some(NUMBER_CHARS_MAX))?,
            line1: address_object.text("line1", None)?,
            line2: address_object.text("line2", None)?,
            city: address_object.text("city", None)?,
            state: address_object.text("state", None)?,
            postal_code: address_object.text("postalCode", None)?,
            country: address_object.text("country", Some(COUNTRY_CHARS_MAX))?,
            marketing_emails_enabled: privacy_object.boolean(bits::PRIVACY[0])?,
            two_factor_enabled: privacy_object.boolean(bits::PRIVACY[1])?,
            emails: source.list(&emails, "of `emails`")?,
            phone_numbers: source.list(&phones, "of `phoneNumbers`")?,
            phone: phone_object.rule(&bits::PHONE, bits::TYPE | bits::NUMBER, &[])?,
            address: address_object.rule(&bits::POSTAL, bits::POSTAL_NEEDED, &[])?,
            privacy_settings: privacy_object.rule(
                &bits::PRIVACY,
                bits::MARKETING_EMAILS_ENABLED | bits::TWO_FACTOR_ENABLED,
                &[],
            )?,
            root: root_object.rule(
                &bits::ROOT,
                bits::ROOT_NEEDED,
                &[
                    ("emails", "array"),
                    ("phoneNumbers", "array"),
                    ("address", "object"),
                    ("privacySettings", "object"),
                ],
            )?,
        };
        Ok(rules)
    }
}

/// An object of the document, and what applies to it.
struct Object<'o, 's> {
    source: &'o Source<'s>,
    applied: &'o Applied<'s>,
    place: &'static str,
}

impl<'s> Object<'_, 's> {
    fn property(&self, name: &str) -> Result<Applied<'s>, Reason> {
        self.source.applied(&self.applied.property(name))
    }

    fn text(&self, name: &str, chars_max: Option<usize>) -> Result<TextRule, Reason> {
        self.source.text(&self.property(name)?, &format!("of `{name}`"), chars_max)
    }

    /// Whether false and true are allowed.
    fn boolean(&self, name: &str) -> Result<[bool; 2], Reason> {
        let applied = self.property(name)?;
        self.source.only(&applied, &BOOLEAN_KEYWORDS, &format!("of `{name}`"))?;
        Ok([false, true].map(|value| applied.allows_value("boolean", &Value::Bool(value))))
    }

    /// `names` are in the order of their bits, those in `needed` are needed by the tables, and `kinds` says which of them are
    /// no texts.
    fn rule(&self, names: &[&str], needed: u8, kinds: &[(&str, &str)]) -> Result<ObjectRule, Reason> {
        self.source.only(self.applied, &OBJECT_KEYWORDS, self.place)?;
        let (mut allowed, mut nullable, mut required) = (0, 0, needed);
        for (at, name) in names.iter().enumerate() {
            let applied = self.property(name)?;
            let kind = kinds.iter().find(|(other, _)| other == name).map_or("string", |(_, kind)| kind);
            let is_boolean = bits::PRIVACY.contains(name);
            let is_allowed = is_boolean || applied.allows(kind);
            allowed |= u8::from(is_allowed) << at;
            nullable |= u8::from(applied.allows_value("null", &Value::Null)) << at;
        }
        for list in self.applied.values("required") {
            for name in list.as_array().into_iter().flatten() {
                let at = names.iter().position(|other| name == other);
                let at =
                    at.ok_or_else(|| format!("`required` {}, for a property without a column", self.place))?;
                required |= 1 << at;
            }
        }
        Ok(ObjectRule {
            required,
            allowed,
            nullable: nullable & !needed,
            least: if self.applied.allows("object") {
                self.applied.most_of("minProperties")?.unwrap_or(0)
            } else {
                u64::MAX
            },
            most: self.applied.least_of("maxProperties")?.unwrap_or(u64::MAX),
        })
    }
}

impl<'s> Source<'s> {
    /// What applies to the items of a list.
    fn items(&self, list: &Applied<'s>) -> Result<Applied<'s>, Reason> {
        let schemas: Vec<_> = list.values("items").collect();
        if schemas.iter().any(|items| items.is_array()) {
            return Err("`items` for each place of a list".to_owned());
        }
        self.applied(&schemas)
    }

    fn list(&self, list: &Applied<'s>, place: &str) -> Result<ListRule, Reason> {
        self.only(list, &LIST_KEYWORDS, place)?;
        Ok(ListRule {
            least: list.most_of("minItems")?.unwrap_or(0),
            most: list.least_of("maxItems")?.unwrap_or(u64::MAX),
            is_unique: list.values("uniqueItems").any(|unique| unique == &Value::Bool(true)),
        })
    }

    fn text(&self, text: &Applied<'s>, place: &str, chars_max: Option<usize>) -> Result<TextRule, Reason> {
        self.only(text, &TEXT_KEYWORDS, place)?;
        let column = chars_max.map_or(u64::MAX, |most| most as u64);
        let mut forms = Vec::new();
        for object in &text.objects {
            forms.extend(self.forms(object, place)?);
        }
        let rule = TextRule {
            least: text.most_of("minLength")?.unwrap_or(0),
            most: text.least_of("maxLength")?.unwrap_or(u64::MAX).min(column),
            forms,
        };
        // A text that no list and no type allows.
        Ok(if text.allows("string") { rule } else { rule.one_of(&[]) })
    }

    fn forms(&self, object: &Map<String, Value>, place: &str) -> Result<Vec<Form>, Reason> {
        let mut forms = Vec::new();
        let texts = |list: &[Value]| list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        if let Some(list) = object.get("enum") {
            forms.push(Form::OneOf(texts(list.as_array().ok_or("an `enum` that is no array")?)));
        }
        if let Some(constant) = object.get("const") {
            forms.push(Form::OneOf(texts(std::slice::from_ref(constant))));
        }
        for keyword in ["format", "pattern"] {
            let Some(value) = object.get(keyword) else { continue };
            forms.push(match (keyword, value.as_str()) {
                ("pattern", Some(NUMBER_PATTERN)) => Form::Number,
                // The column holds nothing else.
                ("format", Some("uuid")) if place == "of `id`" => continue,
                ("format", Some("email")) => Form::Email(self.validator(keyword, value)?),
                _ => Form::Other(self.validator(keyword, value)?),
            });
        }
        Ok(forms)
    }

    fn validator(&self, keyword: &str, value: &Value) -> Result<Box<Validator<TreeJson>>, Reason> {
        let mut schema = json!({ keyword: value });
        if let Some(dialect) = self.root.get("$schema") {
            schema["$schema"] = dialect.clone();
        }
        validator_of(&schema).map(Box::new).map_err(|_| format!("a `{keyword}` that can't stand alone"))
    }
}

impl TextRule {
    /// The same for texts that are one of these.
    fn one_of(mut self, texts: &[&str]) -> Self {
        let mut listed = texts.to_vec();
        // One list of all.
        self.forms.retain(|form| match form {
            Form::OneOf(others) => {
                listed.retain(|text| others.iter().any(|other| other == text));
                false
            }
            _ => true,
        });
        self.forms.push(if listed == PHONE_TYPES {
            Form::PhoneType
        } else {
            Form::OneOf(listed.iter().map(|text| (*text).to_owned()).collect())
        });
        self
    }
}
