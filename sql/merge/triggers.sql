-- Whether a trigger of somebody's may change what a merge writes, or write besides. $1: schema, $2: tables.
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_trigger AS t
    JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[]) AND NOT t.tgisinternal AND t.tgenabled <> 'D'
) AS are_there
