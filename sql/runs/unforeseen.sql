-- What the owner of the tables has set up on them that may refuse or change what a load writes, as far as only writing
-- would tell: triggers, rules, CHECK constraints, unique indexes, exclusion constraints and foreign keys besides those
-- that the tables come with. $1: schema, $2: tables.
WITH tables AS (
    SELECT c.oid, c.relname::text AS relname
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[])
),
own AS (
    SELECT t.relname, 'trigger' AS kind, g.tgname::text AS name
    FROM tables AS t
    JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = t.oid
    WHERE NOT g.tgisinternal AND g.tgenabled <> 'D'
    UNION ALL
    SELECT t.relname, 'rule', w.rulename::text
    FROM tables AS t
    JOIN pg_catalog.pg_rewrite AS w ON w.ev_class = t.oid
    WHERE w.ev_type IN ('2', '3', '4') AND w.ev_enabled <> 'D'
    UNION ALL
    SELECT t.relname,
           CASE k.contype WHEN 'c' THEN 'CHECK constraint' WHEN 'x' THEN 'exclusion constraint' ELSE 'foreign key' END,
           k.conname::text
    FROM tables AS t
    JOIN pg_catalog.pg_constraint AS k ON k.conrelid = t.oid
    WHERE k.contype IN ('c', 'x')
       OR k.contype = 'f' AND k.confrelid NOT IN (SELECT o.oid FROM tables AS o)
    UNION ALL
    SELECT t.relname, 'unique index', x.relname::text
    FROM tables AS t
    JOIN pg_catalog.pg_index AS i ON i.indrelid = t.oid
    JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
    WHERE i.indisunique AND NOT i.indisprimary AND i.indisready
      AND NOT (i.indpred IS NULL AND i.indnkeyatts = 2 AND ARRAY['customer_profile_id', 'email'] <@ ARRAY(
          SELECT a.attname::text
          FROM pg_catalog.unnest(i.indkey::smallint[]) AS u (attnum)
          JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = u.attnum
      ))
)
SELECT o.kind || ' ' || o.name || ' of table ' || o.relname AS what
FROM own AS o
ORDER BY o.relname, o.kind, o.name
