//! What is sent to COPY says, to a reader of its binary format, what the profiles say.

#![no_main]

use libfuzzer_sys::{
    arbitrary::{self, Arbitrary},
    fuzz_target,
};
use profile_loader::{
    internals::{
        document::{PhoneNumber, PostalAddress, Profile},
        input::{Chunk, Piece, Watermark},
        rows::{COPY_HEADER, COPY_TRAILER, LanePart, RowForm, TableRows, rows_in, with_id},
    },
    settings::Framing,
};
use profile_loader_fuzz::copy::{Field, read};

const KINDS: [&str; 3] = ["home", "work", "mobile"];

#[derive(Debug, Arbitrary)]
struct Document<'a> {
    id: [u8; 16],
    names: [&'a str; 2],
    middle_name: Option<&'a str>,
    flags: [bool; 2],
    address: Option<([&'a str; 5], Option<&'a str>)>,
    emails: Vec<&'a str>,
    phone_numbers: Vec<(u8, &'a str)>,
}

impl<'a> Document<'a> {
    fn profile(&self) -> Profile<'a> {
        let phone_number =
            |&(kind, number): &(u8, &'a str)| PhoneNumber { kind: KINDS[usize::from(kind) % 3], number };
        Profile {
            id: self.id,
            first_name: self.names[0],
            middle_name: self.middle_name,
            last_name: self.names[1],
            marketing_emails_enabled: self.flags[0],
            two_factor_enabled: self.flags[1],
            address: self.address.map(|([line1, city, state, postal_code, country], line2)| PostalAddress {
                line1,
                line2,
                city,
                state,
                postal_code,
                country,
            }),
            emails: self.emails.clone().into(),
            phone_numbers: self.phone_numbers.iter().map(phone_number).collect(),
        }
    }
}

fuzz_target!(|input: (u32, Vec<Document<'_>>)| {
    let (sequence, documents) = input;
    let profiles: Vec<_> = documents.iter().map(Document::profile).collect();
    let chunk = chunk(u64::from(sequence), documents.len());
    staged(&profiles, &chunk);
    tables(&profiles, &chunk);
});

fn chunk(sequence: u64, documents: usize) -> Chunk {
    Chunk {
        sequence,
        source: 0,
        byte_offset: 0,
        first_line: 1,
        lines: documents,
        framing: Framing::Ndjson,
        piece: Piece::Whole,
        documents: Vec::new(),
        origins: Vec::new(),
        consumed: 0,
        end: Watermark::default(),
        is_unterminated: false,
        ended: Vec::new(),
        bytes: vec![b'\n'; documents],
    }
}

fn part(profiles: &[Profile<'_>], chunk: &Chunk, form: RowForm) -> LanePart {
    let mut part = LanePart::of(chunk, form);
    profiles.iter().enumerate().for_each(|(offset, profile)| part.push(profile, offset));
    part
}

fn text(text: &str) -> Field {
    Some(text.as_bytes().to_vec())
}

fn staged(profiles: &[Profile<'_>], chunk: &Chunk) {
    let part = part(profiles, chunk, RowForm::Staged);
    let rows: Vec<_> = (0..profiles.len()).map(|index| part.row(index)).collect();
    let joined: Vec<u8> = rows.iter().flat_map(|row| row.0).copied().collect();
    assert_eq!(part.ranges(0..profiles.len())[0], 0..joined.len());
    let read = read(&[COPY_HEADER, &*joined, COPY_TRAILER].concat());
    assert_eq!(read.len(), profiles.len());
    let mut last = None;
    for (row, profile) in read.into_iter().zip(profiles) {
        let [seq, fields @ .., emails, phones] = &row[..] else { panic!("a row has fields") };
        assert!(*seq > last, "numbers rise");
        last.clone_from(seq);
        let address = profile.address.unwrap_or_default();
        let of_address = |field: Field| if profile.address.is_some() { field } else { None };
        let expected = [
            Some(profile.id.to_vec()),
            text(profile.first_name),
            profile.middle_name.and_then(text),
            text(profile.last_name),
            Some(vec![u8::from(profile.marketing_emails_enabled)]),
            Some(vec![u8::from(profile.two_factor_enabled)]),
            of_address(text(address.line1)),
            address.line2.and_then(text),
            of_address(text(address.city)),
            of_address(text(address.state)),
            of_address(text(address.postal_code)),
            of_address(text(address.country)),
        ];
        assert_eq!(fields, expected);
        let texts =
            |field: &Field| profile_loader_fuzz::copy::texts(field.as_deref().expect("a list is never null"));
        assert_eq!(texts(emails), profile.emails.iter().map(|email| (*email).to_owned()).collect::<Vec<_>>());
        let numbers = profile.phone_numbers.iter();
        assert_eq!(
            texts(phones),
            numbers.map(|phone| format!("{} {}", phone.kind, phone.number)).collect::<Vec<_>>()
        );
    }
    for (one, profile) in rows.iter().zip(profiles) {
        for (other, another) in rows.iter().zip(profiles) {
            assert_eq!(one.contents() == other.contents(), profile == another);
        }
    }
}

fn tables(profiles: &[Profile<'_>], chunk: &Chunk) {
    let mut rows = TableRows::default();
    profiles.iter().for_each(|profile| rows.push(profile));
    let part = part(profiles, chunk, RowForm::Tables);
    assert_eq!(part.ranges(0..profiles.len()), rows.0.each_ref().map(|rows| 0..rows.len()));
    let stream = |rows: &[u8]| read(&[COPY_HEADER, rows, COPY_TRAILER].concat());
    let id = |profile: &Profile<'_>| Some(profile.id.to_vec());
    let [of_profiles, addresses, emails, phone_numbers] = &rows.0;
    let expected = profiles.iter().map(|profile| {
        let flags = [profile.marketing_emails_enabled, profile.two_factor_enabled];
        let [one, other] = flags.map(|flag| Some(vec![u8::from(flag)]));
        vec![
            id(profile),
            text(profile.first_name),
            profile.middle_name.and_then(text),
            text(profile.last_name),
            one,
            other,
        ]
    });
    assert_eq!(stream(of_profiles), expected.collect::<Vec<_>>());
    let expected = profiles.iter().filter_map(|profile| {
        let PostalAddress { line1, line2, city, state, postal_code, country } = profile.address?;
        let rest = [city, state, postal_code, country].map(text);
        Some([id(profile), text(line1), line2.and_then(text)].into_iter().chain(rest).collect::<Vec<_>>())
    });
    assert_eq!(stream(addresses), expected.collect::<Vec<_>>());
    let expected: Vec<Vec<Field>> = profiles
        .iter()
        .flat_map(|profile| {
            profile.emails.iter().map(|email| vec![id(profile), text(email)]).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(stream(emails), expected);
    // With ids from a sequence in front.
    let numbered: Vec<u8> = rows_in(phone_numbers)
        .zip(-3..)
        .flat_map(|(row, number)| {
            let (head, rest) = with_id(row, number);
            [&head, rest].concat()
        })
        .collect();
    let expected = profiles
        .iter()
        .flat_map(|profile| {
            profile.phone_numbers.iter().map(|phone| (id(profile), *phone)).collect::<Vec<_>>()
        })
        .zip(-3_i64..)
        .map(|((id, phone), number)| {
            vec![Some(number.to_be_bytes().to_vec()), id, text(phone.kind), text(phone.number)]
        });
    assert_eq!(stream(&numbered), expected.collect::<Vec<_>>());
}
