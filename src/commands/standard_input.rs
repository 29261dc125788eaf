//! Whether standard input is one that can be read. Rust opens `/dev/null` in place of one that was closed, and takes one
//! that is not for reading as empty: both would be a load of no documents that ends well.

use std::{
    fs::{self, File, FileType},
    io::{self, IsTerminal as _},
    os::{
        fd::AsFd as _,
        unix::fs::{FileTypeExt as _, MetadataExt as _},
    },
};

use rustix::fs::OFlags;

use super::failure::{Failure, exit};

pub(super) fn refuse_unreadable() -> Result<(), Failure> {
    match reason().unwrap_or_default() {
        Some(reason) => Err(Failure::new(exit::USAGE, format!("standard input can't be read: {reason}"))),
        None => Ok(()),
    }
}

fn reason() -> io::Result<Option<&'static str>> {
    let stdin = io::stdin();
    let mode = rustix::fs::fcntl_getfl(&stdin)? & OFlags::RWMODE;
    if mode == OFlags::WRONLY {
        return Ok(Some("it is open for writing only; redirect it with '<', or give a file"));
    }
    // A shell and a service manager open it for reading only.
    if mode == OFlags::RDWR
        && !stdin.is_terminal()
        && is_dev_null(&File::from(stdin.as_fd().try_clone_to_owned()?))?
    {
        return Ok(Some(
            "it is closed, or nothing is connected to it; pipe the documents in ('docker run' needs -i for that), or \
             give a file",
        ));
    }
    Ok(None)
}

fn is_dev_null(file: &File) -> io::Result<bool> {
    let (found, null) = (file.metadata()?, fs::metadata("/dev/null")?);
    let is_device = |file_type: FileType| file_type.is_char_device();
    Ok(is_device(found.file_type()) && is_device(null.file_type()) && found.rdev() == null.rdev())
}
