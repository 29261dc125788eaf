//! A service file says of a service what libpq reads in it, or is refused.

#![no_main]

use std::{env, fs, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use profile_loader::internals::postgres::fuzzing::service_in;
use profile_loader_fuzz::{FOLDER, libpq};

/// libpq's line buffer has 1024 bytes.
const LINE_BYTES_MAX: usize = 1000;

static DEFAULTS: LazyLock<Option<libpq::Settings>> = LazyLock::new(|| {
    for (name, _) in env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
        // SAFETY: there is one thread.
        unsafe { env::remove_var(name) };
    }
    libpq::defaults()
});

// The first line is the name of the service.
fuzz_target!(|input: &[u8]| {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return };
    let (service, file) = (&input[..end], &input[end + 1..]);
    let found = service_in(file, service);
    let Ok(name) = str::from_utf8(service) else { return };
    // libpq asks the server of LDAP that a line names.
    let is_for_ldap = file.windows(4).any(|word| word == b"ldap");
    let is_long = file.split(|byte| *byte == b'\n').any(|line| line.len() > LINE_BYTES_MAX);
    if name.is_empty() || input.contains(&0) || is_for_ldap || is_long {
        return;
    }
    let Some(defaults) = &*DEFAULTS else { return };
    let path = FOLDER.join("services");
    fs::write(&path, file).expect("a file in TMPDIR");
    // SAFETY: there is one thread.
    unsafe {
        env::set_var("PGSERVICEFILE", &path);
        env::set_var("PGSYSCONFDIR", &*FOLDER);
        env::set_var("PGSERVICE", name);
    }
    let libpq = libpq::defaults();
    // SAFETY: there is one thread.
    unsafe { env::remove_var("PGSERVICE") };
    let Ok(found) = found else { return };
    let mut expected = defaults.clone();
    for (keyword, value) in found.unwrap_or_default() {
        if !defaults.contains_key(keyword) && keyword_is_newer(keyword) {
            return;
        }
        expected.insert(keyword.to_owned(), value);
    }
    let mut libpq = libpq.expect("it was there before");
    for keyword in ["service", "servicefile"] {
        expected.remove(keyword);
        libpq.remove(keyword);
    }
    assert_eq!(libpq, expected);
});

fn keyword_is_newer(keyword: &str) -> bool {
    static KEYWORDS: LazyLock<Vec<String>> = LazyLock::new(|| libpq::keywords().unwrap_or_default());
    !KEYWORDS.iter().any(|known| known == keyword)
}
