//! Files that hold what customers have given, or that others wait for, are made here: never through a link, so that nobody who
//! may write to the folder decides where it goes, and private ones belong to us alone.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use rustix::{fs::OFlags, io::Errno, process::geteuid};

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// Its owner.
    Owner,
    /// Whom the process' umask lets.
    Umask,
}

/// Creates a file of customers' documents for its owner alone, as [`create`] does.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    create(path, Readers::Owner)
}

/// Creates a file, or empties one of ours that is there from an earlier attempt. One that belongs to somebody else, or has
/// another name as well, is replaced by a new one; a link, a pipe or a socket is refused.
pub(super) fn create(path: &Path, readers: Readers) -> io::Result<File> {
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Umask => 0o644,
    };
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(mode);
    // A pipe that nobody reads would keep us waiting.
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    let file = options.open(path).map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => io::Error::other("it is a link, which is not followed; remove it"),
        Some(Errno::NXIO) => not_a_file(),
        _ => error,
    })?;
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    if kind.is_char_device() {
        return Ok(file);
    }
    if !kind.is_file() {
        return Err(not_a_file());
    }
    if metadata.uid() != geteuid().as_raw() || metadata.nlink() > 1 {
        fs::remove_file(path)?;
        return OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    }
    if readers == Readers::Owner {
        file.set_permissions(fs::Permissions::from_mode(mode))?;
    }
    file.set_len(0)?;
    Ok(file)
}

fn not_a_file() -> io::Error {
    io::Error::other("something is there that is no file; remove it")
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn links_are_not_followed_and_files_are_private() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        let mode = |name: &str| fs::metadata(path(name)).unwrap().permissions().mode() & 0o777;
        fs::write(path("others"), "theirs").unwrap();
        symlink(path("others"), path("link")).unwrap();
        symlink(path("nowhere"), path("dangling")).unwrap();
        for link in ["link", "dangling"] {
            let error = create(&path(link), Readers::Owner).unwrap_err();
            assert_eq!(error.to_string(), "it is a link, which is not followed; remove it");
        }
        assert!(!path("nowhere").exists());

        fs::hard_link(path("others"), path("same")).unwrap();
        create(&path("same"), Readers::Owner).unwrap().write_all(b"ours").unwrap();
        assert_eq!(fs::read_to_string(path("others")).unwrap(), "theirs");
        assert_eq!((fs::read_to_string(path("same")).unwrap().as_str(), mode("same")), ("ours", 0o600));

        fs::write(path("open"), "from an earlier attempt").unwrap();
        fs::set_permissions(path("open"), fs::Permissions::from_mode(0o666)).unwrap();
        create(&path("open"), Readers::Owner).unwrap();
        assert_eq!((fs::read_to_string(path("open")).unwrap().as_str(), mode("open")), ("", 0o600));

        assert!(create(home.path(), Readers::Umask).is_err());
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        assert!(create(&path("socket"), Readers::Owner).is_err());
    }
}
