use std::collections::{HashMap, HashSet};

use profile_loader::internals::document::{DocumentSchema, check, check_in_full};
use serde_json::Value;

use super::*;

fn options(text: &str) -> Options {
    let options = Options::try_parse_from(format!("generate {text}").split_whitespace()).unwrap();
    assert_eq!(super::check(&options), Ok(()));
    options
}

fn lines(text: &str) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    write_documents(&options(text), &mut out).unwrap();
    assert!(out.is_empty() || out.pop() == Some(b'\n'));
    out.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn id(line: &[u8]) -> String {
    let document: Value = serde_json::from_slice(line).unwrap();
    document["id"].as_str().unwrap().to_lowercase()
}

#[test]
fn documents_are_valid_and_their_ids_differ() {
    let schema = DocumentSchema::built_in();
    let all = lines("--count 5000 --changed 0.5 --seed 7");
    for line in &all {
        let text = String::from_utf8_lossy(line);
        let kept = check(line, &schema, |profile| profile.id[6] >> 4 == 4 && profile.id[8] >> 6 == 2);
        assert_eq!(kept, Ok(true), "{text}");
    }
    assert_eq!(all.iter().map(|line| id(line)).collect::<HashSet<_>>().len(), 5000);
    let mean = all.iter().map(Vec::len).sum::<usize>() / all.len();
    assert!((380..430).contains(&mean), "{mean} bytes");
}

#[test]
fn the_same_options_write_the_same_bytes_for_ever() {
    let sum = blake3::hash(&lines("--count 1000 --invalid 0.1 --duplicates 0.1 --changed 0.1").concat());
    assert_eq!(&sum.to_hex()[..16], "1b596906f248637c");
    let world = "--count 1000 --invalid 0.1 --duplicates 0.1 --changed 0.1 --mix world";
    assert_eq!(&blake3::hash(&lines(world).concat()).to_hex()[..16], "7208d0ffa11e8f5e");
}

#[test]
fn documents_of_the_world_are_valid_and_have_all_that_they_should() {
    let schema = DocumentSchema::built_in();
    let all = lines("--count 20000 --changed 0.5 --seed 7 --mix world");
    let (mut names, mut emails, mut email_count, mut phones) = (HashSet::new(), 0, 0, 0);
    let mut left_out = [0; 3];
    for line in &all {
        let text = String::from_utf8_lossy(line);
        let kept = check_in_full(line, &schema, |profile| {
            names.extend([&profile.first_name, &profile.last_name].map(|name| name.chars().count()));
            emails = profile.emails.iter().map(|email| email.len()).fold(emails, usize::max);
            email_count = email_count.max(profile.emails.len());
            phones = phones.max(profile.phone_numbers.len());
            left_out[0] += u32::from(profile.middle_name.is_none());
            left_out[1] += u32::from(profile.phone_numbers.is_empty());
            left_out[2] += u32::from(profile.address.is_none());
        });
        assert_eq!(kept, Ok(()), "{text}");
    }
    assert_eq!(all.iter().map(|line| id(line)).collect::<HashSet<_>>().len(), all.len());
    assert_eq!((names.iter().min(), names.iter().max()), (Some(&1), Some(&60)));
    assert!(
        (245..=254).contains(&emails) && email_count == 20 && phones == 12,
        "{emails} {email_count} {phones}"
    );
    assert!(left_out.iter().all(|count| (2_000..16_000).contains(count)), "{left_out:?}");

    // In how many documents of 20,000, at least.
    for (part, least) in [
        ("\\u00", 1_000),
        ("\\ud83c\\udf3b", 5), // 🌻
        ("🌻", 20),
        ("\\\"", 100),
        ("\\/", 50),
        ("\\u002B", 200),
        ("@xn--", 200),
        ("\": \"", 2_000),
        ("\", \"", 1_000),
        ("{\"address\":", 1_000),
        ("\"country\":\"中国\"", 1),
        ("ა", 100),
        ("Ł", 100),
    ] {
        let found = all.iter().filter(|line| memchr::memmem::find(line, part.as_bytes()).is_some()).count();
        assert!(found >= least, "{part}: {found}");
    }
}

