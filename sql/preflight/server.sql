-- What the server is, and as whom the session is there.
SELECT pg_catalog.current_setting('server_version_num')::int AS number,
       pg_catalog.current_setting('server_version') AS version,
       pg_catalog.current_setting('server_encoding') AS encoding,
       pg_catalog.pg_is_in_recovery() AS is_standby,
       pg_catalog.current_database()::text AS database,
       session_user::text AS login_role,
       current_user::text AS role,
       pg_catalog.current_setting('is_superuser') = 'on' AS is_superuser
