//! From the arguments of the command line to the list of sources, checked before anything is done.
//!
//! An argument that names an existing file is that file, even when it holds `*`; only then is it a pattern.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

#[cfg(not(feature = "cloud"))]
use super::remote::no_stores;
#[cfg(feature = "cloud")]
use super::remote::resolve_store_url;
use super::{
    InputError,
    pattern::{is_pattern, matches},
    remote::{Network, Remote, Version, input_scheme, refuse_unusable_headers, shown},
};
use crate::{path_text::path_text, settings::NetworkSettings};

/// One input: a file, one behind a URL, or standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    File(PathBuf),
    Remote(Arc<Remote>),
    Stdin,
}

impl Source {
    /// The name that reports and errors use: the path as it was given, the URL without its query, or `-`.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path_text(path),
            Self::Remote(remote) => remote.name().to_owned(),
            Self::Stdin => "-".to_owned(),
        }
    }

    /// Stored bytes (compressed as they are), where that is known before reading.
    pub fn stored_bytes(&self) -> Option<u64> {
        match self {
            Self::File(path) => fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|m| m.len()),
            Self::Remote(remote) => remote.length(),
            Self::Stdin => None,
        }
    }

    /// Whether it is known not to be there.
    pub(super) fn is_missing(&self) -> bool {
        match self {
            Self::File(path) => {
                fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
            }
            Self::Remote(_) | Self::Stdin => false,
        }
    }

    /// What its server calls the version that is read; known once it was opened.
    pub(crate) fn etag(&self) -> Option<String> {
        self.as_remote()?.etag().map(str::to_owned)
    }

    /// Whether it can be looked at before it is read.
    pub(crate) fn is_rereadable(&self) -> bool {
        match self {
            Self::File(_) => self.stored_bytes().is_some(),
            Self::Remote(_) => true,
            Self::Stdin => false,
        }
    }

    pub(super) fn as_remote(&self) -> Option<&Arc<Remote>> {
        if let Self::Remote(remote) = self { Some(remote) } else { None }
    }

    pub(super) fn open(&self) -> Result<Box<dyn Read + Send>, InputError> {
        match self {
            Self::File(path) => match File::open(path) {
                Ok(file) => Ok(Box::new(file)),
                Err(source) => Err(InputError::Open { name: self.name(), source }),
            },
            Self::Remote(remote) => remote.open().map_err(|error| InputError::open(self.name(), error)),
            Self::Stdin => Ok(Box::new(io::stdin())),
        }
    }
}

/// Turns INPUT arguments into sources: in their order, the matches of a pattern sorted by name. `listener` hears that a
/// server is waited for.
pub(crate) fn resolve(
    arguments: &[OsString],
    network: &NetworkSettings,
    listener: impl Fn(String) + Send + 'static,
) -> Result<Vec<Source>, InputError> {
    let urls: Vec<_> = arguments.iter().filter_map(|argument| url(argument)).collect();
    let network = if urls.is_empty() {
        refuse_unusable_headers(network)?;
        None
    } else {
        Some(Network::new(network.clone(), listener)?)
    };
    let sources = resolve_with(arguments, network.as_ref())?;
    match network {
        Some(network) if network.has_headers() => refuse_two_servers(&sources)?,
        _ => {}
    }
    Ok(sources)
}

/// What a plan has found behind a URL. `listener` hears that the server is waited for.
pub(crate) fn planned_url(
    url: &str,
    version: Version,
    network: &NetworkSettings,
    listener: impl Fn(String) + Send + 'static,
) -> Result<Source, InputError> {
    let network = Network::new(network.clone(), listener)?;
    Remote::planned(url, version, &network).map(|remote| Source::Remote(Arc::new(remote)))
}

/// A token for one server is no business of another.
fn refuse_two_servers(sources: &[Source]) -> Result<(), InputError> {
    let mut remotes = sources.iter().filter_map(Source::as_remote).filter(|remote| remote.takes_headers());
    let Some(first) = remotes.next() else { return Ok(()) };
    match remotes.find(|other| !other.is_of_same_server(first)) {
        Some(other) => {
            Err(InputError::HeadersForTwo { name: first.name().to_owned(), other: other.name().to_owned() })
        }
        None => Ok(()),
    }
}

/// Sources that were named before, by this or another name, each with the first that is the same.
pub(crate) fn repeated(sources: &[Source]) -> Vec<(&Source, &Source)> {
    let mut files = HashMap::new();
    let mut remotes: HashMap<&str, Vec<&Source>> = HashMap::new();
    let mut repeated = Vec::new();
    for source in sources {
        let first = match source {
            Source::File(path) => match fs::metadata(path) {
                // What a pipe gives is another thing each time.
                Ok(metadata) if metadata.is_file() => {
                    *files.entry((metadata.dev(), metadata.ino())).or_insert(source)
                }
                _ => continue,
            },
            Source::Remote(remote) => {
                // The queries of two URLs may differ.
                let alike = remotes.entry(remote.name()).or_default();
                match alike.iter().find(|other| **other == source) {
                    Some(first) => first,
                    None => {
                        alike.push(source);
                        continue;
                    }
                }
            }
            Source::Stdin => continue,
        };
        if !std::ptr::eq(first, source) {
            repeated.push((source, first));
        }
    }
    repeated
}

/// The files among the sources; of URLs nothing is asked.
pub(crate) fn files(arguments: &[OsString]) -> Result<Vec<PathBuf>, InputError> {
    let arguments: Vec<_> = arguments.iter().filter(|argument| url(argument).is_none()).cloned().collect();
    let sources = resolve_with(&arguments, None)?;
    let file = |source| if let Source::File(path) = source { Some(path) } else { None };
    Ok(sources.into_iter().filter_map(file).collect())
}

