-- Columns of the key only, not those of INCLUDE; an expression has no column name.
SELECT c.relname::text AS table_name,
       x.relname::text AS name,
       m.amname::text AS method,
       ARRAY(
           SELECT a.attname::text
           FROM pg_catalog.unnest(i.indkey::smallint[]) WITH ORDINALITY AS u (attnum, position)
           LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = u.attnum
           WHERE u.position <= i.indnkeyatts
           ORDER BY u.position
       ) AS columns,
       i.indisunique AS is_unique,
       i.indimmediate AS is_immediate,
       i.indisvalid AS is_valid,
       pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
JOIN pg_catalog.pg_am AS m ON m.oid = x.relam
WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[])
ORDER BY c.relname, x.relname
