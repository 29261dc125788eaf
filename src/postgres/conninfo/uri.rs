//! libpq's connection URIs: `postgresql://[user[:password]@][host][:port][,…][/dbname][?name=value[&…]]` (manual, section
//! "Connection URIs").
//!
//! As libpq reads them: credentials end at the first `@` that no `/` precedes, so a password may hold `?`, `#` and `:`;
//! everything is percent-decoded, names of parameters too; of the same parameter the last one counts. A part that is
//! empty is not given, but a parameter that is empty is.

use super::{fault::Fault, keyword_string::Pair};

/// What follows `postgresql://` or `postgres://`.
pub(super) fn after_scheme(text: &str) -> Option<&[u8]> {
    let rest = text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://"));
    rest.map(str::as_bytes)
}

/// Reads what follows the scheme.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Pair>, Fault> {
    let mut pairs = Vec::new();
    let mut keep = |name: &str, value: &[u8]| {
        if !value.is_empty() {
            pairs.push((name.as_bytes().to_vec(), decode(value)?));
        }
        Ok(())
    };
    let mut rest = text;
    let end = text.iter().position(|byte| matches!(byte, b'@' | b'/')).unwrap_or(text.len());
    if text.get(end) == Some(&b'@') {
        let (user, password) = split_once(&text[..end], b':');
        keep("user", user)?;
        keep("password", password.unwrap_or_default())?;
        rest = &text[end + 1..];
    }
    let (hosts, ports, rest) = net_locations(rest)?;
    keep("host", &hosts)?;
    keep("port", &ports)?;
    let (path, query) = match rest.split_first() {
        Some((b'?', query)) => (&[][..], Some(query)),
        Some((_, path)) => split_once(path, b'?'),
        None => (rest, None),
    };
    // Where `/` of a password ended the host: what follows would be the name of a database, with a piece of it.
    let before_at = path.iter().position(|byte| *byte == b'@').map(|at| &path[..at]);
    if before_at.is_some_and(|before| !hosts.is_empty() || before.contains(&b':')) {
        return Err(Fault::PasswordWithSlash);
    }
    keep("dbname", path)?;
    if let Some(query) = query {
        parameters(query, &mut pairs)?;
    }
    Ok(pairs)
}

/// Hosts and ports, each joined by commas and still encoded, and what follows them, with its first byte.
type NetLocations<'t> = (Vec<u8>, Vec<u8>, &'t [u8]);

fn net_locations(text: &[u8]) -> Result<NetLocations<'_>, Fault> {
    let (mut hosts, mut ports, mut rest) = (Vec::new(), Vec::new(), text);
    let until =
        |text: &[u8], ends: &[u8]| text.iter().position(|byte| ends.contains(byte)).unwrap_or(text.len());
    loop {
        if let Some(bracketed) = rest.strip_prefix(b"[") {
            let end = until(bracketed, b"]");
            if end == 0 || end == bracketed.len() {
                return Err(Fault::Brackets);
            }
            hosts.extend(&bracketed[..end]);
            rest = &bracketed[end + 1..];
            if !matches!(rest.first(), None | Some(b':' | b'/' | b'?' | b',')) {
                return Err(Fault::Brackets);
            }
        } else {
            let (host, after) = rest.split_at(until(rest, b":/?,"));
            hosts.extend(host);
            rest = after;
        }
        if let Some(after) = rest.strip_prefix(b":") {
            let (port, after) = after.split_at(until(after, b"/?,"));
            ports.extend(port);
            rest = after;
        }
        let Some(after) = rest.strip_prefix(b",") else { break };
        hosts.push(b',');
        ports.push(b',');
        rest = after;
    }
    if hosts.contains(&b'@') { Err(Fault::PasswordWithAt) } else { Ok((hosts, ports, rest)) }
}

fn parameters(query: &[u8], pairs: &mut Vec<Pair>) -> Result<(), Fault> {
    if query.is_empty() {
        return Ok(());
    }
    // A separator at the very end is none.
    let query = query.strip_suffix(b"&").unwrap_or(query);
    for parameter in query.split(|byte| *byte == b'&') {
        let (name, value) = split_once(parameter, b'=');
        let value = value.ok_or(Fault::ParameterWithoutValue)?;
        if value.contains(&b'=') {
            return Err(Fault::ParameterWithTwoValues);
        }
        let (name, value) = (decode(name)?, decode(value)?);
        // As in JDBC.
        let is_jdbc = name == b"ssl" && value == b"true";
        pairs.push(if is_jdbc { (b"sslmode".to_vec(), b"require".to_vec()) } else { (name, value) });
    }
    Ok(())
}

