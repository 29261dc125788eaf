//! What a URL of a store names. It is as the stores' own tools write it: everything behind the bucket is a name, or a pattern,
//! as it is, without %-codes. There is no query, for what looks like one may be a credential.

use super::Kind;

/// A store, and the name of an object in it, a prefix of names or a pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) kind: Kind,
    /// `s3://bucket`; all of it may be shown.
    pub(super) store_name: String,
    /// The bucket or container.
    pub(super) container: String,
    /// Of `abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/`.
    pub(super) account_host: Option<String>,
    pub(super) key: String,
}

/// What is wrong with a URL, and what to do.
type Wrong = (&'static str, &'static str);

impl Location {
    pub(super) fn parse(url: &str) -> Result<Self, Wrong> {
        const NO_BUCKET: Wrong =
            ("names no bucket", "write s3://BUCKET/NAME, gs://BUCKET/NAME or az://CONTAINER/NAME");
        let (scheme, rest) = url.split_once("://").ok_or(NO_BUCKET)?;
        let scheme = scheme.to_ascii_lowercase();
        let kind = match &*scheme {
            "s3" | "s3a" => Kind::S3,
            "gs" => Kind::Gcs,
            _ => Kind::Azure,
        };
        let (authority, key) = rest.split_once('/').unwrap_or((rest, ""));
        let (container, account_host) = match authority.split_once('@') {
            Some((container, host)) if kind == Kind::Azure && is_host(host) => (container, Some(host)),
            Some(_) => {
                return Err((
                    "holds a user or password before the host",
                    "give credentials in the environment",
                ));
            }
            None => (authority, None),
        };
        if url.contains('?') {
            return Err((
                "holds a ?, as where a query with a signature begins",
                "credentials come from the environment; in a pattern write * or [a-z] for a character, or name the signed URL \
                 over https://",
            ));
        }
        if !is_container(container) {
            return Err(NO_BUCKET);
        }
        if key.is_empty() && !rest.ends_with('/') {
            return Err(("names a bucket and nothing in it", "write a / behind it for all that is in it"));
        }
        let store_name = format!("{scheme}://{authority}");
        let account_host = account_host.map(str::to_owned);
        Ok(Self { kind, store_name, container: container.to_owned(), account_host, key: key.to_owned() })
    }

    /// As it was written.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.store_name, crate::path_text::visible(&self.key))
    }
}

/// No other character is in the name of a bucket or container; `$` is in those that Azure makes by itself.
fn is_container(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._$".contains(&byte))
}

fn is_host(name: &str) -> bool {
    name.contains('.') && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_as_the_tools_of_the_stores_write_them() {
        let host = "account.dfs.core.windows.net";
        for (url, kind, container, account_host, key) in [
            ("s3://b/a.ndjson", Kind::S3, "b", None, "a.ndjson"),
            ("S3://b/a b%20#ä", Kind::S3, "b", None, "a b%20#ä"),
            ("s3a://b.c_d/x/", Kind::S3, "b.c_d", None, "x/"),
            ("gs://b/", Kind::Gcs, "b", None, ""),
            ("gs://b/x/*.gz", Kind::Gcs, "b", None, "x/*.gz"),
            ("az://$web/a@b", Kind::Azure, "$web", None, "a@b"),
            ("abfss://c@account.dfs.core.windows.net/a", Kind::Azure, "c", Some(host), "a"),
        ] {
            let location = Location::parse(url).unwrap_or_else(|wrong| panic!("{url}: {wrong:?}"));
            let found =
                (location.kind, &*location.container, location.account_host.as_deref(), &*location.key);
            assert_eq!(found, (kind, container, account_host, key), "{url}");
            assert_eq!(location.name().to_lowercase(), url.to_lowercase());
        }
    }

    #[test]
    fn what_can_be_no_object_is_told() {
        for (url, expected) in [
            ("s3:/b/a", "names no bucket"),
            ("s3:///a", "names no bucket"),
            ("s3://b:80/a", "names no bucket"),
            ("s3://b", "nothing in it"),
            ("s3://key:s3cret@b/a", "before the host"),
            ("az://key:s3cret@b/a", "before the host"),
            ("az://c/a?sig=s3cret", "holds a ?"),
            ("s3://b?s3cret", "holds a ?"),
        ] {
            let (problem, _) = Location::parse(url).expect_err(url);
            assert!(problem.contains(expected), "{url}: {problem}");
        }
    }
}
