-- Which session this is. A role that the login role switches to (ALTER ROLE ... SET role) does not see when the
-- session began, so the role is the login role for as long as the statement takes: run outside of transactions.
WITH login AS MATERIALIZED (
    SELECT pg_catalog.set_config('role', 'none', true) AS role
)
SELECT a.pid,
       pg_catalog.to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS started
FROM login
CROSS JOIN LATERAL pg_catalog.pg_stat_get_activity(
    CASE WHEN login.role IS NOT NULL THEN pg_catalog.pg_backend_pid() END
) AS a
