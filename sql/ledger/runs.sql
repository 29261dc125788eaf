-- Runs, newest first, with the sums of their lanes. Of those that are 'running', the one whose loader is at work
-- is that which the session with the lock on the target names, or else the one attempted last; any other belongs
-- to a loader that was killed.
SELECT r.id,
       r.state,
       r.db_schema,
       r.strategy,
       r.atomic,
       r.on_existing,
       r.json_schema_sha256,
       r.tool_version,
       r.lanes,
       r.head_bytes,
       r.head_digest,
       r.attempts,
       r.started_at,
       r.attempted_at,
       r.ended_at,
       r.started_by,
       r.host,
       r.documents_read,
       r.documents_accepted,
       r.documents_rejected,
       r.failure,
       r.state = 'running' AND EXISTS (
           SELECT
           FROM pg_catalog.pg_locks AS k
           LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = k.pid
           WHERE k.locktype = 'advisory'
             AND k.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
             AND k.classid = 1886547044::oid
             AND k.objid = pg_catalog.hashtext(r.db_schema)::oid
             AND k.objsubid = 2
             AND k.granted
             AND r.id = COALESCE(
                 substring(a.application_name FROM '^profile-loader run ([0-9]{1,18})(?: |$)')::bigint,
                 (
                     SELECT newest.id
                     FROM profile_loader.runs AS newest
                     WHERE newest.db_schema = r.db_schema AND newest.state = 'running'
                     ORDER BY newest.attempted_at DESC, newest.id DESC
                     LIMIT 1
                 )
             )
       ) AS is_at_work,
       ARRAY(
           SELECT i.name FROM profile_loader.run_inputs AS i WHERE i.run_id = r.id ORDER BY i.position
       ) AS input_names,
       ARRAY(
           SELECT i.bytes FROM profile_loader.run_inputs AS i WHERE i.run_id = r.id ORDER BY i.position
       ) AS input_bytes,
       ARRAY(
           SELECT i.digest FROM profile_loader.run_inputs AS i WHERE i.run_id = r.id ORDER BY i.position
       ) AS input_digests,
       l.*
FROM profile_loader.runs AS r
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(inserted), 0)::bigint AS inserted,
           COALESCE(sum(updated), 0)::bigint AS updated,
           COALESCE(sum(unchanged), 0)::bigint AS unchanged,
           COALESCE(sum(skipped), 0)::bigint AS skipped,
           COALESCE(sum(rejected), 0)::bigint AS rejected,
           COALESCE(sum(profile_rows), 0)::bigint AS profile_rows,
           COALESCE(sum(address_rows), 0)::bigint AS address_rows,
           COALESCE(sum(email_rows), 0)::bigint AS email_rows,
           COALESCE(sum(phone_number_rows), 0)::bigint AS phone_number_rows
    FROM profile_loader.run_lanes
    WHERE run_id = r.id
) AS l
WHERE ($1::bigint IS NULL OR r.id = $1) AND ($2::text IS NULL OR r.db_schema = $2)
ORDER BY r.id DESC
LIMIT $3::bigint
