-- Which of the tables are distributed by Citus. $1: schema, $2: tables.
SELECT c.relname::text AS name
FROM pg_catalog.pg_dist_partition AS d
JOIN pg_catalog.pg_class AS c ON c.oid = d.logicalrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[])
ORDER BY c.relname
