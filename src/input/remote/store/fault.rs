//! Why a store gives nothing, in words. Of what a store or a library says only codes are shown, for texts may quote what was
//! sent.

use std::{env, error::Error, io::Read as _};

use ureq::{
    Body,
    http::{Response, StatusCode},
};

use super::{
    super::{address::Address, client::retry_after, fault::RemoteFault},
    Kind,
    connector::Carried,
};
use crate::path_text::visible;

/// An error's code is in the beginning of its text.
const TEXT_BYTES_MAX: u64 = 4 << 10;

/// Of answers that pass by themselves, whatever their status.
const TEMPORARY: [&str; 5] =
    ["InternalError", "RequestTimeout", "ServerBusy", "SlowDown", "OperationTimedOut"];

const UNKNOWN_CREDENTIALS: [&str; 7] = [
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AuthenticationFailed",
    "InvalidAuthenticationInfo",
    "InvalidSecurity",
    "Unauthorized",
    "NoAuthenticationInformation",
];

const EXPIRED: [&str; 4] = ["ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired"];

const NO_CONTAINER: [&str; 4] =
    ["NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted", "InvalidBucketName"];

/// An answer that brings nothing.
pub(super) fn of_response(kind: Kind, response: Response<Body>) -> RemoteFault {
    let (status, wait) = (response.status(), retry_after(response.headers()));
    let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
    let region = header("x-amz-bucket-region").filter(|region| is_code(region));
    let code = header("x-ms-error-code").filter(|code| is_code(code)).or_else(|| code(response));
    of_code(kind, status, code.as_deref(), region.as_deref(), || RemoteFault::of_status(status, wait))
}

fn of_code(
    kind: Kind,
    status: StatusCode,
    code: Option<&str>,
    region: Option<&str>,
    otherwise: impl FnOnce() -> RemoteFault,
) -> RemoteFault {
    let is_one_of = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    let what = match code {
        Some(code) => format!("its store answers {} ({code})", told(status)),
        None => format!("its store answers {}", told(status)),
    };
    if is_one_of(&TEMPORARY) {
        return RemoteFault::unavailable(what);
    }
    let container = kind.container();
    let fix = match (status.as_u16(), region) {
        _ if is_one_of(&EXPIRED) => "the credentials have expired: get new ones, and run the same command again".to_owned(),
        _ if is_one_of(&["RequestTimeTooSkewed"]) => "correct this machine's clock".to_owned(),
        _ if is_one_of(&UNKNOWN_CREDENTIALS) => format!("the store does not know these credentials; {}", kind.credentials()),
        _ if is_one_of(&NO_CONTAINER) => {
            format!("there is no such {container}: correct its name, {}", kind.endpoint())
        }
        (301 | 307 | 308 | 400, Some(region)) => format!("the bucket is in {region}: set AWS_REGION={region}"),
        (301 | 307 | 308, None) => format!("the {container} is somewhere else: correct {}", kind.endpoint()),
        (401, _) => format!("it wants credentials: {}", kind.credentials()),
        (403, _) => format!("the credentials may not read it, or list what is there, or have expired: {}", kind.rights()),
        (404 | 410, _) => {
            "there is no object of this name: correct it; with a / at its end it stands for all names that begin like this"
                .to_owned()
        }
        _ => return otherwise(),
    };
    RemoteFault::Refused { what, fix }
}

fn told(status: StatusCode) -> String {
    let reason = status.canonical_reason().unwrap_or_default();
    format!("{} {reason}", status.as_u16()).trim_end().to_owned()
}

/// `<Code>NoSuchKey</Code>`, which the errors of all these stores have.
fn code(response: Response<Body>) -> Option<String> {
    let mut text = Vec::new();
    // What came before it broke off may do.
    let _ = response.into_body().into_reader().take(TEXT_BYTES_MAX).read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text);
    let code = text.split_once("<Code>")?.1.split_once("</Code>")?.0.trim();
    is_code(code).then(|| code.to_owned())
}

fn is_code(text: &str) -> bool {
    const BYTES_MAX: usize = 64;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && text.len() <= BYTES_MAX && text.bytes().all(is_plain)
}

/// A server of credentials that can't be asked.
pub(super) fn of_authentication(kind: Kind, at: &Address, fault: RemoteFault) -> RemoteFault {
    if at.is_metadata_service() {
        return no_credentials(kind);
    }
    let of_server = |what: String| format!("credentials can't be got from {}: {what}", at.server());
    match fault {
        RemoteFault::Unavailable { what, retry_after } => {
            RemoteFault::Unavailable { what: of_server(what), retry_after }
        }
        RemoteFault::Refused { what, fix } => RemoteFault::Refused { what: of_server(what), fix },
        other => other,
    }
}

/// A server of credentials that gives none.
pub(super) fn of_credentials(kind: Kind, at: &Address, response: &Response<Body>) -> RemoteFault {
    let status = response.status();
    match RemoteFault::of_status(status, retry_after(response.headers())) {
        RemoteFault::Unavailable { what, retry_after } => {
            let what = format!("credentials can't be got from {}: {what}", at.server());
            RemoteFault::Unavailable { what, retry_after }
        }
        _ if at.is_metadata_service() && status == StatusCode::NOT_FOUND => no_credentials(kind),
        _ => RemoteFault::Refused {
            what: format!("credentials can't be got from {}, which answers {}", at.server(), told(status)),
            fix: kind.credentials(),
        },
    }
}

