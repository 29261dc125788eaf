-- What the owner of the tables has set up that hides rows from the role or that our statements can't be used with, table
-- by table, and what somebody who may can run about it. $1: schema, $2: tables, $3: whether stored profiles are updated.
WITH tables AS (
    SELECT c.oid, n.nspname, c.relname, c.relowner, c.relforcerowsecurity
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[]) AND c.relkind IN ('r', 'p')
),
commands AS (
    SELECT c.command FROM (VALUES ('r', false), ('a', false), ('w', true), ('d', true)) AS c (command, is_of_update)
    WHERE $3::boolean OR NOT c.is_of_update
),
policies AS (
    SELECT p.polrelid, p.polcmd::text AS command, p.polpermissive AS is_permissive,
           pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS using_expression,
           pg_catalog.pg_get_expr(coalesce(p.polwithcheck, p.polqual), p.polrelid) AS check_expression
    FROM pg_catalog.pg_policy AS p
    WHERE p.polroles @> ARRAY[0::oid] OR EXISTS (
        SELECT FROM unnest(p.polroles) AS u (role)
        WHERE u.role <> 0 AND pg_catalog.pg_has_role(u.role, 'USAGE')
    )
),
-- Policies that let the role see and write every row are none.
secured AS (
    SELECT t.*
    FROM tables AS t
    WHERE pg_catalog.row_security_active(t.oid) AND (
        EXISTS (SELECT FROM policies AS p WHERE p.polrelid = t.oid AND NOT p.is_permissive)
        OR EXISTS (
            SELECT FROM commands AS c
            WHERE NOT EXISTS (
                SELECT FROM policies AS p
                WHERE p.polrelid = t.oid AND p.is_permissive AND p.command IN (c.command, '*')
                  AND (c.command = 'a' OR p.using_expression = 'true')
                  AND (c.command IN ('r', 'd') OR p.check_expression = 'true')
            )
        )
    )
),
-- INSERT ... ON CONFLICT and, for updates, statements in WITH are not to be had where there are rules.
ruled AS (
    SELECT t.nspname, t.relname, w.rulename,
           CASE w.ev_type WHEN '2' THEN 'UPDATE' WHEN '3' THEN 'INSERT' ELSE 'DELETE' END AS event
    FROM tables AS t
    JOIN pg_catalog.pg_rewrite AS w ON w.ev_class = t.oid
    WHERE CASE WHEN t.relname = 'customer_profiles'
               THEN w.ev_type = '2' OR w.ev_type = '3' AND w.ev_enabled IN ('O', 'A')
               ELSE w.ev_enabled IN ('O', 'A') AND (
                   w.ev_type = '3' AND (w.is_instead OR $3::boolean)
                   OR $3::boolean
                      AND (w.ev_type = '4' OR w.ev_type = '2' AND t.relname = 'customer_profile_addresses')
               )
          END
)
SELECT 1 AS part,
       pg_catalog.format('row level security of table %s applies to role %s, and its policies may hide or refuse rows',
                         s.relname, current_user) AS what,
       CASE WHEN s.relforcerowsecurity AND pg_catalog.pg_has_role(s.relowner, 'USAGE')
            THEN pg_catalog.format('ALTER TABLE %I.%I NO FORCE ROW LEVEL SECURITY', s.nspname, s.relname)
            ELSE pg_catalog.format('ALTER ROLE %I BYPASSRLS', current_user)
       END AS statement
FROM secured AS s
UNION ALL
SELECT 2,
       pg_catalog.format('table %s has the rule %s on %s, and a load''s statements can''t be used with it (a trigger can '
                         'do the same)', r.relname, r.rulename, r.event),
       pg_catalog.format('DROP RULE %I ON %I.%I', r.rulename, r.nspname, r.relname)
FROM ruled AS r
ORDER BY part, what
