//! The first line is a JSON Schema, the others are documents: what the short way accepts, the validator accepts, with the same
//! profile.

#![no_main]

use libfuzzer_sys::fuzz_target;
use profile_loader::internals::document::{
    DocumentSchema, Profile, Scratch, check, check_in_full, check_ordinary,
};

fuzz_target!(|input: &[u8]| {
    let mut lines = input.split_inclusive(|byte| *byte == b'\n');
    let Some(Ok(text)) = lines.next().map(std::str::from_utf8) else { return };
    let Ok(schema) = DocumentSchema::compile(text, "fuzz") else { return };
    let words = |profile: &Profile<'_>| format!("{profile:?}");
    for line in lines {
        let full = check_in_full(line, &schema, words);
        if let Some(short) = check_ordinary(line, &schema, &mut Scratch::default(), words) {
            assert_eq!(full.as_ref(), Ok(&short), "accepted the short way");
        }
        assert_eq!(check(line, &schema, words), full, "both ways together");
    }
});