fn no_credentials(kind: Kind) -> RemoteFault {
    RemoteFault::Refused {
        what: "no credentials for its store are set, and this machine has no role that would give some"
            .to_owned(),
        fix: kind.credentials(),
    }
}

/// What object_store could not do.
pub(super) fn of_store(kind: Kind, error: Option<&object_store::Error>) -> RemoteFault {
    if let Some(Carried(fault)) = error.and_then(|error| within::<Carried>(error)) {
        return fault.clone();
    }
    match error {
        Some(object_store::Error::InvalidPath { .. }) => RemoteFault::Refused {
            what:
                "a name there has an empty part between two /, or one that is . or .., and can't be asked for"
                    .to_owned(),
            fix: "name the others, and those by signed URLs over https://".to_owned(),
        },
        Some(error) => RemoteFault::Refused {
            what: format!("its store can't be asked: {}", told_safely(error)),
            fix: kind.credentials(),
        },
        None => no_endpoint(kind),
    }
}

pub(super) fn no_endpoint(kind: Kind) -> RemoteFault {
    RemoteFault::Refused {
        what: "the endpoint of its store is no URL".to_owned(),
        fix: format!("correct {}", kind.endpoint()),
    }
}

/// Settings that no store can be asked with, and what to do.
pub(super) fn of_settings(kind: Kind, error: &object_store::Error) -> (String, String) {
    (format!("can't be asked for: {}", told_safely(error)), kind.credentials())
}

/// An error of object_store's without what may be secret.
fn told_safely(error: &object_store::Error) -> String {
    if let Some(error) = within::<serde_json::Error>(error) {
        let (line, column) = (error.line(), error.column());
        return format!("what should be credentials is not the JSON of any (line {line}, column {column})");
    }
    let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    let is_secret = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let name = name.to_string_lossy();
        let may_be = ["KEY", "SECRET", "TOKEN", "SAS", "CREDENTIAL", "PASSWORD"]
            .iter()
            .any(|word| name.contains(word));
        may_be && value.to_str().is_some_and(|value| !value.is_empty() && text.contains(value))
    };
    if env::vars_os().any(is_secret) {
        return "a variable of its credentials can't be understood".to_owned();
    }
    visible(text.lines().next().unwrap_or_default()).into_owned()
}

fn within<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

impl Kind {
    /// Where credentials come from.
    fn credentials(self) -> String {
        match self {
            Self::S3 => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (those of a profile: aws configure export-credentials --format \
                 env), or AWS_SKIP_SIGNATURE=true for a public bucket"
            }
            Self::Gcs => {
                "name a key file in GOOGLE_APPLICATION_CREDENTIALS, run gcloud auth application-default login, or set \
                 GOOGLE_SKIP_SIGNATURE=true for a public bucket"
            }
            Self::Azure => {
                "set AZURE_STORAGE_ACCOUNT_NAME and one of AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_TOKEN and \
                 AZURE_USE_AZURE_CLI=true, or AZURE_SKIP_SIGNATURE=true for a public container"
            }
        }
        .to_owned()
    }

    fn rights(self) -> &'static str {
        match self {
            Self::S3 => "s3:GetObject, and s3:ListBucket for names that end in / and patterns",
            Self::Gcs => "storage.objects.get, and storage.objects.list for names that end in / and patterns",
            Self::Azure => "the role Storage Blob Data Reader, or r and l of a SAS",
        }
    }

    /// What says which server is asked.
    fn endpoint(self) -> &'static str {
        match self {
            Self::S3 => "AWS_REGION or AWS_ENDPOINT_URL",
            Self::Gcs => "GOOGLE_BASE_URL",
            Self::Azure => "AZURE_STORAGE_ACCOUNT_NAME or AZURE_STORAGE_ENDPOINT",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_stores_say_what_to_do() {
        for (status, code, region, expected) in [
            (404, Some("NoSuchKey"), None, "no object of this name"),
            (404, Some("NoSuchBucket"), None, "no such bucket"),
            (403, Some("AccessDenied"), None, "s3:GetObject"),
            (403, Some("SignatureDoesNotMatch"), None, "AWS_ACCESS_KEY_ID"),
            (403, Some("RequestTimeTooSkewed"), None, "clock"),
            (400, Some("ExpiredToken"), None, "get new ones"),
            (400, Some("AuthorizationHeaderMalformed"), Some("eu-west-1"), "AWS_REGION=eu-west-1"),
            (301, Some("PermanentRedirect"), Some("eu-west-1"), "AWS_REGION=eu-west-1"),
            (301, None, None, "AWS_ENDPOINT_URL"),
            (401, None, None, "wants credentials"),
        ] {
            let status = StatusCode::from_u16(status).expect("it is a status");
            let fault = of_code(Kind::S3, status, code, region, || panic!("{status} is known"));
            assert!(matches!(&fault, RemoteFault::Refused { fix, .. } if fix.contains(expected)), "{fault}");
        }
        let slow = of_code(Kind::S3, StatusCode::BAD_REQUEST, Some("RequestTimeout"), None, || {
            panic!("it is known")
        });
        assert!(matches!(slow, RemoteFault::Unavailable { .. }), "{slow}");
    }

    #[test]
    fn texts_of_stores_are_no_codes() {
        let error = |text: &str| code(Response::new(Body::builder().data(text.to_owned())));
        assert_eq!(error("<Error><Code>NoSuchKey</Code></Error>").as_deref(), Some("NoSuchKey"));
        for text in ["", "<Code></Code>", "<Code>a b</Code>", "<Code>NoSuchKey", "s3cret"] {
            assert_eq!(error(text), None, "{text}");
        }
    }
}
