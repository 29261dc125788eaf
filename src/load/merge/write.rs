//! Writing documents: inserting what is not stored, and bringing what is stored to what the documents say.

use std::collections::HashSet;

use tokio_postgres::Transaction;

use super::{decisions::Decisions, error::MergeError, statements::MergeSql};
use crate::{
    report::RowCounts,
    runs::failed,
    session::{Ctid, Uuid},
};

/// The parts of a document, as they are told apart in what the server says of it.
const PROFILE: i32 = 1;
const ADDRESS: i32 = 2;
const EMAILS: i32 = 4;
const PHONE_NUMBERS: i32 = 8;

/// Inserts documents whose ids are not stored; says which ids it wrote: another session may have been first.
pub(super) async fn insert(
    transaction: &Transaction<'_>,
    sql: &MergeSql,
    decisions: &Decisions<'_>,
    chosen: &[usize],
    rows: &mut RowCounts,
) -> Result<HashSet<[u8; 16]>, MergeError> {
    let what = failed("inserting profiles");
    let ctids = decisions.ctids(chosen);
    let returned = transaction.query(&sql.insert_profiles, &[&ctids]).await.map_err(what)?;
    let ids: HashSet<[u8; 16]> = returned.iter().map(|row| row.get::<_, Uuid>(0).0).collect();
    let arrived: Vec<_> =
        chosen.iter().copied().filter(|&index| ids.contains(&decisions.id(index))).collect();
    if arrived.len() != returned.len() {
        // Somebody's trigger has stored a profile under another id.
        return Err(MergeError::LeftOut);
    }
    rows.customer_profiles += count(ids.len());
    if arrived.is_empty() {
        return Ok(ids);
    }
    let ctids = decisions.ctids(&arrived);
    let expected = decisions.children(&arrived);
    let [addresses, emails, phone_numbers] = &sql.insert_children;
    let execute = async |what, statement: &String, expected| {
        let written = transaction.execute(statement, &[&ctids]).await.map_err(failed(what))?;
        as_expected(written, expected)
    };
    rows.customer_profile_addresses += execute("inserting addresses", addresses, expected.addresses).await?;
    rows.customer_profile_emails += execute("inserting e-mails", emails, expected.emails).await?;
    rows.customer_profile_phone_numbers +=
        execute("inserting phone numbers", phone_numbers, expected.phone_numbers).await?;
    Ok(ids)
}

/// Brings stored profiles to what the documents say, row by row where they differ; says which ids were still
/// stored.
pub(super) async fn update(
    transaction: &Transaction<'_>,
    sql: &MergeSql,
    decisions: &Decisions<'_>,
    chosen: &[usize],
    rows: &mut RowCounts,
) -> Result<HashSet<[u8; 16]>, MergeError> {
    let ids: Vec<Uuid> = chosen.iter().map(|&index| Uuid(decisions.id(index))).collect();
    let locked = transaction
        .query(&sql.lock_profiles, &[&ids])
        .await
        .map_err(failed("locking the profiles that are to be updated"))?;
    let ids: HashSet<[u8; 16]> = locked.iter().map(|row| row.get::<_, Uuid>(0).0).collect();
    let held: Vec<_> = chosen.iter().copied().filter(|&index| ids.contains(&decisions.id(index))).collect();
    // They may have changed until they were held.
    let again = transaction
        .query_one(&sql.classify_places, &[&decisions.ctids(&held)])
        .await
        .map_err(failed("comparing with the profiles that are held"))?;
    let (ctids, parts): (Vec<Ctid>, Vec<i32>) = (again.get("places"), again.get("parts"));
    let [profiles, addresses, emails, phone_numbers] = &sql.updates;
    let execute = async |what, part, statement: &String| {
        let differs = |(ctid, parts): (&Ctid, &i32)| (parts & part != 0).then_some(*ctid);
        let ctids: Vec<_> = ctids.iter().zip(&parts).filter_map(differs).collect();
        if ctids.is_empty() {
            return Ok(0);
        }
        let row = transaction.query_one(statement, &[&ctids]).await.map_err(failed(what))?;
        let count = |name| u64::try_from(row.get::<_, i64>(name)).expect("a count is not negative");
        as_expected(count("rows"), count("expected"))
    };
    rows.customer_profiles += execute("updating profiles", PROFILE, profiles).await?;
    rows.customer_profile_addresses += execute("updating addresses", ADDRESS, addresses).await?;
    rows.customer_profile_emails += execute("updating e-mails", EMAILS, emails).await?;
    rows.customer_profile_phone_numbers +=
        execute("updating phone numbers", PHONE_NUMBERS, phone_numbers).await?;
    Ok(ids)
}

/// A trigger or rule of the owner's can leave rows out without an error; a document is whole or rejected.
fn as_expected(written: u64, expected: u64) -> Result<u64, MergeError> {
    if written == expected { Ok(written) } else { Err(MergeError::LeftOut) }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).expect("a length has 64 bits")
}
