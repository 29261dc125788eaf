INSERT INTO profile_loader.runs
    (db_schema, state, strategy, atomic, on_existing, json_schema_sha256, tool_version, lanes,
     head_bytes, head_digest, host)
VALUES ($1, 'running', $2, $3, $4, $5, $6, $7, $8, $9, pg_catalog.host(pg_catalog.inet_client_addr()))
RETURNING id, attempts
