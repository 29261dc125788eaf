//! An ordinary valid document straight from its bytes to a [`Profile`], without a JSON value in between.
//!
//! Knows the built-in schema and nothing of faults: whatever is out of the ordinary, good or bad, is left to
//! the validator, which alone says what is wrong. So the rule for every line here is to accept less than the
//! validator does, never more. The usual order of properties is tried first; any order will do.

mod cursor;
mod formats;

use std::borrow::Cow;

use super::{PhoneNumber, PostalAddress, Profile, uuid::parse_uuid};
use cursor::Cursor;
use formats::{is_country, is_phone_type, is_plain_email, is_plain_number};

/// Most e-mails, and most phone numbers, of an ordinary document.
const ITEMS_MAX: usize = 8;

/// How much text with escapes an ordinary document holds, in bytes without them.
const UNESCAPED_BYTES_MAX: usize = 512;

/// Gives the profile to `accept` if the document is valid for certain, else gives `accept` back.
pub(super) fn scan<T, A: FnOnce(&Profile<'_>) -> T>(text: &str, accept: A) -> Result<T, A> {
    let mut unescaped = [0; UNESCAPED_BYTES_MAX];
    let mut cursor = Cursor::new(text, &mut unescaped);
    let mut found = Found::default();
    match found.read(&mut cursor) {
        Some(()) if cursor.is_at_end() => Ok(accept(&found.profile())),
        _ => Err(accept),
    }
}

/// What was found so far; empty where nothing was.
struct Found<'a> {
    seen: Seen,
    id: [u8; 16],
    first_name: &'a str,
    middle_name: &'a str,
    last_name: &'a str,
    emails: Few<&'a str>,
    phone_numbers: Few<PhoneNumber<'a>>,
    address: FoundAddress<'a>,
    marketing_emails_enabled: bool,
    two_factor_enabled: bool,
}

#[derive(Default)]
struct FoundAddress<'a> {
    seen: Seen,
    line1: &'a str,
    line2: &'a str,
    city: &'a str,
    state: &'a str,
    postal_code: &'a str,
    country: &'a str,
}

/// Which properties of an object have come, a bit each.
#[derive(Default)]
struct Seen(u8);

impl Seen {
    /// For a property that comes for the first time.
    fn mark(&mut self, bit: u8) -> Option<()> {
        let is_new = self.0 & bit == 0;
        self.0 |= bit;
        is_new.then_some(())
    }

    fn has(&self, bits: u8) -> bool {
        self.0 & bits == bits
    }
}

/// A few items, in place.
struct Few<T> {
    items: [T; ITEMS_MAX],
    length: usize,
}

impl<T> Few<T> {
    fn push(&mut self, item: T) -> Option<()> {
        *self.items.get_mut(self.length)? = item;
        self.length += 1;
        Some(())
    }

    fn items(&self) -> &[T] {
        &self.items[..self.length]
    }
}

const ID: u8 = 1;
const FIRST_NAME: u8 = 1 << 1;
const MIDDLE_NAME: u8 = 1 << 2;
const LAST_NAME: u8 = 1 << 3;
const EMAILS: u8 = 1 << 4;
const PHONE_NUMBERS: u8 = 1 << 5;
const ADDRESS: u8 = 1 << 6;
const PRIVACY_SETTINGS: u8 = 1 << 7;
const REQUIRED: u8 = ID | FIRST_NAME | LAST_NAME | EMAILS | PRIVACY_SETTINGS;

impl Default for Found<'_> {
    fn default() -> Self {
        Self {
            seen: Seen::default(),
            id: [0; 16],
            first_name: "",
            middle_name: "",
            last_name: "",
            emails: Few { items: [""; ITEMS_MAX], length: 0 },
            phone_numbers: Few { items: [PhoneNumber { kind: "", number: "" }; ITEMS_MAX], length: 0 },
            address: FoundAddress::default(),
            marketing_emails_enabled: false,
            two_factor_enabled: false,
        }
    }
}

