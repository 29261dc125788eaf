-- What the role lacks for loading, as the statements that grant it. $1: schema, $2: tables, $3: privilege, $4: table
-- and $5: columns (separated by commas) of what is needed, side by side. Every load merges, if only what a bulk load has deferred, and so makes a temporary
-- table.
WITH tables AS (
    SELECT c.oid, n.nspname, c.relname
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[]) AND c.relkind IN ('r', 'p')
),
needed AS (
    SELECT t.oid, t.nspname, t.relname, p.privilege, p.columns, p.position
    FROM unnest($3::text[], $4::text[], $5::text[]) WITH ORDINALITY AS p (privilege, relname, columns, position)
    JOIN tables AS t ON t.relname = p.relname
),
missing AS (
    SELECT 1 AS part, pg_catalog.format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, current_user) AS statement
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname = $1::text AND NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')
    UNION ALL
    SELECT 2, pg_catalog.format('GRANT %s ON TABLE %I.%I TO %I', pg_catalog.string_agg(n.privilege, ', ' ORDER BY n.position),
                                n.nspname, n.relname, current_user)
    FROM needed AS n
    WHERE NOT pg_catalog.has_table_privilege(n.oid, n.privilege)
      -- A privilege on the columns that are used is enough.
      AND (n.privilege = 'DELETE' OR EXISTS (
          SELECT FROM pg_catalog.pg_attribute AS a
          WHERE a.attrelid = n.oid AND NOT a.attisdropped
            AND a.attname = ANY (pg_catalog.string_to_array(n.columns, ','))
            AND NOT pg_catalog.has_column_privilege(n.oid, a.attnum, n.privilege)
      ))
    GROUP BY n.nspname, n.relname
    UNION ALL
    -- The sequences that defaults of the tables' columns take their values from.
    SELECT DISTINCT 3, pg_catalog.format('GRANT USAGE ON SEQUENCE %I.%I TO %I', ns.nspname, s.relname, current_user)
    FROM tables AS t
    JOIN pg_catalog.pg_attrdef AS a ON a.adrelid = t.oid
    JOIN pg_catalog.pg_depend AS d
        ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = a.oid
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    JOIN pg_catalog.pg_class AS s ON s.oid = d.refobjid
    JOIN pg_catalog.pg_namespace AS ns ON ns.oid = s.relnamespace
    WHERE CASE WHEN s.relkind = 'S' THEN NOT pg_catalog.has_sequence_privilege(s.oid, 'USAGE, UPDATE') END
    UNION ALL
    SELECT 4, pg_catalog.format('GRANT TEMPORARY ON DATABASE %I TO %I', pg_catalog.current_database(), current_user)
    WHERE NOT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY')
)
SELECT statement FROM missing ORDER BY part, statement
