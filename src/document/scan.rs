//! A valid document straight from its bytes to a [`Profile`], without a JSON value in between.
//!
//! Holds the document against the rules of its schema, and knows nothing of faults: whatever is not surely valid is left to
//! the validator, which alone says what is wrong. So the rule for every line here is to accept less than the validator
//! does, never more. The usual order of properties is tried first; any order will do.

mod list;

use std::borrow::Cow;

use super::{
    PhoneNumber, PostalAddress, Profile,
    cursor::Cursor,
    rules::{ObjectRule, Rules, TextRule, bits},
    uuid::parse_uuid,
};
use list::List;

/// Gives the profile to `accept` if the document is valid for certain, else gives `accept` back. There has to be as much
/// `room` as text.
pub(super) fn scan<T, A: FnOnce(&Profile<'_>) -> T>(
    text: &str,
    rules: &Rules,
    room: &mut [u8],
    accept: A,
) -> Result<T, A> {
    let mut cursor = Cursor::new(text, room);
    let mut found = Found::default();
    match found.read(&mut cursor, rules) {
        Some(()) if cursor.ends() => Ok(accept(&found.profile())),
        _ => Err(accept),
    }
}

/// What was found so far; empty where nothing was.
#[derive(Default)]
struct Found<'a> {
    seen: Seen,
    id: [u8; 16],
    first_name: &'a str,
    middle_name: Option<&'a str>,
    last_name: &'a str,
    emails: List<&'a str>,
    phone_numbers: List<PhoneNumber<'a>>,
    address: Option<PostalAddress<'a>>,
    marketing_emails_enabled: bool,
    two_factor_enabled: bool,
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
}

/// Steps over a null that may stand in place of a property, if it is there.
#[inline]
fn is_null(cursor: &mut Cursor<'_>, object: &ObjectRule, bit: u8) -> Option<bool> {
    if cursor.peek() != Some(b'n') {
        return (object.allowed & bit != 0).then_some(false);
    }
    (object.nullable & bit != 0 && cursor.null()).then_some(true)
}

/// A text property; where it is null it stays as it is.
#[inline]
fn text<'a>(
    cursor: &mut Cursor<'a>,
    (object, bit): (&ObjectRule, u8),
    rule: &TextRule,
    property: &mut Option<&'a str>,
) -> Option<()> {
    if cursor.peek() == Some(b'n') {
        return is_null(cursor, object, bit).map(|_| ());
    }
    *property = Some(needed(cursor, rule)?);
    Some(())
}

/// One that the tables need, so that it may not be null. A text that is not allowed has a rule that no text keeps.
#[inline]
fn needed<'a>(cursor: &mut Cursor<'a>, rule: &TextRule) -> Option<&'a str> {
    cursor.string().filter(|text| rule.accepts(text))
}

/// Reads the members of an object up to its closing brace. Names in their usual form and in this order are found without a
/// look at the others; any order and form will do.
macro_rules! members {
    ($cursor:ident, $($key:literal $name:literal => $read:expr,)*) => {
        $cursor.open(b'{')?;
        loop {
            let before = $cursor.at();
            $(
                if $cursor.key($key) {
                    $read;
                    if $cursor.closes(b'}')? {
                        break;
                    }
                }
            )*
            if $cursor.at() == before {
                match $cursor.odd_name()? {
                    $($name => $read,)*
                    _ => return None,
                }
                if $cursor.closes(b'}')? {
                    break;
                }
            }
        }
    };
}

impl<'a> Found<'a> {
    fn read(&mut self, cursor: &mut Cursor<'a>, rules: &Rules) -> Option<()> {
        let object = &rules.root;
        members!(cursor,
            b"\"id\":" "id" => {
                self.seen.mark(bits::ID)?;
                self.id = parse_uuid(needed(cursor, &rules.id)?)?;
            },
            b"\"firstName\":" "firstName" => {
                self.seen.mark(bits::FIRST_NAME)?;
                self.first_name = needed(cursor, &rules.first_name)?;
            },
            b"\"middleName\":" "middleName" => {
                self.seen.mark(bits::MIDDLE_NAME)?;
                text(cursor, (object, bits::MIDDLE_NAME), &rules.middle_name, &mut self.middle_name)?;
            },
            b"\"lastName\":" "lastName" => {
                self.seen.mark(bits::LAST_NAME)?;
                self.last_name = needed(cursor, &rules.last_name)?;
            },
            b"\"emails\":" "emails" => {
                self.seen.mark(bits::EMAILS)?;
                if !is_null(cursor, object, bits::EMAILS)? {
                    read_emails(cursor, rules, &mut self.emails)?;
                }
            },
            b"\"phoneNumbers\":" "phoneNumbers" => {
                self.seen.mark(bits::PHONE_NUMBERS)?;
                if !is_null(cursor, object, bits::PHONE_NUMBERS)? {
                    read_phone_numbers(cursor, rules, &mut self.phone_numbers)?;
                }
            },
            b"\"address\":" "address" => {
                self.seen.mark(bits::ADDRESS)?;
                if !is_null(cursor, object, bits::ADDRESS)? {
                    self.address = Some(read_address(cursor, rules)?);
                }
            },
            b"\"privacySettings\":" "privacySettings" => {
                self.seen.mark(bits::PRIVACY_SETTINGS)?;
                if is_null(cursor, object, bits::PRIVACY_SETTINGS)? {
                    return None;
                }
                self.read_privacy_settings(cursor, rules)?;
            },
        );
        object.accepts(self.seen.0).then_some(())
    }