impl<'a> Found<'a> {
    fn read(&mut self, cursor: &mut Cursor<'a>) -> Option<()> {
        cursor.open(b'{')?;
        loop {
            let before = cursor.at();
            if cursor.key(b"\"id\":") {
                self.seen.mark(ID)?;
                self.id = parse_uuid(cursor.string()?)?;
                if cursor.closes(b'}')? {
                    break;
                }
            }
            if cursor.key(b"\"firstName\":") {
                self.seen.mark(FIRST_NAME)?;
                self.first_name = name(cursor)?;
                if cursor.closes(b'}')? {
                    break;
                }
            }
            if cursor.key(b"\"middleName\":") {
                self.seen.mark(MIDDLE_NAME)?;
                self.middle_name = name(cursor)?;
                if cursor.closes(b'}')? {
                    break;
                }
            }
            if cursor.key(b"\"lastName\":") {
                self.seen.mark(LAST_NAME)?;
                self.last_name = name(cursor)?;
                if cursor.closes(b'}')? {
                    break;
                }
            }
            if cursor.key(b"\"emails\":") {
                self.seen.mark(EMAILS)?;
                read_emails(cursor, &mut self.emails)?;
                if cursor.closes(b'}')? {
                    break;
                }
            }
            if cursor.key(b"\"phoneNumbers\":") {
                self.seen.mark(PHONE_NUMBERS)?;
                read_phone_numbers(cursor, &mut self.phone_numbers)?;
                if cursor.closes(b'}')? {
                    break;
                }
            }
            if cursor.key(b"\"address\":") {
                self.seen.mark(ADDRESS)?;
                self.address.read(cursor)?;
                if cursor.closes(b'}')? {
                    break;
                }
            }
            if cursor.key(b"\"privacySettings\":") {
                self.seen.mark(PRIVACY_SETTINGS)?;
                self.read_privacy_settings(cursor)?;
                if cursor.closes(b'}')? {
                    break;
                }
            }
            if cursor.at() == before {
                return None;
            }
        }
        self.seen.has(REQUIRED).then_some(())
    }

    fn read_privacy_settings(&mut self, cursor: &mut Cursor<'a>) -> Option<()> {
        const MARKETING_EMAILS_ENABLED: u8 = 1;
        const TWO_FACTOR_ENABLED: u8 = 1 << 1;
        let mut seen = Seen::default();
        cursor.open(b'{')?;
        loop {
            let before = cursor.at();
            if cursor.key(b"\"marketingEmailsEnabled\":") {
                seen.mark(MARKETING_EMAILS_ENABLED)?;
                self.marketing_emails_enabled = cursor.boolean()?;
                if cursor.closes(b'}')? {
                    break;
                }
            }
            if cursor.key(b"\"twoFactorEnabled\":") {
                seen.mark(TWO_FACTOR_ENABLED)?;
                self.two_factor_enabled = cursor.boolean()?;
                if cursor.closes(b'}')? {
                    break;
                }
            }
            if cursor.at() == before {
                return None;
            }
        }
        seen.has(MARKETING_EMAILS_ENABLED | TWO_FACTOR_ENABLED).then_some(())
    }

    fn profile(&self) -> Profile<'_> {
        Profile {
            id: self.id,
            first_name: self.first_name,
            middle_name: self.seen.has(MIDDLE_NAME).then_some(self.middle_name),
            last_name: self.last_name,
            marketing_emails_enabled: self.marketing_emails_enabled,
            two_factor_enabled: self.two_factor_enabled,
            address: self.seen.has(ADDRESS).then(|| self.address.address()),
            emails: Cow::Borrowed(self.emails.items()),
            phone_numbers: Cow::Borrowed(self.phone_numbers.items()),
        }
    }
}

