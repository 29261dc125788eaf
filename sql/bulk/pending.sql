-- What unfinished runs into one schema have taken off the tables and not brought back.
SELECT d.run_id, d.step, d.label, d.sql, d.after,
       coalesce(pg_catalog.pg_table_size(c.oid), 0) AS bytes
FROM profile_loader.run_ddl AS d
JOIN profile_loader.runs AS r ON r.id = d.run_id
LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = r.db_schema
LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = d.table_name
WHERE r.db_schema = $1 AND r.state IN ('running', 'interrupted', 'failed') AND d.restored_at IS NULL
ORDER BY d.run_id, d.step
