-- Ends what is left of a killed loader's sessions: whoever holds the target is not among them.
SELECT pg_catalog.pg_terminate_backend(a.pid)
FROM pg_catalog.pg_stat_activity AS a
WHERE a.application_name = $1 AND a.usename = current_user AND a.datname = current_database()
      AND a.pid <> pg_catalog.pg_backend_pid()
