-- Rejections of a lane within a stretch of one source; a row has those of at most 1 MiB, of which the first may stand before it.
SELECT r.byte_offset, r.code, r.message
FROM profile_loader.run_rejections AS r
WHERE r.run_id = $1 AND r.lane = $2 AND r.source = $3 AND r.byte_offset > $4::bigint - 1048576 AND r.byte_offset < $5
ORDER BY r.byte_offset
