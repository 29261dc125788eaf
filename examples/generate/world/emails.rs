//! E-mail addresses: mostly one to three, rarely up to twenty; of up to 254 characters, some of domains with names that
//! are no ASCII (A-labels, RFC 5890).

use std::fmt::Write as _;

use crate::{customer::push_pattern, locale::Name, random::Random};

use super::pen::{Pen, filled};

const PROVIDERS: [&str; 7] = [
    "example.com",
    "example.org",
    "example.net",
    "mail.example",
    "post.example",
    "webmail.example.com",
    "EXAMPLE.COM",
];

const BRANCHES: [&str; 6] = ["consulting", "logistics", "foods", "und-partner", "x", "24"];

/// münchen, bücher, почта, 例え, пример, παράδειγμα, שלום, อาหาร, 한국, smörgåsbord, ñandú, أمثلة, 中文, français.
const A_LABELS: [&str; 14] = [
    "xn--mnchen-3ya",
    "xn--bcher-kva",
    "xn--80a1acny",
    "xn--r8jz45g",
    "xn--e1afmkfd",
    "xn--hxajbheg2az3al",
    "xn--9dbne9b",
    "xn--03cpfub",
    "xn--3e0b707e",
    "xn--smrgsbord-82a8p",
    "xn--and-6ma2c",
    "xn--igbmf4hd",
    "xn--fiq228c",
    "xn--franais-xxa",
];

/// RFC 5321 section 4.5.3.1, and its erratum 1690 for the whole.
const LOCAL_BYTES_MAX: usize = 64;
const EMAIL_BYTES_MAX: usize = 254;
const LABEL_BYTES_MAX: usize = 63;

pub(super) fn push(pen: &mut Pen<'_>, given: Name, family: Name, random: &mut Random) {
    let count = match random.below(1000) {
        0..620 => 1,
        620..900 => 2,
        900..988 => 3,
        _ => 5 + random.below(16),
    };
    pen.name("emails");
    pen.open(b'[');
    let mut email = String::new();
    for nth in 0..count {
        email.clear();
        push_local_part(&mut email, given.in_email, family.in_email, random);
        // What comes after the last point tells those of one document apart: a first one has no number there.
        if nth > 0 {
            write!(email, ".{nth}").expect("writing to a String");
        }
        email.push('@');
        push_domain(&mut email, family.in_email, random);
        if random.below(250) == 0 {
            lengthen(&mut email, random);
        }
        pen.item();
        pen.string(&email);
    }
    pen.close(b']');
}

fn push_local_part(email: &mut String, given: &str, family: &str, random: &mut Random) {
    match random.below(100) {
        0..4 => {
            email.extend(given.chars().take(1).map(|first| first.to_ascii_uppercase()));
            email.push_str(&given[1..]);
            email.push('.');
            email.extend(family.chars().map(|letter| letter.to_ascii_uppercase()));
        }
        4..6 => email.extend([given, ".o'", family]),
        6..20 => email.extend([&given[..1], ".", family]),
        _ => {
            email.push_str(given);
            email.push_str(random.pick(&[".", "_", "", "-"]));
            email.push_str(family);
            let number = random.pick(&["", "##", "##", "$###", "", "##", "19##", "+shop"]);
            email.push_str(&filled(number, random));
        }
    }
}

fn push_domain(email: &mut String, family: &str, random: &mut Random) {
    match random.below(100) {
        0..3 => {
            email.push_str(random.pick(&["", "", "mail."]));
            email.push_str(random.pick(&A_LABELS));
            email.push_str(random.pick(&[".example", ".example", ".xn--p1ai"]));
        }
        3..70 => email.push_str(random.pick(&PROVIDERS)),
        _ => {
            email.push_str(family);
            email.push('-');
            email.push_str(random.pick(&BRANCHES));
            email.push_str(random.pick(&[".example", ".example", ".co.example"]));
        }
    }
}

/// To between 65 characters and as many as an address may have: the local part first, then the domain.
fn lengthen(email: &mut String, random: &mut Random) {
    let length = 65 + random.index(EMAIL_BYTES_MAX - 65 + 1);
    let at = email.find('@').expect("an address");
    let room = length.saturating_sub(email.len()).min(LOCAL_BYTES_MAX - at);
    // In front: the end tells addresses apart.
    let local_part = letters(room, random);
    email.insert_str(0, &local_part);
    let mut domain = String::new();
    while email.len() + domain.len() + 2 <= length {
        let room = length - email.len() - domain.len() - 1;
        domain += &letters(room.min(1 + random.index(LABEL_BYTES_MAX)), random);
        domain.push('.');
    }
    let at = email.find('@').expect("an address") + 1;
    email.insert_str(at, &domain);
}

fn letters(count: usize, random: &mut Random) -> String {
    let mut bytes = Vec::with_capacity(count);
    (0..count).for_each(|_| push_pattern(&mut bytes, "@", random));
    bytes.make_ascii_lowercase();
    String::from_utf8(bytes).expect("ASCII")
}
