-- How long recent loads of so many documents took, the newest first: those that came to their end in one attempt.
-- $1: schema, $2: strategy.
SELECT r.id, r.documents_read AS documents,
       extract(epoch FROM r.ended_at - r.attempted_at)::double precision AS seconds
FROM profile_loader.runs AS r
WHERE r.db_schema = $1 AND r.strategy = $2 AND r.state IN ('complete', 'complete_with_rejects')
  AND r.attempts = 1 AND r.documents_read > 0 AND r.ended_at > r.attempted_at
ORDER BY r.id DESC
LIMIT 5
