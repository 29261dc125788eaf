-- Why the four tables can't be filled in bulk by this role, table by table.
SELECT c.relname::text AS name,
       c.relkind <> 'r' AS is_no_plain_table,
       c.relrowsecurity AS has_row_security,
       EXISTS (
           SELECT FROM pg_catalog.pg_rewrite AS w WHERE w.ev_class = c.oid AND w.ev_type = '3' AND w.ev_enabled <> 'D'
       ) AS has_insert_rule,
       pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AS is_owner,
       pg_catalog.has_schema_privilege(n.oid, 'CREATE') AS may_create
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[])
ORDER BY c.relname
