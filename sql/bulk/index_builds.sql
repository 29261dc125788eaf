-- How many bytes of tables the index builds of some sessions have behind them: reading a table is about half of
-- the work, sorting a tenth, and writing the index the rest.
SELECT coalesce(sum(pg_catalog.pg_relation_size(p.relid) * CASE
           WHEN p.phase LIKE '%loading tuples%'
               THEN 0.6 + 0.4 * p.tuples_done / greatest(p.tuples_total, 1)
           WHEN p.phase LIKE '%sorting%' THEN 0.5
           ELSE 0.5 * p.blocks_done / greatest(p.blocks_total, 1)
       END), 0)::float8 AS bytes
FROM pg_catalog.pg_stat_progress_create_index AS p
JOIN pg_catalog.pg_stat_activity AS a ON a.pid = p.pid
WHERE a.application_name = $1
