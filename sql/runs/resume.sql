UPDATE profile_loader.runs
SET state = 'running', attempts = attempts + 1, attempted_at = now(), ended_at = NULL, failure = NULL,
    host = pg_catalog.host(pg_catalog.inet_client_addr())
WHERE id = $1 AND state IN ('running', 'interrupted', 'failed')
RETURNING id, attempts, lanes, strategy
