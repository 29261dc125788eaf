//! The files of TLS: certificates, private keys, revocation lists.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject};

use super::super::{conninfo::shown, target_error::TargetError};
use crate::{path_text::path_text, read_file::read_at_most};

/// All authorities there are take a quarter of it.
const CERTIFICATES: u64 = 64 << 20;

const REVOCATION_LISTS: &str = "the file of revocation lists";
const PRIVATE_KEY: &str = "the file of the private key";

pub(super) fn certificates_of(path: &Path) -> Result<Vec<CertificateDer<'static>>, TargetError> {
    let pem = read_at_most(path, CERTIFICATES)
        .map_err(|source| TargetError::Certificates { path: shown_path(path), source })?;
    certificates(&path_text(path), &pem)
}

pub(super) fn certificates(name: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TargetError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
    if certificates.is_empty() {
        Err(TargetError::NoCertificate(shown(name).to_owned()))
    } else {
        Ok(certificates)
    }
}

/// As libpq has it, nobody else may read a key; root's may be readable for a group of users.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TargetError> {
    let pem = read(PRIVATE_KEY, path)?;
    let is_open = |metadata: fs::Metadata| {
        let closed = if metadata.uid() == 0 { 0o037 } else { 0o077 };
        metadata.mode() & closed != 0
    };
    if fs::metadata(path).is_ok_and(is_open) {
        return Err(TargetError::ReadableByOthers { what: PRIVATE_KEY, path: shown_path(path) });
    }
    let has = |words: &[u8]| pem.windows(words.len()).any(|window| window == words);
    if has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED") {
        return Err(TargetError::EncryptedKey { path: shown_path(path) });
    }
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TargetError::NoKey { path: shown_path(path) })
}

/// Those of a file, and of all files of a folder, where others may lie about.
pub(super) fn revocation_lists(
    file: Option<PathBuf>,
    dir: Option<&str>,
) -> Result<Vec<CertificateRevocationListDer<'static>>, TargetError> {
    let lists_of = |path: &Path| -> Result<Vec<_>, TargetError> {
        let pem = read(REVOCATION_LISTS, path)?;
        Ok(CertificateRevocationListDer::pem_slice_iter(&pem).filter_map(Result::ok).collect())
    };
    let none = |path| Err(TargetError::NoPem { what: REVOCATION_LISTS, path });
    let mut lists = Vec::new();
    if let Some(path) = file {
        lists = lists_of(&path)?;
        if lists.is_empty() {
            return none(shown_path(&path));
        }
    }
    if let Some(dir) = dir {
        let unreadable =
            |source| TargetError::File { what: REVOCATION_LISTS, path: shown(dir).to_owned(), source };
        let before = lists.len();
        for entry in fs::read_dir(dir).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_file() {
                lists.extend(lists_of(&path)?);
            }
        }
        if lists.len() == before {
            return none(shown(dir).to_owned());
        }
    }
    Ok(lists)
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TargetError> {
    read_at_most(path, CERTIFICATES).map_err(|source| TargetError::File {
        what,
        path: shown_path(path),
        source,
    })
}

fn shown_path(path: &Path) -> String {
    shown(&path_text(path)).to_owned()
}
