SELECT t.name
FROM unnest($2::text[]) AS t (name)
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1::text AND c.relname = t.name AND c.relkind IN ('r', 'p')
)
ORDER BY t.name
