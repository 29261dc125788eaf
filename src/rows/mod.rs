//! Profiles to the bytes that COPY takes; pure, no sockets.

mod direct;
mod encode;
mod part;
mod table;

pub use direct::TableRows;
pub use encode::{COPY_HEADER, COPY_TRAILER, StagedRow, encode_staged};
pub use part::{CHUNK_BYTES_MAX, ChildRows, LanePart, PartDocument, RowForm, lane_of};
pub use table::{STAGED_COLUMNS, Table};
