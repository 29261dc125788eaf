-- $3: the name of the enum, which counts only in the tables' own schema.
SELECT c.relname::text AS table_name,
       a.attname::text AS name,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type_name,
       t.typnamespace = n.oid AND t.typname = $3::text AS is_phone_type,
       a.attnotnull AS is_not_null,
       pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS default_expression,
       -- Whoever inserts a row has to give a value; a domain may ask for one, too.
       (a.attnotnull OR t.typtype = 'd' AND t.typnotnull)
           AND d.adbin IS NULL AND a.attidentity = '' AND (t.typtype <> 'd' OR t.typdefault IS NULL) AS needs_value,
       a.attidentity::text <> '' AS is_identity,
       a.attgenerated::text <> '' AS is_generated
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum
