SELECT t.typtype::text AS kind,
       ARRAY(
           SELECT e.enumlabel::text
           FROM pg_catalog.pg_enum AS e
           WHERE e.enumtypid = t.oid
           ORDER BY e.enumsortorder
       ) AS labels
FROM pg_catalog.pg_type AS t
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
WHERE n.nspname = $1::text AND t.typname = $2::text
