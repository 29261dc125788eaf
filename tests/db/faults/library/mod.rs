//! The judges and the disturbers are tested themselves, against a real server.

mod exactly_once;
mod loader;
mod name_server;
mod proxy;
mod server;
mod small_disk;
