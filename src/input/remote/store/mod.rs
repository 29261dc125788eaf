//! Objects in stores: `s3://`, `gs://`, `az://`, `abfss://`. The crate object_store knows their protocols: it finds credentials,
//! signs requests and reads listings. What is signed is sent by the client of all remote inputs, so that ranges, ETags, broken
//! connections and waiting are those of a file behind a URL.

mod connector;
mod fault;
mod listing;
mod location;

use std::{
    collections::BTreeMap,
    env,
    sync::{Arc, Mutex, PoisonError},
};

use object_store::{
    GetOptions, GetRange, ObjectStore, RetryConfig,
    aws::AmazonS3Builder,
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::GoogleCloudStorageBuilder,
    list::PaginatedListStore,
    path::Path,
};
use ureq::http::{HeaderValue, header};

use super::{
    Network,
    client::{Answer, Client, Condition, Wanted, answer, brings_something},
    fault::RemoteFault,
};
use connector::{Connector, Permission, Signed, block_on};
use location::Location;

pub(super) use listing::object;
pub(in crate::input) use listing::resolve;

/// Which protocol a store speaks, and whose settings it goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    S3,
    Gcs,
    Azure,
}

/// A bucket or container, with its credentials.
struct Store {
    kind: Kind,
    /// `s3://bucket`
    name: String,
    objects: Arc<dyn ObjectStore>,
    lists: Arc<dyn PaginatedListStore>,
    permission: Permission,
}

/// Those of a command that were opened: credentials are got once for all objects of a store.
#[derive(Default)]
pub(super) struct Stores(Mutex<BTreeMap<String, Arc<Store>>>);

/// An object, or what may be one.
pub(in crate::input::remote) struct Object {
    store: Arc<Store>,
    path: Path,
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.store.name == other.store.name && self.path == other.path
    }
}

impl Object {
    pub(super) fn get(&self, client: &Client, wanted: Wanted<'_>) -> Result<Answer, RemoteFault> {
        let kind = self.store.kind;
        let Signed { at, mut request } = self.sign(wanted)?;
        self.store.permission.require(&at)?;
        let headers = request.headers_mut();
        // Google's store would unpack what was put there with gzip, and give no ranges of it.
        let encoding = if kind == Kind::Gcs { "gzip" } else { "identity" };
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(encoding));
        if let Wanted::Part { condition: Condition::IfRange(etag), .. } = wanted
            && let Ok(etag) = etag.parse()
        {
            headers.insert(header::IF_RANGE, etag);
        }
        let response = client.send(&at, request)?;
        if brings_something(response.status()) {
            answer(response)
        } else {
            Err(fault::of_response(kind, response))
        }
    }

    /// None where its name would be taken for one with a query.
    pub(super) fn url(&self) -> Option<String> {
        let url = format!("{}/{}", self.store.name, self.path);
        Some(url).filter(|url| !url.contains('?'))
    }

    /// The request that would be sent now, with the credentials of now.
    fn sign(&self, wanted: Wanted<'_>) -> Result<Signed, RemoteFault> {
        let mut options = GetOptions::default();
        if let Wanted::Part { first, last, condition } = wanted {
            let range =
                last.map_or(GetRange::Offset(first), |last| GetRange::Bounded(first..last.saturating_add(1)));
            options.range = Some(range);
            if let Condition::IfMatch(etag) = condition {
                options.if_match = Some(etag.to_owned());
            }
        }
        connector::signed(|extensions| {
            options.extensions = extensions;
            block_on(self.store.objects.get_opts(&self.path, options)).err()
        })
        .map_err(|error| fault::of_store(self.store.kind, error.as_ref()))
    }
}

impl Stores {
    /// The store of a location; the error is a problem with its settings, and what to do.
    fn open(&self, location: &Location, network: &Network) -> Result<Arc<Store>, (String, String)> {
        let mut opened = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = opened.get(&location.store_name) {
            return Ok(Arc::clone(store));
        }
        let store = Arc::new(open(location, network)?);
        opened.insert(location.store_name.clone(), Arc::clone(&store));
        Ok(store)
    }
}

fn open(location: &Location, network: &Network) -> Result<Store, (String, String)> {
    let kind = location.kind;
    let permission = Permission { allow_http: network.settings.allow_http || is_set(kind.allow_http()) };
    let connector = Connector::new(kind, Arc::clone(&network.client), permission);
    // Whether and when something is tried again is decided here.
    let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let refused = |error: object_store::Error| fault::of_settings(kind, &error);
    let container = &location.container;
    let (objects, lists): (Arc<dyn ObjectStore>, Arc<dyn PaginatedListStore>) = match kind {
        Kind::S3 => {
            let builder = AmazonS3Builder::from_env().with_bucket_name(container).with_retry(retry);
            shared(builder.with_http_connector(connector).build().map_err(refused)?)
        }
        Kind::Gcs => {
            let builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(container).with_retry(retry);
            shared(builder.with_http_connector(connector).build().map_err(refused)?)
        }
        Kind::Azure => {
            let builder = azure(location).with_retry(retry).with_http_connector(connector);
            shared(builder.build().map_err(refused)?)
        }
    };
    Ok(Store { kind, name: location.store_name.clone(), objects, lists, permission })
}

fn shared<S: ObjectStore + PaginatedListStore>(
    store: S,
) -> (Arc<dyn ObjectStore>, Arc<dyn PaginatedListStore>) {
    let store = Arc::new(store);
    (Arc::clone(&store) as _, store as _)
}

/// By the variables that Azure's own tools have as well.
fn azure(location: &Location) -> MicrosoftAzureBuilder {
    let mut builder = MicrosoftAzureBuilder::from_env().with_container_name(&location.container);
    for (key, variable) in [
        (AzureConfigKey::AccountName, "AZURE_STORAGE_ACCOUNT"),
        (AzureConfigKey::AccessKey, "AZURE_STORAGE_KEY"),
    ] {
        if builder.get_config_value(&key).is_none()
            && let Ok(value) = env::var(variable)
        {
            builder = builder.with_config(key, value);
        }
    }
    match &location.account_host {
        Some(host) => builder.with_url(format!("abfss://{}@{host}/", location.container)),
        None => builder,
    }
}

fn is_set(variable: &str) -> bool {
    let value = env::var(variable).unwrap_or_default().to_ascii_lowercase();
    matches!(&*value, "1" | "true" | "on" | "yes" | "y")
}

impl Kind {
    fn allow_http(self) -> &'static str {
        match self {
            Self::S3 => "AWS_ALLOW_HTTP",
            Self::Gcs => "GOOGLE_ALLOW_HTTP",
            Self::Azure => "AZURE_ALLOW_HTTP",
        }
    }

    /// What a store is called.
    fn container(self) -> &'static str {
        if self == Self::Azure { "container" } else { "bucket" }
    }
}
