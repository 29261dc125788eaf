-- The indexes of the four tables, with what brings each back, and whether anything hangs on it. The search path is
-- empty, so definitions are qualified. $1: schema, $2: tables, $3: the foreign keys that come off, too.
SELECT c.relname::text AS table_name,
       x.relname::text AS name,
       pg_catalog.pg_get_indexdef(i.indexrelid)
           || coalesce(' TABLESPACE ' || pg_catalog.quote_ident(s.spcname), '') AS definition,
       ARRAY(
           SELECT a.attname::text
           FROM pg_catalog.unnest(i.indkey::smallint[]) WITH ORDINALITY AS u (attnum, position)
           LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = u.attnum
           WHERE u.position <= i.indnkeyatts
           ORDER BY u.position
       ) AS columns,
       i.indisunique AS is_unique,
       i.indisclustered AS is_clustered,
       i.indexprs IS NOT NULL OR i.indpred IS NOT NULL OR EXISTS (
           SELECT FROM pg_catalog.pg_attribute AS a
           WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::smallint[]) AND a.attgenerated <> ''
       ) AS is_computed,
       i.indisvalid AND i.indisready AND NOT i.indisexclusion AND NOT i.indisreplident AS is_ordinary,
       -- Equal means bytewise equal: no collation or operator class that takes different texts for the same.
       NOT EXISTS (
           SELECT FROM pg_catalog.unnest(i.indcollation::oid[]) AS u (oid)
           JOIN pg_catalog.pg_collation AS l ON l.oid = u.oid
           WHERE NOT l.collisdeterministic
       ) AND NOT EXISTS (
           SELECT FROM pg_catalog.unnest(i.indclass::oid[]) AS u (oid)
           JOIN pg_catalog.pg_opclass AS o ON o.oid = u.oid
           WHERE o.opcnamespace <> 'pg_catalog'::pg_catalog.regnamespace
       ) AS is_bytewise,
       k.contype::text AS constraint_kind,
       k.condeferrable AS is_deferrable,
       k.condeferred AS is_deferred,
       pg_catalog.obj_description(i.indexrelid, 'pg_class') AS comment,
       pg_catalog.obj_description(k.oid, 'pg_constraint') AS constraint_comment,
       EXISTS (
           SELECT FROM pg_catalog.pg_constraint AS f
           WHERE f.conindid = i.indexrelid AND f.contype = 'f' AND f.oid <> ALL ($3::oid[])
       ) OR EXISTS (
           SELECT FROM pg_catalog.pg_depend AS d
           WHERE d.refclassid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND d.refobjid = k.oid
             AND d.deptype <> 'i'
       ) OR EXISTS (
           SELECT FROM pg_catalog.pg_depend AS d
           WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.indexrelid
             AND d.deptype IN ('e', 'x')
       ) AS is_needed
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
LEFT JOIN pg_catalog.pg_tablespace AS s ON s.oid = x.reltablespace
LEFT JOIN pg_catalog.pg_constraint AS k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[])
ORDER BY c.relname, x.relname
