//! How fast earlier runs were, from which the next one's time is estimated; the estimate is pure.

use tokio_postgres::Client;

use super::{RunError, failed};

/// Runs tell nothing of one that has so many times their documents.
const FARTHER_MAX: u64 = 200;

/// A run that came to its end in one attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) run_id: i64,
    pub(crate) documents: u64,
    pub(crate) seconds: f64,
}

/// Of the latest runs with a strategy into one schema, the newest first.
pub(crate) async fn paces(client: &Client, db_schema: &str, strategy: &str) -> Result<Vec<Pace>, RunError> {
    let rows = client
        .query(include_str!("../../sql/runs/paces.sql"), &[&db_schema, &strategy])
        .await
        .map_err(failed("reading how long earlier runs took"))?;
    let pace = |row: &tokio_postgres::Row| Pace {
        run_id: row.get("id"),
        documents: u64::try_from(row.get::<_, i64>("documents")).unwrap_or(0),
        seconds: row.get("seconds"),
    };
    Ok(rows.iter().map(pace).collect())
}

impl Pace {
    /// How long so many documents would take at the pace of these runs together; none where they were so short that what
    /// they took was mostly spent on beginning and ending.
    #[expect(clippy::cast_precision_loss, reason = "an estimate needs few digits")]
    pub(crate) fn estimate(paces: &[Self], documents: u64) -> Option<f64> {
        let (all, seconds) =
            paces.iter().fold((0, 0.0), |(all, seconds), one| (all + one.documents, seconds + one.seconds));
        let is_alike = all > 0 && documents / all < FARTHER_MAX;
        is_alike.then(|| seconds * documents as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_say_more_than_short_ones() {
        let pace = |documents, seconds| Pace { run_id: 1, documents, seconds };
        assert_eq!(Pace::estimate(&[pace(100, 4.0), pace(300, 4.0)], 50), Some(1.0));
        assert_eq!(Pace::estimate(&[], 50), None);
        assert_eq!(Pace::estimate(&[pace(1, 0.1); 5], 1_000_000), None);
        assert_eq!(Pace::estimate(&[pace(5_000, 1.0)], 999_999), Some(199.999_8));
    }
}
