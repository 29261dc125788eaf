-- The runs of a plan into one schema: the plan's own first, then its parts, or the one that is wanted.
SELECT p.part, p.first_part, p.parts, r.id, r.state, r.strategy, r.atomic, r.on_existing, r.json_schema_sha256, r.tool_version
FROM profile_loader.run_parts AS p
JOIN profile_loader.runs AS r ON r.id = p.run_id
WHERE p.db_schema = $1 AND p.plan = $2 AND (p.part = -1 OR p.part = coalesce($3::integer, p.part))
ORDER BY p.part
