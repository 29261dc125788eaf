//! One valid document of the mix `world`: what many programs, in many countries, write.
//!
//! The layout says how the program writes JSON, the parts say what. The shares are guesses at what an export of a large
//! customer base holds: what is rare in it is rare here, but some thousands of documents have all of it.

mod emails;
mod pen;
mod texts;

use crate::{
    customer::{Part, Version, push_uuid},
    locale::{Locale, Name},
    random::{Random, uuid},
};

use pen::{Layout, Pen, filled};

/// Two characters that some sources have in the place of a country's code.
const WRITTEN_COUNTRIES: [&str; 8] = ["中国", "日本", "РФ", "ΕΛ", "ÖS", "ÉG", "مص", "한국"];

/// Whose document it is.
#[derive(Debug)]
struct Person<'l> {
    locale: &'l Locale,
    given: Name,
    family: Name,
}

/// Appends the document, without a line end. The locales are decoded ones.
pub(crate) fn push_document(out: &mut Vec<u8>, locales: &[Locale], version: Version) {
    let mut order = version.original_stream(Part::Layout);
    let layout = Layout::draw(&mut order);
    let mut random = version.original_stream(Part::Person);
    let locale = &locales[random.index(locales.len())];
    let person = Person { locale, given: random.pick(&locale.given), family: random.pick(&locale.family) };

    let names =
        ["id", "firstName", "middleName", "lastName", "emails", "phoneNumbers", "address", "privacySettings"];
    let mut pen = Pen::new(out, layout);
    pen.open(b'{');
    for name in layout.order(names, &mut order) {
        match name {
            "id" => {
                pen.name("id");
                pen.string_of(|out| push_uuid(out, uuid(version.seed, version.index), &mut random));
            }
            "emails" => {
                emails::push(&mut pen, person.given, person.family, &mut version.stream(Part::Emails));
            }
            "phoneNumbers" => push_phone_numbers(&mut pen, locale, version, &mut order),
            "address" => push_address(&mut pen, locale, version, &mut order),
            "privacySettings" => push_privacy_settings(&mut pen, version, &mut order),
            name => push_name(&mut pen, name, &person, version),
        }
    }
    pen.close(b'}');
}

fn push_name(pen: &mut Pen<'_>, name: &str, person: &Person<'_>, version: Version) {
    let stream = |part| version.original_stream(part);
    let locale = person.locale;
    let given = |random: &mut Random| random.pick(&locale.given).written;
    let family = |random: &mut Random| random.pick(&locale.family).written;
    let text = match name {
        "firstName" => texts::name(person.given.written, given, &mut stream(Part::FirstName)),
        "lastName" => texts::name(person.family.written, family, &mut stream(Part::LastName)),
        _ => {
            let mut random = stream(Part::MiddleName);
            if !random.chance(30) {
                return;
            }
            texts::middle_name(random.pick(&locale.middle), &mut random)
        }
    };
    pen.name(name);
    pen.string(&text);
}

fn push_phone_numbers(pen: &mut Pen<'_>, locale: &Locale, version: Version, order: &mut Random) {
    let mut random = version.stream(Part::PhoneNumbers);
    let count = match random.below(1000) {
        0..250 if !version.complete => return,
        0..700 => 1,
        700..910 => 2,
        910..990 => 3,
        _ => 4 + random.below(9),
    };
    pen.name("phoneNumbers");
    pen.open(b'[');
    let mut number = String::new();
    for nth in 0..count {
        if nth == 0 || !random.chance(10) {
            number.clear();
            number.push_str(if random.chance(90) { "+" } else { "" });
            number.push_str(locale.calling_code);
            number.push_str(&filled(locale.number, &mut random));
        }
        pen.item();
        pen.open(b'{');
        for name in pen.layout().order(["type", "number"], order) {
            pen.name(name);
            match name {
                "type" => pen.string(random.pick(&["mobile", "mobile", "home", "work", "other"])),
                _ => pen.string(&number),
            }
        }
        pen.close(b'}');
    }
    pen.close(b']');
}

fn push_address(pen: &mut Pen<'_>, locale: &Locale, version: Version, order: &mut Random) {
    let mut random = version.stream(Part::Address);
    if !random.chance(85) && !version.complete {
        return;
    }
    let city = random.pick(&locale.cities);
    let street = |random: &mut Random| random.pick(&locale.streets);
    pen.name("address");
    pen.open(b'{');
    for name in pen.layout().order(["line1", "line2", "city", "state", "postalCode", "country"], order) {
        if name == "line2" && !random.chance(30) {
            continue;
        }
        pen.name(name);
        match name {
            "line1" if random.below(50) == 0 => {
                let first = street(&mut random);
                let line = texts::long_line(first, street, &mut random);
                pen.pattern(&line, &mut random);
            }
            "line1" => pen.pattern(street(&mut random), &mut random),
            "line2" if random.below(30) == 0 => pen.string(""),
            "line2" => pen.pattern(random.pick(&locale.second_lines), &mut random),
            "city" => pen.string(city.name),
            "state" => pen.string(city.state),
            "postalCode" if random.below(50) == 0 => pen.string(""),
            "postalCode" => pen.pattern(city.postal_code, &mut random),
            _ if random.below(200) == 0 => pen.string(random.pick(&WRITTEN_COUNTRIES)),
            _ => pen.string(locale.country),
        }
    }
    pen.close(b'}');
}

fn push_privacy_settings(pen: &mut Pen<'_>, version: Version, order: &mut Random) {
    let mut random = version.original_stream(Part::PrivacySettings);
    let (marketing, two_factor) = (random.chance(40) != version.turned, random.chance(25));
    pen.name("privacySettings");
    pen.open(b'{');
    for name in pen.layout().order(["marketingEmailsEnabled", "twoFactorEnabled"], order) {
        pen.name(name);
        pen.bool(if name == "twoFactorEnabled" { two_factor } else { marketing });
    }
    pen.close(b'}');
}
