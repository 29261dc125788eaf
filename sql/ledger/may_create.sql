-- Whether the role may make the ledger's schema, or tables in it.
SELECT coalesce(
           (SELECT pg_catalog.has_schema_privilege(n.oid, 'CREATE') FROM pg_catalog.pg_namespace AS n
            WHERE n.nspname = 'profile_loader'),
           pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
       ) AS may_create
