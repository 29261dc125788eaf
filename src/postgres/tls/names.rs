//! Whether a certificate is for a host: libpq's rules (fe-secure-common.c, fe-secure-openssl.c), which follow RFC 2818.
//!
//! subjectAltName decides; the common name counts only where that has no entry of the host's kind, name or address.
//! webpki does not hold a common name against the name constraints of a CA, so beneath such a CA it does not count.

use std::net::IpAddr;

use x509_cert::{
    Certificate,
    der::{Decode, oid::ObjectIdentifier, oid::db::rfc4519::COMMON_NAME},
    ext::pkix::{SubjectAltName, name::GeneralName},
};

const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");

/// Whether a certificate that is trusted is for this host.
pub(super) fn is_for_host(certificate: &Certificate, host: &str, may_use_common_name: bool) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    let Ok(alternatives) = certificate.tbs_certificate.get::<SubjectAltName>() else { return false };
    let alternatives = alternatives.map_or_else(Vec::new, |(_, names)| names.0);
    let mut decides = false;
    for name in &alternatives {
        let is_match = match name {
            GeneralName::DnsName(name) => {
                decides |= address.is_none();
                name_matches(name.as_bytes(), host.as_bytes(), address.is_some())
            }
            GeneralName::IpAddress(bytes) => {
                decides |= address.is_some();
                address.is_some_and(|address| address_bytes(address) == bytes.as_bytes())
            }
            _ => false,
        };
        if is_match {
            return true;
        }
    }
    !decides
        && may_use_common_name
        && common_name(certificate).is_some_and(|name| name_matches(name, host.as_bytes(), address.is_some()))
}

/// Whether it has names besides the common one.
pub(super) fn has_alternatives(certificate: &Certificate) -> bool {
    let alternatives = certificate.tbs_certificate.get::<SubjectAltName>();
    alternatives.is_ok_and(|found| found.is_some_and(|(_, names)| !names.0.is_empty()))
}

/// Whether a certificate limits the names of those that it signs.
pub(super) fn limits_names(certificate: &[u8]) -> bool {
    let Ok(certificate) = Certificate::from_der(certificate) else { return true };
    let extensions = certificate.tbs_certificate.extensions.unwrap_or_default();
    extensions.iter().any(|extension| extension.extn_id == NAME_CONSTRAINTS)
}

fn common_name(certificate: &Certificate) -> Option<&[u8]> {
    let attributes = certificate.tbs_certificate.subject.0.iter().flat_map(|names| names.0.iter());
    attributes.into_iter().find(|one| one.oid == COMMON_NAME).map(|one| one.value.value())
}

fn address_bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// A wildcard stands for the whole first label of a name, never for a part of an address.
fn name_matches(pattern: &[u8], host: &[u8], is_address: bool) -> bool {
    if pattern.is_empty() || pattern.contains(&0) {
        return false;
    }
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    let (Some(suffix), false) = (pattern.strip_prefix(b"*"), is_address) else { return false };
    if suffix.len() < 2 || suffix[0] != b'.' || suffix.len() >= host.len() {
        return false;
    }
    let (label, rest) = host.split_at(host.len() - suffix.len());
    rest.eq_ignore_ascii_case(suffix) && !label.contains(&b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_libpq() {
        let check = |pattern: &str, host: &str, expected| {
            let is_address = host.parse::<IpAddr>().is_ok();
            assert_eq!(
                name_matches(pattern.as_bytes(), host.as_bytes(), is_address),
                expected,
                "{pattern} {host}"
            );
        };
        check("db.example", "DB.Example", true);
        check("db.example", "db.example.", false);
        check("*.example", "db.example", true);
        check("*.example", "a.db.example", false);
        check("*.example", ".example", false);
        check("*.", "db.", false);
        check("*", "db", false);
        check("d*.example", "db.example", false);
        check("127.0.0.1", "127.0.0.1", true);
        check("*.0.0.1", "127.0.0.1", false);
        check("", "", false);
        check("db.example\0.evil", "db.example", false);
    }
}
