-- Ends a session of ours whose connection was lost, so that its locks go at once. As the login role, whose sessions
-- ours are: see identify.sql.
WITH login AS MATERIALIZED (
    SELECT pg_catalog.set_config('role', 'none', true) AS role
)
SELECT pg_catalog.pg_terminate_backend(a.pid)
FROM login
CROSS JOIN LATERAL pg_catalog.pg_stat_get_activity(
    CASE WHEN login.role IS NULL THEN 0 END
) AS a
JOIN pg_catalog.pg_roles AS r ON r.oid = a.usesysid
WHERE a.pid = $1 AND r.rolname = session_user
      AND pg_catalog.to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') = $2