    fn read_privacy_settings(&mut self, cursor: &mut Cursor<'a>, rules: &Rules) -> Option<()> {
        let mut seen = Seen::default();
        members!(cursor,
            b"\"marketingEmailsEnabled\":" "marketingEmailsEnabled" => {
                seen.mark(bits::MARKETING_EMAILS_ENABLED)?;
                self.marketing_emails_enabled = boolean(cursor, rules.marketing_emails_enabled)?;
            },
            b"\"twoFactorEnabled\":" "twoFactorEnabled" => {
                seen.mark(bits::TWO_FACTOR_ENABLED)?;
                self.two_factor_enabled = boolean(cursor, rules.two_factor_enabled)?;
            },
        );
        rules.privacy_settings.accepts(seen.0).then_some(())
    }

    fn profile(&self) -> Profile<'_> {
        Profile {
            id: self.id,
            first_name: self.first_name,
            middle_name: self.middle_name,
            last_name: self.last_name,
            marketing_emails_enabled: self.marketing_emails_enabled,
            two_factor_enabled: self.two_factor_enabled,
            address: self.address,
            emails: Cow::Borrowed(self.emails.items()),
            phone_numbers: Cow::Borrowed(self.phone_numbers.items()),
        }
    }
}

fn boolean(cursor: &mut Cursor<'_>, is_allowed: [bool; 2]) -> Option<bool> {
    cursor.boolean().filter(|value| is_allowed[usize::from(*value)])
}

fn read_address<'a>(cursor: &mut Cursor<'a>, rules: &Rules) -> Option<PostalAddress<'a>> {
    let object = &rules.address;
    let (mut seen, mut address) = (Seen::default(), PostalAddress::default());
    members!(cursor,
        b"\"line1\":" "line1" => {
            seen.mark(bits::LINE1)?;
            address.line1 = needed(cursor, &rules.line1)?;
        },
        b"\"line2\":" "line2" => {
            seen.mark(bits::LINE2)?;
            text(cursor, (object, bits::LINE2), &rules.line2, &mut address.line2)?;
        },
        b"\"city\":" "city" => {
            seen.mark(bits::CITY)?;
            address.city = needed(cursor, &rules.city)?;
        },
        b"\"state\":" "state" => {
            seen.mark(bits::STATE)?;
            address.state = needed(cursor, &rules.state)?;
        },
        b"\"postalCode\":" "postalCode" => {
            seen.mark(bits::POSTAL_CODE)?;
            address.postal_code = needed(cursor, &rules.postal_code)?;
        },
        b"\"country\":" "country" => {
            seen.mark(bits::COUNTRY)?;
            address.country = needed(cursor, &rules.country)?;
        },
    );
    object.accepts(seen.0).then_some(address)
}

fn read_emails<'a>(cursor: &mut Cursor<'a>, rules: &Rules, emails: &mut List<&'a str>) -> Option<()> {
    cursor.open(b'[')?;
    if !cursor.is_closed(b']') {
        loop {
            emails.push(cursor.string().filter(|email| rules.email.accepts(email))?)?;
            if cursor.closes(b']')? {
                break;
            }
        }
    }
    // The table holds none twice, whatever the schema asks.
    (rules.emails.accepts(emails.items().len()) && emails.is_unique()).then_some(())
}

fn read_phone_numbers<'a>(
    cursor: &mut Cursor<'a>,
    rules: &Rules,
    numbers: &mut List<PhoneNumber<'a>>,
) -> Option<()> {
    cursor.open(b'[')?;
    if !cursor.is_closed(b']') {
        loop {
            numbers.push(read_phone_number(cursor, rules)?)?;
            if cursor.closes(b']')? {
                break;
            }
        }
    }
    let rule = &rules.phone_numbers;
    (rule.accepts(numbers.items().len()) && (!rule.is_unique || numbers.is_unique())).then_some(())
}

fn read_phone_number<'a>(cursor: &mut Cursor<'a>, rules: &Rules) -> Option<PhoneNumber<'a>> {
    let object = &rules.phone;
    let (mut seen, mut phone) = (Seen::default(), PhoneNumber::default());
    members!(cursor,
        b"\"type\":" "type" => {
            seen.mark(bits::TYPE)?;
            phone.kind = needed(cursor, &rules.kind)?;
        },
        b"\"number\":" "number" => {
            seen.mark(bits::NUMBER)?;
            phone.number = needed(cursor, &rules.number)?;
        },
    );
    object.accepts(seen.0).then_some(phone)
}
