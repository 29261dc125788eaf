use std::collections::{HashMap, HashSet};

use profile_loader::internals::document::{DocumentSchema, check};
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
}

#[test]
fn a_range_does_not_depend_on_where_it_begins() {
    let all = lines("--count 300 --invalid 0.2 --changed 0.2");
    assert_eq!(lines("--count 200 --start 100 --invalid 0.2 --changed 0.2"), all[100..]);
    assert_ne!(lines("--count 300 --invalid 0.2 --changed 0.2 --seed 2")[0], all[0]);
}

#[test]
fn faulty_documents_have_the_one_fault_they_should() {
    let schema = DocumentSchema::built_in();
    let locales = locale::all();
    for index in 0..4000_u32 {
        let index = u64::from(index);
        let version = customer::Version { seed: 3, index, revision: 0, turned: false, complete: true };
        let mut random = Random::of(&[index]);
        let defect = random.pick(&DEFECTS);
        let mut document = Vec::new();
        push_document(&mut document, &locales, version);
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
    let (before, after) = (lines("--count 2000"), lines("--count 2000 --changed 0.1"));
    let same_ids = before.iter().zip(&after).all(|(before, after)| id(before) == id(after));
    let changed = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    assert!(same_ids && (160..240).contains(&changed), "{changed}");
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
