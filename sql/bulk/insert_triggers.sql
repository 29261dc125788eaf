-- Whether a trigger of somebody's acts on rows that come into the four tables: it may change them, or add others.
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_trigger AS t
    JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[])
      AND NOT t.tgisinternal AND t.tgenabled <> 'D'
      -- Bit 2 is INSERT.
      AND t.tgtype & 4 <> 0
) AS are_there