const LINE1: u8 = 1;
const LINE2: u8 = 1 << 1;
const CITY: u8 = 1 << 2;
const STATE: u8 = 1 << 3;
const POSTAL_CODE: u8 = 1 << 4;
const COUNTRY: u8 = 1 << 5;
const REQUIRED_OF_ADDRESS: u8 = LINE1 | CITY | STATE | POSTAL_CODE | COUNTRY;

impl<'a> FoundAddress<'a> {
    fn read(&mut self, cursor: &mut Cursor<'a>) -> Option<()> {
        cursor.open(b'{')?;
        loop {
            let before = cursor.at();
            if cursor.key(b"\"line1\":") {
                self.seen.mark(LINE1)?;
                self.line1 = name(cursor)?;
                if cursor.closes(b'}')? {
                    break;
                }
            }
            if cursor.key(b"\"line2\":") {
                self.seen.mark(LINE2)?;
                self.line2 = cursor.string()?;
                if cursor.closes(b'}')? {
                    break;
                }
            }
            if cursor.key(b"\"city\":") {
                self.seen.mark(CITY)?;
                self.city = name(cursor)?;
                if cursor.closes(b'}')? {
                    break;
                }
            }
            if cursor.key(b"\"state\":") {
                self.seen.mark(STATE)?;
                self.state = name(cursor)?;
                if cursor.closes(b'}')? {
                    break;
                }
            }
            if cursor.key(b"\"postalCode\":") {
                self.seen.mark(POSTAL_CODE)?;
                self.postal_code = cursor.string()?;
                if cursor.closes(b'}')? {
                    break;
                }
            }
            if cursor.key(b"\"country\":") {
                self.seen.mark(COUNTRY)?;
                self.country = cursor.string().filter(|country| is_country(country))?;
                if cursor.closes(b'}')? {
                    break;
                }
            }
            if cursor.at() == before {
                return None;
            }
        }
        self.seen.has(REQUIRED_OF_ADDRESS).then_some(())
    }

    fn address(&self) -> PostalAddress<'a> {
        PostalAddress {
            line1: self.line1,
            line2: self.seen.has(LINE2).then_some(self.line2),
            city: self.city,
            state: self.state,
            postal_code: self.postal_code,
            country: self.country,
        }
    }
}

/// A string of at least one character.
fn name<'a>(cursor: &mut Cursor<'a>) -> Option<&'a str> {
    cursor.string().filter(|text| !text.is_empty())
}

fn read_emails<'a>(cursor: &mut Cursor<'a>, emails: &mut Few<&'a str>) -> Option<()> {
    cursor.open(b'[')?;
    loop {
        let email = cursor.string()?;
        if !is_plain_email(email) || emails.items().contains(&email) {
            return None;
        }
        emails.push(email)?;
        if cursor.closes(b']')? {
            return Some(());
        }
    }
}

fn read_phone_numbers<'a>(cursor: &mut Cursor<'a>, numbers: &mut Few<PhoneNumber<'a>>) -> Option<()> {
    cursor.open(b'[')?;
    loop {
        numbers.push(read_phone_number(cursor)?)?;
        if cursor.closes(b']')? {
            return Some(());
        }
    }
}

fn read_phone_number<'a>(cursor: &mut Cursor<'a>) -> Option<PhoneNumber<'a>> {
    const TYPE: u8 = 1;
    const NUMBER: u8 = 1 << 1;
    let (mut seen, mut phone) = (Seen::default(), PhoneNumber { kind: "", number: "" });
    cursor.open(b'{')?;
    loop {
        let before = cursor.at();
        if cursor.key(b"\"type\":") {
            seen.mark(TYPE)?;
            phone.kind = cursor.string().filter(|kind| is_phone_type(kind))?;
            if cursor.closes(b'}')? {
                break;
            }
        }
        if cursor.key(b"\"number\":") {
            seen.mark(NUMBER)?;
            phone.number = cursor.string().filter(|number| is_plain_number(number))?;
            if cursor.closes(b'}')? {
                break;
            }
        }
        if cursor.at() == before {
            return None;
        }
    }
    seen.has(TYPE | NUMBER).then_some(phone)
}
