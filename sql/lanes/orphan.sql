-- Ends a session of ours whose connection was lost, so that its locks go at once.
SELECT pg_catalog.pg_terminate_backend(a.pid)
FROM pg_catalog.pg_stat_activity AS a
WHERE a.pid = $1 AND a.backend_start::text = $2 AND a.usename = current_user
