//! Looks for a line that the short way of ordinary documents accepts and the validator does not, or with
//! another profile.
//!
//! Each line of the input is a document of its own, so that a corpus can be made of NDJSON.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use profile_loader::internals::document::{
    DocumentSchema, Profile, Scratch, check, check_in_full, check_ordinary,
};

static SCHEMA: LazyLock<DocumentSchema> = LazyLock::new(DocumentSchema::built_in);

fuzz_target!(|input: &[u8]| {
    let words = |profile: &Profile<'_>| format!("{profile:?}");
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        let full = check_in_full(line, &SCHEMA, words);
        if let Some(short) = check_ordinary(line, &SCHEMA, &mut Scratch::default(), words) {
            assert_eq!(full.as_ref(), Ok(&short), "accepted the short way");
        }
        assert_eq!(check(line, &SCHEMA, words), full, "both ways together");
    }
});
