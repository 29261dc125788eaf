-- The key of a unique index or exclusion constraint: its columns or expressions, with the operator that each of two rows
-- that clash has between them. $1: schema, $2: table, $3: name, $4: the column of the profile's id.
SELECT k.keys, k.operators,
       -- Many rows can be compared with many, and PARTITION BY tells alike what the operators do.
       coalesce(k.is_hashed, false) AS is_hashed,
       -- Rows of one profile never clash: that its id has to be another's is left out of the keys.
       k.has_own AS spares_own,
       -- From PostgreSQL 15 on.
       coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_are_alike,
       i.indisexclusion AS is_exclusion,
       pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
JOIN pg_catalog.pg_namespace AS m ON m.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT pg_catalog.array_agg(n.key ORDER BY n.position) FILTER (WHERE NOT n.is_own) AS keys,
           pg_catalog.array_agg(n.operator ORDER BY n.position) FILTER (WHERE NOT n.is_own) AS operators,
           pg_catalog.bool_and(n.is_hashed) FILTER (WHERE NOT n.is_own) AS is_hashed,
           pg_catalog.bool_or(n.is_own) AS has_own
    FROM (
        SELECT p.position,
               pg_catalog.pg_get_indexdef(i.indexrelid, p.position, false)
                   || CASE WHEN co.oid IS NULL THEN ''
                      ELSE pg_catalog.format(' COLLATE %I.%I', cn.nspname, co.collname) END AS key,
               pg_catalog.format('OPERATOR(%I.%s)', s.nspname, o.oprname) AS operator,
               o.oprcanhash AND EXISTS (
                   SELECT FROM pg_catalog.pg_opclass AS d
                   JOIN pg_catalog.pg_am AS h ON h.oid = d.opcmethod AND h.amname = 'btree'
                   JOIN pg_catalog.pg_amop AS a ON a.amopfamily = d.opcfamily AND a.amopopr = o.oid
                   WHERE d.opcdefault AND d.opcintype = l.opcintype AND a.amopstrategy = 3
               ) AS is_hashed,
               o.oprname = '<>' AND t.attname IS NOT NULL AS is_own
        FROM pg_catalog.generate_series(1, i.indnkeyatts::integer) AS p (position)
        JOIN pg_catalog.pg_opclass AS l ON l.oid = i.indclass[p.position - 1]
        JOIN pg_catalog.pg_operator AS o ON o.oid = coalesce(
            (SELECT e.conexclop[p.position] FROM pg_catalog.pg_constraint AS e
             WHERE e.conindid = i.indexrelid AND e.contype = 'x'),
            (SELECT a.amopopr FROM pg_catalog.pg_amop AS a
             WHERE a.amopfamily = l.opcfamily AND a.amopstrategy = 3
               AND a.amoplefttype = l.opcintype AND a.amoprighttype = l.opcintype)
        )
        JOIN pg_catalog.pg_namespace AS s ON s.oid = o.oprnamespace
        LEFT JOIN pg_catalog.pg_collation AS co ON co.oid = i.indcollation[p.position - 1]
        LEFT JOIN pg_catalog.pg_namespace AS cn ON cn.oid = co.collnamespace
        LEFT JOIN pg_catalog.pg_attribute AS t
            ON t.attrelid = i.indrelid AND t.attnum = i.indkey[p.position - 1] AND t.attname = $4::text
    ) AS n
) AS k
WHERE m.nspname = $1::text AND c.relname = $2::text AND x.relname = $3::text AND k.keys IS NOT NULL
