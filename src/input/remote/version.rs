//! Which version of a file an answer is of (RFC 9110, sections 8.8 and 14.4).

/// A file as a server describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    /// As it was sent, with its quotation marks.
    pub(crate) etag: Option<String>,
    /// None where the server says only where the file ends.
    pub(crate) length: Option<u64>,
}

impl Version {
    /// An ETag that no two different contents have in common.
    pub(crate) fn strong_etag(&self) -> Option<&str> {
        self.etag.as_deref().filter(|etag| etag.starts_with('"') && etag.len() > 2)
    }

    /// In which way another answer can't be of the same file. Where either has no strong ETag only lengths tell.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        if let (Some(one), Some(two)) = (self.strong_etag(), other.strong_etag())
            && one != two
        {
            return Some(format!("its ETag was {one} and is {two}"));
        }
        match (self.length, other.length) {
            (Some(one), Some(two)) if one != two => {
                Some(format!("it was {one} bytes long and has {two} bytes"))
            }
            _ => None,
        }
    }
}

/// `Content-Range: bytes 0-9/100`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentRange {
    /// Both ends are part of it; the whole length is not always known.
    Part { first: u64, last: u64, length: Option<u64> },
    /// What was asked for is not there.
    Unsatisfied { length: u64 },
}

impl ContentRange {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (range, length) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
        if range == "*" {
            return Some(Self::Unsatisfied { length: length.parse().ok()? });
        }
        let (first, last) = range.split_once('-')?;
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        let length = match length {
            "*" => None,
            length => Some(length.parse().ok()?),
        };
        let is_sound = first <= last && length.is_none_or(|length| last < length);
        is_sound.then_some(Self::Part { first, last, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_sound_or_none() {
        let part = |first, last, length| Some(ContentRange::Part { first, last, length });
        for (text, expected) in [
            ("bytes 0-9/100", part(0, 9, Some(100))),
            ("bytes 5-5/*", part(5, 5, None)),
            ("bytes */0", Some(ContentRange::Unsatisfied { length: 0 })),
            ("bytes */*", None),
            ("bytes 0-9/9", None),
            ("bytes 9-0/100", None),
            ("bytes 0-9", None),
            ("bytes -9/100", None),
            ("lines 0-9/100", None),
            ("bytes 0-99999999999999999999/*", None),
        ] {
            assert_eq!(ContentRange::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn versions_differ_by_what_can_be_trusted() {
        let version = |etag: &str, length| Version {
            etag: (!etag.is_empty()).then(|| etag.to_owned()),
            length: Some(length),
        };
        assert_eq!(version("\"a\"", 1).strong_etag(), Some("\"a\""));
        for weak in ["W/\"a\"", "a", "\"\"", ""] {
            assert_eq!(version(weak, 1).strong_etag(), None, "{weak}");
        }
        let differs = |one: &Version, two: &Version| one.difference(two).is_some();
        assert!(differs(&version("\"a\"", 1), &version("\"b\"", 1)));
        assert!(differs(&version("W/\"a\"", 1), &version("W/\"a\"", 2)));
        assert!(!differs(&version("\"a\"", 1), &version("", 1)));
        assert!(!differs(&version("W/\"a\"", 1), &version("W/\"b\"", 1)));
        assert!(!differs(&version("\"a\"", 1), &Version { etag: None, length: None }));
    }
}