fn split_once(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == separator) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

fn decode(text: &[u8]) -> Result<Vec<u8>, Fault> {
    let digit = |byte: Option<&u8>| {
        byte.and_then(|byte| char::from(*byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok())
    };
    let (mut decoded, mut bytes) = (Vec::with_capacity(text.len()), text.iter());
    while let Some(byte) = bytes.next() {
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        match (digit(bytes.next()), digit(bytes.next())) {
            (Some(0), Some(0)) => return Err(Fault::NulByte),
            (Some(high), Some(low)) => decoded.push(high << 4 | low),
            _ => return Err(Fault::PercentSign),
        }
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[(&str, &str)], Fault>) {
        let owned = |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        let expected = expected.map(|pairs| pairs.iter().map(owned).collect());
        assert_eq!(parse(after_scheme(text).unwrap()), expected, "{text}");
    }

    #[test]
    fn uris_are_read_as_libpq_reads_them() {
        check("postgresql://", Ok(&[]));
        check("postgres:///", Ok(&[]));
        check("postgres://?", Ok(&[]));
        check("postgresql://@:/?", Ok(&[]));
        check("postgresql://h", Ok(&[("host", "h")]));
        check("postgresql://:1", Ok(&[("port", "1")]));
        check("postgresql:///d", Ok(&[("dbname", "d")]));
        check("postgresql:///a/b%2Fc", Ok(&[("dbname", "a/b/c")]));
        let all = [("user", "u"), ("password", "p"), ("host", "h"), ("port", "1"), ("dbname", "d")];
        check("postgresql://u:p@h:1/d", Ok(&all));
        check("postgres://%75:%70@%68:%31/%64", Ok(&all));
        let odd = [("user", "u"), ("password", "a?b#c:d e+f"), ("host", "h")];
        check("postgresql://u:a?b#c:d e+f@h", Ok(&odd));
        check("postgresql://u:@h?", Ok(&[("user", "u"), ("host", "h")]));
        check("postgresql://:p@/", Ok(&[("password", "p")]));
        check("postgresql://[::1]:5/d", Ok(&[("host", "::1"), ("port", "5"), ("dbname", "d")]));
        check("postgresql://[::1],b:2?user=u", Ok(&[("host", "::1,b"), ("port", ",2"), ("user", "u")]));
        check("postgresql://a,b,:3", Ok(&[("host", "a,b,"), ("port", ",,3")]));
        check("postgresql://%2Frun/d", Ok(&[("host", "/run"), ("dbname", "d")]));
        check("postgresql://h?host=/run&h%6Fst=", Ok(&[("host", "h"), ("host", "/run"), ("host", "")]));
        check("postgresql:///?ssl%6Dode=require", Ok(&[("sslmode", "require")]));
        check("postgresql://?ssl=true&", Ok(&[("sslmode", "require")]));
        check("postgresql://?ssl=false", Ok(&[("ssl", "false")]));
        check("postgresql:///d@e", Ok(&[("dbname", "d@e")]));
    }

    #[test]
    fn what_libpq_refuses_is_refused() {
        check("postgresql://[]", Err(Fault::Brackets));
        check("postgresql://[::1", Err(Fault::Brackets));
        check("postgresql://[::1]x", Err(Fault::Brackets));
        check("postgresql://u:%zz@h", Err(Fault::PercentSign));
        check("postgresql://u:p%4", Err(Fault::PercentSign));
        check("postgresql:///d%", Err(Fault::PercentSign));
        check("postgresql:///d?user=%00", Err(Fault::NulByte));
        check("postgresql:///d?&", Err(Fault::ParameterWithoutValue));
        check("postgresql:///d?user", Err(Fault::ParameterWithoutValue));
        check("postgresql:///d?user=a&&port=1", Err(Fault::ParameterWithoutValue));
        check("postgresql:///d?user=a=b", Err(Fault::ParameterWithTwoValues));
    }

    #[test]
    fn a_password_that_was_cut_is_no_host() {
        check("postgresql://u:p@q@h/d", Err(Fault::PasswordWithAt));
        check("postgresql://u:1/2@h/d", Err(Fault::PasswordWithSlash));
        check("postgresql:///u:p@h/d", Err(Fault::PasswordWithSlash));
        check("postgresql://u:p@q/r@h/d", Err(Fault::PasswordWithSlash));
    }
}
