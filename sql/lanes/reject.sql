-- What only the server could find out, kept for as long as the run may have to be resumed. A row has all documents of a stretch
-- of a source that were refused in the same words: the first by its place, the others behind the words (load/lane/packs.rs).
INSERT INTO profile_loader.run_rejections (run_id, lane, source, byte_offset, code, message)
SELECT $1, $2, r.source, r.byte_offset, r.code, r.message
FROM unnest($3::integer[], $4::bigint[], $5::text[], $6::text[]) AS r (source, byte_offset, code, message)
