-- Rules that PostgreSQL does not let a merge work with, or that would do something else instead of it, with the statement
-- that takes each out of the way. $1: schema, $2: tables, $3: whether stored profiles are updated.
SELECT pg_catalog.format('%s of table %s', r.rulename, r.relname) AS rule,
       CASE WHEN r.is_in_the_way_of_conflicts
            THEN pg_catalog.format('DROP RULE %I ON %I.%I', r.rulename, r.nspname, r.relname)
            ELSE pg_catalog.format('ALTER TABLE %I.%I DISABLE RULE %I', r.nspname, r.relname, r.rulename)
       END AS statement
FROM (
    SELECT w.rulename, c.relname, n.nspname, w.ev_type, w.ev_enabled, w.is_instead,
           -- ON CONFLICT is not for a table with rules on INSERT (3) or UPDATE (2), not even with disabled ones.
           c.relname = 'customer_profiles' AND w.ev_type IN ('2', '3') AS is_in_the_way_of_conflicts
    FROM pg_catalog.pg_rewrite AS w
    JOIN pg_catalog.pg_class AS c ON c.oid = w.ev_class
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[])
) AS r
WHERE r.is_in_the_way_of_conflicts
   OR r.ev_enabled <> 'D'
      -- WITH is not for a statement that a rule makes several of.
      AND ($3::boolean AND r.ev_type IN ('2', '3', '4') OR r.ev_type = '3' AND r.is_instead)
ORDER BY r.relname, r.rulename
