UPDATE profile_loader.runs
SET state = $3, documents_read = $4, documents_accepted = $5, documents_rejected = $6, failure = $7,
    ended_at = clock_timestamp()
WHERE id = $1 AND attempts = $2 AND state IN ('running', $3)
