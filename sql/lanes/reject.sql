-- What only the server could find out, kept for as long as the run may have to be resumed.
INSERT INTO profile_loader.run_rejections (run_id, lane, source, byte_offset, code, message)
SELECT $1, $2, r.source, r.byte_offset, r.code, r.message
FROM unnest($3::integer[], $4::bigint[], $5::text[], $6::text[]) AS r (source, byte_offset, code, message)
