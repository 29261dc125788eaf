//! The tables of the ledger as data: what a database is held against before anything is written to it. The text
//! that makes them stands in `sql/ledger`; a ledger that was made by it and is refused here fails the tests.

/// A table as `sql/ledger` makes it.
pub(super) struct LedgerTable {
    pub(super) name: &'static str,
    /// The version of the ledger that brought it.
    pub(super) since: i32,
    /// With their types, in order.
    pub(super) columns: &'static [&'static str],
}

pub(super) const MIGRATIONS: &str = "migrations";
pub(super) const LEDGER: &str = "ledger";

pub(super) static TABLES: [LedgerTable; 15] = [
    LedgerTable {
        name: MIGRATIONS,
        since: 1,
        columns: &[
            "db_schema text",
            "version integer",
            "name text",
            "checksum text",
            "adopted boolean",
            "applied_at timestamp with time zone",
            "applied_by text",
        ],
    },
    LedgerTable { name: LEDGER, since: 2, columns: &[VERSION_COLUMN] },
    LedgerTable {
        name: "runs",
        since: 2,
        columns: &[
            "id bigint",
            "db_schema text",
            "state text",
            "strategy text",
            "atomic boolean",
            "on_existing text",
            "json_schema_sha256 text",
            "tool_version text",
            "lanes integer",
            "head_bytes bigint",
            "head_digest text",
            "attempts integer",
            "started_at timestamp with time zone",
            "attempted_at timestamp with time zone",
            "ended_at timestamp with time zone",
            "started_by text",
            "host text",
            "documents_read bigint",
            "documents_accepted bigint",
            "documents_rejected bigint",
            "failure text",
        ],
    },
    LedgerTable {
        name: "run_inputs",
        since: 2,
        columns: &["run_id bigint", "position integer", "name text", "bytes bigint", "digest text"],
    },
    LedgerTable {
        name: "run_lanes",
        since: 2,
        columns: &[
            "run_id bigint",
            "lane integer",
            "attempt integer",
            "source integer",
            "byte_offset bigint",
            "digest text",
            "cost_bytes bigint",
            "inserted bigint",
            "updated bigint",
            "unchanged bigint",
            "skipped bigint",
            "rejected bigint",
            "profile_rows bigint",
            "address_rows bigint",
            "email_rows bigint",
            "phone_number_rows bigint",
            "committed_at timestamp with time zone",
        ],
    },
    LedgerTable {
        name: "run_rejections",
        since: 2,
        columns: &[
            "run_id bigint",
            "lane integer",
            "source integer",
            "byte_offset bigint",
            "code text",
            "message text",
        ],
    },
    LedgerTable {
        name: "run_transactions",
        since: 2,
        columns: &["run_id bigint", "lane integer", "xid bigint"],
    },
    LedgerTable {
        name: "run_ddl",
        since: 3,
        columns: &[
            "run_id bigint",
            "step integer",
            "table_name text",
            "label text",
            "sql text",
            "after integer[]",
            "restored_at timestamp with time zone",
        ],
    },
    LedgerTable {
        name: "run_spills",
        since: 3,
        columns: &["run_id bigint", "lane integer", "source integer", "byte_offset bigint"],
    },
    LedgerTable {
        name: "run_plans",
        since: 4,
        columns: &["run_id bigint", "copies boolean", "in_order boolean", "defers boolean", "dropped jsonb"],
    },
    LedgerTable { name: "run_reports", since: 5, columns: &["run_id bigint", "report text"] },
    LedgerTable {
        name: "rejected_documents",
        since: 6,
        columns: &[
            "run_id bigint",
            "reject_line bigint",
            "fault integer",
            "source text",
            "line bigint",
            "byte_offset bigint",
            "code text",
            "pointer text",
        ],
    },
    LedgerTable { name: "run_etags", since: 7, columns: &["run_id bigint", "position integer", "etag text"] },
    LedgerTable {
        name: "run_parts",
        since: 8,
        columns: &[
            "run_id bigint",
            "db_schema text",
            "plan text",
            "part integer",
            "first_part integer",
            "parts integer",
        ],
    },
    LedgerTable {
        name: "run_deferred",
        since: 8,
        columns: &["run_id bigint", "number integer", "blocks bytea"],
    },
];

/// The one thing that a ledger of any later layout has, too.
pub(super) const VERSION_COLUMN: &str = "version integer";

/// The tables that a load writes to.
pub(super) fn run_tables() -> Vec<&'static str> {
    let names = TABLES.iter().map(|table| table.name);
    names.filter(|name| *name != MIGRATIONS && *name != LEDGER).collect()
}
