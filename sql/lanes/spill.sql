-- What the server refused while indexes were off, kept for as long as the run may have to be resumed.
INSERT INTO profile_loader.run_spills (run_id, lane, source, byte_offset)
SELECT $1, $2, s.source, s.byte_offset
FROM unnest($3::integer[], $4::bigint[]) AS s (source, byte_offset)
