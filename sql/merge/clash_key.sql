-- The key of a unique index or exclusion constraint: its columns or expressions, with the operator that each of two rows
-- that clash has between them. $1: schema, $2: table, $3: name.
SELECT ARRAY(
           SELECT pg_catalog.pg_get_indexdef(i.indexrelid, n.position, false)
           FROM pg_catalog.generate_series(1, i.indnkeyatts::integer) AS n (position)
           ORDER BY n.position
       ) AS keys,
       ARRAY(
           SELECT pg_catalog.format('OPERATOR(%I.%s)', s.nspname, o.oprname)
           FROM pg_catalog.generate_series(1, i.indnkeyatts::integer) AS n (position)
           JOIN pg_catalog.pg_opclass AS p ON p.oid = i.indclass[n.position - 1]
           JOIN pg_catalog.pg_operator AS o ON o.oid = coalesce(
               k.conexclop[n.position],
               (SELECT a.amopopr FROM pg_catalog.pg_amop AS a
                WHERE a.amopfamily = p.opcfamily AND a.amopstrategy = 3
                  AND a.amoplefttype = p.opcintype AND a.amoprighttype = p.opcintype)
           )
           JOIN pg_catalog.pg_namespace AS s ON s.oid = o.oprnamespace
           ORDER BY n.position
       ) AS operators,
       -- Many rows can be compared with many.
       (
           SELECT pg_catalog.bool_and(o.oprcanhash)
           FROM pg_catalog.generate_series(1, i.indnkeyatts::integer) AS n (position)
           JOIN pg_catalog.pg_opclass AS p ON p.oid = i.indclass[n.position - 1]
           JOIN pg_catalog.pg_operator AS o ON o.oid = coalesce(
               k.conexclop[n.position],
               (SELECT a.amopopr FROM pg_catalog.pg_amop AS a
                WHERE a.amopfamily = p.opcfamily AND a.amopstrategy = 3
                  AND a.amoplefttype = p.opcintype AND a.amoprighttype = p.opcintype)
           )
       ) AS is_hashed,
       pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
JOIN pg_catalog.pg_namespace AS m ON m.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_constraint AS k ON k.conindid = i.indexrelid AND k.contype = 'x'
WHERE m.nspname = $1::text AND c.relname = $2::text AND x.relname = $3::text