#[test]
fn a_range_does_not_depend_on_where_it_begins() {
    let all = lines("--count 300 --invalid 0.2 --changed 0.2");
    assert_eq!(lines("--count 200 --start 100 --invalid 0.2 --changed 0.2"), all[100..]);
    let world = lines("--count 300 --invalid 0.2 --mix world");
    assert_eq!(lines("--count 200 --start 100 --invalid 0.2 --mix world"), world[100..]);
    assert_ne!(lines("--count 300 --invalid 0.2 --changed 0.2 --seed 2")[0], all[0]);
}

#[test]
fn faulty_documents_have_the_one_fault_they_should() {
    let schema = DocumentSchema::built_in();
    let mixes = [Mix::Plain, Mix::World].map(Vocabulary::of);
    for index in 0..8000_u32 {
        let (index, vocabulary) = (u64::from(index), &mixes[usize::from(index % 2 == 1)]);
        let version = customer::Version { seed: 3, index, revision: 0, turned: false, complete: true };
        let mut random = Random::of(&[index]);
        let defect = random.pick(&DEFECTS);
        let mut document = Vec::new();
        vocabulary.push_document(&mut document, version);
        spoil(&mut document, defect, &mut random);
        let faults = check(&document, &schema, |_| ()).unwrap_err();
        let codes: Vec<_> = faults.iter().map(|fault| fault.code.as_ref()).collect();
        assert_eq!(codes, [defect.code()], "{defect:?}: {}", String::from_utf8_lossy(&document));
    }
}

#[test]
fn shares_are_kept() {
    let schema = DocumentSchema::built_in();
    let faulty = |text: &str| lines(text).iter().filter(|line| check(line, &schema, |_| ()).is_err()).count();
    assert_eq!(faulty("--count 500 --invalid 1"), 500);
    assert!((80..120).contains(&faulty("--count 1000 --invalid 0.1 --duplicates 0.9")));
    assert_eq!(lines("--count 0"), [b""]);
}

#[test]
fn duplicates_are_half_copies_and_half_changed() {
    let mut seen: HashMap<String, Vec<u8>> = HashMap::new();
    let (mut copies, mut changed) = (0, 0);
    for line in lines("--count 4000 --start 50 --duplicates 0.25 --changed 0.5") {
        let first = seen.entry(id(&line)).or_insert_with(|| line.clone());
        // The first line of an id is its original, and equal to itself.
        if *first == line { copies += 1 } else { changed += 1 }
    }
    copies -= seen.len();
    assert!((450..550).contains(&copies) && (450..550).contains(&changed), "{copies} and {changed}");
}

#[test]
fn a_delta_keeps_ids_and_changes_a_share() {
    for mix in ["", "--mix world"] {
        let before = lines(&format!("--count 2000 {mix}"));
        let after = lines(&format!("--count 2000 --changed 0.1 {mix}"));
        let same_ids = before.iter().zip(&after).all(|(before, after)| id(before) == id(after));
        let changed = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        assert!(same_ids && (160..240).contains(&changed), "{changed}");
    }
}

#[test]
fn a_reader_that_leaves_is_seen_as_a_broken_pipe() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = write_documents(&options("--count 10"), &mut Gone).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    for text in ["--invalid 1.1", "--changed NaN", "--duplicates -1", "--invalid x"] {
        let parsed = Options::try_parse_from(format!("generate {text}").split_whitespace());
        assert!(parsed.is_err(), "{text}");
    }
    for text in ["--invalid 0.6 --duplicates 0.6", "--start 4611686018427387904 --count 1"] {
        let parsed = Options::try_parse_from(format!("generate {text}").split_whitespace()).unwrap();
        assert!(super::check(&parsed).is_err(), "{text}");
    }
}
