-- Settings that somebody gave the role or the database and that a load can't be done with: only who set them knows
-- whether they may go.
SELECT s.name, s.setting,
       CASE s.name
           WHEN 'default_transaction_read_only' THEN 'every transaction is read-only'
           ELSE 'foreign keys are not checked and triggers do not fire'
       END AS consequence,
       s.source = 'client' AS is_of_client,
       -- Whoever runs it in this database may be in a read-only transaction as well.
       pg_catalog.format(CASE s.name
                             WHEN 'default_transaction_read_only'
                             THEN 'BEGIN READ WRITE; ALTER ROLE %I IN DATABASE %I SET %s = off; COMMIT'
                             ELSE 'ALTER ROLE %I IN DATABASE %I SET %s = origin'
                         END, session_user, pg_catalog.current_database(), s.name) AS statement
FROM pg_catalog.pg_settings AS s
WHERE s.name = 'default_transaction_read_only' AND s.setting = 'on'
   OR s.name = 'session_replication_role' AND s.setting = 'replica' AND $1::boolean
ORDER BY s.name
