-- Who holds the lock on the target. backend_start and client_addr are hidden from a role that may not see the
-- sessions of another.
SELECT l.pid,
       a.usename::text AS role,
       a.application_name AS application,
       pg_catalog.host(a.client_addr) AS address,
       a.backend_start AS since
FROM pg_catalog.pg_locks AS l
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory'
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
  AND l.classid = 1886547044::oid
  AND l.objid = pg_catalog.hashtext($1::text)::oid
  AND l.objsubid = 2
  AND l.granted
