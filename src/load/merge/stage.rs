//! Staging documents: the rows that they are, by COPY into the session's own table.

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, pin_mut};
use tokio_postgres::Statement;

use crate::{
    failpoint,
    rows::{COPY_HEADER, COPY_TRAILER},
    runs::{RunError, failed},
    session::Pulse,
};

const COPY: &str = "COPY pg_temp.profile_loader_staged FROM STDIN (FORMAT binary)";

/// How much goes to the socket at once.
const FRAME_BYTES: usize = 256 * 1024;

/// Fills the staging table, which is empty.
pub(crate) async fn stage(
    transaction: &deadpool_postgres::Transaction<'_>,
    rows: impl Iterator<Item = impl AsRef<[u8]>>,
    pulse: &Pulse,
) -> Result<(), RunError> {
    let copy: Statement = transaction.prepare_cached(COPY).await.map_err(failed("preparing COPY"))?;
    let sink = transaction.copy_in::<_, Bytes>(&copy).await.map_err(failed("COPY"))?;
    pin_mut!(sink);
    let mut frame = BytesMut::with_capacity(FRAME_BYTES);
    frame.extend_from_slice(COPY_HEADER);
    for row in rows {
        // It may be as long as the longest line.
        for piece in row.as_ref().chunks(FRAME_BYTES) {
            frame.extend_from_slice(piece);
            if frame.len() >= FRAME_BYTES {
                sink.send(frame.split().freeze()).await.map_err(failed("COPY"))?;
                pulse.beat();
                frame.reserve(FRAME_BYTES);
            }
        }
    }
    failpoint("lane-copying");
    frame.extend_from_slice(COPY_TRAILER);
    sink.send(frame.freeze()).await.map_err(failed("COPY"))?;
    sink.finish().await.map_err(failed("COPY"))?;
    pulse.beat();
    Ok(())
}
