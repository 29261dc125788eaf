-- The CHECK constraints of the tables, with what each of them says of a row. $1: schema, $2: tables.
SELECT pg_catalog.array_position($2::text[], c.relname::text) - 1 AS table,
       pg_catalog.pg_get_expr(k.conbin, k.conrelid) AS condition
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[]) AND k.contype = 'c'
