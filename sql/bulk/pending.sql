-- What unfinished runs into one schema have taken off the tables and not brought back; `missing` are the tables that a
-- statement needs and that are not there any more: its own and, for a foreign key, that of the profiles. `is_there` says
-- that somebody has made the same, such as with the table, which was dropped and made again. OFFSET 0: only indexes of that table
-- are asked for their definitions, for one of another, such as a temporary table, may be dropped meanwhile, which is an error.
SELECT d.run_id, d.step, d.label, d.sql, d.after,
       coalesce(pg_catalog.pg_table_size(c.oid), 0) AS bytes,
       ARRAY(
           SELECT t.name
           FROM unnest(CASE WHEN d.label LIKE '%foreign key %' AND d.table_name <> 'customer_profiles'
                            THEN ARRAY[d.table_name, 'customer_profiles'] ELSE ARRAY[d.table_name] END) AS t (name)
           WHERE NOT EXISTS (
               SELECT FROM pg_catalog.pg_class AS k
               WHERE k.relnamespace = n.oid AND k.relname = t.name AND k.relkind IN ('r', 'p')
           )
       ) AS missing,
       CASE
           WHEN d.label LIKE 'index %' THEN EXISTS (
               SELECT FROM (
                   SELECT i.indexrelid FROM pg_catalog.pg_index AS i WHERE i.indrelid = c.oid AND i.indisvalid OFFSET 0
               ) AS i
               WHERE pg_catalog.pg_get_indexdef(i.indexrelid) = pg_catalog.split_part(d.sql, '; COMMENT ON ', 1)
           )
           WHEN d.label LIKE 'constraints of %' THEN d.sql LIKE '%ADD CONSTRAINT %' AND NOT EXISTS (
               SELECT FROM pg_catalog.regexp_matches(
                   d.sql, 'ADD CONSTRAINT "((?:[^"]|"")+)" (?:PRIMARY KEY|UNIQUE) USING INDEX ', 'g'
               ) AS m (names)
               WHERE NOT EXISTS (
                   SELECT FROM pg_catalog.pg_constraint AS k
                   WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u')
                     AND k.conname = pg_catalog.replace(m.names[1], '""', '"')
               )
           )
           ELSE EXISTS (
               SELECT FROM pg_catalog.pg_constraint AS k
               WHERE k.conrelid = c.oid AND k.contype = 'f'
                 AND (d.label = 'check of foreign key ' || k.conname AND k.convalidated
                      OR d.label = 'foreign key ' || k.conname
                         AND pg_catalog.strpos(d.sql, pg_catalog.replace(
                             pg_catalog.pg_get_constraintdef(k.oid), ' NOT VALID', '')) > 0)
           )
       END AS is_there
FROM profile_loader.run_ddl AS d
JOIN profile_loader.runs AS r ON r.id = d.run_id
LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = r.db_schema
LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = d.table_name
WHERE r.db_schema = $1 AND r.state IN ('running', 'interrupted', 'failed') AND d.restored_at IS NULL
ORDER BY d.run_id, d.step
