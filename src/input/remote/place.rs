//! Where a file is, and how a part of it is asked for there: the only thing in which URLs and objects of stores differ.

use std::sync::{Mutex, PoisonError};

#[cfg(feature = "cloud")]
use super::store::Object;
use super::{
    address::Address,
    client::{Answer, Answered, Client, Wanted},
    fault::RemoteFault,
};

pub(super) enum Place {
    Url(Located),
    #[cfg(feature = "cloud")]
    Object(Object),
}

/// A URL, and where its redirects led last.
pub(super) struct Located {
    address: Address,
    moved_to: Mutex<Option<Address>>,
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Url(one), Self::Url(other)) => one.address == other.address,
            #[cfg(feature = "cloud")]
            (Self::Object(one), Self::Object(other)) => one == other,
            #[cfg(feature = "cloud")]
            _ => false,
        }
    }
}

impl Place {
    pub(super) fn of_url(address: Address) -> Self {
        Self::Url(Located { address, moved_to: Mutex::new(None) })
    }

    pub(super) fn get(&self, client: &Client, wanted: Wanted<'_>) -> Result<Answer, RemoteFault> {
        match self {
            Self::Url(located) => located.get(client, wanted),
            #[cfg(feature = "cloud")]
            Self::Object(object) => object.get(client, wanted),
        }
    }

    /// With nothing that may be a credential; none where there is.
    pub(super) fn plain_url(&self) -> Option<String> {
        match self {
            Self::Url(located) => located.address.plain().map(str::to_owned),
            #[cfg(feature = "cloud")]
            Self::Object(object) => object.url(),
        }
    }

    /// Whether both are URLs of one server.
    pub(super) fn is_of_same_server(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Url(one), Self::Url(other)) => one.address.is_of_same_origin(&other.address),
            #[cfg(feature = "cloud")]
            _ => false,
        }
    }
}

impl Located {
    fn get(&self, client: &Client, wanted: Wanted<'_>) -> Result<Answer, RemoteFault> {
        let moved_to = || self.moved_to.lock().unwrap_or_else(PoisonError::into_inner);
        let known = moved_to().clone();
        if let Some(known) = &known {
            match client.get(known, &self.address, wanted) {
                // It may be signed for some time only.
                Err(RemoteFault::Refused { .. }) => *moved_to() = None,
                answered => return answered.map(|answered| answered.answer),
            }
        }
        let Answered { answer, moved_to: target } = client.get(&self.address, &self.address, wanted)?;
        if answer.status.is_success() {
            *moved_to() = target;
        }
        Ok(answer)
    }
}
