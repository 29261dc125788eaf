-- Who holds locks on the four tables, and on which of them; the first to have begun comes first. $1: schema, $2: tables.
-- As the login role, see lanes/identify.sql. A prepared transaction has no session.
WITH login AS MATERIALIZED (
    SELECT pg_catalog.set_config('role', 'none', true) AS role
)
SELECT coalesce(
           'pid ' || l.pid || ' (' || coalesce(nullif(a.application_name, ''), 'unnamed')
               || coalesce(', as ' || r.rolname, '')
               || coalesce(', ' || a.state || ' since '
                   || pg_catalog.to_char(a.state_change AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '') || ')',
           'the prepared transaction ' || x.gid
       ) AS holder,
       pg_catalog.string_agg(DISTINCT c.relname::text, ', ' ORDER BY c.relname::text) AS tables
FROM login
CROSS JOIN pg_catalog.pg_locks AS l
JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN LATERAL pg_catalog.pg_stat_get_activity(
    CASE WHEN login.role IS NOT NULL THEN l.pid END
) AS a ON l.pid IS NOT NULL
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = a.usesysid
LEFT JOIN pg_catalog.pg_prepared_xacts AS x
    ON l.pid IS NULL AND l.virtualtransaction = '-1/' || x.transaction::text
WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
  AND n.nspname = $1::text AND c.relname = ANY ($2::text[])
GROUP BY l.pid, a.application_name, r.rolname, a.state, a.state_change, x.gid, a.xact_start
ORDER BY a.xact_start NULLS LAST, holder
