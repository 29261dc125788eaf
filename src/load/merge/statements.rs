//! The statements of a merge.

use super::trial_sql;
use crate::postgres::quote_identifier;

/// The statements, with the tables' schema written into them.
#[derive(Debug)]
pub(crate) struct MergeSql {
    /// What is not stored as the documents say: of all that are staged; of those chosen by their seq, or by
    /// where they are staged.
    pub(crate) classify_all: String,
    pub(crate) classify_seqs: String,
    pub(crate) classify_places: String,
    pub(crate) insert_profiles: String,
    /// Which transaction wrote a stored profile.
    pub(crate) written_by: String,
    /// Addresses, e-mails, phone numbers.
    pub(crate) insert_children: [String; 3],
    pub(crate) lock_profiles: String,
    /// Of profiles, addresses, e-mails and phone numbers; each returns how many rows it wrote and should have.
    pub(crate) updates: [String; 4],
    /// Whether a document that was written lacks rows.
    pub(crate) incomplete: String,
    /// The stored profiles of some ids, and which transactions wrote them.
    pub(crate) stored: String,
    pub(crate) trial: TrialSql,
}

#[derive(Debug)]
pub(crate) struct TrialSql {
    pub(super) db_schema: String,
    /// Makes the function that tries documents.
    pub(super) function: String,
    /// Of each table, the rows of all documents that are staged, with the places of these.
    pub(super) rows: [String; 4],
}

impl TrialSql {
    fn in_schema(db_schema: &str) -> Self {
        Self::of_function(&trial_sql::function(), db_schema)
    }

    /// For tables that are being filled without their keys.
    pub(crate) fn without_keys(db_schema: &str) -> Self {
        Self::of_function(&trial_sql::function_without_keys(), db_schema)
    }

    fn of_function(function: &str, db_schema: &str) -> Self {
        let schema = quote_identifier(db_schema);
        Self {
            db_schema: db_schema.to_owned(),
            function: function.replace("@schema@", &schema),
            rows: trial_sql::rows().map(|rows| rows.replace("@schema@", &schema)),
        }
    }
}

impl MergeSql {
    pub(crate) fn in_schema(db_schema: &str) -> Self {
        let schema = quote_identifier(db_schema);
        let sql = |text: &str| text.replace("@schema@", &schema);
        let classify =
            |chosen| sql(&include_str!("../../../sql/merge/classify.sql").replace("@chosen@", chosen));
        Self {
            classify_all: classify("true"),
            // Hashed by every server, which ANY is not.
            classify_seqs: classify("s.seq IN (SELECT chosen.seq FROM unnest($1::bigint[]) AS chosen (seq))"),
            classify_places: classify("s.ctid = ANY ($1::tid[])"),
            insert_profiles: sql(include_str!("../../../sql/merge/insert_profiles.sql")),
            written_by: sql(
                "SELECT t.xmin::text::bigint AS written_by FROM @schema@.customer_profiles AS t WHERE t.id = $1",
            ),
            insert_children: [
                sql(include_str!("../../../sql/merge/insert_addresses.sql")),
                sql(include_str!("../../../sql/merge/insert_emails.sql")),
                sql(include_str!("../../../sql/merge/insert_phone_numbers.sql")),
            ],
            lock_profiles: sql(include_str!("../../../sql/merge/lock_profiles.sql")),
            updates: [
                sql(include_str!("../../../sql/merge/update_profiles.sql")),
                sql(include_str!("../../../sql/merge/update_addresses.sql")),
                sql(include_str!("../../../sql/merge/update_emails.sql")),
                sql(include_str!("../../../sql/merge/update_phone_numbers.sql")),
            ],
            incomplete: sql(include_str!("../../../sql/merge/incomplete.sql")),
            stored: sql(concat!(
                "SELECT stored.*, (SELECT t.xmin::text::bigint FROM @schema@.customer_profiles AS t
                                   WHERE t.id = stored.id) AS written_by
                 FROM (",
                include_str!("../../../sql/merge/stored.sql"),
                ") AS stored"
            )),
            trial: TrialSql::in_schema(db_schema),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_names_the_schema() {
        let sql = MergeSql::in_schema("Odd \"one\"");
        assert!(sql.classify_all.contains("FROM \"Odd \"\"one\"\"\".customer_profiles"));
        let all = format!("{sql:?}");
        let names = all
            .split('@')
            .filter(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        assert_eq!(names.collect::<Vec<_>>(), [""; 0], "nothing is left to be put in");
    }
}
