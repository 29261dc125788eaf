-- Whether the role may do with the tables of the runs what a load does.
SELECT pg_catalog.has_schema_privilege('profile_loader', 'USAGE')
       AND bool_and(pg_catalog.has_table_privilege(c.oid, p.privilege)) AS may_load
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'profile_loader'
CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS p (privilege)
WHERE c.relname = ANY ($1::text[])
