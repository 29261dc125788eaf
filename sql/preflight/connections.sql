-- How many connections the login role may have, and how many there are, ours among them. Sessions of other roles are
-- counted without a privilege for it: who they are shows, what they do does not.
WITH sessions AS (
    SELECT a.datid, a.usesysid FROM pg_catalog.pg_stat_activity AS a WHERE a.usesysid IS NOT NULL
),
login AS (
    SELECT r.*,
           EXISTS (
               SELECT FROM pg_catalog.pg_roles AS p
               WHERE p.rolname = 'pg_use_reserved_connections' AND pg_catalog.pg_has_role(r.oid, p.oid, 'USAGE')
           ) AS may_use_reserved
    FROM pg_catalog.pg_roles AS r
    WHERE r.rolname = session_user
)
SELECT pg_catalog.current_setting('max_connections')::int AS of_server,
       CASE WHEN l.rolsuper THEN 0
            ELSE pg_catalog.current_setting('superuser_reserved_connections')::int
                 + CASE WHEN l.may_use_reserved THEN 0
                        ELSE coalesce(pg_catalog.current_setting('reserved_connections', true)::int, 0) END
       END AS reserved,
       (SELECT count(*) FROM sessions)::int AS in_use,
       CASE WHEN NOT l.rolsuper THEN nullif(l.rolconnlimit, -1) END AS of_role,
       (SELECT count(*) FROM sessions AS s WHERE s.usesysid = l.oid)::int AS in_use_by_role,
       CASE WHEN NOT l.rolsuper THEN nullif(d.datconnlimit, -1) END AS of_database,
       (SELECT count(*) FROM sessions AS s WHERE s.datid = d.oid)::int AS in_use_in_database,
       (SELECT greatest(m.setting::bigint, least(1048576, b.setting::bigint * 8 / 4)) / 1024
        FROM pg_catalog.pg_settings AS m, pg_catalog.pg_settings AS b
        WHERE m.name = 'maintenance_work_mem' AND b.name = 'shared_buffers')::int AS restore_mib
FROM login AS l, pg_catalog.pg_database AS d
WHERE d.datname = pg_catalog.current_database()