fn resolve_with(arguments: &[OsString], network: Option<&Arc<Network>>) -> Result<Vec<Source>, InputError> {
    let mut sources = Vec::new();
    for argument in arguments {
        if argument.is_empty() {
            return Err(InputError::Empty);
        }
        if argument == "-" {
            if sources.contains(&Source::Stdin) {
                return Err(InputError::StdinTwice);
            }
            sources.push(Source::Stdin);
        } else if let Some((url, network)) = url(argument).zip(network) {
            sources.extend(resolve_url(url, network)?.into_iter().map(Source::Remote));
        } else {
            resolve_argument(argument, &mut sources)?;
        }
    }
    Ok(sources)
}

/// The argument, if it is a URL and no file.
fn url(argument: &OsStr) -> Option<&str> {
    argument.to_str().filter(|text| input_scheme(text).is_some() && !Path::new(argument).exists())
}

fn resolve_url(url: &str, network: &Arc<Network>) -> Result<Vec<Arc<Remote>>, InputError> {
    let refuse = |problem: &str, fix: &str| InputError::Url {
        name: shown(url).into_owned(),
        problem: problem.to_owned(),
        fix: fix.to_owned(),
    };
    match input_scheme(url) {
        Some("https" | "http") => Ok(vec![Arc::new(Remote::new(url, network)?)]),
        Some("file") => Err(refuse("is a file's URL", "name the path itself")),
        #[cfg(feature = "cloud")]
        Some("s3" | "s3a" | "gs" | "az" | "abfs" | "abfss") => resolve_store_url(url, network),
        #[cfg(not(feature = "cloud"))]
        Some("s3" | "s3a" | "gs" | "az" | "abfs" | "abfss") => Err(no_stores(url)),
        _ => Err(refuse(
            "has a scheme that is not read",
            "name a URL over https://, or fetch it into a pipe and name - as the input: curl -fsS URL | profile-loader …",
        )),
    }
}

fn resolve_argument(argument: &OsStr, sources: &mut Vec<Source>) -> Result<(), InputError> {
    let path = Path::new(argument);
    let name = || path_text(path);
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Err(InputError::Directory { name: name() }),
        Ok(_) => sources.push(Source::File(path.to_owned())),
        Err(_) if is_pattern(argument) => sources.extend(matches(argument)?.into_iter().map(Source::File)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(InputError::Missing { name: name(), similar: similar_name(path) });
        }
        Err(source) => return Err(InputError::Open { name: name(), source }),
    }
    Ok(())
}

/// The name in the same directory that is most like the missing one, if any is like it at all.
fn similar_name(missing: &Path) -> Option<String> {
    const LIKENESS_MIN: f64 = 0.8; // Jaro-Winkler; below that the guess confuses more than it helps
    const NAMES_MAX: usize = 10_000; // a directory of millions of files is not worth the wait
    let wanted = missing.file_name()?.to_string_lossy();
    let parent = missing.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let likeness = |name: &str| strsim::jaro_winkler(name, &wanted);
    let (best, _) = fs::read_dir(parent)
        .ok()?
        .take(NAMES_MAX)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .map(|name| (likeness(&name), name))
        .filter(|(like, _)| *like >= LIKENESS_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(like, name)| (name, like))?;
    Some(path_text(&missing.with_file_name(best)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(folder.path().join(name), "{}\n").unwrap();
        }
        folder
    }

    fn word(folder: &tempfile::TempDir, name: &str) -> OsString {
        folder.path().join(name).into_os_string()
    }

    #[test]
    fn patterns_are_sorted_and_literal_names_win() {
        let folder = folder(&["b.ndjson", "a.ndjson", "c*.ndjson", "cc.ndjson", "d.txt"]);
        let names = |pattern: &str| -> Vec<String> {
            resolve_with(&[word(&folder, pattern)], None)
                .unwrap()
                .iter()
                .map(|s| s.name().rsplit('/').next().unwrap().to_owned())
                .collect()
        };
        assert_eq!(names("[ab].ndjson"), ["a.ndjson", "b.ndjson"]);
        assert_eq!(names("c*.ndjson"), ["c*.ndjson"]);
        assert_eq!(names("?.ndjson"), ["a.ndjson", "b.ndjson"]);
    }

    #[test]
    fn a_missing_file_names_its_neighbour() {
        let folder = folder(&["customers.ndjson"]);
        let error = resolve_with(&[word(&folder, "custmers.ndjson")], None).unwrap_err();
        assert!(error.to_string().ends_with("customers.ndjson meant?)"), "{error}");
        let error = resolve_with(&[word(&folder, "zzz")], None).unwrap_err();
        assert!(std::matches!(error, InputError::Missing { similar: None, .. }), "{error}");
    }

    #[test]
    fn directories_empty_patterns_and_a_second_dash_are_refused() {
        let folder = folder(&[]);
        let refused = |arguments: &[OsString]| resolve_with(arguments, None).unwrap_err();
        assert!(std::matches!(refused(&[word(&folder, "")]), InputError::Directory { .. }));
        assert!(std::matches!(refused(&["".into()]), InputError::Empty));
        assert!(std::matches!(refused(&[word(&folder, "*.gz")]), InputError::NoMatch { .. }));
        assert!(std::matches!(refused(&[word(&folder, "[")]), InputError::BadPattern { .. }));
        assert!(std::matches!(refused(&["-".into(), "-".into()]), InputError::StdinTwice));
    }
}
