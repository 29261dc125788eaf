-- may_create is null where the schema is missing.
SELECT pg_catalog.current_database()::text AS database,
       current_user::text AS role,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE')
           AND pg_catalog.has_schema_privilege(n.oid, 'CREATE') AS may_create
FROM (VALUES (1)) AS one_row
LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = $1::text
