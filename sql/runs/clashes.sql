-- Constraints that may hold between rows of different profiles: unique indexes and exclusion constraints without the
-- profile or the row's own number in their keys. $1: schema, $2: tables.
SELECT x.relname::text AS name, c.relname::text AS table_name
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
LEFT JOIN pg_catalog.pg_constraint AS k ON k.conindid = i.indexrelid AND k.contype = 'x'
WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[])
  AND (i.indisunique OR i.indisexclusion) AND i.indisready
  AND NOT EXISTS (
      SELECT FROM pg_catalog.unnest(i.indkey::smallint[]) WITH ORDINALITY AS u (attnum, position)
      JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = u.attnum
      LEFT JOIN pg_catalog.pg_operator AS o ON o.oid = k.conexclop[u.position]
      WHERE u.position <= i.indnkeyatts AND a.attname IN ('id', 'customer_profile_id')
        AND (k.oid IS NULL OR o.oprname = '=')
  )
ORDER BY c.relname, x.relname
