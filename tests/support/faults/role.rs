//! A role that is not a superuser, so that limits and privileges are its own; dropped with this value.

use std::thread;

use crate::support::{Database, Store, TestServer};

#[derive(Debug)]
pub(crate) struct Role<'a> {
    pub(crate) name: String,
    server: &'a TestServer,
    database: &'a Database,
}

impl<'a> Role<'a> {
    /// A role for one store, with these attributes of CREATE ROLE.
    pub(crate) fn new(server: &'a TestServer, store: &'a Store, attributes: &str) -> Self {
        let database = &store.database;
        let name = format!("role_of_{}", database.name);
        database.execute(&format!("CREATE ROLE {name} LOGIN {attributes}"));
        Self { name, server, database }
    }

    /// The store's database by TCP, as this role.
    pub(crate) fn url(&self) -> String {
        self.of_url(&self.server.tcp_url(self.database))
    }

    /// The same of another URL, such as a proxy's.
    pub(crate) fn of_url(&self, url: &str) -> String {
        url.replace("postgres@", &format!("{}@", self.name))
    }

    /// How many sessions the server has refused to it because of its limit.
    pub(crate) fn refusals(&self) -> usize {
        self.server.log().matches(&format!("too many connections for role \"{}\"", self.name)).count()
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.database.execute(&format!("DROP OWNED BY {0}; DROP ROLE {0}", self.name));
        }
    }
}
