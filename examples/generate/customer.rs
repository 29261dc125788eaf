//! One valid document of the mix `plain` as bytes. The hot path: it only pushes, into a buffer that is reused.
//!
//! Its parts (person, e-mails, phone numbers, address) are drawn from streams of their own, so that a
//! changed document can change in one part and keep the others.

use crate::{
    locale::{Locale, Name},
    random::{Random, uuid},
};

/// Which document, and which state of its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) seed: u64,
    pub(crate) index: u64,
    /// 0 is the original; others draw some of the parts anew.
    pub(crate) revision: u64,
    /// Turns marketingEmailsEnabled round: two versions that differ in this differ for certain.
    pub(crate) turned: bool,
    /// Have phone numbers and an address, whatever the draw.
    pub(crate) complete: bool,
}

#[derive(Clone, Copy)]
pub(crate) enum Part {
    Person = 1,
    Emails,
    PhoneNumbers,
    Address,
    Layout,
    FirstName,
    MiddleName,
    LastName,
    PrivacySettings,
}

impl Version {
    /// What the part is drawn from in this state of the document.
    pub(crate) fn stream(self, part: Part) -> Random {
        let part = part as u64;
        let drawn_anew =
            self.revision != 0 && Random::of(&[self.seed, self.index, self.revision, part]).chance(50);
        Random::of(&[self.seed, self.index, part, if drawn_anew { self.revision } else { 0 }])
    }

    /// The same for a part that no state draws anew.
    pub(crate) fn original_stream(self, part: Part) -> Random {
        Self { revision: 0, ..self }.stream(part)
    }
}

/// Appends the document, without a line end.
pub(crate) fn push_document(out: &mut Vec<u8>, locales: &[Locale], version: Version) {
    let mut person = version.original_stream(Part::Person);
    let locale = &locales[person.index(locales.len())];
    let (given, family) = (person.pick(&locale.given), person.pick(&locale.family));

    push(out, "{\"id\":\"");
    push_uuid(out, uuid(version.seed, version.index), &mut person);
    push_string(out, "\",\"firstName\":", given.written);
    if person.chance(30) {
        let rare = person.below(50) == 0;
        push_string(out, ",\"middleName\":", if rare { "🌻" } else { person.pick(&locale.middle) });
    }
    push_string(out, ",\"lastName\":", family.written);
    push_emails(out, given, family, &mut version.stream(Part::Emails));
    push_phone_numbers(out, locale, version.complete, &mut version.stream(Part::PhoneNumbers));
    push_address(out, locale, version.complete, &mut version.stream(Part::Address));
    push(out, ",\"privacySettings\":{\"marketingEmailsEnabled\":");
    push_bool(out, person.chance(40) != version.turned);
    push(out, ",\"twoFactorEnabled\":");
    push_bool(out, person.chance(25));
    push(out, "}}");
}

/// One to three, each from a set of domains of its own, so that none comes twice.
fn push_emails(out: &mut Vec<u8>, given: Name, family: Name, random: &mut Random) {
    const PRIVATE: [&str; 6] =
        ["example.com", "example.org", "example.net", "mail.example", "post.example", "webmail.example.com"];
    const BRANCHES: [&str; 5] = ["consulting", "logistics", "foods", "und-partner", "x"];
    push(out, ",\"emails\":[\"");
    push(out, given.in_email);
    push(out, random.pick(&[".", "_", "", "-"]));
    push(out, family.in_email);
    push_pattern(out, random.pick(&["", "##", "##", "$###", "", "##", "19##", "+shop"]), random);
    push(out, "@");
    push(out, random.pick(&PRIVATE));
    if random.chance(40) {
        push(out, "\",\"");
        push(out, &given.in_email[..1]);
        push(out, ".");
        push(out, family.in_email);
        push(out, "@");
        push(out, family.in_email);
        push(out, "-");
        push(out, random.pick(&BRANCHES));
        push(out, ".example");
        if random.chance(40) {
            push(out, "\",\"");
            push(out, given.in_email);
            push_pattern(out, "$###", random);
            push(out, "@alumni.example.org");
        }
    }
    push(out, "\"]");
}

fn push_phone_numbers(out: &mut Vec<u8>, locale: &Locale, complete: bool, random: &mut Random) {
    let count = match random.below(100) {
        0..25 if !complete => 0,
        0..70 => 1,
        70..92 => 2,
        _ => 3,
    };
    let mut previous = 0..0;
    for nth in 0..count {
        push(out, if nth == 0 { ",\"phoneNumbers\":[" } else { "," });
        push_string(out, "{\"type\":", random.pick(&["mobile", "mobile", "home", "work", "other"]));
        push(out, ",\"number\":\"");
        let begin = out.len();
        if nth > 0 && random.chance(10) {
            out.extend_from_within(previous.clone());
        } else {
            push(out, if random.chance(90) { "+" } else { "" });
            push(out, locale.calling_code);
            push_pattern(out, locale.number, random);
        }
        previous = begin..out.len();
        push(out, "\"}");
    }
    push(out, if count > 0 { "]" } else { "" });
}

fn push_address(out: &mut Vec<u8>, locale: &Locale, complete: bool, random: &mut Random) {
    if !random.chance(85) && !complete {
        return;
    }
    push(out, ",\"address\":{\"line1\":\"");
    push_pattern(out, random.pick(&locale.streets), random);
    if random.chance(30) {
        push(out, "\",\"line2\":\"");
        push_pattern(out, random.pick(&locale.second_lines), random);
    }
    let city = random.pick(&locale.cities);
    push_string(out, "\",\"city\":", city.name);
    push_string(out, ",\"state\":", city.state);
    push(out, ",\"postalCode\":\"");
    push_pattern(out, city.postal_code, random);
    push_string(out, "\",\"country\":", locale.country);
    push(out, "}");
}

/// In small letters, rarely in capitals or in both.
pub(crate) fn push_uuid(out: &mut Vec<u8>, uuid: [u8; 16], random: &mut Random) {
    let capitals: u32 = match random.below(200) {
        0 => 0x9a3c_57e1,
        1 | 2 => u32::MAX,
        _ => 0,
    };
    for (at, byte) in uuid.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        for (shift, digit) in [(0, byte >> 4), (1, byte & 15)] {
            let capital = capitals >> (2 * at + shift) & 1 == 1;
            let digits = if capital { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
            out.push(digits[usize::from(digit)]);
        }
    }
}

/// `#` becomes a digit, `$` one from 1 to 9, `@` a capital letter.
pub(crate) fn push_pattern(out: &mut Vec<u8>, pattern: &str, random: &mut Random) {
    let mut byte = |first: u8, count: u64| {
        first + u8::try_from(random.below(count)).expect("no pattern letter stands for more than 26")
    };
    out.extend(pattern.bytes().map(|letter| match letter {
        b'#' => byte(b'0', 10),
        b'$' => byte(b'1', 9),
        b'@' => byte(b'A', 26),
        other => other,
    }));
}

fn push_string(out: &mut Vec<u8>, before: &str, inside: &str) {
    push(out, before);
    push(out, "\"");
    push(out, inside);
    push(out, "\"");
}

fn push_bool(out: &mut Vec<u8>, value: bool) {
    push(out, if value { "true" } else { "false" });
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}
