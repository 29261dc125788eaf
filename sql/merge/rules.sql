-- Which tables have rules of their owner's that may refuse a row or act on it, as bits: 1 the profiles, 2 the addresses,
-- 4 the e-mails, 8 the phone numbers; and whether some are triggers. $1: schema, $2: tables, in the order of the bits.
WITH tables AS (
    SELECT c.oid, 1 << (pg_catalog.array_position($2::text[], c.relname::text) - 1) AS bit
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[])
),
triggers AS (
    SELECT t.bit
    FROM tables AS t
    JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = t.oid
    WHERE NOT g.tgisinternal AND g.tgenabled <> 'D'
),
rules AS (
    SELECT g.bit FROM triggers AS g
    UNION ALL
    SELECT t.bit
    FROM tables AS t
    JOIN pg_catalog.pg_constraint AS k ON t.oid IN (k.conrelid, k.confrelid)
    WHERE k.contype IN ('c', 'x')
       OR k.contype = 'f' AND NOT (k.conrelid IN (SELECT o.oid FROM tables AS o)
                                   AND k.confrelid IN (SELECT o.oid FROM tables AS o))
    UNION ALL
    SELECT t.bit
    FROM tables AS t
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attgenerated <> '' AND NOT a.attisdropped
    UNION ALL
    SELECT t.bit
    FROM tables AS t
    JOIN pg_catalog.pg_index AS i ON i.indrelid = t.oid
    WHERE NOT i.indisprimary AND (
        i.indexprs IS NOT NULL OR i.indpred IS NOT NULL
        OR i.indisunique AND NOT (i.indnkeyatts = 2 AND ARRAY['customer_profile_id', 'email'] <@ ARRAY(
            SELECT a.attname::text
            FROM pg_catalog.unnest(i.indkey::smallint[]) AS u (attnum)
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = u.attnum
        ))
    )
)
SELECT coalesce((SELECT pg_catalog.bit_or(r.bit) FROM rules AS r), 0) AS tables,
       EXISTS (SELECT FROM triggers) AS has_triggers
