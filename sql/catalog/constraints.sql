SELECT c.relname::text AS table_name,
       k.conname::text AS name,
       k.contype::text AS kind,
       ARRAY(
           SELECT a.attname::text
           FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS u (attnum, position)
           JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
           ORDER BY u.position
       ) AS columns,
       k.condeferrable AS is_deferrable,
       k.convalidated AS is_validated,
       rn.nspname::text AS referenced_schema,
       r.relname::text AS referenced_table,
       ARRAY(
           SELECT a.attname::text
           FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY AS u (attnum, position)
           JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = u.attnum
           ORDER BY u.position
       ) AS referenced_columns,
       k.confdeltype::text AS on_delete,
       k.confupdtype::text AS on_update
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class AS r ON r.oid = k.confrelid
LEFT JOIN pg_catalog.pg_namespace AS rn ON rn.oid = r.relnamespace
WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[]) AND k.contype IN ('p', 'u', 'f', 'c')
ORDER BY c.relname, k.conname
