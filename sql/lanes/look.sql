-- What a session is doing, and who holds the lock it waits for. Sessions of other roles may hide themselves.
SELECT a.wait_event_type IS NOT DISTINCT FROM 'Client'
       OR a.state IN ('idle', 'idle in transaction', 'idle in transaction (aborted)') AS waits_for_client,
       CASE WHEN a.wait_event_type = 'Lock' THEN (
           SELECT string_agg(
               format('pid %s (%s%s%s)', b.pid,
                      coalesce(nullif(b.application_name, ''), 'unnamed'),
                      coalesce(', as ' || b.usename, ''),
                      coalesce(', ' || b.state || ' since ' || to_char(b.state_change, 'HH24:MI:SS'), '')),
               ' and ' ORDER BY b.pid)
           FROM pg_catalog.pg_stat_activity AS b
           WHERE b.pid = ANY (pg_catalog.pg_blocking_pids(a.pid))
       ) END AS blockers
FROM pg_catalog.pg_stat_activity AS a
WHERE a.pid = $1
      AND pg_catalog.to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') = $2
