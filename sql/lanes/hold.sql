-- Holds the lane's row until the end of the transaction. A transaction of the same lane whose answer was lost
-- is waited for: what is read here is what it left.
SELECT l.attempt, l.source, l.byte_offset
FROM profile_loader.run_lanes AS l
WHERE l.run_id = $1 AND l.lane = $2
FOR UPDATE
