SELECT l.lane, l.source, l.byte_offset, l.digest, l.cost_bytes,
       l.inserted, l.updated, l.unchanged, l.skipped, l.rejected,
       l.profile_rows, l.address_rows, l.email_rows, l.phone_number_rows,
       ARRAY(SELECT t.xid FROM profile_loader.run_transactions AS t
             WHERE t.run_id = l.run_id AND t.lane = l.lane) AS own_transactions,
       EXISTS (SELECT FROM profile_loader.run_spills AS s
               WHERE s.run_id = l.run_id AND s.lane = l.lane) AS has_spills
FROM profile_loader.run_lanes AS l
WHERE l.run_id = $1
ORDER BY l.lane
