-- How many connections the role may have at most: by its own limit and that of the database, which superusers are
-- exempt from. Those of the login role count, whatever role it switches to.
SELECT least(nullif(r.rolconnlimit, -1), nullif(d.datconnlimit, -1)) AS connections,
       coalesce(r.rolconnlimit BETWEEN 0 AND 1, false) AS is_of_role,
       r.rolname::text AS role, d.datname::text AS database
FROM pg_catalog.pg_roles AS r, pg_catalog.pg_database AS d
WHERE r.rolname = session_user AND d.datname = pg_catalog.current_database() AND NOT r.rolsuper
