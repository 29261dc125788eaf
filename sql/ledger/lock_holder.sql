-- Who holds a lock, one of several that share it: $2 is its class, and $1 what its key is the hash of. backend_start and client_addr are hidden from a role that may not see the
-- sessions of another; those of the login role are not, see lanes/identify.sql.
WITH login AS MATERIALIZED (
    SELECT pg_catalog.set_config('role', 'none', true) AS role
)
SELECT l.pid,
       r.rolname::text AS role,
       a.application_name AS application,
       pg_catalog.host(a.client_addr) AS address,
       a.backend_start AS since,
       l.mode = 'ShareLock' AS is_shared
FROM pg_catalog.pg_locks AS l
CROSS JOIN login
LEFT JOIN LATERAL pg_catalog.pg_stat_get_activity(
    CASE WHEN login.role IS NOT NULL THEN l.pid END
) AS a ON true
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = a.usesysid
WHERE l.locktype = 'advisory'
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
  AND l.classid = $2::oid
  AND l.objid = pg_catalog.hashtext($1::text)::oid
  AND l.objsubid = 2
  AND l.granted
ORDER BY l.pid
LIMIT 1
