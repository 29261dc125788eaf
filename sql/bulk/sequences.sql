-- The sequences that the tables' ids come from, where blocks of ids may be taken from them: the column's own sequence (as
-- bigserial makes it), counting up by one, of which the column's default is the next value and nothing else. An identity
-- column and any other default keep numbering the rows one by one. $1: schema, $2: tables.
SELECT c.relname::text AS table_name,
       pg_catalog.format('%I.%I', m.nspname, s.relname) AS name
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'id'
JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
JOIN pg_catalog.pg_depend AS o
    ON o.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.refobjid = a.attrelid
    AND o.refobjsubid = a.attnum AND o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.deptype = 'a'
JOIN pg_catalog.pg_class AS s ON s.oid = o.objid AND s.relkind = 'S'
JOIN pg_catalog.pg_namespace AS m ON m.oid = s.relnamespace
JOIN pg_catalog.pg_sequence AS q ON q.seqrelid = s.oid
WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[])
  AND a.atttypid = 'pg_catalog.int8'::pg_catalog.regtype AND a.attidentity = '' AND a.attgenerated = ''
  AND pg_catalog.pg_get_expr(d.adbin, d.adrelid)
      = pg_catalog.format('nextval(%L::regclass)', s.oid::pg_catalog.regclass)
  AND q.seqincrement = 1 AND NOT q.seqcycle
  AND pg_catalog.pg_has_role(s.relowner, 'USAGE')
