-- Whether the session has the function that tries documents, and whether it may be made.
SELECT pg_catalog.to_regprocedure('pg_temp.profile_loader_try(tid[], integer[], integer, boolean)') IS NOT NULL AS is_made,
       EXISTS (
           SELECT FROM pg_catalog.pg_language AS l
           WHERE l.lanname = 'plpgsql' AND pg_catalog.has_language_privilege(l.oid, 'USAGE')
       ) AS may_be_made
