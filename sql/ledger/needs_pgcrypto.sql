-- Whether the tables need an extension that is missing and that the role can't create: gen_random_uuid() is built in since
-- PostgreSQL 13, and before that pgcrypto's, which superusers create.
SELECT pg_catalog.to_regprocedure('pg_catalog.gen_random_uuid()') IS NULL
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'pgcrypto')
       AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS needs_pgcrypto
