-- The attempt that the holder of the lock is at; the run that its session names comes first, if it names one.
SELECT attempted_at, started_by, host
FROM profile_loader.runs
WHERE db_schema = $1 AND state = 'running'
ORDER BY id = $2 DESC NULLS LAST, attempted_at DESC
LIMIT 1
