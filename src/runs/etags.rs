//! Which versions of files behind URLs a run has read, as their servers call them. What they hold decides whether a run is
//! resumed; this is for whoever asks, and for the message.

use tokio_postgres::{Client, Row, Transaction};

use super::{RunError, failed, run::RunSource};

const READ: &str = "SELECT position, etag FROM profile_loader.run_etags WHERE run_id = $1 ORDER BY position";

/// Puts those of these sources in place of what there is.
pub(super) async fn write(
    transaction: &Transaction<'_>,
    run_id: i64,
    sources: &[RunSource],
) -> Result<(), RunError> {
    let what = "writing the ETags of the run's inputs to the ledger";
    transaction
        .execute("DELETE FROM profile_loader.run_etags WHERE run_id = $1", &[&run_id])
        .await
        .map_err(failed(what))?;
    let numbered = (0_i32..).zip(sources);
    let (positions, etags): (Vec<_>, Vec<_>) =
        numbered.filter_map(|(position, source)| Some((position, source.etag.as_deref()?))).unzip();
    if !positions.is_empty() {
        let insert = "INSERT INTO profile_loader.run_etags (run_id, position, etag)
                      SELECT $1, n.position, n.etag FROM unnest($2::integer[], $3::text[]) AS n (position, etag)";
        transaction.execute(insert, &[&run_id, &positions, &etags]).await.map_err(failed(what))?;
    }
    Ok(())
}

/// Of inputs by their positions.
pub(super) async fn read(
    transaction: &Transaction<'_>,
    run_id: i64,
) -> Result<Vec<(usize, String)>, tokio_postgres::Error> {
    Ok(transaction.query(READ, &[&run_id]).await?.iter().map(of_row).collect())
}

/// The names of those of these sources that have another ETag than when the run read them last.
pub(crate) async fn changed<'s>(
    client: &Client,
    run_id: i64,
    sources: &'s [RunSource],
) -> Result<Vec<&'s str>, RunError> {
    let rows =
        client.query(READ, &[&run_id]).await.map_err(failed("reading the ETags of the run's inputs"))?;
    let is_other = |source: &RunSource, etag: &str| source.etag.as_deref().is_some_and(|now| now != etag);
    let names = rows.iter().map(of_row).filter_map(|(position, etag)| {
        let source = sources.get(position)?;
        is_other(source, &etag).then_some(&*source.name)
    });
    Ok(names.collect())
}

fn of_row(row: &Row) -> (usize, String) {
    // Negative only where somebody else wrote it.
    (usize::try_from(row.get::<_, i32>(0)).unwrap_or(usize::MAX), row.get(1))
}
