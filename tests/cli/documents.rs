//! Documents to feed the program with.

use std::{fmt::Write as _, path::Path, process::Command};

/// A valid document with an id of its own, line end included.
pub(crate) fn valid(number: usize) -> String {
    format!(
        r#"{{"id":"{number:08x}-8b86-4011-b42d-00c04fc964ff","firstName":"Ann","lastName":"Lee","emails":["ann{number}@example.com"],"privacySettings":{{"marketingEmailsEnabled":true,"twoFactorEnabled":false}}}}"#
    ) + "\n"
}

/// A document without a last name, line end included.
pub(crate) fn faulty(number: usize) -> String {
    valid(number).replace(r#""lastName":"Lee","#, "")
}

/// Documents 0 to `count`, of which those are faulty whose number can be divided by `faulty_every`.
pub(crate) fn mixed(count: usize, faulty_every: usize) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let document = if number.is_multiple_of(faulty_every) { faulty(number) } else { valid(number) };
        write!(text, "{document}").expect("writing to a String");
        text
    })
}

/// What `examples/generate` writes: every kind of document, in every tenth a fault of sixteen kinds.
pub(crate) fn generated(count: usize) -> Vec<u8> {
    let generate = Path::new(env!("CARGO_BIN_EXE_profile-loader")).with_file_name("examples/generate");
    let mut command = Command::new(&generate);
    command.args(["--count", &count.to_string(), "--seed", "7", "--invalid", "0.1"]);
    let output = command.output().unwrap_or_else(|error| {
        panic!("{}: {error}; build it with: cargo build --example generate", generate.display())
    });
    assert!(output.status.success(), "the generator writes documents");
    output.stdout
}
