-- Ends what is left of a killed loader's sessions: whoever holds the target is not among them. As the login role, whose
-- sessions ours are: see lanes/identify.sql.
WITH login AS MATERIALIZED (
    SELECT pg_catalog.set_config('role', 'none', true) AS role
)
SELECT pg_catalog.pg_terminate_backend(a.pid)
FROM login
CROSS JOIN LATERAL pg_catalog.pg_stat_get_activity(
    CASE WHEN login.role IS NULL THEN 0 END
) AS a
JOIN pg_catalog.pg_roles AS r ON r.oid = a.usesysid
JOIN pg_catalog.pg_database AS d ON d.oid = a.datid
WHERE a.application_name = $1 AND r.rolname = session_user AND d.datname = pg_catalog.current_database()
      AND a.pid <> pg_catalog.pg_backend_pid()
