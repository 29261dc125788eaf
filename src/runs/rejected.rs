//! Places and codes of a run's rejected documents in the ledger, for whoever asked for them.
//!
//! They are taken from the records of the reject files, which are whole and in input order once a run has ended, and
//! are written in the transaction that writes the end: they are there exactly when the run has ended, and once.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
    time::Duration,
};

use serde::Deserialize;
use tokio_postgres::Transaction;

use super::{RunError, failed, ledger::bigint, within};
use crate::path_text::path_text;

/// Rows of one statement: more are no quicker, and take memory.
const FAULTS_MAX: usize = 10_000;

/// What is taken of a record in the errors file; a document has at most 1000 faults.
#[derive(Deserialize)]
struct Record {
    reject_line: u64,
    source: String,
    line: u64,
    byte_offset: u64,
    errors: Vec<RecordError>,
}

#[derive(Deserialize)]
struct RecordError {
    code: String,
    pointer: String,
}

/// Columns of some rows.
#[derive(Default)]
struct Faults {
    reject_lines: Vec<i64>,
    numbers: Vec<i32>,
    sources: Vec<String>,
    lines: Vec<i64>,
    byte_offsets: Vec<i64>,
    codes: Vec<String>,
    pointers: Vec<String>,
}

impl Faults {
    fn push(&mut self, record: Record) {
        for (number, error) in (1..).zip(record.errors) {
            self.reject_lines.push(bigint(record.reject_line));
            self.numbers.push(number);
            self.sources.push(record.source.clone());
            self.lines.push(bigint(record.line));
            self.byte_offsets.push(bigint(record.byte_offset));
            self.codes.push(error.code);
            self.pointers.push(error.pointer);
        }
    }
}

/// Writes what the file says of each rejected document; the server may take `answer` for each statement.
pub(super) async fn write(
    transaction: &Transaction<'_>,
    run_id: i64,
    errors: &Path,
    answer: Duration,
) -> Result<(), RunError> {
    // Written before, where the answer to COMMIT was lost.
    let delete = "DELETE FROM profile_loader.rejected_documents WHERE run_id = $1";
    let deleted = async { transaction.execute(delete, &[&run_id]).await };
    within(answer, deleted).await?.map_err(failed("clearing profile_loader.rejected_documents"))?;
    let unreadable = |source| RunError::RejectRecords { path: path_text(errors), source };
    let mut records = File::open(errors).map(BufReader::new).map_err(unreadable)?;
    loop {
        let faults = read_faults(&mut records).map_err(unreadable)?;
        if faults.numbers.is_empty() {
            return Ok(());
        }
        within(answer, insert(transaction, run_id, &faults)).await.flatten()?;
    }
}

/// Those of the next documents; none at the end.
fn read_faults(records: &mut impl BufRead) -> io::Result<Faults> {
    let mut faults = Faults::default();
    let mut record = Vec::new();
    while faults.numbers.len() < FAULTS_MAX && records.read_until(b'\n', &mut record)? > 0 {
        faults.push(serde_json::from_slice(&record)?);
        record.clear();
    }
    Ok(faults)
}

async fn insert(transaction: &Transaction<'_>, run_id: i64, faults: &Faults) -> Result<(), RunError> {
    let Faults { reject_lines, numbers, sources, lines, byte_offsets, codes, pointers } = faults;
    transaction
        .execute(
            include_str!("../../sql/runs/reject_documents.sql"),
            &[&run_id, reject_lines, numbers, sources, lines, byte_offsets, codes, pointers],
        )
        .await
        .map_err(failed("writing profile_loader.rejected_documents"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_a_statement_at_a_time() {
        let record = |line: u64, faults: usize| {
            let error = r#"{"code":"schema:type","pointer":"/?","schema_path":"","message":"words"}"#;
            let errors = vec![error; faults].join(",");
            format!(
                r#"{{"reject_line":{line},"source":"a","line":{line},"byte_offset":7,"errors":[{errors}]}}"#
            ) + "\n"
        };
        let check = |documents: &[usize], expected: &[usize]| {
            let text: String = (1..).zip(documents).map(|(line, faults)| record(line, *faults)).collect();
            let mut records = text.as_bytes();
            let mut found = Vec::new();
            loop {
                let faults = read_faults(&mut records).unwrap();
                if faults.numbers.is_empty() {
                    break;
                }
                found.push(faults.numbers.len());
            }
            assert_eq!(found, expected);
        };
        check(&[], &[]);
        check(&[1, 3], &[4]);
        check(&[9_000, 2_000, 1], &[11_000, 1]);
        check(&[10_000, 10_000], &[10_000, 10_000]);
        assert!(read_faults(&mut &b"{\"reject_line\":1"[..]).is_err());
    }
}
