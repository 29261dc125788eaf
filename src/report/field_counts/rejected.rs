//! Rejected documents, as far as their properties are of the right type.

use super::{EMAILS, FieldCounts, PHONE_NUMBERS, Text, characters_of};
use crate::document::Node;

impl FieldCounts {
    /// Counts a rejected document, whose text is `line`, as far as its properties are of the right type.
    pub(crate) fn add_rejected(&mut self, document: Node<'_>, line: &[u8]) {
        let is_ascii = line.is_ascii();
        let characters = &|text: &str| characters_of(text, line, is_ascii);
        self.documents += 1;
        for (name, value) in document.members() {
            match (name, value.as_str()) {
                ("id", Some(_)) => self.ids += 1,
                ("firstName", Some(text)) => self.text(Text::FirstName, characters(text)),
                ("middleName", Some(text)) => self.text(Text::MiddleName, characters(text)),
                ("lastName", Some(text)) => self.text(Text::LastName, characters(text)),
                ("emails", None) if value.is_array() => {
                    self.list(EMAILS, value.items().count());
                    for email in value.items().filter_map(Node::as_str) {
                        self.text(Text::Email, characters(email));
                    }
                }
                ("phoneNumbers", None) if value.is_array() => {
                    self.list(PHONE_NUMBERS, value.items().count());
                    value.items().for_each(|phone| self.add_rejected_phone(phone, characters));
                }
                ("address", None) if value.is_object() => self.add_rejected_address(value, characters),
                ("privacySettings", None) => self.add_rejected_settings(value),
                _ => {}
            }
        }
    }

    fn add_rejected_phone(&mut self, phone: Node<'_>, characters: &impl Fn(&str) -> usize) {
        for (name, value) in phone.members() {
            match (name, value.as_str()) {
                ("type", Some(kind)) => self.phone_type(kind),
                ("number", Some(number)) => self.text(Text::PhoneNumber, characters(number)),
                _ => {}
            }
        }
    }

    fn add_rejected_address(&mut self, address: Node<'_>, characters: &impl Fn(&str) -> usize) {
        self.addresses += 1;
        for (name, value) in address.members() {
            let text = Text::ADDRESS.iter().find(|(_, property)| *property == name);
            match (text, value.as_str()) {
                (Some((Text::Country, _)), Some(country)) => self.country(country, characters),
                (Some((text, _)), Some(value)) => self.text(*text, characters(value)),
                _ => {}
            }
        }
    }

    fn add_rejected_settings(&mut self, settings: Node<'_>) {
        for (name, value) in settings.members() {
            let at = ["marketingEmailsEnabled", "twoFactorEnabled"].iter().position(|other| *other == name);
            if let (Some(at), Some(value)) = (at, value.as_bool()) {
                self.booleans[at][usize::from(value)] += 1;
            }
        }
    }
}
