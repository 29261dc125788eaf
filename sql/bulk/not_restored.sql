-- What a run has dropped of the tables and the catalog does not have, as the statement that restores it: a row for each,
-- or one with null; none where the run's own row is gone. The search path is empty, as it was when the definitions were
-- written down. OFFSET 0 as in pending.sql. $1: run.
SELECT m.sql
FROM profile_loader.run_plans AS p
JOIN profile_loader.runs AS r ON r.id = p.run_id
LEFT JOIN LATERAL (
    SELECT d.object ->> 'sql' AS sql
    FROM pg_catalog.jsonb_array_elements(p.dropped) WITH ORDINALITY AS d (object, position)
    WHERE NOT EXISTS (
        SELECT FROM (
            SELECT i.indexrelid, s.spcname
            FROM pg_catalog.pg_index AS i
            JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
            LEFT JOIN pg_catalog.pg_tablespace AS s ON s.oid = x.reltablespace
            JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
            JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
            WHERE d.object ->> 'kind' = 'index' AND n.nspname = r.db_schema
              AND c.relname = d.object ->> 'table' AND x.relname = d.object ->> 'name' AND i.indisvalid
            OFFSET 0
        ) AS i
        WHERE pg_catalog.pg_get_indexdef(i.indexrelid)
              || coalesce(' TABLESPACE ' || pg_catalog.quote_ident(i.spcname), '') = d.object ->> 'definition'
    )
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_constraint AS k
        JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = r.db_schema AND c.relname = d.object ->> 'table' AND k.conname = d.object ->> 'name'
          AND (
              d.object ->> 'kind' = 'key' AND k.contype IN ('p', 'u')
              OR d.object ->> 'kind' = 'foreign key' AND k.contype = 'f'
                 AND pg_catalog.pg_get_constraintdef(k.oid) = d.object ->> 'definition'
          )
    )
    ORDER BY d.position
) AS m ON true
WHERE p.run_id = $1
