//! Profiles to the bytes that COPY takes; pure, no sockets.

mod encode;
mod table;

pub use encode::{COPY_HEADER, COPY_TRAILER, StagedRow, encode_staged};
pub use table::{STAGED_COLUMNS, Table};
