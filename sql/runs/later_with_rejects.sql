-- The newest later run that has kept its rejected documents in the same file.
SELECT max(r.run_id)
FROM profile_loader.run_reports AS r
WHERE r.run_id > $1 AND r.report::jsonb #>> '{rejects,documents}' = $2
