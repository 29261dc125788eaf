-- Documents of a lane that the server had refused in bulk, within a stretch of one source.
SELECT s.byte_offset
FROM profile_loader.run_spills AS s
WHERE s.run_id = $1 AND s.lane = $2 AND s.source = $3 AND s.byte_offset >= $4 AND s.byte_offset < $5
ORDER BY s.byte_offset
