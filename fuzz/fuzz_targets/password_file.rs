//! A password file has the password for a server that libpq finds in it.

#![no_main]

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use libfuzzer_sys::fuzz_target;
use profile_loader::internals::postgres::fuzzing::password_in;
use profile_loader_fuzz::{FOLDER, libpq};

/// Where nobody listens.
const PORTS: [u16; 4] = [1, 2, 19, 65535];

// The first line is `host database user`, and the last byte of it chooses the port.
fuzz_target!(|input: &[u8]| {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return };
    let Ok(head) = str::from_utf8(&input[..end]) else { return };
    let file = &input[end + 1..];
    let [host, database, user] = head.split(' ').collect::<Vec<_>>()[..] else { return };
    let port = PORTS[head.len() % PORTS.len()];
    let found = password_in(file.to_vec(), host, port, database, user);
    // Of libpq's, a host with a comma is several, and a name without a byte is another one.
    if host.contains(',')
        || host.starts_with(['/', '@'])
        || [host, database, user].contains(&"")
        || input.contains(&0)
    {
        return;
    }
    let path = FOLDER.join("passwords");
    // libpq loses a last line of 255 bytes that has no end.
    fs::write(&path, [file, b"\n"].concat()).expect("a file in TMPDIR");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
    let libpq = libpq::password(&[
        ("host", host),
        ("hostaddr", "127.0.0.1"),
        ("port", &port.to_string()),
        ("dbname", database),
        ("user", user),
        ("passfile", path.to_str().expect("a path in TMPDIR")),
        ("sslmode", "disable"),
    ]);
    if let Some(libpq) = libpq {
        // An empty password is none.
        assert_eq!(String::from_utf8_lossy(&found.unwrap_or_default()), String::from_utf8_lossy(&libpq));
    }
});
