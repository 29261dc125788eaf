-- Which of these runs load a plan: its digest, the part, -1 of the plan's own run, and the number of that run.
SELECT p.run_id, p.plan, p.part, whole.run_id AS whole
FROM profile_loader.run_parts AS p
JOIN profile_loader.run_parts AS whole ON whole.db_schema = p.db_schema AND whole.plan = p.plan AND whole.part = -1
WHERE p.run_id = ANY ($1)
