-- Triggers of somebody's that act on rows that come into the four tables: they may change them, or add others.
SELECT t.tgname::text AS name, c.relname::text AS table_name
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[])
  AND NOT t.tgisinternal AND t.tgenabled <> 'D'
  -- Bit 2 is INSERT.
  AND t.tgtype & 4 <> 0
ORDER BY c.relname, t.tgname
