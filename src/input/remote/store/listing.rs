//! From a URL of a store to its objects: one, all whose names begin alike (`s3://bucket/exports/`), or those that match a
//! pattern. Sorted by name, so that every attempt reads them in the same order.

use std::sync::Arc;

use glob::Pattern;
use object_store::{ObjectMeta, list::PaginatedListOptions, path::Path};

use super::{
    super::{
        super::{
            InputError,
            pattern::{OPTIONS, is_pattern},
        },
        Network, Place, Remote, Stop,
    },
    Object, Store,
    connector::{block_on, of_listing},
    fault,
    location::Location,
};
use crate::path_text::visible;

/// More are not held in memory.
const OBJECTS_MAX: usize = 100_000;

/// How many names are asked for at once; S3 gives no more.
const PAGE_KEYS: usize = 1000;

/// What of a store's names is listed.
struct Listing<'a> {
    store: &'a Store,
    network: &'a Network,
    /// As it was written, for messages.
    name: String,
    /// Names begin with it.
    prefix: &'a str,
    /// Whether names with another `/` behind the prefix are left out.
    is_flat: bool,
}

/// The objects that a URL names, in the order in which they are read.
pub(in crate::input) fn resolve(url: &str, network: &Arc<Network>) -> Result<Vec<Arc<Remote>>, InputError> {
    let (location, store) = open(url, network)?;
    let name = location.name();
    let key = &*location.key;
    let paths = if is_pattern(key.as_ref()) {
        matches(key, &store, network, name)?
    } else if key.is_empty() || key.ends_with('/') {
        below(key, &store, network, name)?
    } else {
        vec![one(key, &name)?]
    };
    Ok(paths.into_iter().map(|path| Arc::new(remote(&store, path, network))).collect())
}

/// The one object that has this URL, whatever characters are in its name.
pub(in crate::input::remote) fn object(url: &str, network: &Arc<Network>) -> Result<Remote, InputError> {
    let (location, store) = open(url, network)?;
    let path = one(&location.key, &location.name())?;
    Ok(remote(&store, path, network))
}

fn open(url: &str, network: &Arc<Network>) -> Result<(Location, Arc<Store>), InputError> {
    let location = Location::parse(url)
        .map_err(|(problem, fix)| refuse(super::super::shown(url).into_owned(), problem, fix))?;
    let store = network.stores.open(&location, network);
    let store = store.map_err(|(problem, fix)| refuse(location.name(), problem, fix))?;
    Ok((location, store))
}

fn remote(store: &Arc<Store>, path: Path, network: &Arc<Network>) -> Remote {
    let name = format!("{}/{}", store.name, visible(path.as_ref()));
    let object = Object { store: Arc::clone(store), path };
    Remote::at(Place::Object(object), name, network)
}

fn one(key: &str, name: &str) -> Result<Path, InputError> {
    // What parses to something else would be another object.
    match Path::parse(key) {
        Ok(path) if path.as_ref() == key => Ok(path),
        _ => Err(refuse(
            name.to_owned(),
            "has an empty part between two /, or one that is . or .., and can't be asked for",
            "name its signed URL over https://",
        )),
    }
}

fn matches(key: &str, store: &Store, network: &Network, name: String) -> Result<Vec<Path>, InputError> {
    let pattern =
        Pattern::new(key).map_err(|source| InputError::BadPattern { pattern: name.clone(), source })?;
    let literal = key.find(['*', '[']).expect("it is a pattern");
    let is_flat = !key[literal..].contains('/') && !key.contains("**");
    let listing = Listing { store, network, name, prefix: &key[..literal], is_flat };
    let is_match = |object: &ObjectMeta| pattern.matches_with(object.location.as_ref(), OPTIONS);
    listing.objects(is_match, "matches no object that is not empty")
}

/// Without what programs that write many files put beside them: as a folder of theirs is read by others.
fn below(prefix: &str, store: &Store, network: &Network, name: String) -> Result<Vec<Path>, InputError> {
    let mut hidden = 0_u64;
    let listing = Listing { store, network, name, prefix, is_flat: false };
    let is_read = |object: &ObjectMeta| {
        let rest = object.location.as_ref().strip_prefix(prefix).unwrap_or_default();
        let is_hidden = rest.split('/').any(|part| part.starts_with(['.', '_']));
        hidden += u64::from(is_hidden);
        !is_hidden
    };
    let paths = listing.objects(is_read, "holds no object that is not empty")?;
    if hidden > 0 {
        let name = format!("{}/{}", store.name, visible(prefix));
        network.tell(format!("{name}: left out {hidden} whose names have a part that begins with . or _"));
    }
    Ok(paths)
}

impl Listing<'_> {
    /// Those that are wanted, by name; `none` says that there are none.
    fn objects(
        &self,
        mut is_wanted: impl FnMut(&ObjectMeta) -> bool,
        none: &str,
    ) -> Result<Vec<Path>, InputError> {
        let mut paths = Vec::new();
        let mut next = None;
        loop {
            let (objects, token) = self.page(next.as_deref())?;
            // Of an empty object nothing would be read: it marks a folder, which can't be asked for, or the end of a job.
            let wanted = objects.into_iter().filter(|object| object.size > 0 && is_wanted(object));
            paths.extend(wanted.map(|object| object.location));
            if paths.len() > OBJECTS_MAX {
                let problem = format!("names more than {OBJECTS_MAX} objects");
                return Err(refuse(
                    self.name.clone(),
                    problem,
                    "name fewer, and the others in another command",
                ));
            }
            if token.is_none() {
                break;
            }
            next = token;
        }
        if paths.is_empty() {
            let what = format!(
                "correct it; objects are looked for whose names begin with '{}'",
                visible(self.prefix)
            );
            return Err(refuse(self.name.clone(), none, what));
        }
        paths.sort_unstable();
        Ok(paths)
    }

    /// Waits for the store.
    fn page(&self, token: Option<&str>) -> Result<(Vec<ObjectMeta>, Option<String>), InputError> {
        let mut patience = self.network.patience();
        loop {
            let options = PaginatedListOptions {
                delimiter: self.is_flat.then_some("/".into()),
                max_keys: Some(PAGE_KEYS),
                page_token: token.map(str::to_owned),
                extensions: of_listing(),
                ..PaginatedListOptions::default()
            };
            let prefix = Some(self.prefix).filter(|prefix| !prefix.is_empty());
            let error = match block_on(self.store.lists.list_paginated(prefix, options)) {
                Ok(page) => return Ok((page.result.objects, page.page_token)),
                Err(error) => fault::of_store(self.store.kind, Some(&error)),
            };
            self.network
                .wait(&self.name, &mut patience, error, &Stop::default())
                .map_err(|fault| InputError::Remote { name: self.name.clone(), byte_offset: 0, fault })?;
        }
    }
}

fn refuse(name: String, problem: impl Into<String>, fix: impl Into<String>) -> InputError {
    InputError::Url { name, problem: problem.into(), fix: fix.into() }
}
