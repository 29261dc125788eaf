-- What the owner of the tables has set up on them that may refuse or change what a load writes, as far as only writing
-- would tell: triggers, rules, CHECK constraints, generated columns, indexes that may refuse something, exclusion
-- constraints and foreign keys, those of other tables to these among them, besides those that the tables come with. $1: schema, $2: tables.
WITH tables AS (
    SELECT c.oid, c.relname::text AS relname
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[])
),
own AS (
    SELECT t.relname, 'trigger' AS kind, g.tgname::text AS name, t.relname AS place
    FROM tables AS t
    JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = t.oid
    WHERE NOT g.tgisinternal AND g.tgenabled IN ('O', 'A')
    UNION ALL
    SELECT t.relname, 'rule', w.rulename::text, t.relname
    FROM tables AS t
    JOIN pg_catalog.pg_rewrite AS w ON w.ev_class = t.oid
    WHERE w.ev_type IN ('2', '3', '4') AND w.ev_enabled IN ('O', 'A')
    UNION ALL
    SELECT t.relname,
           CASE k.contype WHEN 'c' THEN 'CHECK constraint' WHEN 'x' THEN 'exclusion constraint' ELSE 'foreign key' END,
           k.conname::text, t.relname
    FROM tables AS t
    JOIN pg_catalog.pg_constraint AS k ON k.conrelid = t.oid
    WHERE k.contype IN ('c', 'x')
       OR k.contype = 'f' AND k.confrelid NOT IN (SELECT o.oid FROM tables AS o)
    UNION ALL
    -- Rows that other tables need can't be removed.
    SELECT t.relname, 'foreign key', k.conname::text, r.relname || ' to table ' || t.relname
    FROM tables AS t
    JOIN pg_catalog.pg_constraint AS k ON k.confrelid = t.oid
    JOIN pg_catalog.pg_class AS r ON r.oid = k.conrelid
    WHERE k.contype = 'f' AND k.conrelid NOT IN (SELECT o.oid FROM tables AS o)
    UNION ALL
    SELECT t.relname, 'generated column', a.attname::text, t.relname
    FROM tables AS t
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attgenerated <> '' AND NOT a.attisdropped
    UNION ALL
    -- An expression may raise an error, and a collation may take for equal what is not the same.
    SELECT t.relname, CASE WHEN i.indisunique THEN 'unique index' ELSE 'index' END, x.relname::text, t.relname
    FROM tables AS t
    JOIN pg_catalog.pg_index AS i ON i.indrelid = t.oid
    JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
    WHERE i.indisready AND NOT i.indisprimary AND (
        i.indexprs IS NOT NULL OR i.indpred IS NOT NULL
        OR EXISTS (
            SELECT FROM pg_catalog.pg_collation AS l
            WHERE i.indisunique AND l.oid = ANY (i.indcollation::oid[]) AND NOT l.collisdeterministic
        )
        OR i.indisunique AND NOT (i.indnkeyatts = 2 AND ARRAY['customer_profile_id', 'email'] <@ ARRAY(
            SELECT a.attname::text
            FROM pg_catalog.unnest(i.indkey::smallint[]) AS u (attnum)
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = u.attnum
        ))
    )
)
SELECT o.kind || ' ' || o.name || ' of table ' || o.place AS what
FROM own AS o
ORDER BY o.relname, o.kind, o.name
