//! Profiles to the bytes that COPY takes; pure, no sockets.

mod decode;
mod direct;
mod encode;
mod part;
mod restage;

pub(crate) use decode::TextArray;
pub use direct::{TableRows, rows_in, with_id};
pub use encode::{COPY_HEADER, COPY_TRAILER, StagedRow, encode_staged};
pub(crate) use part::{ChildRows, lane_of, part_of};
pub use part::{LanePart, RowForm};
pub(crate) use restage::put_staged;
