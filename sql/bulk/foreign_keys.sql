-- The foreign keys from one of the four tables to the profile that a row belongs to. Those whose triggers somebody
-- has switched are left alone. The search path is empty. $1: schema, $2: tables.
SELECT k.oid,
       c.relname::text AS table_name,
       k.conname::text AS name,
       pg_catalog.pg_get_constraintdef(k.oid) AS definition,
       k.convalidated AS is_validated,
       pg_catalog.obj_description(k.oid, 'pg_constraint') AS comment
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class AS r ON r.oid = k.confrelid
WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[]) AND k.contype = 'f'
  AND r.relnamespace = n.oid AND r.relname = 'customer_profiles'
  AND k.conkey = ARRAY[(
      SELECT a.attnum FROM pg_catalog.pg_attribute AS a
      WHERE a.attrelid = k.conrelid AND a.attname = 'customer_profile_id'
  )]
  AND k.confkey = ARRAY[(
      SELECT a.attnum FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = k.confrelid AND a.attname = 'id'
  )]
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_trigger AS t WHERE t.tgconstraint = k.oid AND t.tgenabled <> 'O'
  )
ORDER BY c.relname, k.conname
