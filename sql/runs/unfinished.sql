-- Runs into one schema that did not come to their end, the newest first.
SELECT r.id, r.strategy, r.atomic, r.on_existing, r.json_schema_sha256, r.tool_version, r.head_bytes, r.head_digest,
       EXISTS (SELECT FROM profile_loader.run_plans AS p WHERE p.run_id = r.id AND p.defers) AS defers,
       ARRAY(SELECT i.name FROM profile_loader.run_inputs AS i WHERE i.run_id = r.id ORDER BY i.position) AS names
FROM profile_loader.runs AS r
WHERE r.db_schema = $1 AND r.state IN ('running', 'interrupted', 'failed')
ORDER BY r.id DESC
