//! What each session is set to, whatever its role or database have as defaults; one list for all of them.
//!
//! A setting that the server does not have (an older version, another system) is passed over. What only the owner's
//! triggers would notice (`search_path`, `DateStyle`, `TimeZone`, …) is left alone where documents come in. What is not
//! for us to change, because only a superuser may or because somebody means it, is looked at before a load (`commands::preflight`).

use std::{num::NonZeroUsize, thread};

use crate::postgres::Target;

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionSettings {
    /// Holding the target, migrations, looking at runs.
    Control,
    /// Looking at what other sessions do.
    Watch,
    /// Looking up stored profiles.
    LookUp,
    /// Merging in transactions of one batch each.
    Merge,
    /// Merging in one transaction that lasts as long as the input.
    MergeAtomic,
    /// Filling empty tables.
    Fill,
    /// Building indexes and checking foreign keys, in as many sessions at a time.
    Restore { sessions: usize },
}

type Setting = (&'static str, &'static str);

/// The first statement of all, since the role's own limit may be shorter than the next one takes.
const NO_TIMEOUT: &str = "SET statement_timeout = 0";

/// In every session:
/// - time-outs off: limits meant for an API would stop a load. PostgreSQL 14 brought `idle_session_timeout`, 17
///   `transaction_timeout`.
/// - `lock_timeout`: whoever holds a lock for longer is named, and the transaction begun anew.
/// - keepalives and `client_connection_check_interval` (PostgreSQL 14 and newer, not on every system): a session whose
///   loader is gone ends within a minute, even in the middle of a statement.
/// - `row_security`: policies apply, as `commands::preflight` takes for granted, and are no error.
/// - `quote_all_identifiers`: names in definitions are quoted only where they have to be, so that they compare.
/// - `exit_on_error`: a document that is refused does not end the session.
const ALL: [Setting; 14] = [
    ("statement_timeout", "0"),
    ("transaction_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("lock_timeout", "60s"),
    ("client_min_messages", "warning"),
    ("default_transaction_isolation", "read committed"),
    ("row_security", "on"),
    ("quote_all_identifiers", "off"),
    ("exit_on_error", "off"),
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
    ("client_connection_check_interval", "5s"),
];

/// What is told as committed has to outlast a crash of the server. Other values than `off` are the owner's to choose.
const NOT_OFF: [Setting; 1] = [("synchronous_commit", "on")];

/// Where the catalog and the ledger are read, and no row of the four tables is written: names without a schema are the
/// server's own, and its texts read the same for every role.
const CATALOG: [Setting; 5] = [
    ("search_path", "pg_catalog"),
    ("standard_conforming_strings", "on"),
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("extra_float_digits", "1"),
];

/// Sees and ends sessions of the login role, whatever role that switches to (`ALTER ROLE … SET role`).
const AS_LOGIN_ROLE: &str = "SET ROLE NONE";

/// For a transaction of one batch, between whose statements the loader does little: a loader that was suspended must
/// not hold its locks for ever.
const BATCH: [Setting; 1] = [("idle_in_transaction_session_timeout", "5min")];

/// Memory of the server's that one session may take for what it has staged, as the setting and in MiB.
const TEMPORARY: &str = "32MB";
const TEMPORARY_MIB: i32 = 32;

/// Where documents come in:
/// - `jit`, `enable_seqscan` off: every statement probes indexes for some thousands of ids. Statistics of a table that
///   is being filled say that it is empty, and a plan made for that (those of the foreign keys are kept for the
///   session) would read the whole table for each row later on.
/// - `enable_memoize` off (PostgreSQL 14 and newer): no lookup comes twice.
/// - `temp_buffers`: the staging table of one batch stays in memory.
const LANE: [Setting; 4] =
    [("jit", "off"), ("enable_seqscan", "off"), ("enable_memoize", "off"), ("temp_buffers", TEMPORARY)];

/// The server refuses whatever would write.
const READ_ONLY: [Setting; 1] = [("default_transaction_read_only", "on")];

/// An index whose definition names no tablespace was in the database's own: a default of the role's must not take it
/// elsewhere.
const RESTORE: [Setting; 1] = [("default_tablespace", "")];

/// Memory to sort in for building indexes: a quarter of what the server caches pages in, if it has not been given
/// more. As many sessions as there are lanes may take it.
const RESTORE_MEMORY: &str = "
    SELECT pg_catalog.set_config(m.name,
               greatest(m.setting::bigint, least(1048576, b.setting::bigint * 8 / 4)) || 'kB', false)
    FROM pg_catalog.pg_settings AS m, pg_catalog.pg_settings AS b
    WHERE m.name = 'maintenance_work_mem' AND b.name = 'shared_buffers'";

const STAGING_TABLE: &str = include_str!("../../sql/merge/staged.sql");

impl SessionSettings {
    /// Memory of the server's that one session may take for what it has staged.
    pub(crate) fn temporary_mib() -> i32 {
        TEMPORARY_MIB
    }

    /// Statements that set a session up, in order.
    pub(crate) fn statements(self, target: &Target) -> Vec<String> {
        let set = |lists: &[&[Setting]]| set_config(&lists.concat());
        match self {
            Self::Control => vec![set(&[&ALL, &CATALOG])],
            Self::LookUp => vec![set(&[&ALL, &LANE, &READ_ONLY])],
            Self::Watch => vec![set(&[&ALL, &CATALOG]), AS_LOGIN_ROLE.to_owned()],
            Self::MergeAtomic => vec![set(&[&ALL, &LANE]), STAGING_TABLE.to_owned()],
            Self::Merge | Self::Fill => vec![set(&[&ALL, &BATCH, &LANE]), STAGING_TABLE.to_owned()],
            Self::Restore { sessions } => {
                let set = set(&[&ALL, &BATCH, &RESTORE]);
                vec![set, RESTORE_MEMORY.to_owned(), workers_of_a_session(target, sessions)]
            }
        }
    }
}

/// A later setting of a name wins. `max_val` is 0 where the system can't do it.
fn set_config(settings: &[Setting]) -> String {
    let is_last = |index: usize| settings[index + 1..].iter().all(|(name, _)| *name != settings[index].0);
    let chosen = settings.iter().enumerate().filter(|(index, _)| is_last(*index));
    let chosen = chosen.map(|(_, (name, value))| format!("('{name}', '{value}', NULL)"));
    let not_off = NOT_OFF.iter().map(|(name, value)| format!("('{name}', '{value}', 'off')"));
    format!(
        "{NO_TIMEOUT};
         SELECT pg_catalog.set_config(s.name, wanted.setting, false)
         FROM (VALUES {}) AS wanted (name, setting, instead_of)
         JOIN pg_catalog.pg_settings AS s ON s.name = wanted.name AND s.max_val IS DISTINCT FROM '0'
             AND (wanted.instead_of IS NULL OR s.setting = wanted.instead_of)",
        chosen.chain(not_off).collect::<Vec<_>>().join(", ")
    )
}

/// Sessions that work beside each other are parallel enough where there are no more cores than sessions: workers only
/// add to the sum of the work, because they sort through files. Of a server elsewhere nobody knows its cores.
fn workers_of_a_session(target: &Target, sessions: usize) -> String {
    if !target.is_local() {
        return String::new();
    }
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let workers = (cores / sessions.max(1)).saturating_sub(1);
    format!(
        "SET max_parallel_maintenance_workers = {workers}; SET max_parallel_workers_per_gather = {workers}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::staged_columns;

    #[test]
    fn the_staging_table_has_the_columns_that_are_encoded() {
        let columns: Vec<_> = STAGING_TABLE
            .lines()
            .filter_map(|line| line.strip_prefix("    "))
            .map(|line| line.trim_end_matches(',').trim_end_matches(" NOT NULL"))
            .filter_map(|line| line.split_once(' '))
            .collect();
        assert_eq!(columns, staged_columns());
    }

    #[test]
    fn the_memory_that_doctor_tells_is_what_sessions_are_set_to() {
        assert_eq!(TEMPORARY, format!("{TEMPORARY_MIB}MB"));
        let formula = "greatest(m.setting::bigint, least(1048576, b.setting::bigint * 8 / 4))";
        for sql in [RESTORE_MEMORY, include_str!("../../sql/preflight/connections.sql")] {
            assert!(sql.contains(formula), "{sql}");
        }
    }

    #[test]
    fn a_later_setting_wins() {
        let sql = set_config(&[("a", "1"), ("b", "2"), ("a", "3")]);
        assert!(sql.contains("(VALUES ('b', '2', NULL), ('a', '3', NULL), "), "{sql}");
    }
}
