-- From pg_catalog, which needs no privilege on the schema profile_loader. No row: the schema is missing; a row
-- without a name: none of these tables is there.
SELECT c.relname::text AS name,
       CASE WHEN c.relkind IN ('r', 'p') THEN ARRAY(
           SELECT a.attname || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod)
           FROM pg_catalog.pg_attribute AS a
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
           ORDER BY a.attnum
       ) END AS columns
FROM pg_catalog.pg_namespace AS n
LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = ANY ($1::text[])
WHERE n.nspname = 'profile_loader'
